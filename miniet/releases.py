"""How the releases of etcd keep the raft log in memory: the one table of it.

    release  snapshot-count  log in memory compacted      entries kept, at rest
    3.4, 3.5    100,000      with each snapshot on disk   5,000 to 105,000
    3.6          10,000      every 100 applied entries    5,000 to 5,101

From 3.6 on the log no longer waits for the snapshot on disk: a snapshot in memory
stands for the entries before it. 3.4.9, the article's, is a release of its own because
other things differ (`miniet.predict`).

Source: etcd v3.4.23, v3.5.1 and v3.6.14 etcdserver/server.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CATCHUP_ENTRIES = 5_000
"""Entries that a snapshot leaves in the log for slow followers: fixed in 3.4, the
default of every release since."""


@dataclass(frozen=True, slots=True)
class Release:
    """The life of the log in one release."""

    snapshot_count: int = 100_000
    """Default of `--snapshot-count`: entries between two snapshots on disk."""
    memory_snapshot_count: int = 0
    """Entries between two snapshots that only stay in memory; 0: there are none."""


RELEASES: Mapping[str, Release] = {
    "3.4.9": Release(),
    "3.4": Release(),
    "3.5": Release(),
    "3.6": Release(snapshot_count=10_000, memory_snapshot_count=100),
}
"""By the name of the profile."""
DEFAULT_RELEASE = "3.4"
"""The one that miniet follows in everything else, too."""
SERVED = ("3.4", "3.5", "3.6")
"""What `serve --profile` takes: to a server 3.4.9 is 3.4."""
