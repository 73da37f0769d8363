from typing import Any

import pytest

from miniet.errors import InvariantError
from miniet.mvcc import (
    CompactedError,
    FutureRevisionError,
    KeyValue,
    RangeQuery,
    SortOrder,
    SortTarget,
    Store,
)
from miniet.mvcc.ports import KEY_BUCKET
from miniet.mvcc.revision import revision_key
from tests.support.lease_stub import LeaseStub
from tests.support.stores import compact, decoded, delete, new_store, put


@pytest.fixture
def store() -> Store:
    """Hold, at revision 9:

    key  create  mod  version  value
    a    2       6    2        3
    b    3       8    3        1
    c    4       4    1        2
    e    9       9    1        2     lease 7
    and `d`, put at 5 and deleted with revision 7.
    """
    store = new_store(lessor=LeaseStub(7))
    put(store, b"a", b"0")
    put(store, b"b", b"0")
    put(store, b"c", b"2")
    put(store, b"d", b"0")
    with store.write() as txn:
        txn.put(b"a", b"3")
        txn.put(b"b", b"0")
    delete(store, b"d")
    put(store, b"b", b"1")
    put(store, b"e", b"2", 7)
    return store


def ask(store: Store, **options: Any) -> tuple[str, int, bool]:
    """Return (keys, count, more) of a range over everything."""
    result = store.read().range(RangeQuery(b"\x00", b"\x00", **options))
    assert result.revision == 9
    keys = b"".join(kv.key for kv in decoded(result.kvs))
    return keys.decode(), result.count, result.more


@pytest.mark.parametrize(
    ("options", "keys", "more"),
    [
        ({}, "abce", False),
        ({"limit": 2}, "ab", True),
        ({"limit": 3}, "abc", True),
        ({"limit": 4}, "abce", False),
        ({"limit": 5}, "abce", False),
        ({"limit": -1}, "abce", False),
        ({"count_only": True}, "", False),
        ({"count_only": True, "limit": 1}, "", False),
        ({"count_only": True, "min_mod_revision": 8}, "", False),
        ({"keys_only": True, "limit": 2}, "ab", True),
        ({"min_mod_revision": 6}, "abe", False),
        ({"max_mod_revision": 6}, "ac", False),
        ({"min_mod_revision": 6, "max_mod_revision": 8}, "ab", False),
        ({"min_create_revision": 4}, "ce", False),
        ({"max_create_revision": 3}, "ab", False),
        ({"min_mod_revision": 6, "limit": 2}, "ab", True),
        ({"min_mod_revision": 6, "limit": 3}, "abe", False),
        ({"min_mod_revision": 99}, "", False),
    ],
)
def test_limit_and_filters_choose(
    store: Store, options: dict[str, Any], keys: str, more: bool
) -> None:
    assert ask(store, **options) == (keys, 4, more)


ASCEND, DESCEND, NONE = SortOrder.ASCEND, SortOrder.DESCEND, SortOrder.NONE


@pytest.mark.parametrize(
    ("target", "order", "limit", "keys"),
    [
        (SortTarget.KEY, ASCEND, 0, "abce"),
        (SortTarget.KEY, DESCEND, 0, "ecba"),
        (SortTarget.KEY, DESCEND, 1, "e"),
        (SortTarget.VERSION, ASCEND, 0, "ceab"),
        (SortTarget.VERSION, DESCEND, 0, "bace"),
        (SortTarget.CREATE, DESCEND, 0, "ecba"),
        (SortTarget.MOD, ASCEND, 0, "cabe"),
        (SortTarget.MOD, DESCEND, 2, "eb"),
        (SortTarget.VALUE, ASCEND, 0, "bcea"),
        (SortTarget.VALUE, DESCEND, 0, "aceb"),
        # Order NONE sorts by another target than KEY, ascending, but after the cut
        # to limit + 1 keys.
        (SortTarget.MOD, NONE, 0, "cabe"),
        (SortTarget.MOD, NONE, 2, "ca"),
        (SortTarget.MOD, NONE, 1, "a"),
        (SortTarget.VALUE, NONE, 1, "b"),
    ],
)
def test_sort(
    store: Store, target: SortTarget, order: SortOrder, limit: int, keys: str
) -> None:
    found = ask(store, sort_target=target, sort_order=order, limit=limit)
    assert found == (keys, 4, len(keys) < 4)


