"""What goes wrong, when, and how often: chosen anew for every seed."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from tests.simulation.disk import SimulatedDisk
from tests.simulation.loop import VirtualLoop, wait_until
from tests.simulation.machine import Ending, Machine
from tests.simulation.network import Connection

KINDS = (
    "kill",
    "power loss",
    "kill in a disk call",
    "power loss in a disk call",
    "stop",
    "full disk",
    "slow disk",
    "wall clock jump",
    "suspension",
    "dropped connection",
)
"""All kinds but a lying disk, after which a run ends."""


class DiskSpeed:
    """How long the log's writes and syncs take, from case to case."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.slow_s = 0.0

    def delay(self) -> tuple[float, float]:
        """See `VirtualLoop.delay`."""
        usual_s = self._random.uniform(0.0001, 0.004)
        slow_s = self._random.uniform(0, self.slow_s)
        return slow_s, usual_s + slow_s


class Faults:
    """Lets faults happen at random moments.

    answered: set whenever a client hears an answer; the moment after is the worst.
    kinds: those of this run.
    counts: of those that happened.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        machine: Machine,
        speed: DiskSpeed,
        connections: Sequence[Connection],
        answered: asyncio.Event,
        random: Random,
        on_event: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._machine = machine
        self._disk: SimulatedDisk = machine.disk
        self._speed = speed
        self._connections = connections
        self._answered = answered
        self._random = random
        self._on_event = on_event
        self.kinds = [kind for kind in KINDS if random.random() < 0.5]
        self.counts: Counter[str] = Counter()

    async def run(self, pause_s: float) -> None:
        """Go on until cancelled."""
        while self.kinds:
            await asyncio.sleep(self._random.expovariate(1 / pause_s))
            if self._random.random() < 0.5:
                await self._until_answered()
            kind = self._random.choice(self.kinds)
            self.counts[kind] += 1
            self._on_event(kind)
            await self._happen(kind)
            if self._random.random() < 0.8:
                await self._until_served()

    async def _until_answered(self) -> None:
        self._answered.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._answered.wait()

    async def _until_served(self) -> None:
        """Leave the member time to come back, or nothing else would happen."""
        await wait_until(lambda: self._machine.life is not None, 5.0)

    async def _happen(self, kind: str) -> None:
        random, machine = self._random, self._machine
        if kind == "kill":
            machine.end(Ending.KILL)
        elif kind == "power loss":
            machine.end(Ending.POWER_LOSS)
        elif kind == "kill in a disk call":
            machine.end_in_call(random.randint(1, 12), Ending.KILL)
        elif kind == "power loss in a disk call":
            machine.end_in_call(random.randint(1, 12), Ending.POWER_LOSS)
        elif kind == "stop":
            machine.end(Ending.STOP)
        elif kind == "full disk":
            self._disk.is_full = True
            await asyncio.sleep(random.uniform(0.0, 2.0))
            self._disk.is_full = False
        elif kind == "slow disk":
            # Now and then longer than a request may take.
            self._speed.slow_s = random.choice((0.05, 0.5, 3.0, 12.0))
            await asyncio.sleep(random.uniform(0.5, 5.0))
            self._speed.slow_s = 0.0
        elif kind == "wall clock jump":
            machine.clock.wall_offset_s += random.choice((-1e9, -3600, -1, 1, 3600))
        elif kind == "suspension":
            self._loop.stall(random.choice((0.2, 1.0, 5.0, 20.0, 301.0)))
        else:
            assert kind == "dropped connection"
            random.choice(self._connections).drop()

    def heal(self) -> None:
        """Let everything work from now on; what was lost stays lost."""
        self._disk.is_full = False
        self._disk.calls_left = None
        self._speed.slow_s = 0.0
