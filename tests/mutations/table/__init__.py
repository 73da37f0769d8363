"""The deliberate mutations, a module per package that they break."""

from tests.mutations.table import backend, engine, lease, mvcc, raft, wal, watch

MUTATIONS = (
    *mvcc.MUTATIONS,
    *lease.MUTATIONS,
    *watch.MUTATIONS,
    *wal.MUTATIONS,
    *backend.MUTATIONS,
    *raft.MUTATIONS,
    *engine.MUTATIONS,
)
