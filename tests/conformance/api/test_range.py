"""Range: which keys, at which revision, in which order, how many."""

from typing import Any

import pytest

from tests.conformance.api.refusals import COMPACTED, EMPTY_KEY, FUTURE_REVISION
from tests.conformance.api.targets import Target
from tests.support.api_requests import get, put

ALL = {"key": b"\x00", "range_end": b"\x00"}

SIX = (b"a", b"a\x00", b"aa", b"b", b"c", b"\xff")


def put_six(server: Target) -> None:
    server.put_all(*((key, b"") for key in SIX))


def put_for_sorting(server: Target) -> None:
    """Three keys, in a different order by each target.

    c: created 2, changed 6, version 2, value 1; a: 3, 3, 1, 3; b: 4, 5, 2, 2.
    """
    server.put_all((b"c", b"9"), (b"a", b"3"), (b"b", b"9"), (b"b", b"2"), (b"c", b"1"))
    server.call("Txn", success=[put(b"d", b"4")])
    server.call("DeleteRange", key=b"d")


def keys(answer: Any) -> list[bytes]:
    return [pair.key for pair in answer.kvs]


@pytest.mark.parametrize(
    ("key", "range_end", "expected"),
    [
        (b"a", b"", [b"a"]),
        (b"z", b"", []),
        (b"a", b"b", [b"a", b"a\x00", b"aa"]),
        (b"a\x00", b"b\x00", [b"a\x00", b"aa", b"b"]),
        (b"aa", b"\x00", [b"aa", b"b", b"c", b"\xff"]),
        (b"\xff", b"\x00", [b"\xff"]),
        (b"\x00", b"\x00", list(SIX)),
        (b"b", b"b", []),
        (b"b", b"a", []),
        (b"b", b"\x00\x00", []),
    ],
)
def test_range_end_says_which_keys(
    server: Target, key: bytes, range_end: bytes, expected: list[bytes]
) -> None:
    put_six(server)
    answer = server.call("Range", key=key, range_end=range_end)
    assert keys(answer) == expected
    assert answer.count == len(expected)


def test_range_without_key_is_refused(server: Target) -> None:
    assert server.refusal("Range", key=b"") == EMPTY_KEY
    assert server.refusal("Range", key=b"", range_end=b"\x00") == EMPTY_KEY


def test_future_revision_is_refused(server: Target) -> None:
    server.put_all((b"a", b""))
    assert server.call("Range", key=b"a", revision=2).count == 1
    assert server.refusal("Range", key=b"a", revision=3) == FUTURE_REVISION
    last = 2**63 - 1
    assert server.refusal("Range", key=b"a", revision=last) == FUTURE_REVISION


def test_compact_revision_is_readable_and_none_before_it(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"), (b"a", b"3"))
    server.call("Compact", revision=3)
    assert server.call("Range", key=b"a", revision=3).kvs[0].value == b"2"
    assert server.refusal("Range", key=b"a", revision=2) == COMPACTED
    assert server.refusal("Range", key=b"a", revision=1) == COMPACTED


def test_compacted_and_future_revisions_are_refused_for_absent_keys_too(
    server: Target,
) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"))
    server.call("Compact", revision=3)
    assert server.refusal("Range", key=b"none", revision=2) == COMPACTED
    assert server.refusal("Range", key=b"none", revision=4) == FUTURE_REVISION


@pytest.mark.parametrize("revision", [0, -1, -5, -(2**63)])
def test_revision_of_zero_or_less_is_the_current_one(
    server: Target, revision: int
) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"))
    server.call("Compact", revision=3)
    assert server.call("Range", key=b"a", revision=revision).kvs[0].value == b"2"


def test_old_revision_shows_the_pair_as_it_was(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"))
    server.call("DeleteRange", key=b"a")
    server.put_all((b"a", b"3"))
    pairs = [
        [
            (pair.value, pair.create_revision, pair.mod_revision, pair.version)
            for pair in server.call("Range", key=b"a", revision=revision).kvs
        ]
        for revision in (1, 2, 3, 4, 5)
    ]
    assert pairs == [[], [(b"1", 2, 2, 1)], [(b"2", 2, 3, 2)], [], [(b"3", 5, 5, 1)]]


@pytest.mark.parametrize(
    ("limit", "count", "more"), [(0, 6, False), (-1, 6, False), (5, 5, True)]
)
def test_limit_cuts_and_says_so(
    server: Target, limit: int, count: int, more: bool
) -> None:
    put_six(server)
    answer = server.call("Range", **ALL, limit=limit)
    assert (len(answer.kvs), answer.more, answer.count) == (count, more, 6)


def test_limit_of_all_is_not_more(server: Target) -> None:
    put_six(server)
    answer = server.call("Range", **ALL, limit=6)
    assert (len(answer.kvs), answer.more) == (6, False)


def test_count_only_has_no_pairs_and_no_more(server: Target) -> None:
    put_six(server)
    for limit in (0, 2):
        answer = server.call("Range", **ALL, count_only=True, limit=limit)
        assert (len(answer.kvs), answer.more, answer.count) == (0, False, 6)


def test_keys_only_leaves_out_values_alone(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    server.call("Put", key=b"a", value=b"1", lease=7)
    pair = server.call("Range", key=b"a", keys_only=True).kvs[0]
    assert (pair.value, pair.lease, pair.version, pair.mod_revision) == (b"", 7, 1, 2)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"min_mod_revision": 5}, [b"b", b"c"]),
        ({"max_mod_revision": 5}, [b"a", b"b"]),
        ({"min_create_revision": 3}, [b"a", b"b"]),
        ({"max_create_revision": 3}, [b"a", b"c"]),
        ({"min_mod_revision": 5, "max_create_revision": 2}, [b"c"]),
        ({"min_mod_revision": 100}, []),
        ({"max_mod_revision": -1}, []),
        ({"min_mod_revision": -1}, [b"a", b"b", b"c"]),
    ],
)
def test_filters_drop_pairs_but_do_not_change_count(
    server: Target, filters: dict[str, int], expected: list[bytes]
) -> None:
    put_for_sorting(server)
    answer = server.call("Range", **ALL, **filters)
    assert keys(answer) == expected
    assert answer.count == 3


