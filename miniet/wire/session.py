"""`Session`: what is known of a connection, and the ways in which its calls end."""

from collections import deque
from typing import Final

from miniet.wire import frames
from miniet.wire.budget import Budget
from miniet.wire.errors import ErrorCode, PeerError
from miniet.wire.events import CallAborted, Event
from miniet.wire.frames import END_HEADERS, END_STREAM
from miniet.wire.headers import RESPONSE_BLOCK, TRAILERS_OK, HeaderReader, trailers
from miniet.wire.limits import Limits
from miniet.wire.pings import PingPolicy
from miniet.wire.receiver import Receiver
from miniet.wire.sender import Sender
from miniet.wire.stream import Stream

_RECENT_MAX: Final = 64


class Session:
    """State of one connection, shared by `incoming` and `Connection`.

    streams: calls that are not over, by stream id.
    events: of the bytes that are being taken up.
    block, block_stream_id, block_flags: a header block that goes on in CONTINUATION
        frames; stream 0 = there is none.
    last_stream_id: of the newest call; higher ones are idle.
    recently_ended: streams that we have reset last.
    is_final: no further call is taken up.
    now_s: when the present bytes came.
    """

    __slots__ = (
        "_earned",
        "_idle_frames",
        "_resets",
        "block",
        "block_flags",
        "block_stream_id",
        "events",
        "has_settings",
        "headers",
        "is_final",
        "last_stream_id",
        "limits",
        "now_s",
        "pings",
        "receiver",
        "recently_ended",
        "sender",
        "streams",
    )

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.streams: dict[int, Stream] = {}
        self.events: list[Event] = []
        self.sender = Sender()
        self.receiver = Receiver(limits, self.sender)
        self.headers = HeaderReader(limits.header_list_bytes_max)
        self.pings = PingPolicy(limits)
        self._resets = Budget(limits.resets_burst, limits.resets_per_s)
        self._idle_frames = Budget(limits.idle_frames_burst, limits.idle_frames_per_s)
        self._earned = 0  # idle frames not yet in that budget
        self.has_settings = False
        self.block = bytearray()
        self.block_stream_id = self.block_flags = 0
        self.last_stream_id = 0
        self.recently_ended: deque[int] = deque(maxlen=_RECENT_MAX)
        self.is_final = False
        self.now_s = 0.0

    def sent(self, count: int = 1) -> None:
        """Note that so many messages, or frames of one, went to the client.

        It measures the line by pings while it is being sent to, and gives room back
        for whatever it has read.
        """
        self.pings.has_sent = True
        self._earned += count * self.limits.idle_frames_per_message

    def spend(self) -> None:
        """Count a frame that moves no request on.

        Raises:
            PeerError: there have been too many.
        """
        if self._earned:
            self._idle_frames.earn(self._earned)
            self._earned = 0
        if not self._idle_frames.spend(self.now_s):
            raise PeerError(ErrorCode.ENHANCE_YOUR_CALM, "too many idle frames")

    def spend_reset(self) -> None:
        """Count a call that the client has reset, or made us reset.

        Raises:
            PeerError: there have been too many.
        """
        if not self._resets.spend(self.now_s):
            raise PeerError(ErrorCode.ENHANCE_YOUR_CALM, "too many streams are reset")

    def end(self, stream: Stream, status: int, text: str) -> None:
        """End a call with a gRPC status, behind all that is pending on it."""
        self.sent()
        block = trailers(status, text) if status else TRAILERS_OK
        if stream.pending:
            stream.trailers = block
            return
        if not stream.has_sent_headers:
            block = RESPONSE_BLOCK + block
        self.finish(stream, block)

    def finish(self, stream: Stream, block: bytes) -> None:
        """Send the trailers and forget the call."""
        self.sender.headers(stream.stream_id, block, END_HEADERS | END_STREAM)
        self.finished(stream)

    def finished(self, stream: Stream) -> None:
        """Our END_STREAM is out; a client that goes on sending is told to stop."""
        self.close(stream)
        if not stream.is_remote_ended:
            self.tell_reset(stream.stream_id, ErrorCode.NO_ERROR)

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """Answer a breach of the protocol on one stream.

        Raises:
            PeerError: there have been too many.
        """
        stream = self.streams.get(stream_id)
        if stream is not None:
            self.close(stream)
            self.events.append(CallAborted(stream_id, code))
        self.tell_reset(stream_id, code)
        # Whoever makes us reset streams is as costly as who resets them itself.
        self.spend_reset()

    def tell_reset(self, stream_id: int, code: ErrorCode) -> None:
        """Send a RST_STREAM; what is on its way on that stream is to be ignored."""
        self.sender.control(frames.rst_stream(stream_id, code))
        self.recently_ended.append(stream_id)

    def close(self, stream: Stream) -> None:
        """Forget a call and all that is kept of it."""
        del self.streams[stream.stream_id]
        self.sender.forget(stream)
        self.receiver.forget(stream)
