"""`Receiver`: room for the client's DATA, given and taken back."""

from typing import Final

from miniet.wire import frames
from miniet.wire.errors import ErrorCode, PeerError, StreamError
from miniet.wire.limits import Limits
from miniet.wire.messages import PREFIX_BYTES, MessageReader, whole_message
from miniet.wire.sender import Sender
from miniet.wire.stream import Stream

_WINDOW_DEFAULT: Final = 65_535


class Receiver:
    """The receive windows of one connection.

    A WINDOW_UPDATE goes out when half of a window is to be given back.

    partial_bytes: of messages that are not complete, over all streams.
    complete_bytes: of messages that are, and that their handlers have not taken.

    Invariant: window + unreturned == connection_window_bytes, less what is on its way.
    """

    __slots__ = (
        "_limits",
        "_sender",
        "_unreturned_bytes",
        "_window",
        "complete_bytes",
        "partial_bytes",
    )

    def __init__(self, limits: Limits, sender: Sender) -> None:
        self._limits = limits
        self._sender = sender
        self._window = _WINDOW_DEFAULT
        self._unreturned_bytes = 0
        self.partial_bytes = 0
        self.complete_bytes = 0

    def open(self) -> None:
        """Widen the connection's window to its size; that is no setting."""
        increment = self._limits.connection_window_bytes - self._window
        if increment > 0:
            self._window += increment
            self._sender.control(frames.window_update(0, increment))

    def count(self, size: int) -> None:
        """Take so many bytes off the connection's window.

        Raises:
            PeerError: there was not so much room.
        """
        self._window -= size
        if self._window < 0:
            raise PeerError(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than room")

    def give_back(self, size: int) -> None:
        """Make room on the connection again, unless too much is held as it is."""
        self._unreturned_bytes += size
        limits = self._limits
        if (
            self._unreturned_bytes * 2 >= limits.connection_window_bytes
            and self.partial_bytes + self.complete_bytes <= limits.received_bytes_max
        ):
            self._sender.control(frames.window_update(0, self._unreturned_bytes))
            self._window += self._unreturned_bytes
            self._unreturned_bytes = 0

    def take_data(
        self, stream: Stream, size: int, data: bytes, *, is_last: bool
    ) -> list[bytes]:
        """Take a DATA frame of a stream and return the messages that it completes.

        Args:
            size: of the payload, padding included: what it took of the windows.
        Raises:
            StreamError: the client had no room, or the stream was at its end.
            CallRefusedError: a message cannot be taken.
        """
        self.give_back(size)
        if stream.is_remote_ended:
            raise StreamError(stream.stream_id, ErrorCode.STREAM_CLOSED)
        stream.receive_window -= size
        if stream.receive_window < 0:
            raise StreamError(stream.stream_id, ErrorCode.FLOW_CONTROL_ERROR)
        stream.received_bytes += len(data)
        messages = self._messages(stream, data)
        if messages:
            kept = sum(map(len, messages)) + PREFIX_BYTES * len(messages)
            stream.untaken_bytes += kept
            self.complete_bytes += kept
            stream.withheld_bytes += size
        elif not is_last:
            self._give_back_on(stream, size)
        return messages

    def _messages(self, stream: Stream, data: bytes) -> list[bytes]:
        limits, reader = self._limits, stream.reader
        if reader is None:
            message = whole_message(data)
            if message is not None and len(message) <= limits.message_bytes_max:
                return [message]
            reader = MessageReader(limits.message_bytes_max, stream.call.encoding)
            stream.reader = reader
        held = reader.held_bytes
        messages = list(reader.feed(data))
        self.partial_bytes += reader.held_bytes - held
        if self.partial_bytes * 2 > limits.received_bytes_max:
            raise StreamError(stream.stream_id, ErrorCode.ENHANCE_YOUR_CALM)
        return messages

    def taken(self, stream: Stream) -> None:
        """The handler has all messages of a stream that were complete."""
        self.complete_bytes -= stream.untaken_bytes
        stream.untaken_bytes = 0
        self.give_back(0)
        if not stream.is_remote_ended:
            size, stream.withheld_bytes = stream.withheld_bytes, 0
            self._give_back_on(stream, size)

    def forget(self, stream: Stream) -> None:
        """A stream is over, and nothing of it is kept."""
        self.complete_bytes -= stream.untaken_bytes
        if stream.reader is not None:
            self.partial_bytes -= stream.reader.held_bytes
        self.give_back(0)

    def _give_back_on(self, stream: Stream, size: int) -> None:
        stream.unreturned_bytes += size
        if stream.unreturned_bytes * 2 >= self._limits.window_bytes:
            self._sender.control(
                frames.window_update(stream.stream_id, stream.unreturned_bytes)
            )
            stream.receive_window += stream.unreturned_bytes
            stream.unreturned_bytes = 0
