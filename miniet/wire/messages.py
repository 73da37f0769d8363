"""gRPC's messages inside the DATA of a stream.

    0            1            5
    | compressed | length     | message, `length` bytes ...

Messages begin and end anywhere in the frames. Texts are those of grpc-go, which
etcd's clients show to their users. Compressed messages are refused: etcd 3.4 has no
decompressor installed either.
"""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final

from miniet.wire.errors import CallRefusedError

PREFIX_BYTES: Final = 5
_RESOURCE_EXHAUSTED, _UNIMPLEMENTED, _INTERNAL = 8, 12, 13


prefix: Callable[[int], bytes] = Struct(">xL").pack
"""Writes what stands before an uncompressed message of so many bytes."""


def whole_message(data: bytes) -> bytes | None:
    """Return the message if `data` is one, uncompressed and whole: nearly always."""
    size = len(data) - PREFIX_BYTES
    if size < 0 or data[0] or int.from_bytes(data[1:PREFIX_BYTES], "big") != size:
        return None
    return data[PREFIX_BYTES:]


class MessageReader:
    """Puts the messages of one stream together, from the first that is torn apart.

    Kept: what has come of a message that is not complete, `bytes_max` at most.
    """

    __slots__ = ("_buffer", "_bytes_max", "_encoding")

    def __init__(self, bytes_max: int, encoding: str) -> None:
        self._bytes_max = bytes_max
        self._encoding = encoding
        self._buffer = bytearray()

    @property
    def held_bytes(self) -> int:
        """Bytes of an incomplete message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes and yield the messages that they complete.

        Raises:
            CallRefusedError: a message is too large, or compressed.
        """
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= PREFIX_BYTES:
            body_start = start + PREFIX_BYTES
            end = body_start + self._size(buffer[start:body_start])
            if end > len(buffer):
                break
            with memoryview(buffer) as view:
                body = bytes(view[body_start:end])
            yield self._message(buffer[start], body)
            start = end
        del buffer[:start]

    def _size(self, head: bytearray) -> int:
        size = int.from_bytes(head[1:PREFIX_BYTES], "big")
        if head[0] > 1:
            raise CallRefusedError(
                _INTERNAL, f"grpc: received unexpected payload format {head[0]}"
            )
        if size > self._bytes_max:
            raise CallRefusedError(
                _RESOURCE_EXHAUSTED,
                f"grpc: received message larger than max ({size} vs. "
                f"{self._bytes_max})",
            )
        return size

    def _message(self, is_compressed: int, body: bytes) -> bytes:
        if not is_compressed:
            return body
        if self._encoding == "identity":
            raise CallRefusedError(
                _INTERNAL,
                "grpc: compressed flag set with identity or empty encoding",
            )
        raise CallRefusedError(
            _UNIMPLEMENTED,
            f'grpc: Decompressor is not installed for grpc-encoding "{self._encoding}"',
        )
