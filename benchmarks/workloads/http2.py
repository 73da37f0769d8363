"""HTTP/2 and gRPC for loads that must not wait for their client.

Nothing is decoded but the nine bytes before each frame: a connection hands out the
DATA that came, of all its streams together, and the workload counts in it.
"""

import socket

from google.protobuf.message import Message
from hpack import Encoder

from miniet.wire import frames
from miniet.wire.frames import FrameType
from miniet.wire.messages import MessageReader, prefix

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DEFAULT_WINDOW_BYTES = 65_535
RECEIVE_BYTES_MAX = 1 << 18


class Connection:
    """A client's connection.

    Args:
        window_bytes: what the server may send before `give` is called, on each stream
            and on all.
    """

    def __init__(self, endpoint: str, window_bytes: int = frames.WINDOW_MAX) -> None:
        host, _, port = endpoint.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._encoder = Encoder()
        self._incomplete = b""
        self._last_stream = -1
        self.ended_count = 0
        """Streams that the server has ended."""
        self.pong_count = 0
        """Answers to `ping`."""
        self._socket.sendall(
            PREFACE
            + frames.settings({frames.Setting.INITIAL_WINDOW_SIZE: window_bytes})
        )
        if window_bytes > DEFAULT_WINDOW_BYTES:
            self._send_room(0, window_bytes - DEFAULT_WINDOW_BYTES)

    def fileno(self) -> int:
        """Return the socket's number, for selectors."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close without a farewell."""
        self._socket.close()

    def open(self, method: str) -> int:
        """Begin a call of one of etcd's methods and return its stream."""
        self._last_stream += 2
        headers = self._encoder.encode(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", f"/etcdserverpb.{method}"),
                (":authority", "server"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
            ]
        )
        self._send(FrameType.HEADERS, frames.END_HEADERS, self._last_stream, headers)
        return self._last_stream

    def send(self, stream: int, *messages: Message, end: bool = False) -> None:
        """Send messages; together less than the 16 KiB of a frame."""
        bodies = [message.SerializeToString() for message in messages]
        data = b"".join(prefix(len(body)) + body for body in bodies)
        self._send(FrameType.DATA, frames.END_STREAM if end else 0, stream, data)

    def give(self, stream: int, count: int) -> None:
        """Let the server send `count` bytes more on the stream and the connection."""
        self._send_room(0, count)
        self._send_room(stream, count)

    def ping(self) -> None:
        """Ask for a pong, which comes when what was sent before has been taken."""
        self._send(FrameType.PING, 0, 0, bytes(8))

    def receive(self) -> bytes:
        """Wait for something, and return the DATA in it.

        Raises:
            ConnectionError: the server has hung up, or reset a stream.
        """
        received = self._socket.recv(RECEIVE_BYTES_MAX)
        if not received:
            raise ConnectionError("the server has hung up")
        pending = self._incomplete + received
        at, found = 0, []
        while len(pending) - at >= frames.HEADER_BYTES:
            high, low, kind, flags, _ = frames.read_header(pending, at)
            begin = at + frames.HEADER_BYTES
            end = begin + (high << 8 | low)
            if len(pending) < end:
                break
            at = end
            if kind == FrameType.DATA:
                found.append(pending[begin:at])
            else:
                self._take(kind, flags, pending[begin:at])
        self._incomplete = pending[at:]
        return b"".join(found)

    def _take(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == FrameType.HEADERS:
            self.ended_count += flags & frames.END_STREAM
        elif kind == FrameType.PING and flags & frames.ACK:
            self.pong_count += 1
        elif kind == FrameType.PING:
            self._send(FrameType.PING, frames.ACK, 0, payload)
        elif kind == FrameType.SETTINGS and not flags & frames.ACK:
            self._send(FrameType.SETTINGS, frames.ACK, 0, b"")
        elif kind in (FrameType.RST_STREAM, FrameType.GOAWAY):
            raise ConnectionError(f"the server sent a frame of type {kind}")

    def _send_room(self, stream: int, count: int) -> None:
        self._socket.sendall(frames.window_update(stream, count))

    def _send(self, kind: FrameType, flags: int, stream: int, payload: bytes) -> None:
        self._socket.sendall(frames.frame(kind, flags, stream, payload))


def wait_messages(connection: Connection, count: int) -> None:
    """Receive so many messages, short ones and on one stream."""
    reader = MessageReader(RECEIVE_BYTES_MAX, encoding="")
    while count > 0:
        count -= len([*reader.feed(bytes(connection.receive()))])
