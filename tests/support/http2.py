"""HTTP/2 and gRPC by hand: what no well-behaved client library would send.

Nothing is awaited and nothing is checked: the caller says what goes out, and reads
what comes back as frames. Headers are literals, so there is no table to keep.
"""

import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PADDED, HAS_PRIORITY = 0x8, 0x20

FRAME_BYTES_MAX = 16_384
"""What a peer must take without having said so."""

SECONDS_MAX = 10.0


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """Encode one frame."""
    head = bytes((kind, flags)) + stream.to_bytes(4, "big")
    return len(payload).to_bytes(3, "big") + head + payload


def setting(identifier: int, value: int) -> bytes:
    """Encode one setting, a piece of the payload of a SETTINGS frame."""
    return identifier.to_bytes(2, "big") + value.to_bytes(4, "big")


def header_block(path: str, extra: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """Encode the headers of a gRPC call."""
    return b"".join(
        # A literal without a name from the table: two strings.
        b"\x00%b%b%b%b" % (_length(name), name, _length(value), value)
        for name, value in (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path.encode()),
            (b":authority", b"server"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
            *extra,
        )
    )


def header_frames(stream: int, block: bytes, *, end_stream: bool = False) -> bytes:
    """Cut a header block into HEADERS and as many CONTINUATION frames as it takes."""
    pieces = [
        block[start : start + FRAME_BYTES_MAX]
        for start in range(0, len(block), FRAME_BYTES_MAX)
    ]
    frames = []
    for number, piece in enumerate(pieces):
        flags = END_HEADERS if number == len(pieces) - 1 else 0
        if number == 0 and end_stream:
            flags |= END_STREAM
        frames.append(frame(CONTINUATION if number else HEADERS, flags, stream, piece))
    return b"".join(frames)


def message(body: bytes, *, compressed: bool = False) -> bytes:
    """Put gRPC's prefix before a message."""
    return bytes((compressed,)) + len(body).to_bytes(4, "big") + body


def call(stream: int, path: str, body: bytes, *, end_stream: bool = True) -> bytes:
    """Encode a call with one short message."""
    flags = END_STREAM if end_stream else 0
    return header_frames(stream, header_block(path)) + frame(
        DATA, flags, stream, message(body)
    )


def _length(data: bytes) -> bytes:
    """Encode the length of a string as HPACK does, in 7 bits and more."""
    rest = len(data) - 127
    if rest < 0:
        return bytes((len(data),))
    encoded = bytearray(b"\x7f")
    while rest > 127:
        encoded.append(rest & 127 | 128)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


class Wire:
    """A connection to a server, as bytes; it is closed when the block ends.

    Args:
        opening: sent at once.
    """

    def __init__(self, port: int, opening: bytes = b"") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS_MAX)
        self._received = bytearray()
        self.is_open = True
        """Whether the server has not hung up, as far as it was looked at."""
        if opening:
            self.send(opening)

    @classmethod
    def http2(cls, port: int, *frames: bytes) -> Self:
        """Open a connection, with the settings that every client begins with."""
        return cls(port, PREFACE + frame(SETTINGS) + b"".join(frames))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close without a farewell."""
        self._socket.close()

    def reset_on_close(self) -> None:
        """Let the close be a reset."""
        now = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)

    def half_close(self) -> None:
        """Say, as TCP does, that no more will come."""
        with suppress(OSError):  # it is closed already
            self._socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> bool:
        """Send; False: the server has hung up, or takes no more."""
        try:
            self._socket.sendall(data)
        except OSError:
            self.is_open = False
        return self.is_open

    def pour(self, data: bytes, *, reading: bool = True, stall_s: float = 2.0) -> int:
        """Send as long as it is taken, throwing away what comes back.

        Args:
            reading: False: leave what comes back to the server.
            stall_s: give up when nothing has moved for so long.
        Returns:
            Bytes that were taken.
        """
        view, sent = memoryview(data), 0
        self._socket.setblocking(False)
        try:
            while sent < len(view):
                readable, writable, _ = select.select(
                    [self._socket] if reading else [], [self._socket], [], stall_s
                )
                if readable and not self._socket.recv(1 << 16):
                    self.is_open = False
                    break
                if writable:
                    sent += self._socket.send(view[sent : sent + (1 << 16)])
                elif not readable:
                    break
        except OSError:
            self.is_open = False
        finally:
            self._socket.settimeout(SECONDS_MAX)
        return sent

    def wait_end(self, seconds_max: float = SECONDS_MAX) -> bool:
        """Read until the server hangs up; False: not in time."""
        deadline = time.monotonic() + seconds_max
        try:
            while self.is_open and (left := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv(1 << 16):
                    self.is_open = False
        except TimeoutError:
            pass
        except OSError:
            self.is_open = False
        return not self.is_open

    def look(self) -> list[tuple[int, int]]:
        """Return (kind, stream) of the frames that have come; wait for none."""
        self._socket.setblocking(False)
        try:
            while received := self._socket.recv(1 << 16):
                self._received += received
            self.is_open = False
        except BlockingIOError:
            pass
        except OSError:
            self.is_open = False
        finally:
            self._socket.settimeout(SECONDS_MAX)
        found, data = [], self._received
        while len(data) >= 9:
            size = 9 + int.from_bytes(data[:3], "big")
            if len(data) < size:
                break
            found.append((data[3], int.from_bytes(data[5:9], "big")))
            del data[:size]
        return found

    def frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield (kind, flags, stream, payload) as they come, until the end.

        Raises:
            TimeoutError: nothing came in time.
        """
        while (head := self._read(9)) is not None:
            payload = self._read(int.from_bytes(head[:3], "big"))
            if payload is None:
                return
            yield head[3], head[4], int.from_bytes(head[5:9], "big"), payload

    def wait_frame(self, kind: int, stream: int) -> bytes | None:
        """Return the payload of the next such frame; None: the server hung up."""
        for found, _, number, payload in self.frames():
            if (found, number) == (kind, stream):
                return payload
        return None

    def _read(self, count: int) -> bytes | None:
        while len(self._received) < count:
            try:
                received = self._socket.recv(1 << 16)
            except ConnectionError:
                received = b""
            if not received:
                self.is_open = False
                return None
            self._received += received
        data = bytes(self._received[:count])
        del self._received[:count]
        return data