def test_filters_come_before_sort_and_limit(store: Store) -> None:
    found = ask(
        store,
        sort_target=SortTarget.MOD,
        sort_order=DESCEND,
        max_mod_revision=8,
        limit=2,
    )
    assert found == ("ba", 4, True)


@pytest.mark.parametrize("target", SortTarget)
@pytest.mark.parametrize("order", SortOrder)
def test_the_greatest_limit_is_as_good_as_none(
    store: Store, target: SortTarget, order: SortOrder
) -> None:
    options = {"sort_target": target, "sort_order": order}
    assert ask(store, limit=2**63 - 1, **options) == ask(store, **options)


def test_pairs_are_what_was_stored(store: Store) -> None:
    result = store.read().range(RangeQuery(b"e"))
    assert result.kvs == [KeyValue(b"e", 9, 9, 1, b"2", 7).encode()]
    assert (result.count, result.more, result.revision) == (1, False, 9)


def test_pairs_are_views_until_they_are_owned(store: Store) -> None:
    query = RangeQuery(b"a", b"c")
    views, owned = store.read().range(query), store.read().range(query).own()
    assert owned == views
    put(store, b"e")
    assert owned.kvs == store.read().range(query).kvs != views.kvs


def test_a_revision_that_the_backend_has_lost_is_damage(store: Store) -> None:
    store.batch_tx.delete(KEY_BUCKET, revision_key(4, 0))
    with pytest.raises(InvariantError, match=r"revision 4\.0 is not in the backend"):
        store.read().range(RangeQuery(b"a", b"z"))


def test_keys_only_leaves_out_the_value_and_nothing_else(store: Store) -> None:
    result = store.read().range(RangeQuery(b"e", keys_only=True))
    assert decoded(result.kvs) == [KeyValue(b"e", 9, 9, 1, b"", 7)]


@pytest.mark.parametrize(
    ("revision", "pairs"),
    [
        (2, {b"a": b"0"}),
        (5, {b"a": b"0", b"b": b"0", b"c": b"2", b"d": b"0"}),
        (6, {b"a": b"3", b"b": b"0", b"c": b"2", b"d": b"0"}),
        (7, {b"a": b"3", b"b": b"0", b"c": b"2"}),
    ],
)
def test_older_revision_shows_what_was(
    store: Store, revision: int, pairs: dict[bytes, bytes]
) -> None:
    result = store.read().range(RangeQuery(b"\x00", b"\x00", revision=revision))
    assert {kv.key: kv.value for kv in decoded(result.kvs)} == pairs
    assert (result.count, result.revision) == (len(pairs), 9)


@pytest.mark.parametrize("revision", [0, -1, 9])
def test_no_revision_is_the_current_one(store: Store, revision: int) -> None:
    assert ask(store, revision=revision) == ("abce", 4, False)


def test_future_revision_is_refused(store: Store) -> None:
    with pytest.raises(FutureRevisionError) as caught:
        store.read().range(RangeQuery(b"a", revision=10))
    assert (caught.value.revision, caught.value.current_revision) == (10, 9)


def test_only_revisions_below_the_compact_revision_are_refused(store: Store) -> None:
    compact(store, 6)
    assert ask(store, revision=6) == ("abcd", 4, False)
    with pytest.raises(CompactedError) as caught:
        ask(store, revision=5)
    assert (caught.value.revision, caught.value.compact_revision) == (5, 6)


def test_refusals_hold_for_a_count_too(store: Store) -> None:
    with pytest.raises(FutureRevisionError):
        ask(store, revision=10, count_only=True)


def test_single_key_count(store: Store) -> None:
    def count(key: bytes) -> int:
        return store.read().range(RangeQuery(key, count_only=True)).count

    assert [count(b"a"), count(b"d"), count(b"zz")] == [1, 0, 0]
