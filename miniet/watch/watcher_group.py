"""`WatcherGroup`: watchers found by a key they watch."""

from collections.abc import Collection, Iterator
from random import Random
from typing import Final

from miniet.errors import InvariantError
from miniet.watch.interval_tree import IntervalTree
from miniet.watch.watcher import Watcher

_FROM_KEY: Final = b"\x00"

Watchers = dict[Watcher, None]
"""A set that keeps the order of arrival, so that results do not depend on hashes."""

_Place = Watcher | Watchers
"""Who watches one key or range: the watcher alone, or several that came together."""


class WatcherGroup:
    """Watchers of one key in a dictionary, watchers of ranges in an interval tree.

    Memory: per watched key or range an entry of the dictionary (30 to 60 bytes) or a
    node of the tree, and for those of several watchers a dictionary of them (from 230
    bytes on); keys and ends are the watchers' own.
    """

    __slots__ = ("_by_key", "_by_range", "_size")

    def __init__(self, rng: Random) -> None:
        self._by_key: dict[bytes, _Place] = {}
        self._by_range: IntervalTree[_Place] = IntervalTree(rng)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Watcher]:
        """Walk all watchers; the group must not change meanwhile."""
        for place in self._by_key.values():
            yield from _watchers_in(place)
        for _, _, place in self._by_range:
            yield from _watchers_in(place)

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
        place = self._place_of(watcher)
        if isinstance(place, dict):
            place[watcher] = None
        elif not watcher.range_end:
            self._by_key[watcher.key] = _joined(place, watcher)
        elif place is None:
            self._by_range.insert(watcher.key, _end(watcher), watcher)
        else:
            both = _joined(place, watcher)
            self._by_range.replace(watcher.key, _end(watcher), both)
        self._size += 1

    def remove(self, watcher: Watcher) -> None:
        """Let go of a watcher that is here. Cost: as `add`."""
        place = self._place_of(watcher)
        if place is None or watcher not in _watchers_in(place):
            raise InvariantError(f"{watcher!r} is not in {self!r}")
        self._size -= 1
        if isinstance(place, dict):
            del place[watcher]
            if place:
                return
        if watcher.range_end:
            self._by_range.remove(watcher.key, _end(watcher))
        else:
            del self._by_key[watcher.key]

    def watchers_of(self, key: bytes) -> Collection[Watcher]:
        """Find who watches `key`; to be read before the group changes.

        Cost: O(1) without ranges; O(log ranges + watchers found) with them.
        """
        place = self._by_key.get(key)
        exact = () if place is None else _watchers_in(place)
        if not self._by_range:
            return exact
        found = list(exact)
        for place in self._by_range.values_at(key):
            found += _watchers_in(place)
        return found

    def _place_of(self, watcher: Watcher) -> _Place | None:
        """Where watchers of the same key or range are, if there are any."""
        if watcher.range_end:
            return self._by_range.get(watcher.key, _end(watcher))
        return self._by_key.get(watcher.key)

    def _check(self) -> None:
        self._by_range._check()
        if self._size != sum(1 for _ in self):
            raise InvariantError(f"{self!r} counted wrong")
        places = [(key, b"", place) for key, place in self._by_key.items()]
        places += [(key, end or _FROM_KEY, place) for key, end, place in self._by_range]
        for key, range_end, place in places:
            watchers = _watchers_in(place)
            if not watchers:
                raise InvariantError(f"{self!r} keeps a place without watchers")
            if not all((w.key, w.range_end) == (key, range_end) for w in watchers):
                raise InvariantError(f"watchers from {key!r} in the wrong place")


def _watchers_in(place: _Place) -> Collection[Watcher]:
    return (place,) if isinstance(place, Watcher) else place


def _joined(place: Watcher | None, watcher: Watcher) -> _Place:
    """Most keys have one watcher: it needs no dictionary."""
    return watcher if place is None else {place: None, watcher: None}


def _end(watcher: Watcher) -> bytes | None:
    return None if watcher.range_end == _FROM_KEY else watcher.range_end
