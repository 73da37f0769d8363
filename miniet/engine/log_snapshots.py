"""When raft's log in memory is cut, and what then stands for its beginning.

    applied since the last        snapshot            entries before it, less those
    snapshot_count + 1            on disk             to catch up with, are dropped
    memory_snapshot_count + 1     in memory alone     the same, from etcd 3.6 on

Source: etcd v3.4.23 etcdserver/server.go (triggerSnapshot, snapshot); v3.6.14
server/etcdserver/server.go (snapshotIfNeededAndCompactRaftLog).
"""

from miniet.engine.config import EngineConfig
from miniet.engine.membership import Membership
from miniet.raft import ConfState, MemoryStorage, Snapshot


class LogSnapshots:
    """Takes snapshots of what is applied, and lets go of entries.

    disk_index: index of the last snapshot for the disk, 0 for none.
    """

    def __init__(
        self, config: EngineConfig, storage: MemoryStorage, membership: Membership
    ) -> None:
        self._config = config
        self._storage = storage
        self._membership = membership
        self.disk_index = storage.first_index() - 1

    def is_due(self, applied_index: int) -> bool:
        """Whether it is time for one that the disk gets too."""
        return applied_index - self.disk_index > self._config.snapshot_count

    def is_due_in_memory(self, applied_index: int) -> bool:
        """Whether it is time for one that stays in memory."""
        count = self._config.memory_snapshot_count
        return 0 < count < applied_index - self._storage.snapshot().index

    def take(self, applied_index: int, conf_state: ConfState) -> Snapshot:
        """Make the snapshot for `applied_index`, if it is not there already."""
        newest = self._storage.snapshot()
        if newest.index == applied_index:
            return newest
        return self._storage.create_snapshot(
            applied_index, conf_state, self._membership.snapshot_data(applied_index)
        )

    def compact(self, snapshot: Snapshot) -> None:
        """Let go of the entries that the snapshot makes dispensable."""
        keep_from = max(snapshot.index - self._config.catchup_entries, 1)
        if keep_from >= self._storage.first_index():
            self._storage.compact(keep_from)
