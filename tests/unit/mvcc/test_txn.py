from collections.abc import Callable

import pytest

from miniet.errors import InvariantError
from miniet.mvcc import (
    CompactedError,
    Event,
    EventType,
    FutureRevisionError,
    KeyValue,
    RangeQuery,
    Store,
    StorePoisonedError,
    WriteTxn,
)
from miniet.mvcc.ports import KEY_BUCKET
from miniet.mvcc.revision import revision_key
from tests.support.lease_stub import LeaseStub, NoSuchLeaseError
from tests.support.memory_backend import MemoryBackend
from tests.support.stores import (
    compact,
    decoded,
    delete,
    everything,
    new_store,
    pairs,
    put,
    stored_revisions,
)


@pytest.fixture
def store() -> Store:
    return new_store(lessor=LeaseStub(7, 8))


# Revisions


def test_first_write_makes_revision_2(store: Store) -> None:
    assert store.current_revision == 1
    assert put(store, b"a") == 2
    assert store.current_revision == 2


def test_changes_of_a_transaction_share_main_and_count_sub(store: Store) -> None:
    put(store, b"b")
    put(store, b"c")
    with store.write() as txn:
        assert txn.put(b"a", b"1") == 4
        assert txn.delete_range(b"b", b"\x00") == (2, 4)
        assert txn.put(b"d", b"1") == 4
    store._check()
    assert stored_revisions(store) == ["2", "3", "4", "4.1t", "4.2t", "4.3"]
    assert store.current_revision == 4


def test_keys_of_a_range_are_deleted_in_key_order(store: Store) -> None:
    for key in (b"c", b"a", b"b"):
        put(store, key)
    with store.write() as txn:
        txn.delete_range(b"a", b"c")
    assert [event.key for event in txn.changes] == [b"a", b"b"]


def test_transaction_without_change_keeps_the_revision(store: Store) -> None:
    put(store, b"a")
    with store.write() as txn:
        txn.range(everything())
        assert txn.delete_range(b"nope") == (0, 2)
    assert store.current_revision == 2
    assert stored_revisions(store) == ["2"]


def test_delete_of_nothing_answers_the_revision_of_earlier_changes(
    store: Store,
) -> None:
    with store.write() as txn:
        assert txn.delete_range(b"nope") == (0, 1)
        txn.put(b"a", b"1")
        assert txn.delete_range(b"nope") == (0, 2)


def test_range_inside_sees_earlier_changes_at_the_new_revision(store: Store) -> None:
    put(store, b"a", b"old")
    with store.write() as txn:
        before = txn.range(RangeQuery(b"a")).own()
        txn.put(b"a", b"new")
        after = txn.range(RangeQuery(b"a")).own()
        by_number = txn.range(RangeQuery(b"a", revision=3)).own()
        txn.delete_range(b"a")
        gone = txn.range(RangeQuery(b"a"))
    assert (decoded(before.kvs)[0].value, before.revision) == (b"old", 2)
    assert (decoded(after.kvs)[0].value, after.revision) == (b"new", 3)
    assert by_number == after
    assert (gone.count, gone.revision) == (0, 3)


def test_find_answers_from_the_index_alone(store: Store) -> None:
    for key in (b"a", b"b", b"a", b"c", b"d"):
        put(store, key)
    store.batch_tx.delete(KEY_BUCKET, revision_key(4, 0))
    assert store.read().find(b"a") == [(4, 0, 2, 2)]
    assert store.read().find(b"a", b"c") == [(4, 0, 2, 2), (3, 0, 3, 1)]
    with store.write() as txn:
        txn.delete_range(b"c")
        txn.put(b"d", b"")
        assert txn.find(b"b", b"\x00") == [(3, 0, 3, 1), (7, 1, 6, 2)]
    assert store.range_total == 3


def test_revision_to_be_is_in_the_future_before_the_first_change(store: Store) -> None:
    with store.write() as txn, pytest.raises(FutureRevisionError):
        txn.range(RangeQuery(b"a", revision=2))


