"""`Unstable`: the tail of the log that is not known to be durable."""

from collections.abc import Sequence

from miniet.raft.errors import RaftInvariantError
from miniet.raft.log_slice import EntryId
from miniet.raft.messages import Entry, Snapshot
from miniet.raft.ports import Logger, LogLevel
from miniet.raft.sizes import payload_bytes


class Unstable:
    """Entries, and perhaps a snapshot, on their way to the disk.

    `entries[i]` is at log position `i + offset`. The offset may lie within the
    stable log: the next write then replaces what is stored from there on.

    Memory: a list slot per entry, and the `Entry` and its data as long as nobody
    else keeps them; `stable_to` lets go of them. Usually one batch.
    Source: etcd-io/raft v3.6.0 log_unstable.go.
    """

    __slots__ = (
        "_logger",
        "entries",
        "offset",
        "offset_in_progress",
        "payload_bytes",
        "snapshot",
        "snapshot_in_progress",
    )

    def __init__(self, offset: int, logger: Logger | None = None) -> None:
        self._logger = logger
        self.entries: list[Entry] = []
        # Log position of entries[0], or of the entry that will be there.
        self.offset = offset
        # End of what a Ready has handed out.
        # Invariant: offset <= offset_in_progress <= offset + len(entries).
        self.offset_in_progress = offset
        # A snapshot from a leader, and whether a Ready has handed it out.
        self.snapshot: Snapshot | None = None
        self.snapshot_in_progress = False
        # Bytes of data of `entries`.
        self.payload_bytes = 0

    def __repr__(self) -> str:
        return (
            f"<Unstable offset={self.offset} in_progress={self.offset_in_progress}"
            f" entries={len(self.entries)} payload_bytes={self.payload_bytes}>"
        )

    def maybe_first_index(self) -> int | None:
        """Return the first index of the log, if a snapshot here determines it."""
        return None if self.snapshot is None else self.snapshot.index + 1

    def maybe_last_index(self) -> int | None:
        """Return the last index of the log, if anything here determines it."""
        if self.entries:
            return self.offset + len(self.entries) - 1
        return None if self.snapshot is None else self.snapshot.index

    def maybe_term(self, index: int) -> int | None:
        """Return the term at `index`, if it is known here."""
        position = index - self.offset
        if position < 0:
            if self.snapshot is not None and self.snapshot.index == index:
                return self.snapshot.term
            return None
        return self.entries[position].term if position < len(self.entries) else None

    def next_entries(self) -> list[Entry]:
        """Return a new list of the entries that no Ready has handed out."""
        return self.entries[self.offset_in_progress - self.offset :]

    def next_snapshot(self) -> Snapshot | None:
        """Return the snapshot, if there is one that no Ready has handed out."""
        return None if self.snapshot_in_progress else self.snapshot

    def accept_in_progress(self) -> None:
        """Mark everything as handed out."""
        if self.entries:
            self.offset_in_progress = self.entries[-1].index + 1
        if self.snapshot is not None:
            self.snapshot_in_progress = True

    def stable_to(self, last: EntryId) -> None:
        """Let go of the entries up to `last`, which have become durable.

        Nothing happens if `last` is not here: what was written has been replaced.
        """
        term = self.maybe_term(last.index)
        if term is None:
            self._info(
                "entry at index %d missing from unstable log; ignoring", last.index
            )
            return
        if last.index < self.offset:
            self._info(
                "entry at index %d matched unstable snapshot; ignoring", last.index
            )
            return
        if term != last.term:
            self._info(
                "entry at (index,term)=(%d,%d) mismatched with"
                " entry at (%d,%d) in unstable log; ignoring",
                last.index,
                last.term,
                last.index,
                term,
            )
            return
        count = last.index + 1 - self.offset
        self.payload_bytes -= payload_bytes(self.entries[:count])
        self.entries = self.entries[count:]
        self.offset = last.index + 1
        self.offset_in_progress = max(self.offset_in_progress, self.offset)

    def stable_snapshot_to(self, index: int) -> None:
        """Let go of the snapshot, if it is the one for `index`; it is durable now."""
        if self.snapshot is not None and self.snapshot.index == index:
            self.snapshot = None
            self.snapshot_in_progress = False

    def restore(self, snapshot: Snapshot) -> None:
        """Replace everything by `snapshot`."""
        self.offset = self.offset_in_progress = snapshot.index + 1
        self.entries = []
        self.payload_bytes = 0
        self.snapshot = snapshot
        self.snapshot_in_progress = False

    def truncate_and_append(self, entries: Sequence[Entry]) -> None:
        """Put `entries` at their indexes and drop all that was there or behind.

        What a Ready handed out from their first index on counts as not handed out.
        """
        first = entries[0].index
        if first == self.offset + len(self.entries):
            self.entries += entries
            self.payload_bytes += payload_bytes(entries)
            return
        if first <= self.offset:
            self._info("replace the unstable entries from index %d", first)
            self.entries = list(entries)
            self.offset = self.offset_in_progress = first
        else:
            self._info("truncate the unstable entries before index %d", first)
            self.entries = [*self.slice(self.offset, first), *entries]
            self.offset_in_progress = min(self.offset_in_progress, first)
        self.payload_bytes = payload_bytes(self.entries)

    def slice(self, lo: int, hi: int) -> list[Entry]:
        """Return a new list of the entries in [lo, hi).

        Raises:
            RaftInvariantError: not all of them are here.
        """
        end = self.offset + len(self.entries)
        if lo > hi:
            raise RaftInvariantError(f"invalid unstable.slice {lo} > {hi}")
        if lo < self.offset or hi > end:
            raise RaftInvariantError(
                f"unstable.slice[{lo},{hi}) out of bound [{self.offset},{end}]"
            )
        return self.entries[lo - self.offset : hi - self.offset]

    def _info(self, template: str, *args: object) -> None:
        if self._logger is not None:
            self._logger.log(LogLevel.INFO, template, *args)

    def _check(self) -> None:
        end = self.offset + len(self.entries)
        if [entry.index for entry in self.entries] != list(range(self.offset, end)):
            raise RaftInvariantError("unstable entries are not where their indexes say")
        if not self.offset <= self.offset_in_progress <= end:
            raise RaftInvariantError(f"in progress out of bounds: {self!r}")
        if self.snapshot is not None and self.snapshot.index >= self.offset:
            raise RaftInvariantError("the unstable snapshot covers unstable entries")
        if self.snapshot is None and self.snapshot_in_progress:
            raise RaftInvariantError("no snapshot, but it is in progress")
        if payload_bytes(self.entries) != self.payload_bytes:
            raise RaftInvariantError(f"payload of unstable entries: {self!r}")
