"""Calls between clients and the machine, which take time and may be cut off.

There are no sockets: a call hands its bytes to the same table of methods that the
real transports serve. What is lost is the connection, never a single message of it.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from google.protobuf.message import Message

from miniet.errors import DataError, RequestError
from miniet.server.pumped_stream import PumpedStream
from miniet.server.rpc_errors import Status, status_of
from tests.simulation.disk import PowerLost
from tests.simulation.machine import Life, Machine

Latency = Callable[[Random], float]


class UnreachableError(Exception):
    """The server was not reached: the call has not taken place."""


class LostError(Exception):
    """The connection was cut: nobody knows whether the call took place."""


class RefusedError(Exception):
    """The server's answer was an error."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class Connection:
    """What one client has to the server; it comes back after it was cut."""

    def __init__(self, machine: Machine, random: Random) -> None:
        self._machine = machine
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._dropped: asyncio.Future[None] = self._loop.create_future()

    def drop(self) -> None:
        """Cut it; the calls in flight never get their answer."""
        self._dropped.set_result(None)
        self._dropped = self._loop.create_future()

    async def call(self, path: str, request: Message) -> bytes:
        """Call a unary method.

        Raises:
            UnreachableError, LostError, RefusedError
        """
        body = request.SerializeToString()
        life, dropped = await self._reach()
        method = life.methods[path]
        parsed = method.parser(body)
        handler: Any = method.handler
        running = self._machine.spawn(_outcome(handler(parsed)))
        try:
            await _first((running, dropped, life.cut))
        except asyncio.CancelledError:
            # The client gives up; as with a cut, the server may hear of it in time.
            if self._random.random() < 0.5:
                running.cancel()
            raise
        if not running.done():
            # The server hears of it, or finds out when it answers.
            if dropped.done() and self._random.random() < 0.5:
                running.cancel()
            raise LostError
        outcome = None if running.cancelled() else running.result()
        await self._travel(dropped, life)
        if isinstance(outcome, Status):
            raise RefusedError(outcome)
        if not isinstance(outcome, bytes):
            if isinstance(outcome, Exception):
                self._machine.bug(f"{path} raised {outcome!r}")
            raise LostError
        return outcome

    async def open(self, path: str, window: int) -> "StreamCall":
        """Open a stream of both directions.

        Args:
            window: responses on their way before the server has to wait.
        Raises:
            UnreachableError
        """
        life, dropped = await self._reach()
        stream = StreamCall(self, life, dropped, window)
        handler: Any = life.methods[path].handler
        handling = _ServerSide(stream).serve(handler)
        stream.task = self._machine.spawn(_outcome(handling))
        return stream

    async def _reach(self) -> "tuple[Life, asyncio.Future[None]]":
        await asyncio.sleep(self._latency_s())
        life = self._machine.life
        if life is None:
            raise UnreachableError
        return life, self._dropped

    async def _travel(self, dropped: "asyncio.Future[None]", life: Life) -> None:
        """Wait for something on its way to the client."""
        timer = self._loop.create_task(asyncio.sleep(self._latency_s()))
        try:
            await _first((timer, dropped, life.cut))
        finally:
            timer.cancel()
        if dropped.done() or life.cut.done():
            raise LostError

    def _latency_s(self) -> float:
        return self._random.uniform(0.000_05, 0.002)


class StreamCall:
    """One open stream as its client sees it."""

    def __init__(
        self,
        connection: Connection,
        life: Life,
        dropped: "asyncio.Future[None]",
        window: int,
    ) -> None:
        self._connection = connection
        self._life = life
        self._dropped = dropped
        self.requests: asyncio.Queue[Message] = asyncio.Queue()
        self.responses: asyncio.Queue[bytes] = asyncio.Queue(window)
        self.task: asyncio.Task[Any] | None = None

    def send(self, request: Message) -> None:
        """Send one request; it arrives in order."""
        self.requests.put_nowait(type(request).FromString(request.SerializeToString()))

    async def receive(self) -> bytes:
        """Return the next response.

        Raises:
            LostError: there will be no more.
        """
        assert self.task is not None
        getting = asyncio.ensure_future(self.responses.get())
        try:
            await _first((getting, self.task, self._dropped, self._life.cut))
            if not getting.done():
                self.close()
                raise LostError
        finally:
            getting.cancel()
        await self._connection._travel(self._dropped, self._life)
        return getting.result()

    def close(self) -> None:
        """Leave; the server's side is cancelled."""
        if self.task is not None:
            self.task.cancel()


class _ServerSide(PumpedStream):
    """The same stream, as the handler sees it."""

    def __init__(self, stream: StreamCall) -> None:
        super().__init__()
        self._stream = stream

    async def receive(self) -> Message | None:
        return await self._stream.requests.get()

    async def send(self, response: bytes) -> None:
        await self._stream.responses.put(response)


async def _outcome(handling: Any) -> Any:
    """Return what the transport would send: a response, or a status."""
    try:
        return await handling
    except RequestError as error:
        return status_of(error)
    except (DataError, PowerLost):
        return None  # the member is about to end; its clients are cut off
    except Exception as error:
        return error


async def _first(awaited: Any) -> None:
    await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
