"""Header blocks: what clients send is decoded and checked, what we send is constant.

A client sends nearly the same headers with every call, and HPACK makes the same bytes
of them once its table knows them all. `HeaderReader` therefore remembers the blocks
that left the table as it was, until another block changes it.
"""

from typing import Any, Final

from hpack import Decoder, HPACKError
from hpack.exceptions import OversizedHeaderListError

from miniet.wire.call import Call, Header, timeout_s
from miniet.wire.errors import CallRefusedError, ErrorCode, PeerError, StreamError

_BLOCKS_MAX: Final = 64
"""Header blocks remembered per connection: a client uses a few methods."""

_PSEUDO: Final = {b":method", b":scheme", b":path", b":authority"}
_CONNECTION_SPECIFIC: Final = {
    b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding",
    b"upgrade",
}  # fmt: skip
_INTERNAL: Final = 13


class HttpRefusalError(CallRefusedError):
    """Not gRPC at all: answered with an HTTP status and nothing else."""


class HeaderReader:
    """The headers of one connection's client."""

    __slots__ = ("_blocks", "_decoder")

    def __init__(self, list_bytes_max: int) -> None:
        self._decoder = Decoder(max_header_list_size=list_bytes_max)
        self._blocks: dict[bytes, Call] = {}

    def read_call(self, stream_id: int, block: bytes) -> Call:
        """Decode the headers that open a call.

        Raises:
            PeerError: the block cannot be decoded; the table is lost with it.
            StreamError: the headers are not those of a request.
            CallRefusedError: they are, but no gRPC call can come of it.
        """
        known = self._blocks.get(block)
        if known is not None:
            return known
        headers, changed = self._decode(block)
        call = _checked(stream_id, headers)
        if not changed:
            if len(self._blocks) == _BLOCKS_MAX:
                self._blocks.clear()
            self._blocks[block] = call
        return call

    def read_trailers(self, stream_id: int, block: bytes) -> None:
        """Decode headers that end a request; gRPC has no use for them.

        Raises:
            PeerError, StreamError: as `read_call`.
        """
        headers, _ = self._decode(block)
        if any(name.startswith(b":") or name != name.lower() for name, _ in headers):
            raise StreamError(stream_id, ErrorCode.PROTOCOL_ERROR)

    def skip(self, block: bytes) -> None:
        """Decode headers that nobody wants: the table must follow the client's.

        Raises:
            PeerError: as `read_call`.
        """
        if block not in self._blocks:
            self._decode(block)

    def _decode(self, block: bytes) -> tuple[list[Header], bool]:
        table = self._decoder.header_table
        # A new entry is a new object, even if it says the same; typed, a compiler
        # would be free to compare copies.
        entries: Any = table.dynamic_entries
        newest = entries[0] if entries else None
        sizes = (len(entries), table.maxsize)
        try:
            headers = list(self._decoder.decode(block, raw=True))
        except OversizedHeaderListError as error:
            raise PeerError(ErrorCode.ENHANCE_YOUR_CALM, str(error)) from error
        except HPACKError as error:
            raise PeerError(ErrorCode.COMPRESSION_ERROR, str(error)) from error
        changed = (entries[0] if entries else None) is not newest or sizes != (
            len(entries),
            table.maxsize,
        )
        if changed:
            self._blocks.clear()
        return [(bytes(name), bytes(value)) for name, value in headers], changed


def _checked(stream_id: int, headers: list[Header]) -> Call:
    """Hold headers against RFC 9113 section 8.3, then against gRPC's rules."""
    pseudo: dict[bytes, bytes] = {}
    rest: list[Header] = []
    for name, value in headers:
        if name.startswith(b":"):
            if rest or name in pseudo or name not in _PSEUDO:
                raise StreamError(stream_id, ErrorCode.PROTOCOL_ERROR)
            pseudo[name] = value
        else:
            rest.append((name, value))
    if any(map(_is_malformed, rest)) or not (
        pseudo.get(b":method") and pseudo.get(b":scheme") and pseudo.get(b":path")
    ):
        raise StreamError(stream_id, ErrorCode.PROTOCOL_ERROR)
    return _call(stream_id, pseudo, rest)


def _is_malformed(header: Header) -> bool:
    name, value = header
    return (
        name != name.lower()
        or name in _CONNECTION_SPECIFIC
        or (name == b"te" and value != b"trailers")
        or any(bad in value for bad in (b"\0", b"\r", b"\n"))
    )


def _call(stream_id: int, pseudo: dict[bytes, bytes], rest: list[Header]) -> Call:
    single = dict(rest)
    length = single.get(b"content-length")
    if length is not None and not length.isdigit():
        raise StreamError(stream_id, ErrorCode.PROTOCOL_ERROR)
    if pseudo[b":method"] != b"POST":
        raise HttpRefusalError(405, "gRPC calls are POST")
    content_type = single.get(b"content-type", b"")
    if not content_type.startswith(b"application/grpc"):
        raise HttpRefusalError(415, "not a gRPC call")
    timeout = single.get(b"grpc-timeout")
    try:
        seconds = None if timeout is None else timeout_s(timeout)
    except ValueError as error:
        raise CallRefusedError(_INTERNAL, str(error)) from None
    return Call(
        path=pseudo[b":path"].decode("latin-1"),
        encoding=single.get(b"grpc-encoding", b"identity").decode("latin-1"),
        timeout_s=seconds,
        content_length=None if length is None else int(length),
        metadata={
            name.decode("latin-1"): value.decode("latin-1") for name, value in rest
        },
    )


def _literal(name: bytes, value: bytes) -> bytes:
    """Write a header that no table is to remember (RFC 7541, section 6.2.2)."""
    return b"\x00" + _string(name) + _string(value)


def _string(text: bytes) -> bytes:
    length = len(text)
    if length < 127:
        return bytes((length,)) + text
    length -= 127
    prefix = bytearray((127,))
    while length >= 128:
        prefix.append(length & 127 | 128)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + text


_STATUS_200: Final = b"\x88"  # an entry of the static table
RESPONSE_BLOCK: Final = _STATUS_200 + _literal(b"content-type", b"application/grpc")
"""Headers of every response."""
TRAILERS_OK: Final = _literal(b"grpc-status", b"0")
"""Trailers of every call that succeeds."""


def trailers(status: int, text: str) -> bytes:
    """Write the trailers of a call that failed."""
    block = _literal(b"grpc-status", b"%d" % status)
    return block + _literal(b"grpc-message", _percent_encoded(text)) if text else block


def http_refusal(status: int) -> bytes:
    """Write the only headers of a response that is no gRPC."""
    return _literal(b":status", b"%d" % status)


def _percent_encoded(text: str) -> bytes:
    """Write a message as gRPC does: UTF-8, all but printable ASCII as %XX."""
    return b"".join(
        bytes((byte,)) if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte
        for byte in text.encode("utf-8", "replace")
    )
