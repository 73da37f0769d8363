"""`soak`: start the server and its clients, let time pass, and judge."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from miniet.client import ClientError, EtcdClient
from miniet.client.capture import read_capture
from miniet.clock import SystemClock
from miniet.memory.counts import Counts
from miniet.memory.timeline import Point, Timeline
from tests.soak.checks import Finding, judge
from tests.soak.followers import Follower, Observer
from tests.soak.ledger import Ledger, now_s
from tests.soak.load import Keeper, Worker, Writer, is_compacted
from tests.soak.settings import Settings
from tests.support.served import Served

Progress = Callable[[float, Point, Ledger], None]
"""Told after each capture: seconds gone, the capture, what was heard so far."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a soak ended."""

    settings: Settings
    findings: list[Finding]
    points: Sequence[Point]
    calls: Counter[str]
    event_count: int
    """Events that followers were told, each checked."""
    end: Counts
    """After all clients have left."""
    server_log: str
    """What the server said."""

    @property
    def holds(self) -> bool:
        """Whether all is well."""
        return all(finding.holds for finding in self.findings)


def soak(settings: Settings, directory: Path, on_point: Progress) -> Result:
    """Run a soak on a server of its own, with its data in `directory`."""
    with Served(directory / "data", *settings.flags) as served:
        endpoint = served.endpoint
        ledger = Ledger(partial(is_compacted, endpoint))
        timeline = Timeline(
            lambda: read_capture(endpoint), SystemClock(), period_s=settings.period_s
        )
        observer = Observer(endpoint, ledger)
        observer.start()
        workers, followers = _workers(settings, endpoint, ledger)
        for worker in (*workers, *followers):
            worker.start()
        _watch_over(settings, timeline, ledger, on_point)
        # Followers end under load, so that none of them waits for an event.
        _end(followers)
        _end(workers)
        with EtcdClient(endpoint) as client:
            last_revision = client.status().header.revision
        for follower in followers:
            follower.finish(last_revision)
        if not ledger.wait_for(last_revision):
            ledger.fault(f"the observer never heard of revision {last_revision}")
        observer.close()
        ledger.close()
        end = _wait_empty(settings, endpoint)
        server_log = served.log
    return Result(
        settings,
        judge(settings, timeline.points, ledger, end),
        timeline.points,
        sum((w.calls for w in (*workers, *followers)), Counter()),
        sum(follower.event_count for follower in followers),
        end,
        server_log,
    )


def _workers(
    settings: Settings, endpoint: str, ledger: Ledger
) -> tuple[list[Worker], list[Follower]]:
    """Make the clients, each with a generator of its own, all drawn by the seed."""
    rng = Random(settings.seed)

    def drawn() -> Random:
        return Random(rng.getrandbits(64))

    workers: list[Worker] = [
        Writer(number, endpoint, ledger, drawn(), settings)
        for number in range(settings.writers)
    ]
    workers.append(Keeper(endpoint, ledger, drawn(), settings))
    followers = [
        Follower(number, endpoint, ledger, drawn(), settings)
        for number in range(settings.followers)
    ]
    return workers, followers


def _watch_over(
    settings: Settings, timeline: Timeline, ledger: Ledger, on_point: Progress
) -> None:
    begun_s = now_s()
    while (gone_s := now_s() - begun_s) < settings.seconds:
        try:
            wait_s = timeline.step()
        except ClientError as error:
            ledger.fault(f"capture: {error}")
            return  # the server is gone, or stuck
        on_point(gone_s, timeline.points[-1], ledger)
        time.sleep(min(wait_s, max(settings.seconds - gone_s, 0)))
    timeline.take()


def _end(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.wait_end()


def _wait_empty(settings: Settings, endpoint: str) -> Counts:
    """Let the leases run out and the streams end; return the counts then.

    A revoked lease's element stays in the heap until its time comes.
    """
    deadline_s = now_s() + 2 * settings.lease_ttl_s + 15
    while True:
        counts = read_capture(endpoint).counts
        is_empty = not (
            counts.lease_count
            or counts.lease_heap_element_count
            or counts.stream_count
            or counts.connection_count > 1
            or counts.calls_in_flight > 1
        )
        if is_empty or now_s() > deadline_s:
            return counts
        time.sleep(0.1)
