"""The whole key space in memory: an ordered map from key to `KeyIndex`.

Reads of one key go through a dict, ranges through a sorted list of the same keys;
`SortedDict` is both. etcd uses a B-tree of degree 32.

Source: etcd v3.4.9 mvcc/index.go.
"""

from collections.abc import Iterator
from itertools import islice, repeat

from sortedcontainers import SortedDict

from miniet.errors import InvariantError
from miniet.mvcc.key_index import NEWEST, REVISION_BYTES, Found, KeyIndex, Revisions
from miniet.mvcc.revision import revision_key


class TreeIndex:
    """Every key that is alive, or deleted and not yet compacted away.

    Kept: per key its bytes, a `KeyIndex`, its packed revisions, and a slot in dict
    and list; 17 bytes per change beyond the first.

    live_count: keys that exist now.
    generation_count: over all keys, with the empty one after a deletion.
    revision_count: revisions held in all generations.
    key_bytes: sum of the lengths of the keys held.
    newest_main: main revision of the last change recorded; 0 before the first.
    cut_revision_count: revisions that the last finished compaction took from keys
        that live on; what it took together with the key is not in it.
    compacted_revision_count: revisions that were left at its end, 0 before the first.
    """

    __slots__ = (
        "_cut_so_far",
        "_entries",
        "compacted_revision_count",
        "cut_revision_count",
        "generation_count",
        "key_bytes",
        "live_count",
        "newest_main",
        "revision_count",
    )

    def __init__(self) -> None:
        self._entries: SortedDict[bytes, KeyIndex] = SortedDict()
        self.live_count = 0
        self.generation_count = 0
        self.revision_count = 0
        self.key_bytes = 0
        self.newest_main = 0
        self.cut_revision_count = 0
        self.compacted_revision_count = 0
        # As `cut_revision_count`, of the walk that is under way.
        self._cut_so_far = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return (
            f"<TreeIndex keys={len(self._entries)} live={self.live_count}"
            f" revisions={self.revision_count}>"
        )

    def entry(self, key: bytes) -> KeyIndex | None:
        """Return the history of `key`, None if nothing is known of it."""
        entry: KeyIndex | None = self._entries.get(key)
        return entry

    def put(self, key: bytes, main: int, sub: int) -> KeyIndex:
        """Record a put; `key` is copied only if it is new.

        Returns:
            the entry of the key, whose `created_main` and `version` now are those of
            this put.
        Raises:
            InvariantError: the revision is not above the newest one of the key.
        Memory: 17 bytes, for a new key its whole entry. Cost: O(1), new keys O(log n).
        """
        entry: KeyIndex | None = self._entries.get(key)
        if entry is None:
            entry = self._insert(key, main, sub, main, 1)
        else:
            if not entry.revisions:
                self.live_count += 1
            entry.put(main, sub)
            self.revision_count += 1
            self.newest_main = main
        return entry

    def restore(
        self,
        key: bytes,
        main: int,
        sub: int,
        *,
        created_main: int,
        version: int,
    ) -> None:
        """Record a put read at boot; a key seen for the first time brings its past."""
        if key in self._entries:
            self.put(key, main, sub)
        else:
            self._insert(key, main, sub, created_main, version)

    def _insert(
        self,
        key: bytes,
        main: int,
        sub: int,
        created_main: int,
        version: int,
    ) -> KeyIndex:
        own_key = bytes(memoryview(key))
        entry = KeyIndex(own_key, main, sub, created_main=created_main, version=version)
        self._entries[own_key] = entry
        self.key_bytes += len(own_key)
        self.live_count += 1
        self.generation_count += 1
        self.revision_count += 1
        self.newest_main = main
        return entry

    def tombstone(self, key: bytes, main: int, sub: int) -> KeyIndex:
        """Record the deletion of a live key.

        Raises:
            InvariantError: there is no such key, or it is deleted already.
        """
        entry: KeyIndex | None = self._entries.get(key)
        if entry is None:
            raise InvariantError(f"deletion at {main}.{sub} of an unknown key")
        entry.tombstone(main, sub)
        self.newest_main = main
        self.live_count -= 1
        self.generation_count += 1
        self.revision_count += 1
        return entry

    def get(self, key: bytes, at: int) -> Found | None:
        """Find `key` as of main revision `at`; None if it did not exist then."""
        entry: KeyIndex | None = self._entries.get(key)
        return None if entry is None else entry.get(at)

    def walk(self, key: bytes, range_end: bytes) -> Iterator[KeyIndex]:
        """Walk the histories of the keys of a range, in key order.

        Args:
            range_end: as in `KeyRange`.
        The index must not change during the walk. Cost: O(log keys + keys in range).
        """
        entries = self._entries
        if not range_end:
            keys = iter((key,) if key in entries else ())
        elif range_end == b"\x00":
            keys = entries.irange(key)
        elif key < range_end:
            keys = entries.irange(key, range_end, inclusive=(True, False))
        else:
            keys = iter(())
        return map(entries.__getitem__, keys)

    def alive(self, key: bytes, range_end: bytes, at: int) -> Iterator[Found]:
        """Find the keys of a range that existed at main revision `at`, in key order.

        Args and cost as for `walk`.
        """
        return filter(None, map(KeyIndex.get, self.walk(key, range_end), repeat(at)))

    def revision_keys(
        self, key: bytes, range_end: bytes, at: int, count_max: int
    ) -> tuple[list[Revisions], int]:
        """Find the same as `alive`, as keys of the backend.

        Args:
            count_max: keys wanted, the first of them.
        Returns:
            (backend keys, number of keys found whether wanted or not).
        Cost: a third of `alive`, where nothing in the range is newer than `at`.
        """
        after = revision_key(at + 1, 0)
        has_newer = at < self.newest_main
        keys: list[Revisions] = []
        count = 0
        for entry in self.walk(key, range_end):
            newest = entry.revisions
            size = len(newest)
            if size != REVISION_BYTES:  # most keys have one
                newest = newest[NEWEST:]
            if not size or (has_newer and newest >= after):
                found = entry.get(at)
                if found is None:
                    continue
                newest = revision_key(found[0], found[1])
            count += 1
            if count <= count_max:
                keys.append(newest)
        return keys, count

    def keep(self, at: int) -> set[bytes]:
        """Return the revision keys <= `at` that a compaction at `at` would spare.

        Memory: about 100 bytes per key, while the caller holds it. Cost: O(keys).
        """
        keep: set[bytes] = set()
        for entry in self._entries.values():
            entry.keep(at, keep)
        return keep

    def compact(
        self, at: int, keep: set[bytes], start: bytes = b"", limit: int = 0
    ) -> bytes | None:
        """Compact up to `limit` keys from `start` on; writes may come between calls.

        Args:
            keep: what is spared is added.
            start: empty = a compaction begins.
            limit: 0 = all keys.
        Returns:
            where to go on, None at the end.
        """
        keys = list(islice(self._entries.irange(start), limit + 1 if limit else None))
        resume = keys.pop() if limit and len(keys) > limit else None
        if not start:
            self._cut_so_far = 0
        for key in keys:
            entry = self._entries[key]
            generations, revisions = entry.compact(at, keep)
            if revisions:
                self.generation_count -= generations
                self.revision_count -= revisions
                if entry.is_empty:
                    del self._entries[key]
                    self.generation_count -= 1
                    self.key_bytes -= len(key)
                else:
                    self._cut_so_far += revisions
        if resume is None:
            self.cut_revision_count = self._cut_so_far
            self.compacted_revision_count = self.revision_count
        return resume

    def entries(self) -> Iterator[KeyIndex]:
        """Walk all entries in key order; the index must not change meanwhile."""
        return iter(self._entries.values())

    def _check(self) -> None:
        """Recount everything and verify each entry."""
        entries = list(self._entries.items())
        assert [key for key, _ in entries] == sorted(self._entries)
        for key, entry in entries:
            assert entry.key == key
            entry._check()
            for generation in entry.generations():
                assert all(main <= self.newest_main for main, _ in generation.pairs())
        counted = (
            sum(bool(entry.revisions) for _, entry in entries),
            sum(entry.generation_count for _, entry in entries),
            sum(entry.revision_count for _, entry in entries),
            sum(len(key) for key, _ in entries),
        )
        kept = (
            self.live_count,
            self.generation_count,
            self.revision_count,
            self.key_bytes,
        )
        assert counted == kept, f"counted {counted}, kept {kept}"
