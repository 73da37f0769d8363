from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.errors import InvariantError
from miniet.watch.interval_tree import IntervalTree


def tree_of(*ranges: tuple[bytes, bytes | None]) -> IntervalTree[str]:
    tree: IntervalTree[str] = IntervalTree(Random(1))
    for begin, end in ranges:
        tree.insert(begin, end, f"{begin!r}-{end!r}")
    tree._check()
    return tree


@pytest.mark.parametrize(
    ("key", "inside"),
    [
        (b"a", False),
        (b"b", True),
        (b"b\x00", True),
        (b"c\xff", True),
        (b"d", False),
        (b"", False),
    ],
)
def test_range_holds_its_begin_and_not_its_end(key: bytes, inside: bool) -> None:
    assert bool(tree_of((b"b", b"d")).values_at(key)) is inside


@pytest.mark.parametrize("key", [b"b", b"c", b"\xff" * 8])
def test_range_without_end_holds_every_later_key(key: bytes) -> None:
    tree = tree_of((b"b", None), (b"x", b"y"))
    assert "b'b'-None" in tree.values_at(key)


def test_ranges_of_one_begin_are_kept_apart_by_their_ends() -> None:
    tree = tree_of((b"a", b"c"), (b"a", None), (b"a", b"b"))
    assert [(begin, end) for begin, end, _ in tree] == [
        (b"a", b"b"),
        (b"a", b"c"),
        (b"a", None),
    ]
    tree.remove(b"a", None)
    tree._check()
    assert tree.get(b"a", None) is None
    assert tree.get(b"a", b"c") == "b'a'-b'c'"


def test_remove_refuses_a_range_that_is_not_there() -> None:
    with pytest.raises(InvariantError):
        tree_of((b"a", b"c")).remove(b"a", b"b")


def test_replace_changes_the_value_of_exactly_one_range() -> None:
    tree = tree_of((b"a", b"c"), (b"a", None), (b"a", b"b"))
    tree.replace(b"a", b"c", "new")
    tree._check()
    assert [value for _, _, value in tree] == ["b'a'-b'b'", "new", "b'a'-None"]
    with pytest.raises(InvariantError):
        tree.replace(b"a", b"d", "new")
    assert len(tree) == 3


def test_sorted_insertion_does_not_degenerate() -> None:
    tree: IntervalTree[int] = IntervalTree(Random(7))
    for number in range(20_000):
        tree.insert(b"%06d" % number, b"%06d" % (number + 1), number)
    node, depth = tree._root, 0
    while node is not None:
        node, depth = node.left, depth + 1
    assert depth < 60
    assert tree.values_at(b"012345") == [12345]


KEYS = st.binary(max_size=2).map(lambda raw: bytes(b"abcd"[b % 4] for b in raw))
RANGES = st.tuples(KEYS, st.none() | KEYS).filter(lambda r: r[1] is None or r[0] < r[1])


@settings(max_examples=150, deadline=None)
@given(st.lists(RANGES, max_size=40), st.integers(0, 99))
def test_finds_what_a_plain_list_finds(
    ranges: list[tuple[bytes, bytes | None]], seed: int
) -> None:
    """Each range comes or, when it is there already, goes."""
    tree: IntervalTree[tuple[bytes, bytes | None]] = IntervalTree(Random(seed))
    model: set[tuple[bytes, bytes | None]] = set()
    for begin, end in ranges:
        if (begin, end) in model:
            tree.remove(begin, end)
            model.remove((begin, end))
        else:
            tree.insert(begin, end, (begin, end))
            model.add((begin, end))
        tree._check()
        assert len(tree) == len(model)
    for key in (b"", b"a", b"ab", b"b", b"bd", b"cc", b"d", b"dd", b"e"):
        expected = {r for r in model if r[0] <= key and (r[1] is None or key < r[1])}
        found = tree.values_at(key)
        assert set(found) == expected
        assert len(found) == len(expected)
