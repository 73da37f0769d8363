"""The history of one key: its lives (generations) and their revisions.

Example: put at 3.0, put 5.0, deleted 8.0, put 10.0, put 12.1, deleted 15.0:

    generation 0   3.0   5.0   8.0t     created 3
    generation 1   10.0  12.1  15.0t    created 10
    generation 2   (none yet)

    get(at)   2: none   3, 4: 3.0   5..7: 5.0   8, 9: none   10, 11: 10.0   15: none

    compact(5)    5.0 8.0t | 10.0 12.1 15.0t |      keeps 5.0
    compact(8)    10.0 12.1 15.0t |                 keeps nothing
    compact(12)   12.1 15.0t |                      keeps 12.1
    compact(15)   empty: the key leaves the tree

A deletion at the compaction revision itself goes with its generation, as in etcd
3.4; etcd 3.6 spares it until the next compaction.

The newest generation is laid out in the `KeyIndex` itself, older ones in
`Generation` records that most keys never have: a key that was put and not
deleted costs two objects, of which the array of numbers grows by 16 bytes per
change.

Source: etcd v3.4.9 mvcc/key_index.go. Left out: `since`, which no server path calls.
"""

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from miniet.errors import InvariantError
from miniet.mvcc.revision import revision_key

if TYPE_CHECKING:
    Revisions: TypeAlias = array[int]
else:
    Revisions = array

Found: TypeAlias = tuple[int, int, int, int]
"""A key as of some revision: main and sub of its last put, created main, version."""


def _count_up_to(revisions: Revisions, at: int) -> int:
    """Return how many of the flat (main, sub) pairs, 1 or more, have main <= at."""
    if revisions[-2] <= at:
        return len(revisions) >> 1
    return bisect_right(range(0, len(revisions), 2), at, key=revisions.__getitem__)


@dataclass(slots=True)
class Generation:
    """One finished life of a key, its deletion included.

    created_main: main revision of its first put.
    dropped_count: changes that compaction took from the front; counted so that
        versions stay true.
    revisions: main, sub, main, sub, ... ascending, 8 bytes each; the last pair is
        the deletion.
    """

    created_main: int
    dropped_count: int
    revisions: Revisions

    def pairs(self) -> list[tuple[int, int]]:
        """Return the revisions as (main, sub), ascending."""
        return list(zip(self.revisions[::2], self.revisions[1::2], strict=True))