def test_views_name_first_and_current_revision(store: Store) -> None:
    read = store.read()
    assert (read.first_revision, read.revision) == (-1, 1)
    put(store, b"a")
    put(store, b"a")
    compact(store, 2)
    read, write = store.read(), store.write()
    assert (read.first_revision, read.revision) == (2, 3)
    assert (write.first_revision, write.revision) == (2, 3)


def test_read_view_stays_at_its_revision(store: Store) -> None:
    put(store, b"a", b"old")
    read = store.read()
    put(store, b"a", b"new")
    result = read.range(RangeQuery(b"a"))
    assert (decoded(result.kvs)[0].value, result.revision) == (b"old", 2)


def test_read_view_that_compaction_passed_is_refused(store: Store) -> None:
    put(store, b"a")
    read = store.read()
    put(store, b"a")
    compact(store, 3)
    with pytest.raises(CompactedError):
        read.range(RangeQuery(b"a"))


# Pairs and events


def test_put_counts_versions_within_one_life(store: Store) -> None:
    def state() -> tuple[int, int, int]:
        (pair,) = decoded(store.read().range(RangeQuery(b"a")).kvs)
        return pair.create_revision, pair.mod_revision, pair.version

    put(store, b"a")
    assert state() == (2, 2, 1)
    put(store, b"a")
    assert state() == (2, 3, 2)
    delete(store, b"a")
    put(store, b"a")
    assert state() == (5, 5, 1)


def test_events_carry_the_stored_bytes(store: Store) -> None:
    heard: list[tuple[int, list[Event]]] = []
    store.on_changes = lambda revision, events: heard.append((revision, events))
    put(store, b"a", b"1")
    with store.write() as txn:
        txn.put(b"a", b"2", 7)
        txn.delete_range(b"a")
        txn.put(b"b", b"3")
    seen = [
        (revision, e.type, e.key, e.mod_revision, e.create_revision, e.kv)
        for revision, events in heard
        for e in events
    ]
    put_type, delete_type = EventType.PUT, EventType.DELETE
    assert seen == [
        (2, put_type, b"a", 2, 2, KeyValue(b"a", 2, 2, 1, b"1").encode()),
        (3, put_type, b"a", 3, 2, KeyValue(b"a", 2, 3, 2, b"2", 7).encode()),
        (3, delete_type, b"a", 3, 0, b"\x0a\x01a\x18\x03"),
        (3, put_type, b"b", 3, 3, KeyValue(b"b", 3, 3, 1, b"3").encode()),
    ]


def test_changes_are_current_when_watchers_hear_of_them(store: Store) -> None:
    seen: list[dict[bytes, bytes]] = []
    store.on_changes = lambda revision, events: seen.append(pairs(store))
    put(store, b"a", b"1")
    assert seen == [{b"a": b"1"}]


def test_nobody_hears_of_a_transaction_without_change(store: Store) -> None:
    heard: list[int] = []
    store.on_changes = lambda revision, events: heard.append(revision)
    delete(store, b"nope")
    assert heard == []


def test_key_and_value_may_be_views(store: Store) -> None:
    buffer = bytearray(b"key value")
    with store.write() as txn:
        txn.put(memoryview(buffer)[:3], memoryview(buffer)[4:])
        txn.put(memoryview(bytes(buffer))[:3], b"")
    buffer[:] = b"#########"
    store._check()
    assert pairs(store) == {b"key": b""}
    assert pairs(store, RangeQuery(b"key", revision=2)) == {b"key": b""}
    assert [event.key for event in txn.changes] == [b"key", b"key"]


def test_empty_value_is_a_value(store: Store) -> None:
    put(store, b"a", b"")
    assert pairs(store) == {b"a": b""}


# Leases


def lessor_of(store: Store) -> LeaseStub:
    assert isinstance(store.lessor, LeaseStub)
    return store.lessor


@pytest.mark.parametrize(
    ("name", "leases", "holder"),
    [
        ("joins", [7], 7),
        ("stays", [7, 7], 7),
        ("moves", [7, 8], 8),
        ("leaves", [7, 0], 0),
        ("comes back", [7, 0, 7], 7),
    ],
)
def test_key_follows_the_lease_of_its_last_put(
    store: Store, name: str, leases: list[int], holder: int
) -> None:
    for lease in leases:
        put(store, b"a", lease=lease)
    assert lessor_of(store).lease_of(b"a") == holder
    (pair,) = decoded(store.read().range(everything()).kvs)
    assert pair.lease == holder


