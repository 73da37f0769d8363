"""Which ranges hold this key: a treap of ranges, each node knowing its furthest end.

Ranges are half-open, `[begin, end)`, and `end` None means without end. The nodes
are a search tree by (begin, end) and a heap by a random priority, which keeps the
tree balanced in expectation whatever the order of insertion. Every node also keeps
the greatest end below it, so a search skips whole subtrees that end before the key:

    [a, z)  greatest end: none          a search for "m" looks at [a, z),
      |-- [a, c)  greatest end: d       skips the left subtree (it ends at d),
      |     `-- [b, d)                  and goes right, as [k, -) begins before m
      `-- [k, -)

Why a treap: it needs two operations of a few lines each (split, join) where the
red-black tree of etcd needs rotations, and it costs the same.
Source: etcd v3.4.9 pkg/adt/interval_tree.go (red-black, same augmentation).
"""

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Generic, TypeVar

from miniet.errors import InvariantError

Value = TypeVar("Value")


class _Node(Generic[Value]):
    __slots__ = (
        "begin",
        "end",
        "end_max",
        "left",
        "priority",
        "right",
        "value",
    )

    def __init__(
        self, begin: bytes, end: bytes | None, value: Value, priority: float
    ) -> None:
        self.begin = begin
        self.end = end
        self.value = value
        # Invariant: no node below has a greater one.
        self.priority = priority
        # The greatest end in this subtree, None if one of them has no end.
        self.end_max = end
        self.left: _Node[Value] | None = None
        self.right: _Node[Value] | None = None

    def sorts_before(self, begin: bytes, end: bytes | None) -> bool:
        """Say whether this range is less than [begin, end); no end sorts last."""
        if self.begin != begin:
            return self.begin < begin
        return self.end is not None and (end is None or self.end < end)

    def renew_end_max(self) -> None:
        """Recompute `end_max` from this node and its two children."""
        greatest = self.end
        for child in (self.left, self.right):
            if greatest is None:
                break
            if child is not None:
                end = child.end_max
                greatest = None if end is None else max(greatest, end)
        self.end_max = greatest


class IntervalTree(Generic[Value]):
    """A map from ranges to values that finds all ranges holding a key.

    Memory: one node of seven fields per distinct range; the begin and end given
    to `insert` are kept as they are. Cost: n ranges, m of them found.
    """

    __slots__ = ("_rng", "_root", "_size")

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._root: _Node[Value] | None = None
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"IntervalTree({self._size} ranges)"

    def __iter__(self) -> Iterator[tuple[bytes, bytes | None, Value]]:
        """Walk (begin, end, value) in order of begin, then end; no end is last."""
        for node in _in_order(self._root):
            yield node.begin, node.end, node.value

    def get(self, begin: bytes, end: bytes | None) -> Value | None:
        """Return the value of exactly this range, or None. Cost: O(log n)."""
        node = self._find(begin, end)
        return None if node is None else node.value

    def replace(self, begin: bytes, end: bytes | None, value: Value) -> None:
        """Give a range that is in the tree another value. Cost: O(log n)."""
        node = self._find(begin, end)
        if node is None:
            raise _no_such_range(begin, end)
        node.value = value

    def insert(self, begin: bytes, end: bytes | None, value: Value) -> None:
        """Add a range that is not in the tree, `begin` < `end`. Cost: O(log n)."""
        node = _Node(begin, end, value, self._rng.random())
        self._root = _insert(self._root, node)
        self._size += 1

    def remove(self, begin: bytes, end: bytes | None) -> None:
        """Take out a range that is in the tree. Cost: O(log n)."""
        self._root = _remove(self._root, begin, end)
        self._size -= 1

    def values_at(self, key: bytes) -> list[Value]:
        """Find the values of all ranges that hold `key`.

        In a fixed order that depends on the shape of the tree.
        Cost: O(log n + m) for ranges that nest or lie apart, as prefixes do.
        """
        found: list[Value] = []
        later: list[_Node[Value]] = []
        node = self._root
        while True:
            if node is None or (node.end_max is not None and node.end_max <= key):
                if not later:
                    return found
                node = later.pop()
            elif node.begin > key:
                node = node.left
            else:
                if node.end is None or key < node.end:
                    found.append(node.value)
                if node.right is not None:
                    later.append(node.right)
                node = node.left

    def _find(self, begin: bytes, end: bytes | None) -> _Node[Value] | None:
        node = self._root
        while node is not None and (node.begin != begin or node.end != end):
            node = node.right if node.sorts_before(begin, end) else node.left
        return node

    def _check(self) -> None:
        """Recompute order, heap and greatest ends of all nodes from scratch."""
        nodes = list(_in_order(self._root))
        if len(nodes) != self._size:
            raise InvariantError(f"{len(nodes)} ranges, counted {self._size}")
        for before, after in pairwise(nodes):
            if not before.sorts_before(after.begin, after.end):
                raise InvariantError(f"out of order: {before.begin!r}, {after.begin!r}")
        _check_subtree(self._root)


def _in_order(root: _Node[Value] | None) -> Iterator[_Node[Value]]:
    above: list[_Node[Value]] = []
    node = root
    while above or node is not None:
        while node is not None:
            above.append(node)
            node = node.left
        node = above.pop()
        yield node
        node = node.right


def _insert(node: _Node[Value] | None, new: _Node[Value]) -> _Node[Value]:
    if node is None:
        return new
    if new.priority > node.priority:
        new.left, new.right = _split(node, new)
        new.renew_end_max()
        return new
    if node.sorts_before(new.begin, new.end):
        node.right = _insert(node.right, new)
    else:
        node.left = _insert(node.left, new)
    node.renew_end_max()
    return node


def _split(
    node: _Node[Value] | None, at: _Node[Value]
) -> tuple[_Node[Value] | None, _Node[Value] | None]:
    """Cut a subtree into the ranges before `at` and those after it."""
    if node is None:
        return None, None
    if node.sorts_before(at.begin, at.end):
        node.right, after = _split(node.right, at)
        node.renew_end_max()
        return node, after
    before, node.left = _split(node.left, at)
    node.renew_end_max()
    return before, node


def _remove(
    node: _Node[Value] | None, begin: bytes, end: bytes | None
) -> _Node[Value] | None:
    if node is None:
        raise _no_such_range(begin, end)
    if node.begin == begin and node.end == end:
        return _join(node.left, node.right)
    if node.sorts_before(begin, end):
        node.right = _remove(node.right, begin, end)
    else:
        node.left = _remove(node.left, begin, end)
    node.renew_end_max()
    return node


def _no_such_range(begin: bytes, end: bytes | None) -> InvariantError:
    return InvariantError(f"no such range: {begin!r}, {end!r}")


def _join(
    before: _Node[Value] | None, after: _Node[Value] | None
) -> _Node[Value] | None:
    """Make one subtree of two, all of `before` sorting before all of `after`."""
    if before is None or after is None:
        return before or after
    if before.priority > after.priority:
        before.right = _join(before.right, after)
        before.renew_end_max()
        return before
    after.left = _join(before, after.left)
    after.renew_end_max()
    return after


def _check_subtree(node: _Node[Value] | None) -> None:
    if node is None:
        return
    for child in (node.left, node.right):
        _check_subtree(child)
        if child is not None and child.priority > node.priority:
            raise InvariantError(f"{child.begin!r} outranks its parent {node.begin!r}")
    known = node.end_max
    node.renew_end_max()
    if node.end_max != known:
        raise InvariantError(f"greatest end below {node.begin!r}: {known!r}")
