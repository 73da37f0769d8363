"""One seed: a machine, its clients, its faults, and the verdict on them."""

import asyncio
import hashlib
import logging
import re
import tempfile
import traceback
from collections import Counter
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from miniet.errors import DataError
from tests.simulation import audit
from tests.simulation.clients import Client, Seen
from tests.simulation.disk import SimulatedDisk
from tests.simulation.faults import DiskSpeed, Faults
from tests.simulation.judge import Findings
from tests.simulation.loop import VirtualLoop, wait_until
from tests.simulation.machine import Ending, Life, Machine
from tests.simulation.network import Connection
from tests.simulation.plan import Plan
from tests.simulation.watchers import EVERYTHING, WatchClient, random_watch
from tests.support.linearizability import Operation
from tests.support.model_api import Watch
from tests.support.small_segments import small_segments

_CALLS_S_MAX = 40.0
"""Time for the clients' calls; faults may leave little of it."""

_COMES_BACK_S = 60.0
"""Time after the last fault in which a member serves again, at the latest."""


@dataclass
class Outcome:
    """What a run did and what was found wrong with it.

    revisions: of the store at the end.
    """

    seed: int
    bugs: list[str]
    trace: list[str]
    operations: int
    unanswered: int
    revisions: int
    starts: int
    endings: Counter[str]
    faults: Counter[str]

    @property
    def digest(self) -> str:
        """The same for two runs in which the same things happened."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    def __str__(self) -> str:
        text = "\n".join(map(short, self.bugs))
        return f"seed {self.seed}: {text}\nreplay: {replay_command(self.seed)}"


def short(text: str) -> str:
    """Leave out what fills long values up."""
    return re.sub(r"\.{9,}", "...", text)


def replay_command(seed: int) -> str:
    """What runs one seed again and tells all that happens."""
    return f"python -m tests.simulation --seed {seed}"


@dataclass
class Run:
    """Everything that takes part; `play` lets it happen."""

    seed: int
    loop: VirtualLoop
    directory: Path
    trace: list[str] = field(default_factory=list)
    history: list[Operation] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    seen: Seen = field(default_factory=Seen)
    revision: int = 1
    lie_began_s: float = 0.0
    durable_revision: int = 0
    """As the disk began to lie."""

    def __post_init__(self) -> None:
        self.plan = Plan.of(self.random("plan"))
        self.disk = SimulatedDisk(self.directory, self.random("disk"))
        self._speed = DiskSpeed(self.random("speed"))
        self._pause = self.random("pause")
        self.loop.delay = self._speed.delay
        self.loop.set_exception_handler(self._unexpected)
        self.machine = Machine(
            self.loop,
            self.disk,
            self.plan.config,
            self.random("machine"),
            partial(self.event, "machine"),
        )
        self._is_over = False

    def random(self, of: str) -> Random:
        """A source of its own for each part: none disturbs another's."""
        return Random(f"{self.seed}/{of}")

    def event(self, who: str, text: str) -> None:
        """Put a line into the trace."""
        self.trace.append(f"{self.loop.time():.6f} {who}: {short(text)}")

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: Any) -> None:
        error = context.get("exception")
        # A write may fail after its turn was given up for another failure.
        if isinstance(error, Exception) and not isinstance(error, DataError):
            self.machine.bug(f"{context['message']}: {error!r}")

    # ---- what happens

    async def play(self) -> None:
        """Let clients call and things go wrong, until nothing goes wrong any more.

        Then the member serves, but after a disk has lied: then it is off.
        """
        self.clients = [
            self.client(f"client{number}") for number in range(self.plan.clients)
        ]
        self.watchers = [
            self.watch_client(f"watcher{number}", None)
            for number in range(self.plan.watchers)
        ]
        # One hears everything: what it is told decides what the calls without an
        # answer have done.
        self.watchers.append(self.watch_client("listener", EVERYTHING))
        self.faults = Faults(
            self.loop,
            self.machine,
            self._speed,
            [each.connection for each in (*self.clients, *self.watchers)],
            self.seen.answered,
            self.random("faults"),
            partial(self.event, "fault"),
        )
        self._supervisor = self.start(self._supervise())
        for watcher in self.watchers:
            self.start(watcher.run())
        self._failing = self.start(self.faults.run(self.plan.fault_pause_s))
        calling = [
            self.start(client.run(self.plan.calls, self.plan.pause_s, _CALLS_S_MAX))
            for client in self.clients
        ]
        if self.plan.lies:
            await self._lie()
            await cancelled(*calling)
        else:
            await asyncio.gather(*calling)
        await cancelled(self._failing)
        self.faults.heal()
        if not self.plan.lies:
            await self.wait_served()

    async def stop(self) -> None:
        """End everything that is still there."""
        self._is_over = True
        self.machine.end(Ending.STOP)
        await wait_until(lambda: not self.machine.is_alive)
        left = asyncio.all_tasks()
        left.remove(asyncio.current_task())  # type: ignore[arg-type]
        await cancelled(*left)

    def start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        return self.loop.create_task(work)

    def client(self, name: str, history: "list[Operation] | None" = None) -> Client:
        return Client(
            name,
            Connection(self.machine, self.random(f"net of {name}")),
            self.random(name),
            self.seen,
            self.history if history is None else history,
            partial(self.event, name),
        )

    def watch_client(self, name: str, watch: Watch | None) -> WatchClient:
        random = self.random(name)
        return WatchClient(
            name,
            watch or random_watch(random),
            Connection(self.machine, self.random(f"net of {name}")),
            random,
            self.seen,
            is_slow=watch is None and random.random() < 0.4,
            on_event=partial(self.event, name),
        )

    async def wait_served(self) -> Life | None:
        """Wait until the member serves; a bug if it does not come back."""
        if not await wait_until(lambda: self.machine.life is not None, _COMES_BACK_S):
            self.findings.bugs.append("the member does not come back")
        return self.machine.life

    async def _supervise(self) -> None:
        """Start the member again whenever it has ended."""
        while not self._is_over:
            await self.machine.run()
            if self.machine.refusal is not None:
                self.findings.bugs.append(f"refused to start: {self.machine.refusal}")
                return
            await asyncio.sleep(self._pause.uniform(0.0, 0.5))

    async def _end(self, ending: Ending) -> None:
        """Let the member end for good."""
        self._is_over = True
        self.machine.end(ending)
        await self._supervisor

    async def _lie(self) -> None:
        """Let the disk lie for a while, then lose the power."""
        await asyncio.sleep(self._pause.uniform(0.0, 3.0))
        await cancelled(self._failing)
        self.faults.heal()
        life = await self.wait_served()
        if life is None:
            return
        self.faults.kinds = [k for k in self.faults.kinds if "power" not in k]
        self._failing = self.start(self.faults.run(self.plan.fault_pause_s))
        self.faults.counts["lost sync"] += 1
        self.disk.begin_lying()
        self.lie_began_s = self.loop.time()
        self.durable_revision = life.member.engine.store.current_revision
        self.event("fault", f"syncs are lost from {self.durable_revision} on")
        await asyncio.sleep(self._pause.uniform(0.0, 3.0))
        await self._end(Ending.POWER_LOSS)
        if self.disk.is_lying:  # the member had ended otherwise
            self.disk.turn_on(power_lost=True)

    def outcome(self) -> Outcome:
        """Sum it up."""
        return Outcome(
            self.seed,
            self.findings.bugs
            + self.machine.bugs
            + [bug for client in self.clients for bug in client.bugs],
            self.trace,
            self.findings.operations,
            sum(not operation.is_answered for operation in self.history),
            self.revision,
            self.machine.starts,
            self.machine.endings,
            self.faults.counts,
        )


def run_seed(seed: int) -> Outcome:
    """Run one seed and judge it; the same one always does the same."""
    with ExitStack() as stack:
        level = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, level)
        memory = "/dev/shm"
        directory = tempfile.TemporaryDirectory(
            dir=memory if Path(memory).is_dir() else None
        )
        loop = VirtualLoop()
        run = Run(seed, loop, Path(stack.enter_context(directory)))
        stack.callback(loop.close)
        stack.enter_context(run.disk.intercepted())
        stack.enter_context(small_segments(run.plan.segment_bytes))
        loop.run_until_complete(_play_and_judge(run))
        return run.outcome()


async def _play_and_judge(run: Run) -> None:
    try:
        await run.play()
        if run.plan.lies:
            await audit.after_lie(run)
        else:
            await audit.at_end(run)
    except Exception:
        run.findings.bugs.append(traceback.format_exc())
    finally:
        await run.stop()


async def cancelled(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait until they have ended, however."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
