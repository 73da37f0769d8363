from itertools import pairwise

import pytest

from miniet.mvcc import CompactedError, FutureRevisionError, RangeResult, Store
from miniet.mvcc.compaction import INDEX_STEP_KEYS
from miniet.mvcc.ports import META_BUCKET
from miniet.mvcc.revision import revision_key
from tests.support.memory_backend import MemoryBackend
from tests.support.stores import (
    compact,
    decoded,
    delete,
    everything,
    finish_compactions,
    new_store,
    pairs,
    put,
    real_server_history,
    stored_revisions,
)


@pytest.fixture
def store() -> Store:
    store = new_store()
    real_server_history(store)
    return store


def backend_of(store: Store) -> MemoryBackend:
    assert isinstance(store.backend, MemoryBackend)
    return store.backend


def mark(store: Store, name: bytes) -> bytes | None:
    stored = store.batch_tx.get(META_BUCKET, name)
    return None if stored is None else bytes(stored)


# As left by a real server; t is a tombstone.
LEFT_AFTER = {
    4: "3 4 5t 6 7 8 8.1 8.2t 9 10t 11 12t 13",
    5: "4 6 7 8 8.1 8.2t 9 10t 11 12t 13",
    8: "6 7 8 8.1 9 10t 11 12t 13",
    10: "6 7 8.1 11 12t 13",
    12: "6 7 11 13",
}


@pytest.mark.parametrize("batch_limit", [1, 2, 3, 1000])
@pytest.mark.parametrize("revision", LEFT_AFTER)
def test_compaction_leaves_what_a_real_server_leaves(
    store: Store, revision: int, batch_limit: int
) -> None:
    compact(store, revision, batch_limit)
    assert " ".join(stored_revisions(store)) == LEFT_AFTER[revision]


def test_compactions_one_after_another_leave_the_same(store: Store) -> None:
    for revision, left in LEFT_AFTER.items():
        compact(store, revision)
        assert " ".join(stored_revisions(store)) == left


@pytest.mark.parametrize("revision", LEFT_AFTER)
def test_reads_at_the_compact_revision_or_later_do_not_change(
    store: Store, revision: int
) -> None:
    def history() -> list[RangeResult]:
        return [store.read().range(everything(at)).own() for at in range(revision, 14)]

    before = history()
    store.compact(revision)
    assert history() == before
    finish_compactions(store, 2)
    assert history() == before


def test_key_deleted_at_the_compact_revision_is_gone(store: Store) -> None:
    compact(store, 12)
    assert store.index.entry(b"d") is None
    assert "12t" not in stored_revisions(store)


@pytest.mark.parametrize("revision", [12, 11, 0, -1, -5])
def test_revision_not_above_the_last_compaction_is_refused(
    store: Store, revision: int
) -> None:
    compact(store, 12)
    with pytest.raises(CompactedError) as caught:
        store.compact(revision)
    assert caught.value.compact_revision == 12
    assert not store.compaction_pending


def test_future_revision_is_refused(store: Store) -> None:
    with pytest.raises(FutureRevisionError):
        store.compact(14)
    assert (store.compact_revision, store.compaction_pending) == (-1, False)
    store.compact(13)


def test_zero_is_accepted_once_on_a_fresh_store_and_negatives_never() -> None:
    store = new_store()
    with pytest.raises(CompactedError):
        store.compact(-1)
    store.compact(0)
    with pytest.raises(CompactedError):
        store.compact(0)
    finish_compactions(store)


def test_accepted_compaction_is_marked_and_committed_before_any_step(
    store: Store,
) -> None:
    store.compact(12)
    assert store.compact_revision == 12
    assert mark(store, b"scheduledCompactRev") == revision_key(12, 0)
    assert mark(store, b"finishedCompactRev") is None
    after_crash = backend_of(store).crashed().batch_tx
    assert after_crash.get(META_BUCKET, b"scheduledCompactRev") is not None
    assert len(stored_revisions(store)) == 14