class KeyIndex:
    """All revisions of one key that compaction has left.

    key: owned by the index; events share it.
    created_main, dropped_count, revisions: the newest generation, as in
        `Generation`, but without a deletion. `revisions` is empty for a deleted key.
    closed: older generations, oldest first; None instead of an empty list.

    Invariant: revisions ascend within and across generations.
    """

    __slots__ = ("closed", "created_main", "dropped_count", "key", "revisions")

    def __init__(
        self, key: bytes, main: int, sub: int, *, created_main: int, version: int
    ) -> None:
        """Begin with one put; at boot with the oldest one that is still stored."""
        self.key = key
        self.created_main = created_main
        self.dropped_count = version - 1
        self.revisions: Revisions = array("q", (main, sub))
        self.closed: list[Generation] | None = None

    def __repr__(self) -> str:
        return (
            f"<KeyIndex key_bytes={len(self.key)}"
            f" generations={self.generation_count} revisions={self.revision_count}>"
        )

    @property
    def version(self) -> int:
        """Puts since the key's creation; 0 for a deleted key."""
        return self.dropped_count + (len(self.revisions) >> 1)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left: such an entry must leave the tree."""
        return not self.revisions and not self.closed

    @property
    def generation_count(self) -> int:
        """Generations, with the empty one that follows a deletion."""
        return 1 + len(self.closed or ())

    @property
    def revision_count(self) -> int:
        """Revisions in all generations, deletions included."""
        return sum(len(g.revisions) for g in self.generations()) >> 1

    def generations(self) -> list[Generation]:
        """Return all generations, oldest first; their arrays are shared, not copied."""
        newest = Generation(self.created_main, self.dropped_count, self.revisions)
        return [*(self.closed or ()), newest]

    def put(self, main: int, sub: int) -> None:
        """Append a put.

        Raises:
            InvariantError: the revision is not above the newest one.
        """
        revisions = self.revisions
        if revisions:
            newest_main = revisions[-2]
            if newest_main >= main and (newest_main > main or revisions[-1] >= sub):
                raise InvariantError(f"put at {main}.{sub} after {newest_main}")
        else:
            self._check_reborn_after(main, sub)
            self.created_main = main
        revisions.append(main)
        revisions.append(sub)

    def tombstone(self, main: int, sub: int) -> None:
        """Append a deletion and close the generation.

        Raises:
            InvariantError: the key is deleted already, or as for `put`.
        """
        if not self.revisions:
            raise InvariantError(f"deletion at {main}.{sub} of a deleted key")
        self.put(main, sub)
        ended = Generation(self.created_main, self.dropped_count, self.revisions)
        if self.closed is None:
            self.closed = [ended]
        else:
            self.closed.append(ended)
        self.created_main = self.dropped_count = 0
        self.revisions = array("q")

    def get(self, at: int) -> Found | None:
        """Find the newest put at or before main revision `at`.

        Returns:
            None if the key did not exist then.
        Cost: O(1) for the newest, else O(generations + log revisions).
        """
        revisions = self.revisions
        if revisions and revisions[-2] <= at:
            return revisions[-2], revisions[-1], self.created_main, self.version
        return self._get_older(at)

    def _get_older(self, at: int) -> Found | None:
        for generation in reversed(self.generations()):
            revisions = generation.revisions
            if not revisions or revisions[0] > at:
                continue
            if revisions is not self.revisions and revisions[-2] <= at:
                return None
            count = _count_up_to(revisions, at)
            return (
                revisions[2 * count - 2],
                revisions[2 * count - 1],
                generation.created_main,
                generation.dropped_count + count,
            )
        return None

    def keep(self, at: int, keep: set[bytes]) -> None:
        """Add to `keep` the revision that a compaction at `at` would spare, if any."""
        found = self.get(at)
        if found is not None:
            keep.add(revision_key(found[0], found[1]))

    def compact(self, at: int, keep: set[bytes]) -> tuple[int, int]:
        """Drop what reads at `at` or later cannot see; `keep` as in method `keep`.

        Created revisions and versions stay as they were. The caller removes an entry
        that `is_empty` afterwards.

        Returns:
            (generations, revisions) dropped.
        Memory: what is dropped is freed at once, unlike in Go, where the array is
            only cut.
        """
        dropped_revisions = dropped_generations = 0
        closed = self.closed
        if closed:
            while closed and closed[0].revisions[-2] <= at:
                dropped_revisions += len(closed.pop(0).revisions) >> 1
                dropped_generations += 1
            if not closed:
                self.closed = None
        target: Generation | KeyIndex = closed[0] if closed else self
        revisions = target.revisions
        if revisions and revisions[0] <= at:
            count = _count_up_to(revisions, at) - 1
            if count:
                # A new array: cutting the old one would keep its memory.
                target.revisions = revisions = revisions[2 * count :]
                target.dropped_count += count
                dropped_revisions += count
            keep.add(revision_key(revisions[0], revisions[1]))
        return dropped_generations, dropped_revisions

    def _check_reborn_after(self, main: int, sub: int) -> None:
        if self.closed:
            last = self.closed[-1].revisions
            if (last[-2], last[-1]) >= (main, sub):
                raise InvariantError(f"put at {main}.{sub} after {last[-2]}")

    def _check(self) -> None:
        """Verify the invariants."""
        flat: list[tuple[int, int]] = []
        for generation in self.generations():
            pairs = generation.pairs()
            flat += pairs
            assert generation.dropped_count >= 0
            if pairs:
                assert generation.created_main <= pairs[0][0]
                assert (
                    generation.dropped_count or generation.created_main == (pairs[0][0])
                )
            else:
                assert generation.created_main == generation.dropped_count == 0
        assert flat == sorted(set(flat)), f"revisions out of order: {flat}"
        assert self.closed is None or self.closed
        assert all(len(g.revisions) >= 4 for g in self.closed or ())
        assert not self.is_empty
