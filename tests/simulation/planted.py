"""Mistakes put into the server on purpose: does the simulation find them?

Each is one that somebody could make: it is not seen as long as nothing goes wrong at
the wrong moment.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from miniet.engine import Engine
from miniet.engine.consistent_index import ConsistentIndex
from miniet.lease import Lessor
from miniet.mvcc.compaction import CompactionJob
from miniet.raft import Ready
from miniet.server.driver import Driver
from miniet.wal import Wal
from miniet.watch import WatchableStore

PLANTED: dict[str, Callable[[], Any]] = {}
"""What is wrong -> a context in which it is."""


def planted(function: Callable[[], Iterator[None]]) -> Callable[[], Any]:
    """Put a mistake on the list."""
    context = contextmanager(function)
    PLANTED[function.__name__.replace("_", " ")] = context
    return context


@planted
def answer_before_the_sync() -> Iterator[None]:
    async def turn(self: Driver, ready: Ready) -> None:
        self._log.append(ready.hard_state, ready.entries)
        self.engine.apply(ready)
        self.engine.persisted(ready)
        self._loop.run_in_executor(self._executor, self._log.flush, True)

    with patch.object(Driver, "_turn", turn):
        yield


@planted
def entries_are_written_and_not_synced() -> Iterator[None]:
    with patch.object(Wal, "_sync_tail", lambda self: None):
        yield


@planted
def last_entry_is_not_replayed() -> Iterator[None]:
    original = Wal.open

    def opened(*arguments: Any, **options: Any) -> Any:
        wal, contents = original(*arguments, **options)
        if len(contents.entries) > 10:
            contents.entries.pop()
            wal._last_index -= 1
        return wal, contents

    with patch.object(Wal, "open", opened):
        yield


@planted
def last_entry_is_applied_twice_after_a_restart() -> Iterator[None]:
    original = ConsistentIndex.restore

    def restore(self: ConsistentIndex) -> None:
        original(self)
        self.value = max(0, self.value - 1)

    with patch.object(ConsistentIndex, "restore", restore):
        yield


@planted
def consistent_index_is_saved_a_commit_late() -> Iterator[None]:
    original = ConsistentIndex.save

    def save(self: ConsistentIndex) -> None:
        now, self.value = self.value, max(self._saved, getattr(self, "late", 0))
        original(self)
        self.late = self.value = now  # type: ignore[attr-defined]

    with patch.object(ConsistentIndex, "save", save):
        yield


@planted
def reads_are_served_before_the_log_is_replayed() -> Iterator[None]:
    async def read_point(self: Driver) -> None:
        pass

    with (
        patch.object(Engine, "is_serving", property(lambda self: True)),
        patch.object(Driver, "read_point", read_point),
    ):
        yield


@planted
def lease_keeps_a_key_that_left_it() -> Iterator[None]:
    with patch.object(Lessor, "detach", lambda self, lease_id, key: None):
        yield


@planted
def snapshot_is_taken_without_a_commit() -> Iterator[None]:
    original = Engine.make_snapshot

    def make_snapshot(self: Engine) -> Any:
        commit = self.backend.commit
        self.backend.commit = lambda: None  # type: ignore[method-assign]
        try:
            return original(self)
        finally:
            self.backend.commit = commit  # type: ignore[method-assign]

    with patch.object(Engine, "make_snapshot", make_snapshot):
        yield


@planted
def compaction_takes_what_is_still_seen() -> Iterator[None]:
    original = CompactionJob.step_records

    def step_records(self: CompactionJob, tx: Any, limit: int) -> bool:
        self._keep.discard(max(self._keep, default=b""))
        return original(self, tx, limit)

    with patch.object(CompactionJob, "step_records", step_records):
        yield


@planted
def lease_ends_a_second_early() -> Iterator[None]:
    original = Lessor._refresh

    def refresh(self: Lessor, lease: Any, now_s: float) -> None:
        original(self, lease, now_s - 1)

    with patch.object(Lessor, "_refresh", refresh):
        yield


@planted
def watcher_that_resumes_misses_a_revision() -> Iterator[None]:
    original = WatchableStore.add_watcher

    def add_watcher(self: WatchableStore, watcher: Any) -> None:
        if 1 < watcher.start_revision <= self.current_revision:
            watcher.start_revision += 1
        original(self, watcher)

    with patch.object(WatchableStore, "add_watcher", add_watcher):
        yield
