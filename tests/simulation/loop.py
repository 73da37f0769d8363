"""An event loop whose time is an argument: nothing waits, everything is ordered.

It is asyncio's own loop with another clock. Where that one would sleep until the
next timer, this one moves its time there. What a thread would do beside the loop
happens in it, at the moments that a scheduler says.
"""

import asyncio
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, TypeVar

Result = TypeVar("Result")

Delay = Callable[[], tuple[float, float]]
"""Seconds until the work of a thread begins, and from then until it is known."""

_IDLE_ROUNDS_MAX = 1_000_000
_POLL_S = 0.02


class StuckError(Exception):
    """Nothing is left that could ever happen, or time does not go on."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order of their times.

    delay: for what is handed to a thread from now on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._selector = self  # asked for events: there are none
        self._idle_rounds = 0
        self.delay: Delay = lambda: (0.0, 0.0)
        # When the one thread of an executor is free again.
        self._free_at_s: dict[object, float] = {}
        self._work: set[asyncio.TimerHandle] = set()

    def time(self) -> float:
        """Return the seconds since the loop was made."""
        return self._now_s

    def stall(self, seconds: float) -> None:
        """Let time pass in which nothing runs, as when a machine is suspended."""
        self._now_s += seconds

    def select(self, timeout: float | None) -> Sequence[Any]:
        """Wait for events, says asyncio; time goes on to the next timer instead."""
        if timeout is None:
            raise StuckError("nothing is left to happen")
        self._idle_rounds = 0 if timeout else self._idle_rounds + 1
        if self._idle_rounds > _IDLE_ROUNDS_MAX:
            raise StuckError(f"time stands still at {self._now_s}")
        self._now_s += timeout
        return ()

    def _process_events(self, events: Sequence[Any]) -> None:
        assert not events

    def _write_to_self(self) -> None:
        """Nobody has to be woken: there is only one thread."""

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, work: Callable[..., Result], *arguments: Any
    ) -> "asyncio.Future[Result]":
        """Do what a thread would: at one moment in a while, known a while later.

        Work of one executor does not overtake; its own threads are left alone.
        """
        future: asyncio.Future[Result] = self.create_future()
        until_begin_s, until_known_s = self.delay()
        begin_s = max(self._now_s, self._free_at_s.get(executor, 0.0)) + until_begin_s
        self._free_at_s[executor] = begin_s + until_known_s

        def begin() -> None:
            self._work.discard(handle)
            try:
                outcome = work(*arguments)
            except BaseException as error:
                settle: Callable[..., None] = _set_exception
                argument: Any = error
            else:
                settle, argument = _set_result, outcome
            self.call_later(until_known_s, settle, future, argument)

        # A caller that is cancelled meanwhile does not stop the thread.
        handle = self.call_at(begin_s, begin)
        self._work.add(handle)
        return future

    def drop_work(self) -> None:
        """End all threads where they are, as the end of a process does."""
        for handle in self._work:
            handle.cancel()
        self._work.clear()
        self._free_at_s.clear()


async def wait_until(claim: Callable[[], bool], seconds_max: float = inf) -> bool:
    """Wait until `claim` holds or so much time is over; tell whether it holds."""
    until_s = asyncio.get_running_loop().time() + seconds_max
    while not claim():
        if asyncio.get_running_loop().time() >= until_s:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def _set_result(future: "asyncio.Future[Any]", outcome: Any) -> None:
    if not future.done():
        future.set_result(outcome)


def _set_exception(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