def test_finished_compaction_is_marked(store: Store) -> None:
    compact(store, 12)
    assert mark(store, b"finishedCompactRev") == revision_key(12, 0)
    assert store.finished_compact_revision == 12


def test_each_full_batch_is_committed(store: Store) -> None:
    store.compact(12)
    commits = backend_of(store).commit_count
    finish_compactions(store, 5)
    # 13 records up to revision 12: two full batches and one short one.
    assert backend_of(store).commit_count == commits + 2


def test_batch_limit_bounds_the_records_of_a_step(store: Store) -> None:
    store.compact(12)
    left = [len(stored_revisions(store))]
    while store.step_compaction(3):
        left.append(len(stored_revisions(store)))
    assert max(a - b for a, b in pairwise(left)) <= 3


def test_index_part_is_stepped_too() -> None:
    store = new_store()
    with store.write() as txn:
        for number in range(INDEX_STEP_KEYS + 1):
            txn.put(b"%d" % number, b"")
    store.compact(2)
    steps = 1
    while store.step_compaction(10**6):
        steps += 1
    assert steps == 3
    store._check()


def test_nothing_to_do_is_not_an_error(store: Store) -> None:
    assert store.step_compaction() is False


def test_compactions_run_in_the_order_they_came(store: Store) -> None:
    store.compact(5)
    store.compact(10)
    assert store.statistics().compaction_count == 2
    finished = []
    while store.step_compaction(1000):
        finished.append(store.finished_compact_revision)
        store._check()
    assert sorted(set(finished)) == [-1, 5]
    assert store.finished_compact_revision == 10
    assert " ".join(stored_revisions(store)) == LEFT_AFTER[10]


def test_writes_between_steps_are_not_touched(store: Store) -> None:
    store.compact(12)
    number = 0
    while store.step_compaction(2):
        put(store, b"a", b"%d" % number)
        put(store, b"z%d" % number)
        delete(store, b"e")
        number += 1
    store._check()
    assert pairs(store)[b"a"] == b"%d" % (number - 1)
    assert {b"z%d" % n for n in range(number)} < set(pairs(store))


@pytest.mark.parametrize("steps", range(9))
def test_interrupted_compaction_is_resumed_at_the_next_start(
    store: Store, steps: int
) -> None:
    store.compact(12)
    for _ in range(steps):
        store.step_compaction(2)
    again = new_store(backend_of(store).crashed())
    again._check()
    assert again.compaction_pending == (again.finished_compact_revision != 12)
    assert again.compact_revision == 12
    finish_compactions(again)
    assert " ".join(stored_revisions(again)) == LEFT_AFTER[12]
    assert decoded(again.read().range(everything()).kvs) == decoded(
        store.read().range(everything()).kvs
    )


def test_revision_does_not_go_back_when_the_newest_tombstone_is_compacted() -> None:
    store = new_store()
    put(store, b"a")
    delete(store, b"a")
    store.compact(3)
    store.step_compaction()
    store.step_compaction(2)  # both records deleted and committed, no mark yet
    assert mark(store, b"finishedCompactRev") is None
    for backend in (backend_of(store).crashed(), backend_of(store)):
        again = new_store(backend)
        assert stored_revisions(again) == []
        assert again.current_revision == 3
        assert put(again, b"b") == 4
        finish_compactions(again)


def test_survivors_are_held_only_while_compacting(store: Store) -> None:
    store.compact(12)
    assert store.statistics().compaction_keep_count == 0
    store.step_compaction()
    assert store.statistics().compaction_keep_count == 3
    finish_compactions(store)
    counts = store.statistics()
    assert (counts.compaction_keep_count, counts.compaction_count) == (0, 0)
    assert counts.compaction_deleted_total == 14 - 4


@pytest.mark.parametrize("batch_limit", [1, 2, 1000])
def test_deleted_records_are_counted_over_all_batches(
    store: Store, batch_limit: int
) -> None:
    before = len(stored_revisions(store))
    compact(store, 8, batch_limit)
    compact(store, 12, batch_limit)
    left = len(stored_revisions(store))
    assert store.statistics().compaction_deleted_total == before - left > 0
