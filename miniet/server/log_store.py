"""Where raft's entries go: log and snapshot files, or nowhere at all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from miniet.raft import Entry, HardState, Snapshot
from miniet.wal import SnapshotFiles, Wal, WalStatistics, purge

_NO_LOG = WalStatistics(
    segment_count=0,
    first_segment="",
    last_segment="",
    last_index=0,
    tail_bytes=0,
    pending_bytes=0,
    written_bytes=0,
    fsync_count=0,
    cut_count=0,
)


class LogStore(Protocol):
    """The durable side of raft, as the driver sees it."""

    is_durable: bool
    """Whether `flush` makes anything survive, so that it is worth waiting for."""

    @property
    def last_sync_s(self) -> float:
        """Seconds that the last sync took; 0 without one."""
        ...

    def append(self, hard_state: HardState | None, entries: Sequence[Entry]) -> None:
        """Take what the next flush writes."""
        ...

    def flush(self, sync: bool) -> None:
        """Write what was taken, durably if `sync`; may block, call on a thread."""
        ...

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot durably and let go of log files before it; may block.

        Raises:
            OSError: its file cannot be written; the log is as before.
        """
        ...

    def purge(self) -> None:
        """Remove files beyond the number to keep."""
        ...

    def statistics(self) -> WalStatistics:
        """Return the counts of the log files."""
        ...

    def close(self) -> None:
        """Write what is pending and release the files."""
        ...


class DiskLog:
    """etcd's WAL and `.snap` files."""

    is_durable = True

    def __init__(
        self,
        wal: Wal,
        wal_directory: Path,
        snapshots: SnapshotFiles,
        snapshot_directory: Path,
        *,
        snapshots_max: int,
        wals_max: int,
    ) -> None:
        self.wal = wal
        self.snapshots = snapshots
        self._wal_directory = wal_directory
        self._snapshot_directory = snapshot_directory
        self._snapshots_max = snapshots_max
        self._wals_max = wals_max
        self.append = wal.append
        self.flush = wal.flush

    @property
    def last_sync_s(self) -> float:
        return self.wal.last_sync_s

    def save_snapshot(self, snapshot: Snapshot) -> None:
        # File first: a record in the log must never name a file that is not there.
        self.snapshots.save(snapshot)
        self.wal.save_snapshot(snapshot.index, snapshot.term)
        self.wal.release_to(snapshot.index)

    def purge(self) -> None:
        purge(self._wal_directory, ".wal", self._wals_max)
        purge(self._snapshot_directory, ".snap", self._snapshots_max)

    def statistics(self) -> WalStatistics:
        return self.wal.statistics()

    def close(self) -> None:
        self.wal.close()


class MemoryLog:
    """No log: for servers that keep nothing, and say so."""

    is_durable = False
    last_sync_s = 0.0

    def append(self, hard_state: HardState | None, entries: Sequence[Entry]) -> None:
        pass

    def flush(self, sync: bool) -> None:
        pass

    def save_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def purge(self) -> None:
        pass

    def statistics(self) -> WalStatistics:
        return _NO_LOG

    def close(self) -> None:
        pass
