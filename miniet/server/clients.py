"""`Clients`: who is connected to a port, how many may be, and how they leave."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol


class Client(Protocol):
    """One connection, whatever is spoken on it."""

    @property
    def call_count(self) -> int:
        """Requests that are not answered, and answers on their way."""
        ...

    def drain(self) -> None:
        """Let the client begin nothing new."""
        ...

    def end_streams(self) -> None:
        """End the calls that end only when they are told to."""
        ...

    def close(self) -> None:
        """Close when all that was written has left."""
        ...

    def abort(self) -> None:
        """Close now."""
        ...


class Clients:
    """The connections of a port.

    Args:
        count_max: how many there may be; one more is refused.
    """

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._open: set[Client] = set()
        # For a stop, which waits for it; a call need not set what nobody looks at.
        self._changed: asyncio.Event | None = None

    def admit(self, client: Client) -> bool:
        """Take a client in; False: there are too many, it must go."""
        if len(self._open) >= self._count_max:
            return False
        self._open.add(client)
        return True

    def forget(self, client: Client) -> None:
        """A client is gone; nothing, if it was never let in."""
        self._open.discard(client)
        self.changed()

    def changed(self) -> None:
        """A call is over or a client gone."""
        if self._changed is not None:
            self._changed.set()

    def end_streams(self) -> None:
        """End the streaming calls that are open; new ones may come."""
        for client in list(self._open):
            client.end_streams()

    async def leave(self, grace_s: float) -> None:
        """See all of them off: give calls `grace_s` seconds, then answers as many."""
        clients = self._open
        for client in list(clients):
            client.drain()
        await self._wait(lambda: not any(each.call_count for each in clients), grace_s)
        for client in list(clients):
            client.close()
        await self._wait(lambda: not clients, grace_s)
        for client in list(clients):
            client.abort()

    async def _wait(self, claim: Callable[[], bool], seconds_max: float) -> None:
        """Wait until something holds of the clients, for a time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wait_change(claim), seconds_max)

    async def _wait_change(self, claim: Callable[[], bool]) -> None:
        changed = self._changed = asyncio.Event()
        while not claim():
            changed.clear()
            await changed.wait()
