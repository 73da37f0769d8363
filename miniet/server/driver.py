"""The loop that feeds the engine, and what time brings it.

One turn carries everything that came in since the last: all proposals share one
write of the log and one fsync, which happens on a thread while the entries
committed before are applied here; for a request alone on a fast disk, here, too.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import Any, Final

from miniet.engine import Engine
from miniet.engine.requests import Request, RequestKind
from miniet.errors import DataError, RequestError
from miniet.raft import Ready
from miniet.server.log_store import LogStore
from miniet.server.recorders import Durations

logger = logging.getLogger(__name__)

_LEASE_PERIOD_S: Final = 0.5
_WATCH_PERIOD_S: Final = 0.1
_SLOW_PERIOD_S: Final = 1.0
_PURGE_PERIOD_S: Final = 30.0

# A turn costs as much as several puts, most of it for the sync and its thread. So when
# several clients wait, it begins only after the loop went round so often without a
# further request, or after so long.
_GATHER_QUIET_ROUNDS: Final = 10
# Not Final: a test makes it longer, and a compiled constant stays what it is.
_GATHER_S_MAX = 0.01

# For a request alone: a fast disk has synced before a thread has taken the work over
# and given it back, and nobody else waits for the loop.
_SYNC_HERE_S_MAX: Final = 0.001


class Driver:
    """Owns the engine's turns.

    Args:
        tick_s: heartbeat interval.
        compaction_pause_s: rest between two batches of a compaction.
        on_failure: called once if a turn fails after `wait_serving`; the member can
            do nothing more.
    """

    def __init__(
        self,
        engine: Engine,
        log: LogStore,
        durations: Durations,
        *,
        tick_s: float,
        commit_interval_s: float,
        compaction_pause_s: float,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.engine = engine
        self._log = log
        self._durations = durations
        self._tick_s = tick_s
        self._commit_interval_s = commit_interval_s
        self._compaction_pause_s = compaction_pause_s
        self._on_failure = on_failure
        self._work = asyncio.Event()
        self._compaction = asyncio.Event()
        self._watch_pass_due = False
        # Requests handed to the engine so far; those of them not yet answered; those
        # of these whose outcome is there.
        self._proposed_total = self._unanswered_count = self._settled_count = 0
        # One thread: writes of the log must not overtake each other.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="miniet-log")
        self._tasks: list[asyncio.Task[None]] = []
        self.failed = False
        """Whether a turn failed: then what is not committed must not be."""

    # ---- life

    def start(self) -> None:
        """Start the turns and the clockwork on the running loop."""
        engine = self.engine
        self._loop = asyncio.get_running_loop()
        self._serving = self._loop.create_future()
        # The thread is there from now on: a stop while Python ends gets no new one.
        self._executor.submit(int)
        self._spawn(self._turns())
        self._spawn(self._every(self._tick_s, self._tick))
        self._spawn(self._every(self._commit_interval_s, self._commit))
        self._spawn(self._every(_LEASE_PERIOD_S, engine.step_leases))
        self._spawn(self._every(_WATCH_PERIOD_S, self._watch_pass))
        self._spawn(self._every(_SLOW_PERIOD_S, self._slow_steps))
        self._spawn(self._every(_PURGE_PERIOD_S, self._log.purge))
        self._spawn(self._compact())
        self._work.set()

    async def wait_serving(self) -> None:
        """Wait until clients may come: the member leads and has told its name.

        Raises what a turn failed with, if one does before that.
        """
        await self._serving

    async def stop(self) -> None:
        """End the turns, answer all who wait, make the log durable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.engine.stop()
        if not self.failed:
            await self._loop.run_in_executor(self._executor, self._log.flush, True)
        self._executor.shutdown()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        task.add_done_callback(self._task_done)
        self._tasks.append(task)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self.failed:
            return
        error = task.exception()
        if error is not None:
            self.failed = True
            # What lies on disk is wrong: a traceback would only hide what to do.
            is_bug = not isinstance(error, DataError)
            logger.critical(
                "the member failed and stops error=%s",
                error,
                exc_info=error if is_bug else None,
            )
            self.engine.stop()
            if self._serving.done():
                self._on_failure(error)
            else:
                self._serving.set_exception(error)

    # ---- requests

    def propose(
        self, kind: RequestKind, body: bytes, request: Request | None = None
    ) -> "asyncio.Future[Any]":
        """Put a request into the log; see `Engine.propose`.

        Returns:
            what becomes its result, or the `RequestError` with which it was refused.
        """
        future = self._loop.create_future()
        self._proposed_total += 1
        self._unanswered_count += 1
        self.engine.propose(kind, body, partial(self._settle_proposal, future), request)
        self._work.set()
        return future

    def _settle_proposal(self, future: "asyncio.Future[Any]", outcome: object) -> None:
        if not self._settled_count:
            # Until then their clients are still about to come with the next ones.
            self._loop.call_soon(self._count_answered)
        self._settled_count += 1
        settle(future, outcome)

    def _count_answered(self) -> None:
        self._unanswered_count -= self._settled_count
        self._settled_count = 0

    def read_point(self) -> "asyncio.Future[None]":
        """Return what is done when the local state has all that was acknowledged."""
        return self.call(self.engine.read)

    def call(
        self, request: Callable[[Callable[[Any], None]], None]
    ) -> "asyncio.Future[Any]":
        """Hand the engine a request of any form; returns what becomes its answer."""
        future = self._loop.create_future()
        request(partial(settle, future))
        self._work.set()
        return future

    def wake(self) -> None:
        """Say that the engine was given something to do."""
        self._work.set()

    async def in_thread(self, work: Callable[[], Any]) -> Any:
        """Run something long beside the loop; it may read a `read_tx` only.

        A caller that is cancelled waits for the end of it all the same: what the
        thread reads must not go away under it.
        """
        running = self._loop.run_in_executor(None, work)
        is_cancelled = False
        # Not in a `finally` after it: compiled, what has failed would stay the error
        # that the loop's thread is handling, and with it all that its frames hold.
        while not running.done():
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError:
                is_cancelled = True
        if is_cancelled:
            running.exception()  # has been looked at, so asyncio need not say it
            raise asyncio.CancelledError
        return running.result()

    def kick_watchers(self) -> None:
        """Let watchers go on at once that are behind and may have room now.

        A victim can only go on when its stream has been read from, so there is no
        need to try it every 10 ms as etcd does.
        """
        watch = self.engine.watch
        if not self._watch_pass_due and (watch.has_unsynced or watch.has_victims):
            self._watch_pass_due = True
            self._loop.call_soon(self._watch_pass)

    # ---- turns

    async def _turns(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while True:
                await self._gather()
                if (ready := self.engine.ready()) is None:
                    break
                await self._turn(ready)
                if not self._serving.done() and self.engine.is_serving:
                    self._serving.set_result(None)
                if self.engine.is_snapshot_due:
                    await self._snapshot()
            if self.engine.store.compaction_pending:
                self._compaction.set()

    async def _gather(self) -> None:
        """Let requests come in that are on their way; one alone never waits."""
        if self._unanswered_count < 2:
            return
        seen = self._proposed_total
        until_s = self._loop.time() + _GATHER_S_MAX
        quiet_rounds = 0
        while quiet_rounds < _GATHER_QUIET_ROUNDS and self._loop.time() < until_s:
            await asyncio.sleep(0)
            quiet_rounds = quiet_rounds + 1 if self._proposed_total == seen else 0
            seen = self._proposed_total

    async def _turn(self, ready: Ready) -> None:
        engine, log = self.engine, self._log
        log.append(ready.hard_state, ready.entries)
        if not (ready.must_sync and log.is_durable):
            # A changed commit index alone may wait for the next sync.
            engine.apply(ready)
        elif (
            self._unanswered_count < 2
            and log.last_sync_s < _SYNC_HERE_S_MAX
            and not _overlaps(ready)
        ):
            log.flush(True)
            engine.apply(ready)
        else:
            # The thread is at the disk most of the time and does not hold the GIL.
            durable = self._loop.run_in_executor(self._executor, log.flush, True)
            if _overlaps(ready):
                # Nothing is applied before it is durable: only at a first start.
                await durable
                engine.apply(ready)
            else:
                engine.apply(ready)
                await durable
        engine.persisted(ready)

    async def _snapshot(self) -> None:
        begun_s = monotonic()
        snapshot = self.engine.make_snapshot()
        try:
            await self._loop.run_in_executor(
                self._executor, self._log.save_snapshot, snapshot
            )
        except OSError as error:
            # The log keeps what the snapshot would have let go of, and the next one
            # is due when as much again was applied. etcd ends here.
            logger.error(
                "saved no raft snapshot index=%d error=%s", snapshot.index, error
            )
            return
        self._durations.snap_save_s.observe(monotonic() - begun_s)
        self.engine.snapshot_saved(snapshot)
        logger.info("saved raft snapshot index=%d", snapshot.index)

    # ---- clockwork

    async def _every(self, period_s: float, step: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(period_s)
            step()

    def _tick(self) -> None:
        self.engine.tick()
        self._work.set()

    def _commit(self) -> None:
        self.engine.step_commit()

    def _watch_pass(self) -> None:
        self._watch_pass_due = False
        watch = self.engine.watch
        if watch.has_victims:
            watch.step_victims()
        if watch.has_unsynced and watch.step_unsynced():
            self.kick_watchers()
        watch.step_progress()

    def _slow_steps(self) -> None:
        self.engine.step_auto_compaction()
        self._work.set()

    async def _compact(self) -> None:
        while True:
            await self._compaction.wait()
            self._compaction.clear()
            begun_s = monotonic()
            while self._compact_batch():  # noqa: ASYNC110 (a pace, not a wait)
                await asyncio.sleep(self._compaction_pause_s)
            total_ms = (monotonic() - begun_s) * 1000
            self._durations.compaction_total_ms.observe(total_ms)

    def _compact_batch(self) -> bool:
        begun_s = monotonic()
        is_more = self.engine.step_compaction()
        batch_ms = (monotonic() - begun_s) * 1000
        self._durations.compaction_batch_ms.observe(batch_ms)
        return is_more


def _overlaps(ready: Ready) -> bool:
    """Tell whether entries are to be applied that are still to be written."""
    committed, entries = ready.committed_entries, ready.entries
    return bool(committed and entries) and committed[-1].index >= entries[0].index


def settle(future: "asyncio.Future[Any]", outcome: object) -> None:
    """Give a future its outcome; one whose caller has left takes none."""
    if future.done():
        return
    if isinstance(outcome, RequestError):
        # Frames of the engine hold what they raised: a cycle.
        future.set_exception(outcome.with_traceback(None))
    else:
        future.set_result(outcome)
