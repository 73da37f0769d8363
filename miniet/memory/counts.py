"""`Counts`: what a member holds, as numbers that mean the same in Python and in Go."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Self

from miniet.memory.components import Component


def _count(source: str) -> int:
    """Declare a count that is read from a field of `ServerStatistics`."""
    value: int = field(default=0, metadata={"source": source})
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts and payload sizes of one moment; 0 for what a reader cannot see.

    Each field says where it comes from; the components' `statistics()` say more.
    """

    raft_entry_count: int = _count("raft.storage.entry_count")
    """Entries in the raft log's array."""
    raft_payload_bytes: int = _count("raft.storage.entry_payload_bytes")
    """Bytes of data of those entries."""
    raft_first_index: int = _count("raft.storage.first_index")
    """Index of the first of them."""
    raft_last_index: int = _count("raft.storage.last_index")
    """Index of the last of them."""
    raft_snapshot_index: int = _count("raft.storage.snapshot_index")
    """Index of the last raft snapshot, 0 for none: the array was cut then."""
    raft_unstable_count: int = _count("raft.unstable_entry_count")
    """Entries not confirmed as durable."""
    raft_unstable_payload_bytes: int = _count("raft.unstable_payload_bytes")
    """Bytes of data of those."""

    key_count: int = _count("store.key_count")
    """Keys that exist."""
    index_key_count: int = _count("store.index_key_count")
    """Keys in the index: those, and deleted ones not yet compacted."""
    index_key_bytes: int = _count("store.key_bytes")
    """Sum of their lengths."""
    index_generation_count: int = _count("store.generation_count")
    """Generations, with the empty one of deleted keys."""
    index_revision_count: int = _count("store.index_revision_count")
    """Revisions in the index."""
    index_cut_revision_count: int = _count("store.index_cut_revision_count")
    """Revisions that the last compaction took from keys that live on. Go only
    re-slices their arrays, which stay as they were until they must grow."""
    index_compacted_revision_count: int = _count("store.index_compacted_revision_count")
    """Revisions that the last compaction left in the index, 0 before the first."""
    compaction_keep_count: int = _count("store.compaction_keep_count")
    """Revisions in the running compaction's set of survivors."""
    current_revision: int = _count("store.current_revision")
    """Revision of the last change."""
    compact_revision: int = _count("store.compact_revision")
    """Oldest readable revision, -1 before the first compaction."""
    put_total: int = _count("store.put_total")
    """Puts since the start."""
    put_bytes_total: int = _count("store.put_size_bytes_total")
    """Lengths of all keys and values put since the start."""

    backend_size_bytes: int = _count("backend.size_bytes")
    """Pages of the backend ever allocated: etcd's DbSize."""
    backend_in_use_bytes: int = _count("backend.size_in_use_bytes")
    """Pages that hold something: etcd's DbSizeInUse."""
    backend_opened_bytes: int = _count("backend.opened_size_bytes")
    """Size when the file was opened or last defragmented: then all of it is
    read in (bbolt maps it with MAP_POPULATE)."""
    backend_read_bytes: int = _count("backend.read_bytes_total")
    """Bytes of values read from the backend since then."""
    backend_uncommitted_count: int = _count("backend.uncommitted_operation_count")
    """Puts and deletes since the last commit."""
    backend_uncommitted_bytes: int = _count("backend.uncommitted_bytes")
    """Key and value bytes of those puts."""
    backend_last_commit_count: int = _count("backend.last_commit_operation_count")
    """Puts and deletes in the last commit that had any: Go's buffers point to their
    values until they are overwritten."""
    backend_last_commit_bytes: int = _count("backend.last_commit_bytes")
    """Key and value bytes of those puts."""

    lease_count: int = _count("lease.lease_count")
    """Leases granted and not revoked."""
    lease_count_max: int = _count("lease.lease_count_max")
    """Most leases at once since the start: Go's maps never shrink."""
    keyed_lease_count: int = _count("lease.keyed_lease_count")
    """Leases with at least one key."""
    attached_key_count: int = _count("lease.attached_key_count")
    """Keys attached to leases."""
    attached_key_count_max: int = _count("lease.attached_key_count_max")
    """Most attached keys at once since the start."""
    attached_key_bytes: int = _count("lease.attached_key_bytes")
    """Sum of the lengths of the attached keys."""
    lease_heap_element_count: int = _count("lease.heap_element_count")
    """Elements of the expiry heap."""

    connection_count: int = _count("")
    """Client connections, as the system counts them."""
    stream_count: int = _count("watch.stream_count")
    """Open watch streams."""
    watcher_count: int = _count("watch.watcher_count")
    """Watchers."""
    range_watcher_count: int = _count("watch.range_watcher_count")
    """Of those, the ones of a range."""
    watched_key_count: int = _count("watch.watched_key_count")
    """Distinct single keys that up-to-date watchers watch: Go pays for a key once.
    0 if not known."""
    watcher_key_bytes: int = _count("watch.watcher_key_bytes")
    """Lengths of their keys and range ends."""
    slow_watcher_count: int = _count("watch.slow_watcher_count")
    """Watchers that are not up to date."""
    pending_response_count: int = _count("watch.pending_response_count")
    """Responses that wait in streams."""
    pending_event_count: int = _count("watch.pending_event_count")
    """Events in those, once per watcher."""
    held_event_count: int = _count("watch.held_event_count")
    """Distinct events that wait anywhere."""
    held_event_bytes: int = _count("watch.held_event_bytes")
    """Their encoded size."""

    calls_in_flight: int = _count("requests.calls_in_flight")
    """gRPC calls that have begun and not ended, streams among them."""
    response_in_flight_bytes: int = _count("requests.response_in_flight_bytes")
    """Range responses built and not yet taken by their clients."""
    response_in_flight_bytes_max: int = _count("requests.response_in_flight_bytes_max")
    """The most of it at once since the start."""
    range_response_bytes_max: int = _count("requests.range_response_bytes_max")
    """The largest range response since the start."""

    wal_pending_bytes: int = _count("wal.pending_bytes")
    """Bytes of records encoded and not yet written."""

    @classmethod
    def of(cls, statistics: Any, *, connection_count: int = 0) -> Self:
        """Read them from a `ServerStatistics`, field by field."""
        return cls(
            connection_count=connection_count,
            **{name: read(statistics) for name, read in _READERS.items()},
        )

    @classmethod
    def from_json(cls, document: Mapping[str, int]) -> Self:
        """Take back what `to_json` made; a field that is missing is 0.

        Raises:
            ValueError: there is a field that is none of ours, or no count.
        """
        if not isinstance(document, Mapping):
            raise ValueError("counts are an object with a number for each name")
        unknown = document.keys() - {spec.name for spec in fields(cls)}
        if unknown:
            raise ValueError(f"no such counts: {', '.join(sorted(unknown))}")
        for name, value in document.items():
            if type(value) is not int:
                raise ValueError(f"{name} is not a whole number: {value!r}")
            if value < -(name == "compact_revision"):
                raise ValueError(f"{name} is below 0: {value}")
        return cls(**document)

    def payload_bytes(self, component: Component) -> int:
        """Return the bytes of clients that a component keeps in memory."""
        return sum(getattr(self, name) for name in _PAYLOADS[component])

    def to_json(self) -> dict[str, int]:
        """Return the fields by name."""
        return {spec.name: getattr(self, spec.name) for spec in fields(self)}


_READERS = {
    spec.name: attrgetter(spec.metadata["source"])
    for spec in fields(Counts)
    if spec.metadata["source"]
}

_PAYLOADS: Mapping[Component, tuple[str, ...]] = {
    Component.RAFT: ("raft_payload_bytes",),
    Component.MVCC: ("index_key_bytes",),
    Component.BACKEND: ("backend_uncommitted_bytes",),
    Component.LEASE: ("attached_key_bytes",),
    Component.WATCH: ("watcher_key_bytes", "held_event_bytes"),
    Component.WAL: ("wal_pending_bytes",),
    Component.ENGINE: (),
    Component.SERVER: ("response_in_flight_bytes",),
}
