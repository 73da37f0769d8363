"""One reading of a whole member, its files included."""

from dataclasses import dataclass

from miniet.backend import BackendStatistics
from miniet.lease import LeaseStatistics
from miniet.mvcc import StoreStatistics
from miniet.raft import RaftStatistics
from miniet.wal import WalStatistics
from miniet.watch import WatchStatistics


@dataclass(slots=True, frozen=True)
class ServerStatistics:
    """What each component of a member holds, as exact counts of one moment."""

    raft: RaftStatistics
    """The log in memory: `raft.storage` has the entries, and their payload."""
    store: StoreStatistics
    """The index of keys and revisions."""
    backend: BackendStatistics
    """The page file."""
    lease: LeaseStatistics
    """Leases and the keys attached to them."""
    watch: WatchStatistics
    """Watchers, and events not yet delivered."""
    wal: WalStatistics
    """The log files; all zero for a server that keeps nothing."""
