"""`RaftLog`: the stable and the unstable part as one log, and how far it got."""

from collections.abc import Iterator, Sequence

from miniet.raft.errors import (
    CompactedError,
    RaftInvariantError,
    StorageError,
    UnavailableError,
)
from miniet.raft.log_slice import EntryId, LogSlice
from miniet.raft.messages import Entry, Snapshot
from miniet.raft.ports import Logger, LogLevel, Storage
from miniet.raft.sizes import NO_LIMIT, encoded_bytes, limit_size
from miniet.raft.unstable import Unstable


class RaftLog:
    """A log in two parts with three marks.

    ::

        storage                      unstable
        |first_index ... offset - 1 | offset ... last_index|
              applied <= applying <= committed

    Memory: keeps nothing itself; the entries are the storage's and `Unstable`'s.
    Source: etcd-io/raft v3.6.0 log.go, raftLog.
    """

    __slots__ = (
        "_logger",
        "applied",
        "applying",
        "applying_bytes",
        "applying_bytes_max",
        "committed",
        "paused",
        "storage",
        "unstable",
    )

    def __init__(
        self,
        storage: Storage,
        logger: Logger | None = None,
        *,
        applying_bytes_max: int = NO_LIMIT,
    ) -> None:
        self._logger = logger
        self.storage = storage
        self.unstable = Unstable(storage.last_index() + 1, logger)
        # Highest index known to be agreed on. Only grows.
        # Invariant: applied <= applying <= committed <= last_index().
        self.committed = storage.first_index() - 1
        # Highest index handed out to be applied.
        self.applying = self.committed
        # Highest index that the application has confirmed as applied.
        self.applied = self.committed
        # Encoded bytes handed out and not confirmed, and from where on no more are.
        self.applying_bytes = 0
        self.applying_bytes_max = applying_bytes_max
        # Whether to hand out nothing before the next confirmation.
        self.paused = False

    def __repr__(self) -> str:
        return f"<RaftLog {self.describe()}>"

    def describe(self) -> str:
        """Return the marks in etcd's words."""
        return (
            f"committed={self.committed}, applied={self.applied},"
            f" applying={self.applying}, unstable.offset={self.unstable.offset},"
            f" unstable.offsetInProgress={self.unstable.offset_in_progress},"
            f" len(unstable.Entries)={len(self.unstable.entries)}"
        )

    # Positions

    def first_index(self) -> int:
        """Return the index of the first entry that is, or would be, in the log."""
        first = self.unstable.maybe_first_index()
        return self.storage.first_index() if first is None else first

    def last_index(self) -> int:
        """Return the index of the last entry."""
        last = self.unstable.maybe_last_index()
        return self.storage.last_index() if last is None else last

    def last_entry_id(self) -> EntryId:
        """Return the id of the last entry."""
        index = self.last_index()
        return EntryId(self.term(index), index)

    def term(self, index: int) -> int:
        """Return the term at `index`, from `first_index()` - 1 to `last_index()`.

        Raises:
            CompactedError: `index` lies before that range.
            UnavailableError: `index` lies behind it.
        """
        term = self.unstable.maybe_term(index)
        if term is not None:
            return term
        first = self.first_index()
        if index + 1 < first:
            raise CompactedError(index, first)
        last = self.last_index()
        if index > last:
            raise UnavailableError(index, last)
        return self.storage.term(index)

    def term_or_zero(self, index: int) -> int:
        """Return the term at `index`, 0 if it is not known."""
        try:
            return self.term(index)
        except StorageError:
            return 0

    def match_term(self, entry_id: EntryId) -> bool:
        """Say whether the log has this entry, or ends its compacted part with it."""
        try:
            return self.term(entry_id.index) == entry_id.term
        except StorageError:
            return False

    def is_up_to_date(self, last: EntryId) -> bool:
        """Say whether a log ending in `last` holds all this one can have committed."""
        own = self.last_entry_id()
        return (last.term, last.index) >= (own.term, own.index)

    # Appending

    def append(self, entries: Sequence[Entry]) -> int:
        """Put `entries` at their indexes, over what is there; return the last index.

        Raises:
            RaftInvariantError: that would replace a committed entry.
        """
        if not entries:
            return self.last_index()
        after = entries[0].index - 1
        if after < self.committed:
            raise RaftInvariantError(
                f"after({after}) is out of range [committed({self.committed})]"
            )
        self.unstable.truncate_and_append(entries)
        return entries[-1].index

    def maybe_append(self, run: LogSlice, leader_committed: int) -> int | None:
        """Take over a leader's entries, if the log has the entry before them.

        Entries that are there already stay, and so does a longer tail that matches.

        Returns:
            The index of the slice's last entry; None if the logs do not meet.
        Raises:
            RaftInvariantError: the slice contradicts a committed entry.
        """
        if not self.match_term(run.prev):
            return None
        conflict = self.find_conflict(run.entries)
        if conflict != 0:
            if conflict <= self.committed:
                raise RaftInvariantError(
                    f"entry {conflict} conflict with committed entry"
                    f" [committed({self.committed})]"
                )
            self.append(run.entries[conflict - run.prev.index - 1 :])
        self.commit_to(min(leader_committed, run.last_index))
        return run.last_index

    def find_conflict(self, entries: Sequence[Entry]) -> int:
        """Return the index of the first of `entries` that the log has not; 0: none."""
        for entry in entries:
            if not self.match_term(EntryId.of(entry)):
                if self._logger is not None and entry.index <= self.last_index():
                    self._logger.log(
                        LogLevel.INFO,
                        "found conflict at index %d"
                        " [existing term: %d, conflicting term: %d]",
                        entry.index,
                        self.term_or_zero(entry.index),
                        entry.term,
                    )
                return entry.index
        return 0

    def find_conflict_by_term(self, index: int, term: int) -> EntryId:
        """Return the newest position up to `index` whose term is at most `term`.

        The search stops with term 0 where the log knows no term.
        """
        while index > 0:
            try:
                own_term = self.term(index)
            except StorageError:
                return EntryId(0, index)
            if own_term <= term:
                return EntryId(own_term, index)
            index -= 1
        return EntryId()

    def restore(self, snapshot: Snapshot) -> None:
        """Start over from `snapshot`; it counts as applied once it is stable."""
        if self._logger is not None:
            self._logger.log(
                LogLevel.INFO,
                "log [%s] starts to restore snapshot [index: %d, term: %d]",
                self.describe(),
                snapshot.index,
                snapshot.term,
            )
        self.committed = snapshot.index
        self.unstable.restore(snapshot)

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot, stable or not."""
        unstable = self.unstable.snapshot
        return self.storage.snapshot() if unstable is None else unstable

    # Reading

    def slice(self, lo: int, hi: int, bytes_max: int) -> list[Entry]:
        """Return the longest run of [lo, hi) within `bytes_max`, at least one entry.

        Raises:
            CompactedError: `lo` lies before the first entry.
            RaftInvariantError: `hi` lies behind the last entry + 1, or before `lo`.
        """
        self._check_bounds(lo, hi)
        if lo == hi:
            return []
        offset = self.unstable.offset
        if lo >= offset:
            return limit_size(self.unstable.slice(lo, hi), bytes_max)
        cut = min(hi, offset)
        try:
            stable = self.storage.entries(lo, cut, bytes_max)
        except UnavailableError as error:
            raise RaftInvariantError(
                f"entries[{lo}:{cut}) is unavailable from storage"
            ) from error
        if hi <= offset or len(stable) < cut - lo:
            return stable
        rest = bytes_max - encoded_bytes(stable)
        tail = limit_size(self.unstable.slice(offset, hi), rest)
        if len(tail) == 1 and encoded_bytes(tail) > rest:
            return stable
        return stable + tail

    def entries(self, lo: int, bytes_max: int = NO_LIMIT) -> list[Entry]:
        """Return what `slice` returns from `lo` to the end; none behind the end."""
        last = self.last_index()
        return [] if lo > last else self.slice(lo, last + 1, bytes_max)

    def scan(self, lo: int, hi: int, page_bytes_max: int) -> Iterator[list[Entry]]:
        """Walk [lo, hi) in runs of at most `page_bytes_max`, at least one entry each.

        Raises:
            CompactedError: `lo` lies before the first entry.
        """
        while lo < hi:
            page = self.slice(lo, hi, page_bytes_max)
            if not page:
                raise RaftInvariantError(f"no entry at {lo} while scanning to {hi}")
            yield page
            lo += len(page)

    def _check_bounds(self, lo: int, hi: int) -> None:
        if lo > hi:
            raise RaftInvariantError(f"invalid slice {lo} > {hi}")
        first = self.first_index()
        if lo < first:
            raise CompactedError(lo, first)
        last = self.last_index()
        if hi > last + 1:
            raise RaftInvariantError(f"slice[{lo},{hi}) out of bound [{first},{last}]")

    # Stabilizing

    def next_unstable_entries(self) -> list[Entry]:
        """Return a new list of the entries to be written that no Ready has had."""
        return self.unstable.next_entries()

    def has_next_unstable_entries(self) -> bool:
        """Say whether `next_unstable_entries` returns any."""
        unstable = self.unstable
        return len(unstable.entries) > unstable.offset_in_progress - unstable.offset

    def stable_to(self, last: EntryId) -> None:
        """Note that the entries up to `last` are durable and in the storage."""
        self.unstable.stable_to(last)

    def stable_snapshot_to(self, index: int) -> None:
        """Note that the snapshot for `index` is durable and in the storage."""
        self.unstable.stable_snapshot_to(index)

    # Committing and applying

    def commit_to(self, index: int) -> None:
        """Raise `committed` to `index`; a lower one is passed over.

        Raises:
            RaftInvariantError: the log does not reach so far.
        """
        if index <= self.committed:
            return
        if index > self.last_index():
            raise RaftInvariantError(
                f"tocommit({index}) is out of range [lastIndex({self.last_index()})]."
                " Was the raft log corrupted, truncated, or lost?"
            )
        self.committed = index

    def maybe_commit(self, at: EntryId) -> bool:
        """Commit up to `at` if that is news and the log has this very entry.

        A leader passes its own term: entries of earlier terms are not committed by
        counting who has them, only by an entry of its own after them.
        """
        if at.term == 0 or at.index <= self.committed or not self.match_term(at):
            return False
        self.commit_to(at.index)
        return True

    def next_committed_entries(self, *, allow_unstable: bool) -> list[Entry]:
        """Return the next entries to apply, within the limit of applying bytes.

        Args:
            allow_unstable: whether entries that are not known to be durable count.
        """
        if not self.has_next_committed_entries(allow_unstable=allow_unstable):
            return []
        budget = self.applying_bytes_max - self.applying_bytes
        if budget <= 0:
            raise RaftInvariantError(
                f"applying entry size ({self.applying_bytes_max}"
                f"-{self.applying_bytes})={budget} not positive"
            )
        end = self._appliable_index(allow_unstable) + 1
        try:
            return self.slice(self.applying + 1, end, budget)
        except CompactedError as error:
            raise RaftInvariantError(
                f"unexpected error when getting unapplied entries ({error})"
            ) from error

    def has_next_committed_entries(self, *, allow_unstable: bool) -> bool:
        """Say whether `next_committed_entries` returns any."""
        if self.paused or self.unstable.snapshot is not None:
            # What a pending snapshot stands for has to be applied first.
            return False
        return self.applying < self._appliable_index(allow_unstable)

    def accept_applying(self, index: int, size: int, *, allow_unstable: bool) -> None:
        """Note that entries up to `index`, of `size` bytes, are being applied."""
        if index > self.committed:
            raise RaftInvariantError(
                f"applying({index}) is out of range"
                f" [prevApplying({self.applying}), committed({self.committed})]"
            )
        self.applying = index
        self.applying_bytes += size
        # A run that ended before the last appliable entry was cut by its size: the
        # limit is used up, although the sum may lie just below it.
        self.paused = (
            self.applying_bytes >= self.applying_bytes_max
            or index < self._appliable_index(allow_unstable)
        )

    def applied_to(self, index: int, size: int) -> None:
        """Note that entries up to `index`, of `size` bytes, have been applied."""
        if index > self.committed or index < self.applied:
            raise RaftInvariantError(
                f"applied({index}) is out of range"
                f" [prevApplied({self.applied}), committed({self.committed})]"
            )
        self.applied = index
        self.applying = max(self.applying, index)
        self.applying_bytes = max(0, self.applying_bytes - size)
        self.paused = self.applying_bytes >= self.applying_bytes_max

    def _appliable_index(self, allow_unstable: bool) -> int:
        if allow_unstable:
            return self.committed
        return min(self.committed, self.unstable.offset - 1)

    def _check(self) -> None:
        self.unstable._check()
        if not self.applied <= self.applying <= self.committed <= self.last_index():
            raise RaftInvariantError(f"marks out of order: {self!r}")
        if self.unstable.snapshot is None:
            if self.applying + 1 < self.storage.first_index():
                raise RaftInvariantError(f"unapplied entries are compacted: {self!r}")
            if self.unstable.offset > self.storage.last_index() + 1:
                raise RaftInvariantError(f"gap below the unstable entries: {self!r}")
