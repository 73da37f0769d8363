"""A client that asks and does not read: what it is sent stays with the server."""

import socket

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4


def ask_and_not_read(port: int, path: str, message: bytes) -> socket.socket:
    """Begin a unary call; the server may send 64 KiB, the rest waits for the close."""
    headers = b"".join(
        # A literal without a name from the table: two short strings.
        b"\x00%c%b%c%b" % (len(name), name, len(value), value)
        for name, value in (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path.encode()),
            (b":authority", b"server"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        )
    )
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, 1, headers)
        + _frame(
            _DATA, _END_STREAM, 1, b"\x00" + len(message).to_bytes(4, "big") + message
        )
    )
    return connection


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = bytes((kind, flags)) + stream.to_bytes(4, "big")
    return len(payload).to_bytes(3, "big") + head + payload
