"""`PumpedStream`: sends what a source has where each sending is a wait."""

import asyncio
from typing import Any

from miniet.server.methods import Source, StreamHandler


class PumpedStream:
    """The part of a `methods.Stream` around its source, by a task while there is any.

    For transports that keep what waits for a client out of our sight.
    """

    def __init__(self) -> None:
        self._source: Source = list
        self._sending: asyncio.Task[None] | None = None
        self._handling: asyncio.Task[Any] | None = None
        self._failure: Exception | None = None  # of the source

    async def receive(self) -> Any | None:
        """Return the next request, or None when the client sends no more."""
        raise NotImplementedError

    async def send(self, response: bytes) -> None:
        """Send one encoded response; waits while the client is behind."""
        raise NotImplementedError

    async def serve(self, handler: StreamHandler) -> None:
        """Run the handler, and send from its source until it is over.

        Raises what the handler does, or its source.
        """
        self._handling = asyncio.current_task()
        try:
            await handler(self)
        except asyncio.CancelledError:
            if self._failure is not None:
                raise self._failure from None
            raise
        finally:
            if self._sending is not None:
                self._sending.cancel()

    def send_from(self, source: Source) -> None:
        """Send what `source` has at each `wake`, as fast as the client takes it."""
        self._source = source

    def wake(self) -> None:
        """Say that the source has something again."""
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._pump())

    async def wait_sent(self) -> None:
        """Wait until the source has nothing more."""
        if self._sending is not None:
            await asyncio.wait([self._sending])

    async def _pump(self) -> None:
        try:
            while responses := self._source():
                for response in responses:
                    await self.send(response)
        except Exception as error:
            self._failure = error
            if self._handling is not None:
                self._handling.cancel()
