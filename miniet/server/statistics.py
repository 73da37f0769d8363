"""One reading of a whole member, its files included."""

from dataclasses import dataclass

from miniet.backend import BackendStatistics
from miniet.lease import LeaseStatistics
from miniet.mvcc import StoreStatistics
from miniet.raft import RaftStatistics
from miniet.wal import WalStatistics
from miniet.watch import WatchStatistics


@dataclass(slots=True, frozen=True, kw_only=True)
class RequestStatistics:
    """Calls of clients that are under way, and the largest answers."""

    calls_in_flight: int
    """gRPC calls that have begun and not been answered, streams among them, and
    those whose answer is counted below."""
    response_in_flight_bytes: int
    """Answers of 64 KiB and more that were built and whose calls have not ended:
    clients take them as slowly as they like. Streams have their own count."""
    response_in_flight_bytes_max: int
    """The most of it at once since the start."""
    range_response_bytes_max: int
    """The largest answer to a range since the start."""


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
    requests: RequestStatistics
    """Calls under way; all zero for a member without a network."""
