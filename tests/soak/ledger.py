"""`Ledger`: what changed at each revision, and who must have heard of it."""

import threading
import time
import weakref
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

WAIT_SECONDS_MAX = 60.0
_PRUNE_EVERY = 1000
DELETED = -1


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one key."""

    key: bytes
    value: int
    """CRC of the value; `DELETED` for a deletion."""
    version: int = 0
    create_revision: int = 0

    @classmethod
    def of(cls, event: Any) -> "Change":
        """Read an `mvccpb.Event`."""
        pair = event.kv
        if event.type == event.DELETE:
            return cls(pair.key, DELETED)
        return cls(pair.key, crc32(pair.value), pair.version, pair.create_revision)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What one write was told: its puts, in order, and how many keys it deleted."""

    puts: tuple[tuple[bytes, int], ...]
    deleted: int = 0


class Ledger:
    """The history as the observer hears it; used from many threads.

    Args:
        is_compacted: asks the server whether compaction has come to a revision.
    faults: what did not fit, in words; empty if all is well.
    """

    def __init__(self, is_compacted: Callable[[int], bool] = lambda _: False) -> None:
        self.is_compacted = is_compacted
        self._lock = threading.Condition()
        self._changes: dict[int, tuple[Change, ...]] = {}
        # Live keys: create revision and version of the last put.
        self._lives: dict[bytes, tuple[int, int]] = {}
        self._waiting: dict[int, Acknowledged] = {}
        self._unclaimed: dict[int, tuple[Change, ...]] = {}
        # Changes up to and with each revision; the first is revision 0.
        self._sums = array("Q", (0, 0))
        self._cursors: weakref.WeakSet[Cursor] = weakref.WeakSet()
        self._pruned_to = 2
        self.revision = 1
        self.acknowledged_count = 0
        self.faults: list[str] = []

    @property
    def change_count(self) -> int:
        """Changes heard of."""
        return self._sums[-1]

    def changes_between(self, after: int, until: int) -> int:
        """Changes of the revisions (after, until]; a later one counts as the last."""
        with self._lock:
            last = len(self._sums) - 1
            return self._sums[min(until, last)] - self._sums[min(max(after, 0), last)]

    def fault(self, what: str) -> None:
        """Note that something is not as it should be."""
        with self._lock:
            self.faults.append(what)

    # The observer and the writers

    def observe(self, events: Sequence[Any]) -> None:
        """Take the events of whole revisions, in order."""
        by_revision: dict[int, list[Change]] = {}
        for event in events:
            change = Change.of(event)
            by_revision.setdefault(event.kv.mod_revision, []).append(change)
        with self._lock:
            for revision, changes in by_revision.items():
                self._take(revision, tuple(changes))
            self._lock.notify_all()

    def _take(self, revision: int, changes: tuple[Change, ...]) -> None:
        if revision != self.revision + 1:
            self.faults.append(f"revision {revision} came after {self.revision}")
            missing = max(revision - self.revision - 1, 0)
            self._sums.extend([self._sums[-1]] * missing)
        self.revision = revision
        self._sums.append(self._sums[-1] + len(changes))
        self._changes[revision] = changes
        for change in changes:
            self._live(revision, change)
        claim = self._waiting.pop(revision, None)
        if claim is not None:
            self._compare(revision, claim, changes)
        else:
            self._unclaimed[revision] = changes
        if revision % _PRUNE_EVERY == 0:
            self._prune()

    def _live(self, revision: int, change: Change) -> None:
        """Follow versions: a change that nobody heard of would leave a gap."""
        created, version = self._lives.pop(change.key, (0, 0))
        if change.value == DELETED:
            if not version:
                self.faults.append(f"{revision}: {change.key!r} was deleted twice")
            return
        expected = (created or revision, version + 1)
        found = (change.create_revision, change.version)
        if found != expected:
            self.faults.append(
                f"{revision}: {change.key!r} created, version {found}, not {expected}"
            )
        self._lives[change.key] = found

    def acknowledge(self, revision: int, written: Acknowledged) -> None:
        """Take note of a write that was answered with `revision`."""
        with self._lock:
            self.acknowledged_count += 1
            changes = self._unclaimed.pop(revision, None)
            if changes is not None:
                self._compare(revision, written, changes)
            elif revision <= self.revision or revision in self._waiting:
                self.faults.append(f"revision {revision} was given to two writes")
            else:
                self._waiting[revision] = written

    def _compare(
        self, revision: int, written: Acknowledged, changes: Iterable[Change]
    ) -> None:
        puts = tuple((c.key, c.value) for c in changes if c.value != DELETED)
        deleted = sum(change.value == DELETED for change in changes)
        if (puts, deleted) != (written.puts, written.deleted):
            self.faults.append(f"{revision}: {changes} is not what was acknowledged")

    def close(self) -> None:
        """Say what is open at the end, when every writer has its last answer."""
        with self._lock:
            for revision in sorted(self._waiting):
                self.faults.append(f"revision {revision} was acknowledged and is lost")
            for revision, changes in sorted(self._unclaimed.items()):
                # Leases end without a client.
                if any(change.value != DELETED for change in changes):
                    self.faults.append(f"{revision}: {changes} was written by nobody")

    # The followers

    def follow(self, key: bytes, range_end: bytes, start: int) -> "Cursor":
        """Begin to check a watcher of [key, range_end) from `start` on."""
        with self._lock:
            cursor = Cursor(self, key, range_end, max(start, self._pruned_to))
            self._cursors.add(cursor)
            return cursor

    def wait_for(self, revision: int) -> bool:
        """Wait until the observer has heard of `revision`; False: it has not."""
        with self._lock:
            return self._lock.wait_for(
                lambda: self.revision >= revision, WAIT_SECONDS_MAX
            )

    def changes_of(self, cursor: "Cursor", until: int) -> list[tuple[int, Change]]:
        """What a watcher must be told of the revisions it has not had, to `until`."""
        with self._lock:
            return [
                (revision, change)
                for revision in range(cursor.next_revision, until + 1)
                for change in self._changes.get(revision, ())
                if cursor.wants(change.key)
            ]

    def _prune(self) -> None:
        """Forget what every follower has had."""
        least = min(
            (cursor.next_revision for cursor in self._cursors), default=self.revision
        )
        for revision in range(self._pruned_to, least):
            self._changes.pop(revision, None)
        self._pruned_to = max(self._pruned_to, least)


