from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.errors import InvariantError
from miniet.mvcc import KeyRange
from miniet.watch import WatchCreate, Watcher, WatcherGroup
from miniet.watch.outbox import Outbox
from miniet.watch.undelivered import Undelivered

OUTBOX = Outbox(Undelivered(), lambda: None, responses_max=1, controls_max=1)


def a_watcher(key: bytes, range_end: bytes = b"") -> Watcher:
    return Watcher(WatchCreate(key, range_end), 0, OUTBOX)


def a_group(*watchers: Watcher) -> WatcherGroup:
    group = WatcherGroup(Random(1))
    for watcher in watchers:
        group.add(watcher)
    group._check()
    return group


def test_finds_watchers_of_key_and_of_ranges_that_hold_it() -> None:
    exact, prefix, from_key, other = (
        a_watcher(b"b"),
        a_watcher(b"a", b"c"),
        a_watcher(b"aa", b"\x00"),
        a_watcher(b"c", b"d"),
    )
    group = a_group(exact, prefix, from_key, other)
    assert set(group.watchers_of(b"b")) == {exact, prefix, from_key}
    assert set(group.watchers_of(b"a")) == {prefix}
    assert set(group.watchers_of(b"zz")) == {from_key}


def test_watchers_of_one_range_share_a_place() -> None:
    first, second = a_watcher(b"a", b"c"), a_watcher(b"a", b"c")
    group = a_group(first, second)
    group.remove(first)
    group._check()
    assert list(group.watchers_of(b"b")) == [second]
    group.remove(second)
    group._check()
    assert len(group) == 0
    assert repr(group) == "WatcherGroup(0 watchers, 0 keys, 0 ranges)"


@pytest.mark.parametrize("range_end", [b"", b"c"])
def test_remove_refuses_a_stranger(range_end: bytes) -> None:
    group = a_group(a_watcher(b"a", range_end))
    with pytest.raises(InvariantError):
        group.remove(a_watcher(b"a", range_end))
    with pytest.raises(InvariantError):
        group.remove(a_watcher(b"b", range_end))


def test_ten_thousand_watchers_of_one_key_are_found_in_order_of_arrival() -> None:
    watchers = [a_watcher(b"k") for _ in range(10_000)]
    group = a_group(*watchers)
    assert list(group.watchers_of(b"k")) == watchers


ENDS = st.sampled_from([b"", b"\x00", b"b", b"c", b"d"])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"ab", b"b", b"c"]), ENDS).filter(
            lambda pair: pair[1] in (b"", b"\x00") or pair[0] < pair[1]
        ),
        max_size=20,
    ),
    st.data(),
)
def test_finds_what_a_plain_list_finds(
    ranges: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    watchers = [a_watcher(*pair) for pair in ranges]
    group = a_group(*watchers)
    for watcher in data.draw(st.permutations(watchers)):
        for key in (b"a", b"ab", b"abc", b"b", b"c", b"x"):
            expected = [w for w in watchers if key in KeyRange(w.key, w.range_end)]
            assert sorted(map(id, group.watchers_of(key))) == sorted(map(id, expected))
        group.remove(watcher)
        watchers.remove(watcher)
        group._check()
        assert sorted(map(id, group)) == sorted(map(id, watchers))
