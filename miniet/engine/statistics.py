"""One reading of a whole member."""

from dataclasses import dataclass

from miniet.lease import LeaseStatistics
from miniet.mvcc import StoreStatistics
from miniet.raft import RaftStatistics
from miniet.watch import WatchStatistics


@dataclass(slots=True, frozen=True)
class EngineStatistics:
    """One reading of everything a member keeps."""

    raft: RaftStatistics
    store: StoreStatistics
    lease: LeaseStatistics
    watch: WatchStatistics
    applied_index: int
    """Index of the last applied entry."""
    snapshot_index: int
    """Index of the last raft snapshot for the disk, 0 for none."""
    proposals_pending: int
    """Requests that wait for their result."""
    proposals_failed_total: int
    """Requests refused before the log or timed out."""
    leader_changes_total: int
    """Times a leader was seen appearing."""
    slow_applies_total: int
    """Entries that took longer to apply than the configured limit."""
    quota_bytes: int
    """The quota in force, negative for none."""
