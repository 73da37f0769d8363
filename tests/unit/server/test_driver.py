"""The driver's turns over a real engine; the log is at the test's mercy."""

import asyncio
import logging
import random
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from miniet.clock import Clock, ManualClock, SystemClock
from miniet.engine.errors import EmptyKeyError, RequestTimeoutError, StoppedError
from miniet.engine.requests import RequestKind
from miniet.engine.results import DoneResult
from miniet.pb import rpc_pb2
from miniet.raft import Entry, HardState
from miniet.server.bootstrap import build_member
from miniet.server.config import Config
from miniet.server.driver import Driver, settle
from miniet.server.log_store import MemoryLog
from miniet.server.recorders import Durations

WAIT_S = 10


class Log(MemoryLog):
    """A log at the edge: it counts, and on request it waits or fails."""

    is_durable = True

    def __init__(self, last_sync_s: float = 1.0) -> None:
        self.last_sync_s = last_sync_s
        self.flushed: list[int] = []
        """Entries of each flush."""
        self.begun_count = 0
        self.threads: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.error: Exception | None = None
        self._taken = 0

    def append(self, hard_state: HardState | None, entries: Sequence[Entry]) -> None:
        self._taken += len(entries)

    def flush(self, sync: bool) -> None:
        assert sync
        self.begun_count += 1
        self.threads.append(threading.current_thread().name)
        assert self.may_go_on.wait(WAIT_S)
        if self.error is not None:
            raise self.error
        self.flushed.append(self._taken)
        self._taken = 0


class Rig:
    """A driver, its log, and what it told of failures."""

    def __init__(self, driver: Driver, log: Log, failures: list[BaseException]) -> None:
        self.driver = driver
        self.log = log
        self.failures = failures

    async def put(self, key: bytes = b"k") -> int:
        body = rpc_pb2.PutRequest(key=key).SerializeToString()
        return (await self.driver.propose(RequestKind.PUT, body)).revision


@asynccontextmanager
async def running(log: Log, clock: Clock | None = None) -> AsyncIterator[Rig]:
    """Start a driver over a fresh memory-only member; serving is not waited for."""
    config, durations = Config(), Durations()
    clock = clock or SystemClock()
    member = build_member(
        config, None, config.client_urls, clock, random.Random(1), durations
    )
    failures: list[BaseException] = []
    driver = Driver(
        member.engine,
        log,
        durations,
        tick_s=0.1,
        commit_interval_s=0.1,
        compaction_pause_s=0,
        on_failure=failures.append,
    )
    driver.start()
    member.engine.campaign_soon()
    try:
        yield Rig(driver, log, failures)
    finally:
        log.may_go_on.set()
        await driver.stop()
        member.close(commit=not driver.failed)


def run(
    claim: Callable[[Rig], Awaitable[None]],
    log: Log | None = None,
    clock: Clock | None = None,
) -> None:
    """Run a claim on a driver that serves."""

    async def main() -> None:
        async with running(log or Log(), clock) as rig:
            await rig.driver.wait_serving()
            await claim(rig)

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


# ---- turns


def test_requests_that_come_together_share_a_flush() -> None:
    async def claim(rig: Rig) -> None:
        flushes = len(rig.log.flushed)
        revisions = await asyncio.gather(*(rig.put() for _ in range(100)))
        assert revisions == list(range(2, 102))
        assert 100 in rig.log.flushed[flushes:]

    run(claim)


@pytest.mark.parametrize("last_sync_s", [0.0005, 0.005])
def test_only_a_fast_disk_is_waited_for_on_the_loop(last_sync_s: float) -> None:
    log = Log(last_sync_s)

    async def claim(rig: Rig) -> None:
        await rig.put()

    run(claim, log)
    # The last flush is that of the stop.
    is_here = log.threads[-2] == threading.current_thread().name
    assert is_here == (last_sync_s < 0.001)


def test_requests_that_share_a_flush_leave_the_loop_free() -> None:
    log = Log(last_sync_s=0.0005)

    async def claim(rig: Rig) -> None:
        await asyncio.gather(*(rig.put() for _ in range(10)))

    run(claim, log)
    assert log.threads[-2] != threading.current_thread().name


def test_a_request_after_many_that_were_answered_is_alone_again() -> None:
    log = Log(last_sync_s=0.0005)

    async def claim(rig: Rig) -> None:
        for _ in range(3):
            await asyncio.gather(*(rig.put() for _ in range(10)))
        await asyncio.sleep(0)
        await rig.put()

    run(claim, log)
    assert log.threads[-2] == threading.current_thread().name


def test_nothing_is_answered_before_it_is_durable() -> None:
    async def claim(rig: Rig) -> None:
        rig.log.may_go_on.clear()
        put = asyncio.ensure_future(rig.put())
        await asyncio.wait([put], timeout=0.05)
        assert not put.done()
        assert rig.driver.engine.store.current_revision == 1
        rig.log.may_go_on.set()
        assert await put == 2

    run(claim)


