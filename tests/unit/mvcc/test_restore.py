from collections.abc import Iterator

import pytest

from miniet.mvcc import KeyValue, Store, StoreDamagedError
from miniet.mvcc.kv import encode_tombstone
from miniet.mvcc.ports import KEY_BUCKET, META_BUCKET
from miniet.mvcc.revision import revision_key, tombstone_key
from tests.support.lease_stub import LeaseStub
from tests.support.memory_backend import MemoryBackend
from tests.support.stores import (
    compact,
    delete,
    everything,
    new_store,
    pairs,
    put,
    real_server_history,
)


def reopened(store: Store, *lease_ids: int) -> Store:
    assert isinstance(store.backend, MemoryBackend)
    again = new_store(store.backend, LeaseStub(*lease_ids))
    again._check()
    return again


def test_empty_backend_is_a_store_at_revision_1() -> None:
    store = new_store()
    assert (store.current_revision, store.compact_revision) == (1, -1)
    assert pairs(store) == {}


@pytest.mark.parametrize("compacted", [None, 5, 10, 13])
def test_restored_store_answers_as_before(compacted: int | None) -> None:
    store = new_store()
    real_server_history(store)
    if compacted is not None:
        compact(store, compacted)
    again = reopened(store)
    assert again.current_revision == 13
    assert again.compact_revision == store.compact_revision
    first = max(store.compact_revision, 1)
    for revision in range(first, 14):
        query = everything(revision)
        before, after = (s.read().range(query) for s in (store, again))
        assert before == after
    assert again.hash_by_revision(0) == store.hash_by_revision(0)


def test_versions_go_on_after_compaction_and_restart() -> None:
    store = new_store()
    for _ in range(4):
        put(store, b"a")
    compact(store, 5)
    again = reopened(store)
    put(again, b"a", b"x")
    (kv,) = again.read().range(everything()).kvs
    assert kv == KeyValue(b"a", 2, 6, 5, b"x").encode()


def test_keys_join_the_lease_of_their_last_put() -> None:
    store = new_store(lessor=LeaseStub(7, 8, 9))
    put(store, b"moved", lease=7)
    put(store, b"moved", lease=8)
    put(store, b"left", lease=7)
    put(store, b"left")
    put(store, b"deleted", lease=7)
    delete(store, b"deleted")
    put(store, b"orphan", lease=9)
    again = reopened(store, 7, 8)
    assert isinstance(again.lessor, LeaseStub)
    assert again.lessor.holder_of == {b"moved": 8}


def test_restore_forgets_what_was_there() -> None:
    store = new_store()
    put(store, b"a")
    store.backend.commit()
    other = MemoryBackend()
    store.batch_tx.delete(KEY_BUCKET, revision_key(2, 0))
    assert pairs(new_store(other)) == {}
    store.restore()
    store._check()
    assert (store.current_revision, len(store.index)) == (1, 0)


def test_tombstone_of_an_unknown_key_is_passed_over() -> None:
    backend = MemoryBackend()  # as etcd 3.6 leaves it after a compaction at 5
    backend.batch_tx.append(KEY_BUCKET, tombstone_key(5, 0), encode_tombstone(b"a"))
    for mark in (b"scheduledCompactRev", b"finishedCompactRev"):
        backend.batch_tx.put(META_BUCKET, mark, revision_key(5, 0))
    store = new_store(backend)
    assert (store.current_revision, len(store.index)) == (5, 0)
    assert put(store, b"a") == 6


def record(main: int, pair: KeyValue) -> tuple[bytes, bytes]:
    return revision_key(main, 0), pair.encode()


GOOD = record(2, KeyValue(b"a", 2, 2, 1, b"v"))
DELETED = (tombstone_key(3, 0), encode_tombstone(b"a"))


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("key is no revision", [GOOD, (b"\x00" * 8, b"")]),
        ("revision has a foreign mark", [GOOD, (revision_key(3, 0) + b"x", b"")]),
        ("value is no pair", [GOOD, (revision_key(3, 0), b"\xff\xff\xff")]),
        ("value is cut", [(GOOD[0], GOOD[1][:-1])]),
        ("value is empty", [(revision_key(2, 0), b"")]),
        ("tombstone has no key", [GOOD, (tombstone_key(3, 0), b"")]),
        (
            "key is deleted that was never put",
            [GOOD, (DELETED[0], encode_tombstone(b"b"))],
        ),
        ("pair is of another revision", [record(3, KeyValue(b"a", 2, 2, 1))]),
        ("pair was created later", [record(3, KeyValue(b"a", 4, 3, 1))]),
        ("pair has no version", [record(2, KeyValue(b"a", 2, 2))]),
        (
            "key is deleted twice",
            [GOOD, DELETED, (tombstone_key(4, 0), encode_tombstone(b"a"))],
        ),
    ],
)
def test_damaged_record_is_refused(
    name: str, records: list[tuple[bytes, bytes]]
) -> None:
    backend = MemoryBackend()
    for key, value in records:
        backend.batch_tx.put(KEY_BUCKET, key, value)
    store = Store(backend, LeaseStub())
    with pytest.raises(StoreDamagedError) as caught:
        store.restore()
    assert caught.value.record_key in [key for key, _ in records]
    assert (len(store.index), store.current_revision) == (0, 1)


def test_damaged_mark_is_refused() -> None:
    backend = MemoryBackend()
    backend.batch_tx.put(META_BUCKET, b"finishedCompactRev", b"nonsense")
    with pytest.raises(StoreDamagedError, match="finishedCompactRev"):
        new_store(backend)


class _OutOfOrder(MemoryBackend):
    """A page store with a damaged page: one record stands where another belongs."""

    def __init__(self, committed: MemoryBackend) -> None:
        super().__init__(committed._committed)
        walk = self.batch_tx.range

        def reversed_walk(
            bucket: bytes, start: bytes, end: bytes | None = None, limit: int = 0
        ) -> Iterator[tuple[memoryview, memoryview]]:
            return reversed(list(walk(bucket, start, end, limit)))

        self.batch_tx.range = reversed_walk


def test_record_out_of_order_is_refused() -> None:
    store = new_store()
    put(store, b"a")
    put(store, b"b")
    assert isinstance(store.backend, MemoryBackend)
    store.backend.commit()
    again = Store(_OutOfOrder(store.backend), LeaseStub())
    with pytest.raises(StoreDamagedError, match="out of order") as caught:
        again.restore()
    assert caught.value.record_key == revision_key(2, 0)
    assert len(again.index) == 0
