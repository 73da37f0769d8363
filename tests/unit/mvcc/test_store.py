from operator import attrgetter

import pytest

from miniet.mvcc import Event, EventType, Store
from tests.support.lease_stub import LeaseStub
from tests.support.stores import (
    compact,
    delete,
    new_store,
    pairs,
    put,
    real_server_history,
)


def read(store: Store, first: int, last: int) -> list[str]:
    """Return events as `+key@revision` and `-key@revision`."""
    return [
        f"{'+' if event.type is EventType.PUT else '-'}"
        f"{event.key.decode()}@{event.mod_revision}"
        for event in store.read_events(first, last)
    ]


@pytest.mark.parametrize(
    ("first", "last", "events"),
    [
        (1, 3, ["+a@2", "+b@3"]),
        (5, 5, ["-b@5"]),
        (8, 9, ["+c@8", "+d@8", "-a@8", "+c@9"]),
        (12, 99, ["-d@12", "+e@13"]),
        (9, 8, []),
        (14, 20, []),
        (-5, 2, ["+a@2"]),
        (-5, -3, []),
    ],
)
def test_history_is_read_in_order(first: int, last: int, events: list[str]) -> None:
    store = new_store()
    real_server_history(store)
    assert read(store, first, last) == events


def test_read_events_are_the_events_watchers_heard() -> None:
    store = new_store(lessor=LeaseStub(7))
    heard: list[Event] = []
    store.on_changes = lambda revision, events: heard.extend(events)
    real_server_history(store)
    put(store, b"leased", b"value", 7)

    fields = attrgetter("type", "key", "mod_revision", "create_revision", "kv")
    again = [fields(event) for event in store.read_events(2, 99)]
    assert again == [fields(event) for event in heard]


def test_history_below_the_compact_revision_has_gaps() -> None:
    store = new_store()
    real_server_history(store)
    compact(store, 10)
    assert read(store, 2, 13) == [
        "+b@6", "+lk@7", "+d@8", "+c@11", "-d@12", "+e@13"
    ]  # fmt: skip


def test_lessors_keys_are_deleted_in_one_revision() -> None:
    store = new_store(lessor=LeaseStub(7))
    for key in (b"b", b"a", b"c"):
        put(store, key, lease=7)
    store.delete_keys([b"a", b"b", b"nope"])
    store._check()
    assert store.current_revision == 5
    assert read(store, 5, 5) == ["-a@5", "-b@5"]
    store.delete_keys([b"nope"])
    assert store.current_revision == 5


def test_reset_store_is_an_empty_one_and_keeps_its_totals() -> None:
    store = new_store()
    real_server_history(store)
    store.compact(10)
    puts = store.statistics().put_total
    empty = new_store().backend
    store.batch_tx, store.backend = empty.batch_tx, empty
    store.reset()
    store._check()
    counts = store.statistics()
    assert (counts.current_revision, counts.compact_revision) == (1, -1)
    assert (counts.key_count, counts.index_key_count, counts.key_bytes) == (0, 0, 0)
    assert (counts.compaction_count, counts.put_total) == (0, puts)
    assert put(store, b"a") == 2
    assert pairs(store) == {b"a": b"v"}


def test_statistics_count_what_the_index_holds() -> None:
    store = new_store()
    put(store, b"key")
    put(store, b"key")
    put(store, b"other")
    delete(store, b"other")
    counts = store.statistics()
    assert (counts.key_count, counts.index_key_count, counts.key_bytes) == (1, 2, 8)
    assert (counts.generation_count, counts.index_revision_count) == (3, 4)
    assert (counts.current_revision, counts.finished_compact_revision) == (5, -1)


def test_reprs_are_one_line_of_sizes() -> None:
    store = new_store()
    put(store, b"secret", b"secret")
    store.compact(2)
    for thing in (store, store.index, store.read(), store.prepare_hash(0)):
        assert repr(thing).startswith(f"<{type(thing).__name__} ")
        assert "secret" not in repr(thing)
