"""One machine with one member: it boots, serves, stops, crashes and boots again."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Any

from miniet.errors import DataError, RequestError
from miniet.server.bootstrap import BuiltMember, build_member
from miniet.server.config import Config
from miniet.server.convert import Headers
from miniet.server.driver import Driver
from miniet.server.kv import KvService
from miniet.server.lease import LeaseService
from miniet.server.maintenance import MaintenanceService
from miniet.server.methods import Method
from miniet.server.recorders import Durations
from miniet.server.watch import WatchService
from tests.simulation.disk import PowerLost, SimulatedDisk
from tests.simulation.loop import VirtualLoop

logger = logging.getLogger(__name__)


class VirtualClock:
    """The machine's clocks: one follows the loop, the other can be set."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.wall_offset_s = 1_600_000_000.0

    def monotonic_s(self) -> float:
        return self._loop.time()

    def unix_s(self) -> float:
        return max(0.0, self._loop.time() + self.wall_offset_s)


class Ending(Enum):
    """How a life of the member ends."""

    STOP = "stop"
    KILL = "kill"
    POWER_LOSS = "power loss"
    FAILURE = "failure"


class _SteadyLog:
    """A log whose syncs take no time: a real one's would decide where the next is."""

    last_sync_s = 0.0

    def __init__(self, log: Any) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


class _Committing:
    """A transaction of LMDB that ends: of a commit the disk must know."""

    def __init__(self, txn: Any, disk: SimulatedDisk) -> None:
        self._txn = txn
        self._disk = disk

    def commit(self) -> None:
        with self._disk.committing():
            self._txn.commit()

    def abort(self) -> None:
        self._txn.abort()


@dataclass(eq=False)
class Life:
    """A running member: what `miniet serve` holds from its start to its end."""

    member: BuiltMember
    driver: Driver
    methods: dict[str, Method]
    cut: "asyncio.Future[None]"
    """Done when clients find their connections closed."""


