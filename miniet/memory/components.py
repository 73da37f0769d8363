"""The components of a member, miniet's and Go's, in the order of reports."""

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


class GoComponent(StrEnum):
    """A component of a Go etcd's heap; the value is its key in JSON.

    Where miniet has the same component, it is the same key.
    """

    RAFT = Component.RAFT.value
    MVCC = Component.MVCC.value
    BACKEND = Component.BACKEND.value
    LEASE = Component.LEASE.value
    WATCH = Component.WATCH.value
    CONNECTIONS = "connections"
    REQUESTS = "requests"
    WAL = Component.WAL.value
    FIXED = "fixed"

    @property
    def label(self) -> str:
        """The name that etcd's operators know it by."""
        return _GO_LABELS.get(self) or Component(self.value).label


_GO_LABELS = {
    GoComponent.CONNECTIONS: "connections",
    GoComponent.REQUESTS: "responses in flight",
    GoComponent.FIXED: "empty server",
}

COUNTERPARTS = {
    Component.RAFT: (GoComponent.RAFT,),
    Component.MVCC: (GoComponent.MVCC,),
    Component.BACKEND: (GoComponent.BACKEND,),
    Component.LEASE: (GoComponent.LEASE,),
    Component.WATCH: (GoComponent.WATCH,),
    Component.WAL: (GoComponent.WAL,),
    Component.ENGINE: (),
    Component.SERVER: (GoComponent.CONNECTIONS, GoComponent.REQUESTS),
}
"""What of Go stands beside a component of miniet; `fixed` stands beside its baseline.
Go's counterpart of the engine is in `fixed`."""
