"""What the releases of etcd do differently with the memory of the raft log.

    release  snapshot-count  log in memory compacted      entries kept, at rest
    3.4      100,000         with each snapshot on disk   5,000 to 105,000
    3.5      100,000         with each snapshot on disk   5,000 to 105,000
    3.6       10,000         every 100 applied entries    5,000 to 5,101

From 3.6 on the log no longer waits for the snapshot on disk: a snapshot in memory
stands for the entries before it. What a stream of watchers may have waiting is the
same in all three, 128 responses (1,024 up to 3.4.9).

Source: etcd v3.4.23, v3.5.1 and v3.6.14 etcdserver/server.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """The life of the log in one release."""

    snapshot_count: int
    """Default of `--snapshot-count`: entries between two snapshots on disk."""
    memory_snapshot_count: int
    """Entries between two snapshots that only stay in memory; 0: there are none."""


PROFILES: Mapping[str, Profile] = {
    "3.4": Profile(snapshot_count=100_000, memory_snapshot_count=0),
    "3.5": Profile(snapshot_count=100_000, memory_snapshot_count=0),
    "3.6": Profile(snapshot_count=10_000, memory_snapshot_count=100),
}
"""By the name that `--profile` takes."""
