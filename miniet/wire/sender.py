"""`Sender`: what goes to the client, in order, as far as its windows admit it."""

from collections import deque
from collections.abc import Iterator
from struct import Struct
from typing import Final

from miniet.errors import InvariantError
from miniet.wire import frames
from miniet.wire.errors import ErrorCode, PeerError, StreamError
from miniet.wire.frames import (
    END_HEADERS,
    END_STREAM,
    PAYLOAD_BYTES_MAX,
    WINDOW_MAX,
    FrameType,
)
from miniet.wire.headers import RESPONSE_BLOCK, TRAILERS_OK
from miniet.wire.messages import PREFIX_BYTES, prefix
from miniet.wire.stream import Stream

_WINDOW_DEFAULT: Final = 65_535

_DIRECT_BYTES_MAX: Final = 64 * 1024
"""What is queued already while messages that fit are still put into frames at once."""

# A unary response that fits into one frame is put together in one go: headers, the
# head of DATA and of the message, the message, trailers.
_pack_before: Final = Struct(f">5sL{len(RESPONSE_BLOCK)}sHBHLxL").pack
_pack_after: Final = Struct(f">5sL{len(TRAILERS_OK)}s").pack
_HEAD: Final = frames.frame_header(
    len(RESPONSE_BLOCK), FrameType.HEADERS, END_HEADERS, 0
)[:5]
_TAIL: Final = frames.frame_header(
    len(TRAILERS_OK), FrameType.HEADERS, END_HEADERS | END_STREAM, 0
)[:5]
_DATA_FLAGS: Final = FrameType.DATA << 8

Chunk = bytes | memoryview


class Sender:
    """Output of one connection.

    initial_window: send window of a new stream, as the client has set it.
    data_frame_total: DATA frames made of what had to wait.

    Invariant: only `frames_of` makes DATA of what is pending, so what has been taken
    is bounded by the taker, and what waits by those who send.
    """

    __slots__ = (
        "_out",
        "_out_bytes",
        "_waiting",
        "data_frame_total",
        "initial_window",
        "window",
    )

    def __init__(self) -> None:
        self._out: list[Chunk] = []
        self._out_bytes = 0
        self._waiting: dict[int, Stream] = {}
        self.data_frame_total = 0
        self.initial_window = _WINDOW_DEFAULT
        self.window = _WINDOW_DEFAULT

    @property
    def has_output(self) -> bool:
        """Whether `take` would return anything now."""
        return bool(self._out) or (
            self.window > 0
            and any(stream.send_window > 0 for stream in self._waiting.values())
        )

    def control(self, frame: bytes) -> None:
        """Queue a frame that no window holds back."""
        self._out.append(frame)
        self._out_bytes += len(frame)

    def respond(self, stream: Stream, message: bytes) -> bool:
        """Send a whole unary response at once, if windows and frames admit it."""
        size = len(message)
        length = size + PREFIX_BYTES
        if (
            length > PAYLOAD_BYTES_MAX
            or length > self.window
            or length > stream.send_window
        ):
            return False
        self.window -= length
        stream_id = stream.stream_id
        self.control(
            _pack_before(
                _HEAD,
                stream_id,
                RESPONSE_BLOCK,
                length >> 8,
                length & 255,
                _DATA_FLAGS,
                stream_id,
                size,
            )
            + message
            + _pack_after(_TAIL, stream_id, TRAILERS_OK)
        )
        return True

    def send(self, stream: Stream, *messages: bytes) -> None:
        """Queue messages on a stream, with the response's headers before the first.

        Those that fit into one frame together share it.

        Memory: what has to wait is kept as it is until the client took it.
        """
        if stream.trailers is not None:
            raise InvariantError(f"a message after the end of stream {stream}")
        if not stream.has_sent_headers:
            stream.has_sent_headers = True
            self.headers(stream.stream_id, RESPONSE_BLOCK, END_HEADERS)
        length = sum(map(len, messages)) + PREFIX_BYTES * len(messages)
        if (
            not stream.pending
            and length <= PAYLOAD_BYTES_MAX
            and length <= self.window
            and length <= stream.send_window
            and self._out_bytes < _DIRECT_BYTES_MAX
        ):
            self.window -= length
            stream.send_window -= length
            self._data_head(stream, length)
            self._out += [prefix(len(message)) + message for message in messages]
            self._out_bytes += length
            return
        if stream.pending is None:
            stream.pending = deque()
        for message in messages:
            stream.pending.append(memoryview(prefix(len(message))))
            if message:
                stream.pending.append(memoryview(message))
        stream.pending_bytes += length
        self._waiting[stream.stream_id] = stream

    def _data_head(self, stream: Stream, length: int) -> None:
        self.control(frames.frame_header(length, FrameType.DATA, 0, stream.stream_id))

    def headers(self, stream_id: int, block: bytes, flags: int) -> None:
        """Send a header block."""
        self.control(frames.frame(FrameType.HEADERS, flags, stream_id, block))

    def forget(self, stream: Stream) -> None:
        """Drop what waits on a stream that is over."""
        self._waiting.pop(stream.stream_id, None)

    def take(self, bytes_max: int) -> tuple[list[Chunk], list[Stream]]:
        """Return what may go out now, and the streams that have nothing left.

        Args:
            bytes_max: where to stop; what is queued already and a frame may exceed it.
        """
        drained: list[Stream] = []
        while self._waiting and self.window > 0 and self._out_bytes < bytes_max:
            moved = False
            # A frame of each in turn, so that a long response delays no other.
            for stream in list(self._waiting.values()):
                if stream.send_window > 0 and self.window > 0:
                    moved = True
                    self._send_frame(stream)
                    if not stream.pending:
                        del self._waiting[stream.stream_id]
                        drained.append(stream)
            if not moved:
                break
        out, self._out, self._out_bytes = self._out, [], 0
        return out, drained

    def _send_frame(self, stream: Stream) -> None:
        room = min(stream.send_window, self.window, PAYLOAD_BYTES_MAX)
        parts = list(_take(stream.pending, room)) if stream.pending else []
        length = sum(map(len, parts))
        stream.send_window -= length
        stream.pending_bytes -= length
        self.window -= length
        self.data_frame_total += 1
        self._data_head(stream, length)
        self._out += parts
        self._out_bytes += length

    def widen(self, increment: int) -> None:
        """Take a WINDOW_UPDATE of the connection.

        Raises:
            PeerError: the window becomes too large.
        """
        self.window += increment
        if self.window > WINDOW_MAX:
            raise PeerError(ErrorCode.FLOW_CONTROL_ERROR, "connection window too large")

    @staticmethod
    def widen_stream(stream: Stream, increment: int) -> None:
        """Take a WINDOW_UPDATE of a stream.

        Raises:
            StreamError: the window becomes too large.
        """
        stream.send_window += increment
        if stream.send_window > WINDOW_MAX:
            raise StreamError(stream.stream_id, ErrorCode.FLOW_CONTROL_ERROR)


def _take(pending: deque[memoryview], room: int) -> Iterator[memoryview]:
    """Take up to `room` bytes off what is pending, as views."""
    while pending and room > 0:
        part = pending.popleft()
        if len(part) > room:
            pending.appendleft(part[room:])
            part = part[:room]
        room -= len(part)
        yield part
