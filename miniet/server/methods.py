"""The table that handlers are written against, whatever carries the calls.

A service lists its methods; a transport serves the list. Handlers take a
parsed request and return encoded responses; errors are raised as
`RequestError`s, which the transport turns into a status by `rpc_errors`.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from google.protobuf.message import Message


class Kind(Enum):
    """Who may send more than one message."""

    UNARY = "unary"
    SERVER_STREAM = "server_stream"
    BIDI_STREAM = "bidi_stream"


Source = Callable[[], list[bytes]]
"""Returns the next encoded responses; none: there is nothing at present."""


class Stream(Protocol):
    """One open streaming call, as its handler sees it."""

    async def receive(self) -> Any | None:
        """Return the next request, or None when the client sends no more."""
        ...

    async def send(self, response: bytes) -> None:
        """Send one encoded response; waits while the client is behind."""
        ...

    def send_from(self, source: Source) -> None:
        """Send what `source` has at each `wake`, as fast as the client takes it.

        In place of `send`, for a handler that does not decide when there is something.
        """
        ...

    def wake(self) -> None:
        """Say that the source has something again."""
        ...

    async def wait_sent(self) -> None:
        """Wait until the source has nothing more."""
        ...


UnaryHandler = Callable[[Any], Coroutine[Any, Any, bytes]]
StreamHandler = Callable[[Stream], Awaitable[None]]


@dataclass(slots=True, frozen=True)
class Method:
    """One row: where a call goes.

    `handler` is a `UnaryHandler` for kind UNARY, a `StreamHandler` for the
    others; a server-stream handler receives exactly one request.

    parse: what makes of a request what the handler takes, or raises protobuf's
        DecodeError; None: the request type does.
    """

    path: str
    request_type: type[Message]
    kind: Kind
    handler: UnaryHandler | StreamHandler
    parse: Callable[[bytes], Any] | None = None

    @property
    def parser(self) -> Callable[[bytes], Any]:
        """What parses requests."""
        return self.parse or self.request_type.FromString