def test_limit_comes_after_filters(server: Target) -> None:
    put_for_sorting(server)
    answer = server.call("Range", **ALL, min_mod_revision=5, limit=1)
    assert (keys(answer), answer.more, answer.count) == ([b"b"], True, 3)
    answer = server.call("Range", **ALL, min_mod_revision=6, limit=1)
    assert (keys(answer), answer.more) == ([b"c"], False)


@pytest.mark.parametrize(
    ("target", "ascending"),
    [
        ("KEY", [b"a", b"b", b"c"]),
        ("VERSION", [b"a", b"b", b"c"]),
        ("CREATE", [b"c", b"a", b"b"]),
        ("MOD", [b"a", b"b", b"c"]),
        ("VALUE", [b"c", b"b", b"a"]),
    ],
)
def test_sort_orders_by_its_target(
    server: Target, target: str, ascending: list[bytes]
) -> None:
    put_for_sorting(server)
    answer = server.call("Range", **ALL, sort_order="ASCEND", sort_target=target)
    assert keys(answer) == ascending
    answer = server.call("Range", **ALL, sort_order="DESCEND", sort_target=target)
    if target == "VERSION":
        # Two are of version 2; etcd leaves the order of ties open.
        assert keys(answer) == [b"b", b"c", b"a"]
    else:
        assert keys(answer) == ascending[::-1]


def test_sort_comes_before_limit(server: Target) -> None:
    put_for_sorting(server)
    answer = server.call(
        "Range", **ALL, sort_order="DESCEND", sort_target="CREATE", limit=1
    )
    assert (keys(answer), answer.more, answer.count) == ([b"b"], True, 3)


def test_sort_by_value_goes_with_keys_only(server: Target) -> None:
    put_for_sorting(server)
    answer = server.call(
        "Range", **ALL, sort_order="ASCEND", sort_target="VALUE", keys_only=True
    )
    assert keys(answer) == [b"c", b"b", b"a"]


def test_target_without_order_sorts_the_first_limit_and_one(server: Target) -> None:
    put_for_sorting(server)
    answer = server.call("Range", **ALL, sort_target="CREATE")
    assert keys(answer) == [b"c", b"a", b"b"]
    # Of a and b, the first two keys, b has the lesser value; c is not looked at.
    answer = server.call("Range", **ALL, sort_target="VALUE", limit=1)
    assert (keys(answer), answer.more) == ([b"b"], True)


def test_serializable_range_sees_the_same(server: Target) -> None:
    put_six(server)
    linearizable = server.call("Range", **ALL)
    assert server.call("Range", **ALL, serializable=True) == linearizable


def test_range_in_a_txn_takes_all_options(server: Target) -> None:
    put_for_sorting(server)
    options = {"sort_order": "DESCEND", "sort_target": "CREATE", "limit": 2}
    answer = server.call("Txn", success=[get(b"\x00", b"\x00", **options)])
    inner = answer.responses[0].response_range
    assert (keys(inner), inner.more, inner.count) == ([b"b", b"a"], True, 3)
