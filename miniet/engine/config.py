"""What an engine is told at its start."""

from dataclasses import dataclass
from typing import Final

from miniet.engine.membership import Member

VERSION: Final = "3.4.23"
"""The etcd release whose behaviour miniet follows and is compared with.

Clients read it from `Status` and `/version` and choose their requests by it; some
(Patroni) take it apart at the dots, so it must stay purely numeric.
"""

CLUSTER_VERSION: Final = "3.4.0"

APPLY_LAG_MAX: Final = 5_000
"""Most entries committed and not yet applied before new ones are refused."""


@dataclass(slots=True, frozen=True)
class EngineConfig:
    """What an engine needs to know; times in seconds, sizes in bytes."""

    cluster_id: int
    member: Member
    snapshot_count: int = 100_000
    memory_snapshot_count: int = 0
    """Entries between two snapshots that stay in memory; 0: there are none."""
    catchup_entries: int = 5_000
    max_request_bytes: int = 1_572_864
    quota_bytes: int = 0
    election_ticks: int = 10
    election_timeout_s: float = 1.0
    request_timeout_s: float = 7.0
    compaction_batch_limit: int = 1_000
    lease_ttl_min_s: int = 2
    lease_checkpoints: bool = False
    lease_checkpoints_persist: bool = False
    watch_progress_interval_s: float = 600.0
    watch_fragment_bytes: int = 2_097_152
    slow_apply_s: float = 0.1