def test_deleted_key_leaves_its_lease(store: Store) -> None:
    put(store, b"a", lease=7)
    delete(store, b"a")
    assert lessor_of(store).holder_of == {}


def test_unknown_lease_refuses_the_put_and_changes_nothing(store: Store) -> None:
    put(store, b"a", b"old", 7)
    with pytest.raises(NoSuchLeaseError), store.write() as txn:
        txn.put(b"a", b"new", 99)
    store._check()
    assert store.current_revision == 2
    assert pairs(store) == {b"a": b"old"}
    assert lessor_of(store).lease_of(b"a") == 7
    assert put(store, b"a", b"next") == 3


# Ends, good and bad


def test_only_one_write_transaction_is_open(store: Store) -> None:
    with store.write():
        with pytest.raises(InvariantError):
            store.write()
        with pytest.raises(InvariantError):
            store.compact(1)
        with pytest.raises(InvariantError):
            store.step_compaction()
    store.write().end()


def test_ended_transaction_takes_no_more(store: Store) -> None:
    with store.write() as txn:
        txn.put(b"a", b"1")
    with pytest.raises(InvariantError):
        txn.put(b"a", b"2")
    with pytest.raises(InvariantError):
        txn.delete_range(b"a")
    with pytest.raises(InvariantError):
        txn.end()
    store._check()
    assert store.current_revision == 2


def test_exception_before_a_change_leaves_the_store_as_it_was(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.write() as txn:
        txn.put(b"a", b"%d" % (1 // 0))
    store._check()
    assert put(store, b"a") == 2


def test_exception_after_a_change_poisons_the_store(store: Store) -> None:
    put(store, b"a", b"old")
    view = store.read()
    with pytest.raises(ZeroDivisionError), store.write() as txn:
        txn.put(b"a", b"%d" % (txn.put(b"a", b"new") // 0))
    assert store.is_poisoned
    assert (store.current_revision, lessor_of(store).holder_of) == (2, {})
    assert decoded(view.range(RangeQuery(b"a")).kvs)[0].value == b"old"
    for refused in (
        store.read,
        store.write,
        store.step_compaction,
        store.restore,
        lambda: store.compact(2),
        lambda: store.hash_by_revision(0),
    ):
        with pytest.raises(StorePoisonedError):
            refused()


@pytest.mark.parametrize(
    "change", [lambda txn: txn.put(b"a", b"new"), lambda txn: txn.delete_range(b"a")]
)
def test_failed_page_write_poisons_and_reopening_heals(
    store: Store, monkeypatch: pytest.MonkeyPatch, change: Callable[[WriteTxn], object]
) -> None:
    put(store, b"a", b"old")
    store.backend.commit()

    def append(bucket: bytes, key: bytes, value: bytes) -> None:
        raise OSError("disk")

    monkeypatch.setattr(store.batch_tx, "append", append)
    with pytest.raises(OSError, match="disk"), store.write() as txn:
        change(txn)
    assert store.is_poisoned
    assert isinstance(store.backend, MemoryBackend)
    healed = new_store(store.backend.crashed())
    healed._check()
    assert pairs(healed) == {b"a": b"old"}
    assert put(healed, b"a", b"new") == 3


# Counters


def test_calls_and_transactions_are_counted(store: Store) -> None:
    put(store, b"key", b"value")
    with store.write() as txn:
        txn.put(b"key", b"v2")
        txn.range(everything())
        txn.delete_range(b"key")
    read = store.read()
    read.range(everything())
    counts = store.statistics()
    assert (counts.put_total, counts.range_total, counts.delete_total) == (2, 2, 1)
    assert counts.txn_total == 1
    assert counts.put_size_bytes_total == 3 + 5 + 3 + 2
    read.range(everything())
    assert store.statistics().txn_total == 2
