"""What a connection tells its driver; see the package note.

Not frozen: two are made per call, and a frozen one takes three times as long. Those two
have an `__init__` of their own: the one that dataclass makes is never compiled.
"""

from dataclasses import dataclass
from typing import TypeAlias

from miniet.wire.call import Call
from miniet.wire.errors import ErrorCode


@dataclass(slots=True)
class CallStarted:
    """A client calls a method; its messages follow."""

    stream_id: int
    call: Call

    def __init__(self, stream_id: int, call: Call) -> None:
        self.stream_id = stream_id
        self.call = call


@dataclass(slots=True)
class MessageReceived:
    """One request message, complete.

    message: bytes of its own, whoever takes it may keep it.
    is_last: the client sends no more; no `RequestEnded` follows.
    """

    stream_id: int
    message: bytes
    is_last: bool

    def __init__(self, stream_id: int, message: bytes, is_last: bool) -> None:
        self.stream_id = stream_id
        self.message = message
        self.is_last = is_last


@dataclass(slots=True)
class RequestEnded:
    """The client sends no more messages on this stream."""

    stream_id: int


@dataclass(slots=True)
class CallAborted:
    """A call is over before its end was sent: nothing can be sent on it any more."""

    stream_id: int
    code: ErrorCode | int
    """The client's code, or that of our refusal."""


@dataclass(slots=True)
class ConnectionEnded:
    """The client broke the protocol, or our bounds: send what there is, and close."""

    code: ErrorCode
    text: str


Event: TypeAlias = (
    CallStarted | MessageReceived | RequestEnded | CallAborted | ConnectionEnded
)
