"""What `RawNode` hands out: `Ready`, `Status`, `RaftStatistics`."""

from dataclasses import dataclass

from miniet.raft.messages import (
    ConfState,
    Entry,
    HardState,
    Message,
    ReadState,
    Snapshot,
    SoftState,
)
from miniet.raft.ports import StorageStatistics


@dataclass(slots=True, frozen=True)
class Ready:
    """One batch of duties. Do them in this order, then call `RawNode.advance`:

    1. Write `snapshot`, then `entries` and `hard_state`, to the files. If
       `must_sync`, wait until they are durable; if not, only the commit index
       changed, which a crash may lose without harm.
    2. Put them into the storage: `apply_snapshot`, `append`, `set_hard_state`.
    3. Send `messages`. They promise what step 1 made durable.
    4. Apply `snapshot` and then `committed_entries`, in order, and only now answer
       who proposed them. For each membership change among them call
       `RawNode.apply_conf_change`, with node id 0 if it is turned down.
    5. Serve the reads in `read_states` once the applied index has reached theirs.

    While step 1 waits for the disk, `tick`, `propose` and `read_index` may go on:
    what they produce is in the next Ready. `committed_entries` may overlap
    `entries` (a fresh start does that), hence no 4 before 1.

    The lists are the receiver's, the entries in them are the log's.
    """

    soft_state: SoftState | None
    """Leader and role, if either changed."""

    hard_state: HardState | None
    """Term, vote and commit index, if any changed."""

    entries: list[Entry]
    """To be written; they replace whatever the log had from the first one's index."""

    snapshot: Snapshot | None
    """To be written and applied before anything else."""

    committed_entries: list[Entry]
    """To be applied."""

    messages: list[Message]
    """To be sent to other nodes; none as long as there are no peers."""

    read_states: list[ReadState]
    """Answers to `read_index`, in the order of asking."""

    must_sync: bool
    """Whether step 1 must wait for the disk."""


@dataclass(slots=True, frozen=True)
class Status:
    """Where a node stands, for people and health checks."""

    id: int
    hard_state: HardState
    soft_state: SoftState
    applied: int
    """Last index that `advance` has confirmed as applied."""

    conf_state: ConfState
    """Membership as of the last applied change."""


@dataclass(slots=True, frozen=True)
class RaftStatistics:
    """What raft keeps in memory, and how far it got."""

    term: int
    leader_id: int
    """0 = unknown."""

    committed: int
    """Index of the last committed entry."""

    applying: int
    """Index of the last entry handed out to be applied."""

    applied: int
    """Index of the last entry confirmed as applied."""

    applying_bytes: int
    """Encoded bytes handed out to be applied and not confirmed."""

    uncommitted_payload_bytes: int
    """Payload bytes proposed here as leader and not confirmed as applied."""

    unstable_entry_count: int
    """Entries not confirmed as durable."""

    unstable_payload_bytes: int
    """Bytes of `data` of those entries; still counted there when the storage has
    them too, until `advance`."""

    postponed_read_count: int
    """Reads that wait for the first commit of the term."""

    storage: StorageStatistics
    """The stable entries and the snapshot."""