class Cursor:
    """How far one watcher has come, over all its resumes.

    A watcher that begins at the compact revision itself is told what is left of it:
    the puts, but not the deletions, which etcd 3.4 removes with it. That, and no
    other loss, is no fault; `spared_count` says how often it was seen.
    """

    def __init__(
        self, ledger: Ledger, key: bytes, range_end: bytes, next_revision: int
    ) -> None:
        self._ledger = ledger
        self.key = key
        self.range_end = range_end
        self.next_revision = next_revision
        self._start_revision = 0
        self.event_count = 0
        self.compacted_count = 0
        self.spared_count = 0

    def __repr__(self) -> str:
        return f"[{self.key!r}, {self.range_end!r}) from {self.next_revision}"

    def wants(self, key: bytes) -> bool:
        """Whether a key is in the range."""
        return self.key <= key < self.range_end if self.range_end else key == self.key

    def begin(self) -> int:
        """Start a watcher where the last one has ended; return its start."""
        self._start_revision = self.next_revision
        return self.next_revision

    def take(self, events: Sequence[Any]) -> None:
        """Check the events of one response, whole revisions, and move on."""
        if not events:
            return
        last = events[-1].kv.mod_revision
        if not self._ledger.wait_for(last):
            self._ledger.fault(f"the observer is behind {last} for a minute")
            return
        found = [(event.kv.mod_revision, Change.of(event)) for event in events]
        expected = self._ledger.changes_of(self, last)
        if found != expected and found == self._spared(expected):
            self.spared_count += 1
        elif found != expected:
            self._ledger.fault(f"{self!r} was told {_difference(found, expected)}")
        self.next_revision = last + 1
        self.event_count += len(events)

    def skip_to(self, compact_revision: int) -> None:
        """Go on at the compact revision: what was before is gone, as we were told."""
        if self.next_revision > compact_revision:
            self._ledger.fault(f"{self!r} was ended by compaction {compact_revision}")
        self.next_revision = max(self.next_revision, compact_revision)
        self.compacted_count += 1

    def wait_owed(self, until: int) -> list[tuple[int, Change]]:
        """What is still to come of the revisions up to `until`, once it is known."""
        self._ledger.wait_for(until)
        owed = self._ledger.changes_of(self, until)
        return owed and self._spared(owed)

    def _spared(self, expected: list[tuple[int, Change]]) -> list[tuple[int, Change]]:
        """Leave out deletions of the revision it began at, if that is compacted."""
        start = self._start_revision
        left = [
            (revision, change)
            for revision, change in expected
            if revision != start or change.value != DELETED
        ]
        if left != expected and self._ledger.is_compacted(start):
            return left
        return expected


def _difference(
    found: list[tuple[int, Change]], expected: list[tuple[int, Change]]
) -> str:
    """Say where two lists of changes part."""
    pairs = zip(found, expected, strict=False)
    place = next(
        (n for n, both in enumerate(pairs) if both[0] != both[1]),
        min(len(found), len(expected)),
    )
    return (
        f"{len(found)} changes instead of {len(expected)}; number {place} is "
        f"{found[place : place + 1]} instead of {expected[place : place + 1]}"
    )


def now_s() -> float:
    """The clock of all deadlines here."""
    return time.monotonic()
