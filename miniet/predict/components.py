"""The components of Go's live heap, in the order in which they are shown."""

from enum import StrEnum

from miniet.memory.components import Component


class GoComponent(StrEnum):
    """A component; the value is its key in `Prediction.components` and in JSON."""

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
        return _LABELS.get(self) or Component(self.value).label


_LABELS = {
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
