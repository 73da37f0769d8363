"""The components of a member, in the order in which reports show them."""

from enum import StrEnum


class Component(StrEnum):
    """A component; the value is its package, and its key in JSON."""

    RAFT = "raft"
    MVCC = "mvcc"
    BACKEND = "backend"
    LEASE = "lease"
    WATCH = "watch"
    WAL = "wal"
    ENGINE = "engine"
    SERVER = "server"

    @property
    def label(self) -> str:
        """The name that etcd's operators know it by."""
        return _LABELS[self]


_LABELS = {
    Component.RAFT: "raft log",
    Component.MVCC: "treeIndex",
    Component.BACKEND: "backend",
    Component.LEASE: "leases",
    Component.WATCH: "watchers",
    Component.WAL: "WAL buffers",
    Component.ENGINE: "engine",
    Component.SERVER: "connections, requests",
}
