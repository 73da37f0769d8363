"""What `/metrics` reads: statistics of one moment, and which field is which metric."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberStatistics:
    """What the member as a whole knows of itself, beside its components."""

    member_id: int
    server_version: str
    """Full: `3.4.23`."""
    cluster_version: str
    """Major and minor: `3.4`."""
    has_leader: bool
    is_leader: bool
    is_learner: bool = False
    leader_changes_total: int
    """Times that a leader was seen appearing; 1 after a start."""
    proposals_pending_count: int
    """Proposals whose callers wait."""
    proposals_failed_total: int
    """Proposals refused or not applied in time."""
    slow_applies_total: int
    """Entries that took longer to apply than the warning limit."""
    health_successes_total: int
    """Answers of `/health` that said true."""
    health_failures_total: int
    """Answers of `/health` that said false."""
    quota_bytes: int
    """Space quota in force."""
    auth_revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSources:
    """The statistics of one moment: the member's, and those of each component.

    The components' are their `statistics()`; which fields are read, `ROWS` says.
    """

    member: MemberStatistics
    raft: Any
    store: Any
    backend: Any
    lease: Any
    watch: Any
    wal: Any


COUNTER, GAUGE = "counter", "gauge"

# (name without `etcd_`, kind, field of MetricSources, help). The kinds are etcd's,
# which calls some counters gauges.
ROWS: tuple[tuple[str, str, str, str], ...] = (
    ("server_has_leader", GAUGE, "member.has_leader", "1: the member knows a leader."),
    ("server_is_leader", GAUGE, "member.is_leader", "1: the member leads."),
    ("server_is_learner", GAUGE, "member.is_learner", "1: the member does not vote."),
    (
        "server_leader_changes_seen_total",
        COUNTER,
        "member.leader_changes_total",
        "Times that a leader was seen appearing.",
    ),
    (
        "server_proposals_committed_total",
        GAUGE,
        "raft.committed",
        "Highest log index known as committed.",
    ),
    (
        "server_proposals_applied_total",
        GAUGE,
        "raft.applied",
        "Highest log index applied.",
    ),
    (
        "server_proposals_pending",
        GAUGE,
        "member.proposals_pending_count",
        "Proposals whose callers wait.",
    ),
    (
        "server_proposals_failed_total",
        COUNTER,
        "member.proposals_failed_total",
        "Proposals refused or not applied in time.",
    ),
    (
        "server_slow_apply_total",
        COUNTER,
        "member.slow_applies_total",
        "Entries that took long to apply.",
    ),
    (
        "server_health_success",
        COUNTER,
        "member.health_successes_total",
        "Health checks that succeeded.",
    ),
    (
        "server_health_failures",
        COUNTER,
        "member.health_failures_total",
        "Health checks that failed.",
    ),
    (
        "server_quota_backend_bytes",
        GAUGE,
        "member.quota_bytes",
        "Space quota in force.",
    ),
    (
        "debugging_server_lease_expired_total",
        COUNTER,
        "lease.expired_total",
        "Leases that ran out.",
    ),
    (
        "debugging_auth_revision",
        GAUGE,
        "member.auth_revision",
        "Revision of users and roles.",
    ),
    (
        "mvcc_db_total_size_in_bytes",
        GAUGE,
        "backend.size_bytes",
        "Allocated size of the backend, free pages included.",
    ),
    (
        "debugging_mvcc_db_total_size_in_bytes",
        GAUGE,
        "backend.size_bytes",
        "Older name of etcd_mvcc_db_total_size_in_bytes.",
    ),
    (
        "mvcc_db_total_size_in_use_in_bytes",
        GAUGE,
        "backend.size_in_use_bytes",
        "Size of the backend without its free pages.",
    ),
    (
        "mvcc_db_open_read_transactions",
        GAUGE,
        "backend.open_read_tx_count",
        "Read transactions of the backend that are open.",
    ),
    ("mvcc_put_total", COUNTER, "store.put_total", "Puts, those in txns included."),
    (
        "debugging_mvcc_put_total",
        COUNTER,
        "store.put_total",
        "Older name of etcd_mvcc_put_total.",
    ),
    (
        "mvcc_delete_total",
        COUNTER,
        "store.delete_total",
        "Deletes, those in txns included, whatever the number of keys.",
    ),
    (
        "debugging_mvcc_delete_total",
        COUNTER,
        "store.delete_total",
        "Older name of etcd_mvcc_delete_total.",
    ),
    (
        "mvcc_range_total",
        COUNTER,
        "store.range_total",
        "Ranges, those in txns included.",
    ),
    (
        "debugging_mvcc_range_total",
        COUNTER,
        "store.range_total",
        "Older name of etcd_mvcc_range_total.",
    ),
    (
        "mvcc_txn_total",
        COUNTER,
        "store.txn_total",
        "Transactions of more than one operation.",
    ),
    (
        "debugging_mvcc_txn_total",
        COUNTER,
        "store.txn_total",
        "Older name of etcd_mvcc_txn_total.",
    ),
    ("debugging_mvcc_keys_total", GAUGE, "store.key_count", "Keys that exist."),
    (
        "debugging_mvcc_current_revision",
        GAUGE,
        "store.current_revision",
        "Revision of the last change.",
    ),
    (
        "debugging_mvcc_compact_revision",
        GAUGE,
        "store.compact_revision",
        "Revision of the last compaction, -1 before the first.",
    ),
    (
        "debugging_mvcc_total_put_size_in_bytes",
        GAUGE,
        "store.put_size_bytes_total",
        "Bytes of all keys and values put.",
    ),
    (
        "debugging_mvcc_db_compaction_keys_total",
        COUNTER,
        "store.compaction_deleted_total",
        "Records that compactions removed.",
    ),
    (
        "debugging_mvcc_watch_stream_total",
        GAUGE,
        "watch.stream_count",
        "Open watch streams.",
    ),
    ("debugging_mvcc_watcher_total", GAUGE, "watch.watcher_count", "Watchers."),
    (
        "debugging_mvcc_slow_watcher_total",
        GAUGE,
        "watch.slow_watcher_count",
        "Watchers that are not up to date.",
    ),
    (
        "debugging_mvcc_events_total",
        COUNTER,
        "watch.events_total",
        "Events sent to watchers.",
    ),
    (
        "debugging_mvcc_pending_events_total",
        GAUGE,
        "watch.victim_event_count",
        "Events of watchers whose streams have no room.",
    ),
    (
        "disk_wal_write_bytes_total",
        GAUGE,
        "wal.written_bytes",
        "Bytes written to the write-ahead log.",
    ),
    (
        "debugging_lease_granted_total",
        COUNTER,
        "lease.granted_total",
        "Leases granted.",
    ),
    (
        "debugging_lease_revoked_total",
        COUNTER,
        "lease.revoked_total",
        "Leases revoked, those that ran out included.",
    ),
    (
        "debugging_lease_renewed_total",
        COUNTER,
        "lease.renewed_total",
        "Leases renewed by this member as leader.",
    ),
)