def test_reads_and_clockwork_go_on_while_the_disk_is_slow() -> None:
    clock = ManualClock()

    async def claim(rig: Rig) -> None:
        rig.log.may_go_on.clear()
        put = asyncio.ensure_future(rig.put())
        await asyncio.sleep(0)
        clock.advance(60)
        with pytest.raises(RequestTimeoutError):  # found by a tick
            await put

    run(claim, clock=clock)


def test_caller_who_left_does_not_disturb_the_others() -> None:
    async def claim(rig: Rig) -> None:
        rig.log.may_go_on.clear()
        gone = asyncio.ensure_future(rig.put(b"gone"))
        there = asyncio.ensure_future(rig.put(b"there"))
        await asyncio.sleep(0)
        gone.cancel()
        rig.log.may_go_on.set()
        assert await there == 3
        assert rig.failures == []

    run(claim)


# ---- the end


def test_stop_answers_those_who_wait_and_flushes_the_log() -> None:
    async def main() -> None:
        log = Log()
        async with running(log) as rig:
            await rig.driver.wait_serving()
            log.may_go_on.clear()
            put = asyncio.ensure_future(rig.put())
            # Until the thread is at the put's flush, which waits.
            while log.begun_count == len(log.flushed):  # noqa: ASYNC110
                await asyncio.sleep(0)
        with pytest.raises(StoppedError):
            await put
        # The put's flush, and the last one, which makes sure.
        assert log.flushed[-2:] == [1, 0]
        names = {thread.name for thread in threading.enumerate()}
        assert not {name for name in names if name.startswith("miniet-log")}

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def test_log_that_fails_stops_the_member(caplog: pytest.LogCaptureFixture) -> None:
    async def claim(rig: Rig) -> None:
        rig.log.error = error = OSError("No space left on device")
        with pytest.raises(StoppedError):
            await rig.put()
        assert rig.failures == [error]
        assert rig.driver.failed
        with pytest.raises(StoppedError):
            await rig.put()
        with pytest.raises(StoppedError):
            await rig.driver.read_point()
        assert rig.failures == [error]

    with caplog.at_level(logging.CRITICAL):
        run(claim)
    (record,) = caplog.records
    assert record.message.startswith("the member failed and stops")


def test_log_that_failed_is_not_flushed_again() -> None:
    """What a failed write left in the file is for the next start to judge."""
    log = Log()

    async def main() -> None:
        async with running(log) as rig:
            await rig.driver.wait_serving()
            log.error = OSError("I/O error")
            with pytest.raises(StoppedError):
                await rig.put()
            log.error = None
            log.flushed.clear()

    asyncio.run(asyncio.wait_for(main(), WAIT_S))
    assert log.flushed == []


def test_log_that_fails_before_it_serves_ends_the_wait() -> None:
    async def main() -> None:
        log = Log()
        log.error = OSError("Read-only file system")
        async with running(log) as rig:
            with pytest.raises(OSError, match="Read-only"):
                await rig.driver.wait_serving()
            assert rig.failures == []

    asyncio.run(asyncio.wait_for(main(), WAIT_S))


def test_clockwork_that_fails_stops_the_member() -> None:
    async def claim(rig: Rig) -> None:
        def fail() -> None:
            raise OSError("commit failed")

        rig.driver.engine.backend.before_commit = fail
        await rig.put()
        while not rig.failures:  # noqa: ASYNC110 (the driver's clock, not ours)
            await asyncio.sleep(0.01)
        assert str(rig.failures[0]) == "commit failed"
        with pytest.raises(StoppedError):
            await rig.put()

    run(claim)


# ---- settle


def test_settle_hands_out_results_and_raises_refusals() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        good, bad = loop.create_future(), loop.create_future()
        result = DoneResult()
        settle(good, result)
        settle(bad, EmptyKeyError())
        assert await good is result
        with pytest.raises(EmptyKeyError):
            await bad

    asyncio.run(main())


def test_settle_leaves_what_is_settled_or_cancelled() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        done, cancelled = loop.create_future(), loop.create_future()
        done.set_result(1)
        cancelled.cancel()
        settle(done, 2)
        settle(cancelled, EmptyKeyError())
        assert await done == 1
        assert cancelled.cancelled()

    asyncio.run(main())


def test_cancelled_caller_waits_for_what_its_thread_reads() -> None:
    async def claim(rig: Rig) -> None:
        begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            may_end.wait(10)
            ended.set()

        call = asyncio.ensure_future(rig.driver.in_thread(work))
        await asyncio.to_thread(begun.wait, 10)
        call.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not call.done()
        may_end.set()
        await asyncio.wait([call])
        assert call.cancelled()
        assert ended.is_set()

    run(claim)


def test_what_failed_in_a_thread_is_let_go() -> None:
    """Compiled, a coroutine that waits in a `finally` goes on handling its error."""

    async def claim(rig: Rig) -> None:
        def work() -> None:
            raise OSError("unreadable")

        with pytest.raises(OSError, match="unreadable"):
            await rig.driver.in_thread(work)
        assert sys.exc_info() == (None, None, None)

    run(claim)
