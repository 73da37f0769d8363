"""A client that asks and does not read: what it is sent stays with the server."""

from tests.support.http2 import Wire, call


def ask_and_not_read(port: int, path: str, message: bytes) -> Wire:
    """Begin a unary call; the server may send 64 KiB, the rest waits for the close."""
    return Wire.http2(port, call(1, path, message))
