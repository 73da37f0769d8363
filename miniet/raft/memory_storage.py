"""`MemoryStorage`: the stable entries, kept in memory until they are compacted."""

from collections.abc import Sequence

from miniet.raft.errors import (
    CompactedError,
    RaftInvariantError,
    SnapshotOutOfDateError,
    UnavailableError,
)
from miniet.raft.messages import ConfState, Entry, HardState, Snapshot
from miniet.raft.ports import StorageStatistics
from miniet.raft.sizes import limit_size, payload_bytes


class MemoryStorage:
    """Keeps every entry since the last compaction; this is etcd's raft log in RAM.

    The application writes it: first to the files, then here. What lies before the
    first entry is stood for by a *dummy*, which has a position but no data, so that
    the term of the position before the first entry can be answered.

    Memory: per entry a list slot, an `Entry` and its data, until `compact` or
    `apply_snapshot` drops them. One caller at a time; no lock.
    Source: etcd-io/raft v3.6.0 storage.go, MemoryStorage.
    """

    __slots__ = ("_entries", "_hard_state", "_payload_bytes", "_snapshot")

    def __init__(self) -> None:
        self._hard_state = HardState()
        self._snapshot = Snapshot()
        # Invariant: [0] is the dummy, and [i].index == [0].index + i.
        self._entries = [Entry()]
        # Bytes of data of all of them.
        self._payload_bytes = 0

    def __repr__(self) -> str:
        return (
            f"<MemoryStorage [{self.first_index()}, {self.last_index()}]"
            f" payload_bytes={self._payload_bytes}"
            f" snapshot_index={self._snapshot.index}>"
        )

    def initial_state(self) -> tuple[HardState, ConfState]:
        """Return the hard state, and the membership as of the snapshot."""
        return self._hard_state, self._snapshot.conf_state

    def first_index(self) -> int:
        """Return the index of the first entry that is, or would be, kept."""
        return self._entries[0].index + 1

    def last_index(self) -> int:
        """Return the index of the last entry; the dummy's if there is none."""
        return self._entries[0].index + len(self._entries) - 1

    def term(self, index: int) -> int:
        """Return the term at `index`, the dummy's position included.

        Raises:
            CompactedError: `index` lies before the dummy.
            UnavailableError: `index` lies behind the last entry.
        """
        position = index - self._entries[0].index
        if position < 0:
            raise CompactedError(index, self.first_index())
        if position >= len(self._entries):
            raise UnavailableError(index, self.last_index())
        return self._entries[position].term

    def entries(self, lo: int, hi: int, bytes_max: int) -> list[Entry]:
        """Return the longest run of [lo, hi) within `bytes_max` encoded bytes.

        At least one entry is returned. The list is the caller's.

        Raises:
            CompactedError: `lo` lies before the first entry.
            UnavailableError: no entry is kept.
            RaftInvariantError: `hi` lies beyond the last entry + 1.
        """
        offset = self._entries[0].index
        if lo <= offset:
            raise CompactedError(lo, offset + 1)
        if hi > self.last_index() + 1:
            raise RaftInvariantError(
                f"entries' hi({hi}) is out of bound lastindex({self.last_index()})"
            )
        if len(self._entries) == 1:
            raise UnavailableError(lo, offset)
        return limit_size(self._entries[lo - offset : hi - offset], bytes_max)

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot, an empty one if there is none."""
        return self._snapshot

    def set_hard_state(self, state: HardState) -> None:
        """Replace the hard state."""
        self._hard_state = state

    def append(self, entries: Sequence[Entry]) -> None:
        """Take over durable entries; from the first one's index on they replace all.

        The part that was compacted already is passed over. The entries are kept, the
        sequence is not.

        Raises:
            RaftInvariantError: there would be a gap after the last entry.
        """
        first = self.first_index()
        if not entries or entries[-1].index < first:
            return
        if entries[0].index < first:
            entries = entries[first - entries[0].index :]
        position = entries[0].index - first + 1
        kept = len(self._entries)
        if position > kept:
            raise RaftInvariantError(
                f"missing log entry [last: {self.last_index()},"
                f" append at: {entries[0].index}]"
            )
        if position < kept:
            self._payload_bytes -= payload_bytes(self._entries[position:])
            self._entries = self._entries[:position]
        self._entries += entries
        self._payload_bytes += payload_bytes(entries)

    def compact(self, index: int) -> None:
        """Drop all entries up to and including `index`; it becomes the dummy.

        The rest moves to a new list, so that the old one is freed as a whole. A
        snapshot for `index` or later should exist. Cost: O(entries kept + dropped).

        Raises:
            CompactedError: that was done already, nothing changed.
            RaftInvariantError: `index` lies behind the last entry.
        """
        offset = self._entries[0].index
        if index <= offset:
            raise CompactedError(index, offset + 1)
        if index > self.last_index():
            raise RaftInvariantError(
                f"compact {index} is out of bound lastindex({self.last_index()})"
            )
        position = index - offset
        dropped = self._entries[: position + 1]
        self._payload_bytes -= payload_bytes(dropped)
        self._entries = [
            Entry(dropped[-1].term, index),
            *self._entries[position + 1 :],
        ]

    def create_snapshot(
        self,
        index: int,
        conf_state: ConfState | None = None,
        data: bytes | memoryview = b"",
    ) -> Snapshot:
        """Make the snapshot for `index` the newest one and return it; drop no entry.

        Args:
            index: applied, kept (or the dummy's), newer than the last snapshot.
            conf_state: membership as of `index`; None = as of the last snapshot.
            data: the application's; copied.
        Raises:
            SnapshotOutOfDateError: one for `index` or later exists; nothing changed.
            CompactedError: `index` lies before the dummy.
            RaftInvariantError: `index` lies behind the last entry.
        """
        if index <= self._snapshot.index:
            raise SnapshotOutOfDateError(index, self._snapshot.index)
        if index > self.last_index():
            raise RaftInvariantError(
                f"snapshot {index} is out of bound lastindex({self.last_index()})"
            )
        self._snapshot = Snapshot(
            index,
            self.term(index),
            self._snapshot.conf_state if conf_state is None else conf_state,
            bytes(memoryview(data)),
        )
        return self._snapshot

    def apply_snapshot(self, snapshot: Snapshot) -> None:
        """Replace everything but the hard state by `snapshot`, which is kept.

        A snapshot of index 0 sets the membership of a fresh storage.

        Raises:
            SnapshotOutOfDateError: one for its index or later is kept already.
        """
        stored_index = self._snapshot.index
        if stored_index != 0 and stored_index >= snapshot.index:
            raise SnapshotOutOfDateError(snapshot.index, stored_index)
        self._snapshot = snapshot
        self._entries = [Entry(snapshot.term, snapshot.index)]
        self._payload_bytes = 0

    def statistics(self) -> StorageStatistics:
        """Return what is kept; O(1)."""
        return StorageStatistics(
            entry_count=len(self._entries) - 1,
            entry_payload_bytes=self._payload_bytes,
            first_index=self.first_index(),
            last_index=self.last_index(),
            snapshot_index=self._snapshot.index,
            snapshot_payload_bytes=len(self._snapshot.data),
        )

    def _check(self) -> None:
        offset = self._entries[0].index
        if self._entries[0].data:
            raise RaftInvariantError("the dummy entry has data")
        if [entry.index for entry in self._entries] != list(
            range(offset, offset + len(self._entries))
        ):
            raise RaftInvariantError("indexes of stored entries have a gap")
        if payload_bytes(self._entries) != self._payload_bytes:
            raise RaftInvariantError(
                f"payload of stored entries is {payload_bytes(self._entries)} bytes,"
                f" counted {self._payload_bytes}"
            )
        if self._snapshot.index > self.last_index():
            raise RaftInvariantError("the snapshot lies behind the last entry")
