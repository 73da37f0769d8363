"""`Connection`: one client's bytes, taken up and answered."""

from typing import Final

from miniet.errors import InvariantError
from miniet.wire import frames
from miniet.wire.errors import ErrorCode, PeerError
from miniet.wire.events import CallAborted, ConnectionEnded, Event
from miniet.wire.frames import (
    HEADER_BYTES,
    PAYLOAD_BYTES_MAX,
    STREAM_ID_MASK,
    WINDOW_MAX,
    Setting,
)
from miniet.wire.headers import TRAILERS_OK
from miniet.wire.incoming import DRAIN_PING, take_frame
from miniet.wire.limits import Limits
from miniet.wire.sender import Chunk
from miniet.wire.session import Session

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What every HTTP/2 client says first."""

_OUTPUT_BYTES_MAX: Final = 1 << 20


class Connection:
    """One client's connection; see the package note for its use.

    Args:
        limits: what the client may ask.
    """

    __slots__ = ("_is_ended", "_left", "_preface", "_session", "last_received_s")

    def __init__(self, limits: Limits) -> None:
        self._session = Session(limits)
        self._left = b""  # an incomplete frame
        self._preface = PREFACE  # what is still to come of it
        self._is_ended = False
        self.last_received_s = 0.0
        """When the client was last heard."""
        own = {
            Setting.INITIAL_WINDOW_SIZE: limits.window_bytes,
            Setting.MAX_HEADER_LIST_SIZE: limits.header_list_bytes_max,
        }
        if limits.concurrent_streams_max <= WINDOW_MAX:
            own[Setting.MAX_CONCURRENT_STREAMS] = limits.concurrent_streams_max
        self._session.sender.control(frames.settings(own))
        self._session.receiver.open()

    def __repr__(self) -> str:
        return f"<Connection streams={self.stream_count} ended={self._is_ended}>"

    @property
    def stream_count(self) -> int:
        """Calls that are open."""
        return len(self._session.streams)

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will be read."""
        return self._is_ended

    # ---- what comes in

    def receive(self, data: bytes, now_s: float) -> list[Event]:
        """Take bytes as they came and return what they mean.

        Args:
            now_s: seconds of a clock that never goes back.
        """
        session = self._session
        events = session.events = []
        if self._is_ended:
            return events
        session.now_s = self.last_received_s = now_s
        if self._left:
            data = self._left + data
        try:
            self._left = data[self._consume(data) :]
        except PeerError as error:
            self._fail(error.code, str(error))
        session.events = []  # messages are not kept until the next ones come
        return events

    def _consume(self, data: bytes) -> int:
        """Take up all complete frames; return where the first incomplete one begins."""
        at, end = 0, len(data)
        if self._preface:
            at = min(end, len(self._preface))
            if data[:at] != self._preface[:at]:
                raise PeerError(ErrorCode.PROTOCOL_ERROR, "not an HTTP/2 preface")
            self._preface = self._preface[at:]
        while end - at >= HEADER_BYTES:
            high, low, kind, flags, stream_id = frames.read_header(data, at)
            length = high << 8 | low
            if length > PAYLOAD_BYTES_MAX:
                raise PeerError(
                    ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes"
                )
            start = at + HEADER_BYTES
            stop = start + length
            if stop > end:
                break
            stream_id &= STREAM_ID_MASK
            take_frame(self._session, kind, flags, stream_id, data[start:stop])
            at = stop
        return at

    def _fail(self, code: ErrorCode, text: str) -> None:
        session = self._session
        self._is_ended = True
        self._left = b""
        for stream in list(session.streams.values()):
            session.close(stream)
            session.events.append(CallAborted(stream.stream_id, code))
        session.sender.control(frames.goaway(session.last_stream_id, code, text))
        session.events.append(ConnectionEnded(code, text))

    # ---- what goes out

    def respond(self, stream_id: int, message: bytes) -> None:
        """Answer a unary call: headers, the message, trailers.

        Nothing if the call is over.
        """
        session = self._session
        stream = session.streams.get(stream_id)
        if stream is None:
            return
        session.sent()
        if stream.has_sent_headers:
            raise InvariantError(f"a second response on {stream}")
        if session.sender.respond(stream, message):
            session.finished(stream)
        else:
            session.sender.send(stream, message)
            stream.trailers = TRAILERS_OK

    def send(self, stream_id: int, *messages: bytes) -> None:
        """Send messages of a streaming call. Nothing if the call is over."""
        stream = self._session.streams.get(stream_id)
        if stream is not None:
            self._session.sent(len(messages))
            self._session.sender.send(stream, *messages)

    def end(self, stream_id: int, status: int = 0, text: str = "") -> None:
        """End a call with a gRPC status, behind all messages sent on it.

        Args:
            status: a gRPC code; 0 = it succeeded.
            text: why it failed.
        """
        stream = self._session.streams.get(stream_id)
        if stream is not None:
            self._session.end(stream, status, text)

    def taken(self, stream_id: int) -> None:
        """Say that the handler has all messages received so far: room for more."""
        stream = self._session.streams.get(stream_id)
        if stream is not None:
            self._session.receiver.taken(stream)

    def pending_bytes(self, stream_id: int) -> int:
        """Return how much waits on a stream for the client to take it."""
        stream = self._session.streams.get(stream_id)
        return stream.pending_bytes if stream is not None else 0

    def ping(self, payload: bytes) -> None:
        """Ask the client, by eight bytes, for a sign of life."""
        self._session.sender.control(frames.ping(payload))

    def drain(self) -> None:
        """Take up no further calls, as soon as the client can know of it."""
        self._session.sender.control(frames.goaway(WINDOW_MAX, ErrorCode.NO_ERROR))
        self._session.sender.control(frames.ping(DRAIN_PING))

    @property
    def has_output(self) -> bool:
        """Whether `take_output` would return any bytes now."""
        return self._session.sender.has_output

    def take_output(
        self, bytes_max: int = _OUTPUT_BYTES_MAX
    ) -> tuple[list[Chunk], list[int]]:
        """Return what to send now, and the streams on which nothing waits any more.

        A message that is queued whole at once never waits.

        Args:
            bytes_max: stop making DATA frames after so many bytes; ask again for more.
        """
        session = self._session
        data_frames = session.sender.data_frame_total
        chunks, drained = session.sender.take(bytes_max)
        if session.sender.data_frame_total != data_frames:
            session.sent(session.sender.data_frame_total - data_frames)
        for stream in drained:
            if stream.trailers is not None:
                session.finish(stream, stream.trailers)
        if drained:
            more, _ = session.sender.take(0)
            chunks += more
        return chunks, [stream.stream_id for stream in drained]
