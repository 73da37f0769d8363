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
`Generation` records that most keys never have. A generation's revisions are one
byte string, which the cyclic collector does not walk: of a key that was put and not
deleted it sees one object, the entry. Each is the 17 bytes under which the backend has
it, so that a range needs no more than to cut them off.

Source: etcd v3.4.9 mvcc/key_index.go. Left out: `since`, which no server path calls.
"""

import struct
from bisect import bisect_left
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from miniet.errors import InvariantError
from miniet.mvcc.revision import revision_key

_FORMAT: Final = struct.Struct(">QxQ")  # of `revision_key`
REVISION_BYTES: Final = _FORMAT.size
NEWEST: Final = -REVISION_BYTES
"""Where the newest revision begins, counted from the end."""

_unpack_from = _FORMAT.unpack_from

COPIED_BYTES_MAX: Final = 512
"""Up to this size, 30 revisions, they are `bytes`, copied by each put: no slack, and
24 bytes less around them. Beyond it a `bytearray`, which grows in place with an eighth
of slack, so that a put does not take the longer the longer the history is."""

Revisions: TypeAlias = bytes | bytearray
"""Revisions as `revision_key` encodes them, ascending; their byte order is theirs."""

Found: TypeAlias = tuple[int, int, int, int]
"""A key as of some revision: main and sub of its last put, created main, version."""


def _not_above(revisions: Revisions, main: int, sub: int) -> InvariantError:
    newest_main, newest_sub = _unpack_from(revisions, NEWEST)
    return InvariantError(f"put at {main}.{sub} after {newest_main}.{newest_sub}")


def _count_up_to(revisions: Revisions, at: int) -> int:
    """Return how many of the revisions, 1 or more, have main <= at."""
    offsets = range(0, len(revisions), REVISION_BYTES)
    if _unpack_from(revisions, NEWEST)[0] <= at:
        return len(offsets)
    # (at + 1,) sorts after each revision of main `at`, before all of the next main.
    return bisect_left(offsets, (at + 1,), key=partial(_unpack_from, revisions))


@dataclass(slots=True)
class Generation:
    """One life of a key; a finished one ends in its deletion.

    created_main: main revision of its first put.
    version: changes since then, that one and the deletion included.
    revisions: those of the changes that compaction has left.
    """

    created_main: int
    version: int
    revisions: Revisions

    @property
    def dropped_count(self) -> int:
        """Changes that compaction took from the front."""
        return self.version - len(self.revisions) // REVISION_BYTES

    def pairs(self) -> list[tuple[int, int]]:
        """Return the revisions as (main, sub), ascending."""
        return list(_FORMAT.iter_unpack(self.revisions))


class KeyIndex:
    """All revisions of one key that compaction has left.

    key: owned by the index; events share it.
    created_main, version, revisions: the newest generation, as in `Generation` but
        without a deletion; 0, 0 and empty for a deleted key.
    closed: older generations, oldest first; None instead of an empty list.

    Invariant: revisions ascend within and across generations.
    """

    __slots__ = ("closed", "created_main", "key", "revisions", "version")

    def __init__(
        self, key: bytes, main: int, sub: int, *, created_main: int, version: int
    ) -> None:
        """Begin with one put; at boot with the oldest one that is still stored."""
        self.key = key
        self.created_main = created_main
        self.version = version
        self.revisions: Revisions = revision_key(main, sub)
        self.closed: list[Generation] | None = None

    def __repr__(self) -> str:
        return (
            f"<KeyIndex key_bytes={len(self.key)}"
            f" generations={self.generation_count} revisions={self.revision_count}>"
        )

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
        size = sum(len(each.revisions) for each in self.generations())
        return size // REVISION_BYTES

    def generations(self) -> list[Generation]:
        """Return all generations, oldest first; revisions are shared, not copied."""
        return [*(self.closed or ()), self._newest()]

    def _newest(self) -> Generation:
        return Generation(self.created_main, self.version, self.revisions)

    def put(self, main: int, sub: int) -> None:
        """Append a put.

        Raises:
            InvariantError: the revision is not above the newest one.
        Memory: 17 bytes. Cost: O(1), copying up to `COPIED_BYTES_MAX`.
        """
        packed = revision_key(main, sub)
        revisions = self.revisions
        if revisions[NEWEST:] >= packed:
            raise _not_above(revisions, main, sub)
        if 0 < len(revisions) < COPIED_BYTES_MAX:
            self.revisions = revisions + packed
        elif revisions:
            if isinstance(revisions, bytes):
                revisions = bytearray(revisions)
            revisions += packed
            self.revisions = revisions
        else:
            if self.closed and self.closed[-1].revisions[NEWEST:] >= packed:
                raise _not_above(self.closed[-1].revisions, main, sub)
            self.created_main = main
            self.revisions = packed
        self.version += 1

    def tombstone(self, main: int, sub: int) -> None:
        """Append a deletion and close the generation.

        Raises:
            InvariantError: the key is deleted already, or as for `put`.
        """
        if not self.revisions:
            raise InvariantError(f"deletion at {main}.{sub} of a deleted key")
        self.put(main, sub)
        ended = self._newest()
        ended.revisions = bytes(ended.revisions)
        if self.closed is None:
            self.closed = [ended]
        else:
            self.closed.append(ended)
        self.created_main = self.version = 0
        self.revisions = b""

    def get(self, at: int) -> Found | None:
        """Find the newest put at or before main revision `at`.

        Returns:
            None if the key did not exist then.
        Cost: O(1) for the newest, else O(generations + log revisions).
        """
        if self.revisions:
            main, sub = _unpack_from(self.revisions, NEWEST)
            if main <= at:
                return main, sub, self.created_main, self.version
        return self._get_older(at)

    def _get_older(self, at: int) -> Found | None:
        for generation in reversed(self.generations()):
            revisions = generation.revisions
            if not revisions or _unpack_from(revisions)[0] > at:
                continue
            is_closed = revisions is not self.revisions
            if is_closed and _unpack_from(revisions, NEWEST)[0] <= at:
                return None
            count = _count_up_to(revisions, at)
            main, sub = _unpack_from(revisions, (count - 1) * REVISION_BYTES)
            version = generation.dropped_count + count
            return main, sub, generation.created_main, version
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
            while closed and _unpack_from(closed[0].revisions, NEWEST)[0] <= at:
                dropped_revisions += len(closed.pop(0).revisions) // REVISION_BYTES
                dropped_generations += 1
            if not closed:
                self.closed = None
        target: Generation | KeyIndex = closed[0] if closed else self
        revisions = target.revisions
        if revisions and _unpack_from(revisions)[0] <= at:
            count = _count_up_to(revisions, at) - 1
            if count:
                # A new `bytes`: a `bytearray` that is cut would keep its memory.
                revisions = bytes(revisions[count * REVISION_BYTES :])
                target.revisions = revisions
                dropped_revisions += count
            keep.add(bytes(revisions[:REVISION_BYTES]))
        return dropped_generations, dropped_revisions

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
        assert all(len(each.pairs()) >= 2 for each in self.closed or ())
        if isinstance(self.revisions, bytearray):
            assert len(self.revisions) > COPIED_BYTES_MAX
        assert not self.is_empty
