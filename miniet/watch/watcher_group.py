"""`WatcherGroup`: watchers found by a key they watch."""

from collections.abc import Collection, Iterator
from random import Random

from miniet.errors import InvariantError
from miniet.watch.interval_tree import IntervalTree
from miniet.watch.watcher import Watcher

_FROM_KEY = b"\x00"

Watchers = dict[Watcher, None]
"""A set that keeps the order of arrival, so that results do not depend on hashes."""


class WatcherGroup:
    """Watchers of one key in a dictionary, watchers of ranges in an interval tree.

    Memory: per watched key or range one dictionary of its watchers; keys and ends
    are the watchers' own.
    """

    __slots__ = ("_by_key", "_by_range", "_size")

    def __init__(self, rng: Random) -> None:
        self._by_key: dict[bytes, Watchers] = {}
        self._by_range: IntervalTree[Watchers] = IntervalTree(rng)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Watcher]:
        """Walk all watchers; the group must not change meanwhile."""
        for watchers in self._by_key.values():
            yield from watchers
        for _, _, watchers in self._by_range:
            yield from watchers

    def __repr__(self) -> str:
        return (
            f"WatcherGroup({self._size} watchers,"
            f" {len(self._by_key)} keys, {len(self._by_range)} ranges)"
        )

    @property
    def key_count(self) -> int:
        """Distinct single keys that are watched."""
        return len(self._by_key)

    def add(self, watcher: Watcher) -> None:
        """Take in a watcher that is not here. Cost: O(1), or O(log ranges)."""
        watchers = self._watchers_like(watcher)
        if watchers is not None:
            watchers[watcher] = None
        elif watcher.range_end:
            self._by_range.insert(watcher.key, _end(watcher), {watcher: None})
        else:
            self._by_key[watcher.key] = {watcher: None}
        self._size += 1

    def remove(self, watcher: Watcher) -> None:
        """Let go of a watcher that is here. Cost: as `add`."""
        watchers = self._watchers_like(watcher)
        if watchers is None or watcher not in watchers:
            raise InvariantError(f"{watcher!r} is not in {self!r}")
        del watchers[watcher]
        self._size -= 1
        if watchers:
            return
        if watcher.range_end:
            self._by_range.remove(watcher.key, _end(watcher))
        else:
            del self._by_key[watcher.key]

    def watchers_of(self, key: bytes) -> Collection[Watcher]:
        """Find who watches `key`; to be read before the group changes.

        Cost: O(1) without ranges; O(log ranges + watchers found) with them.
        """
        exact = self._by_key.get(key, ())
        if not self._by_range:
            return exact
        found = list(exact)
        for watchers in self._by_range.values_at(key):
            found += watchers
        return found

    def _watchers_like(self, watcher: Watcher) -> Watchers | None:
        """The watchers of the same key or range, if there are any."""
        if watcher.range_end:
            return self._by_range.get(watcher.key, _end(watcher))
        return self._by_key.get(watcher.key)

    def _check(self) -> None:
        self._by_range._check()
        if self._size != sum(1 for _ in self):
            raise InvariantError(f"{self!r} counted wrong")
        for key, watchers in self._by_key.items():
            if not all(w.key == key and not w.range_end for w in watchers):
                raise InvariantError(f"watchers of {key!r} in the wrong place")
        for key, end, watchers in self._by_range:
            if not all((w.key, _end(w)) == (key, end) for w in watchers):
                raise InvariantError(f"watchers from {key!r} in the wrong place")
        if not all(self._by_key.values()) or not all(w for _, _, w in self._by_range):
            raise InvariantError(f"{self!r} keeps a place without watchers")


def _end(watcher: Watcher) -> bytes | None:
    return None if watcher.range_end == _FROM_KEY else watcher.range_end