class Machine:
    """Builds the member from its files, again and again.

    on_event: told what happens, for the trace.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        disk: SimulatedDisk,
        config: Config,
        random: Random,
        on_event: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self.disk = disk
        self._config = config
        self._random = random
        self._on_event = on_event
        self.clock = VirtualClock(loop)
        self.life: Life | None = None
        """The member, while clients can reach it."""
        self.refusal: DataError | None = None
        """Why the last start was refused."""
        self.is_alive = False
        """Whether it is on, from its boot to its end."""
        self.bugs: list[str] = []
        """What no fault excuses."""
        self.starts = 0
        self.endings: Counter[str] = Counter()
        # Errors of a full disk before the present life.
        self._full_before = 0
        # Everything that runs on behalf of the member, in order.
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._built: BuiltMember | None = None
        self._driver: Driver | None = None
        self._ended: asyncio.Future[Ending] | None = None

    # ---- a life

    async def run(self) -> Ending:
        """Boot, serve, and return how it ended; `refusal` says why it did not start."""
        assert not self.is_alive
        self.is_alive = True
        self.refusal = None
        self._ended = self._loop.create_future()
        self.disk.on_stop = lambda: self.end(self._stopped_how)
        self.spawn(self._boot())
        ending = await self._ended
        self._on_event(f"ends: {ending.value}")
        if self.life is not None:
            if ending is not Ending.STOP:
                self.life.cut.set_result(None)
            life, self.life = self.life, None
            if ending is Ending.STOP:
                await self._stop(life)
        if ending in (Ending.KILL, Ending.POWER_LOSS):
            self.disk.turn_off()
        self._loop.drop_work()
        await self._clear()
        self._close(commit=ending is Ending.STOP)
        if self.disk.is_dead and ending in (Ending.STOP, Ending.FAILURE):
            ending = self._stopped_how  # while it was about to end otherwise
        self.disk.turn_on(power_lost=ending is Ending.POWER_LOSS)
        self.endings[ending.value] += 1
        self.is_alive = False
        return ending

    _stopped_how = Ending.POWER_LOSS

    def end(self, ending: Ending) -> None:
        """Let the present life end so; nothing, if it ends already."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(ending)

    def end_in_call(self, calls: int, ending: Ending) -> None:
        """Let it end so in the middle of the disk call after the next few."""
        self._stopped_how = ending
        self.disk.calls_left = calls

    def spawn(self, work: "Coroutine[Any, Any, Any]") -> "asyncio.Task[Any]":
        """Run something that ends with the member."""
        task = self._loop.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(lambda _: self._tasks.pop(task))
        return task

    async def _boot(self) -> None:
        self.starts += 1
        self._full_before = self.disk.counts.full_errors
        self._on_event("boots")
        try:
            self._built = self._build()
        except PowerLost:
            return
        except Exception as error:
            self._on_event(f"refuses: {type(error).__name__}")
            if isinstance(error, DataError | OSError) and self._was_full:
                pass  # the next start has room
            elif isinstance(error, DataError):
                self.refusal = error
            else:
                self.bug(f"start failed: {error!r}")
            self.end(Ending.FAILURE)
            return
        member = self._built
        driver = self._driver = Driver(
            member.engine,
            _SteadyLog(member.log),  # type: ignore[arg-type]
            self._durations,
            tick_s=self._config.heartbeat_interval_ms / 1000,
            commit_interval_s=self._config.backend_batch_interval_s,
            compaction_pause_s=self._config.compaction_sleep_interval_s,
            on_failure=self._failed,
        )
        driver.start()
        if self._config.initial_election_tick_advance:
            member.engine.campaign_soon()
        try:
            await driver.wait_serving()
        except Exception as error:
            self._failed(error)
            return
        except PowerLost:
            return
        self.life = Life(
            member, driver, self._methods(driver, member), self._loop.create_future()
        )
        self._on_event(f"serves: revision {member.engine.store.current_revision}")
        self.check()

    def check(self) -> None:
        """Hold every structure against itself, and the backend's pages too."""
        assert self.life is not None
        engine = self.life.member.engine
        parts = (
            engine._raft,
            engine._raft_storage,
            engine.store,
            engine.lessor,
            engine.watch,
            self.life.member.backend,
        )
        for part in parts:
            try:
                part._check()
            except Exception as error:
                self.bug(f"{part!r}: {error!r}")

    def _build(self) -> BuiltMember:
        self._durations = Durations()
        built = build_member(
            self._config,
            self.disk.root,
            ("http://127.0.0.1:2379",),
            self.clock,
            Random(self._random.getrandbits(32)),
            self._durations,
        )
        backend = built.backend
        save = backend.before_commit
        assert save is not None

        def before_commit() -> None:
            save()
            backend._txn = _Committing(backend._txn, self.disk)

        backend.before_commit = before_commit
        return built

    def _methods(self, driver: Driver, member: BuiltMember) -> dict[str, Method]:
        config = member.engine.config
        headers = Headers(config.cluster_id, config.member.member_id)
        services = (
            KvService(driver, headers, self._config.max_txn_ops),
            LeaseService(driver, headers, self._durations),
            WatchService(driver, headers),
            MaintenanceService(
                driver, headers, member.backend, self._durations, is_durable=True
            ),
        )
        return {m.path: m for service in services for m in service.methods()}

    def _failed(self, error: BaseException) -> None:
        """The member can do nothing more; `miniet serve` would end now."""
        if isinstance(error, PowerLost):
            return
        self._on_event(f"fails: {type(error).__name__}")
        if not (isinstance(error, DataError) and self._was_full):
            self.bug(f"the member failed: {error!r}")
        self.end(Ending.FAILURE)

    @property
    def _was_full(self) -> bool:
        """Whether the disk was full in this life: then the member may end."""
        return self.disk.counts.full_errors > self._full_before

    async def _stop(self, life: Life) -> None:
        """End as after a signal: let calls finish, write everything."""
        # Streams and calls that take longer are cut off; see `AsyncServer.stop`.
        await asyncio.sleep(self._random.choice((0.0, 0.001, 1.0)))
        with suppress(DataError, PowerLost):
            await life.driver.stop()
        await asyncio.sleep(self._random.choice((0.0, 0.01)))
        life.cut.set_result(None)

    async def _clear(self) -> None:
        """Let everything go that ran; what it still says reaches nobody."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.failed = True
            tasks = [*driver._tasks, *self._tasks]
            driver._executor.shutdown()
        else:
            tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for task, outcome in zip(tasks, outcomes, strict=True):
            expected = (asyncio.CancelledError, RequestError, DataError, PowerLost)
            if isinstance(outcome, BaseException) and not isinstance(outcome, expected):
                self.bug(f"{task.get_coro()}: {outcome!r}")

    def _close(self, *, commit: bool) -> None:
        built, self._built = self._built, None
        if built is None:
            return
        with suppress(DataError, PowerLost):
            built.backend.close(commit=commit)
        with suppress(DataError, PowerLost):
            built.log.close()

    def bug(self, text: str) -> None:
        """Note what must never happen, whatever the disk does."""
        self._on_event(f"BUG {text}")
        self.bugs.append(text)
