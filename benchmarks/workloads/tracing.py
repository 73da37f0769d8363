"""How long a server stands still when its memory is traced and captured.

A server without clients, and beside it in the same process a key index of about
1,000,000 traced blocks. A task on the server's loop asks every millisecond to run;
what is measured is the longest time that it had to wait.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

TARGETS = ("apart", "in_process")
"""Where the traces are read: in a forked child as the server does it, or not."""

KEYS = 200_000  # five blocks each
_KEYS_PER_TURN = 1_000
_TICK_S = 0.001
_SETTLE_S = 0.2


def measure(target: str, directory: Path) -> dict[str, float]:
    """Run one round in a process of its own, in which nothing was traced before."""
    answer = subprocess.run(
        [sys.executable, __file__, target, os.fspath(directory)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.fspath(Path(__file__).parents[2])},
    ).stdout
    figures = (line.split() for line in answer.splitlines())
    return {name: float(value) for name, value in figures}


class Ticker:
    """Measures how long the running loop keeps a task waiting."""

    def __init__(self) -> None:
        self._gap_s_max = 0.0
        self._task = asyncio.ensure_future(self._tick())

    async def _tick(self) -> None:
        before_s = time.perf_counter()
        while True:
            await asyncio.sleep(_TICK_S)
            now_s = time.perf_counter()
            self._gap_s_max = max(self._gap_s_max, now_s - before_s)
            before_s = now_s

    async def gap_ms_during(self, work: Callable[[], Awaitable[object]]) -> float:
        """Return the longest gap from the beginning of `work` to a bit after it."""
        await asyncio.sleep(_SETTLE_S)
        self._gap_s_max = 0.0
        await work()
        await asyncio.sleep(_SETTLE_S)
        return self._gap_s_max * 1000


async def run(target: str, directory: str) -> dict[str, float]:
    """Return the figures of one round."""
    figures: dict[str, float] = {}
    read = tracing.read_traced_apart if target == "apart" else tracing.read_traced
    async with miniet.AsyncServer(directory):
        ticker = Ticker()
        figures["idle_gap_ms"] = await ticker.gap_ms_during(_nothing)
        figures["on_gap_ms"] = await ticker.gap_ms_during(_on)
        index = TreeIndex()
        for begin in range(0, KEYS, _KEYS_PER_TURN):
            for number in range(begin, begin + _KEYS_PER_TURN):
                # All over the index, as clients put them, and so all over the heap.
                index.put(b"key/%012d" % (number * 7_919 % 1_000_003), number + 2, 0)
            await asyncio.sleep(0)
        begun_s = time.perf_counter()
        figures["capture_gap_ms"] = await ticker.gap_ms_during(
            lambda: asyncio.to_thread(read)
        )
        figures["capture_s"] = time.perf_counter() - begun_s - 2 * _SETTLE_S
        figures["off_gap_ms"] = await ticker.gap_ms_during(_off)
        figures["resident_mib"] = read_process().resident_bytes / 2**20
    return figures


async def _nothing() -> None:
    pass


async def _on() -> None:
    tracing.start()


async def _off() -> None:
    tracing.stop()


if __name__ == "__main__":
    import miniet
    from miniet.memory import tracing
    from miniet.memory.process import read_process
    from miniet.mvcc import TreeIndex

    measured = asyncio.run(run(*sys.argv[1:]))
    sys.stdout.writelines(f"{name} {value}\n" for name, value in measured.items())
