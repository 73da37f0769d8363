"""Consensus over a log in memory: etcd's raft library as a sans-I/O core.

Calls go into `RawNode` (`tick`, `propose`, `read_index`, ...), duties come out of it
(`Ready`): what to write, send and apply, in which order. Nothing here waits, writes,
reads a clock or draws a random number of its own.

::

    propose ──► Raft ──► Unstable ──Ready.entries──► files (the application)
                 │          │                             │ then
                 │          │ let go by advance           ▼
                 │          └──────────────────────► MemoryStorage   KEEPS entries
                 │                                        │
                 └── committed ──Ready.committed_entries──┴──► applied

Definitions
    *stable*: durable in the files and in the storage. *committed*: will be in the log
    of every leader to come. *applied*: confirmed as applied, by `advance`.
    *compacted*: dropped from the storage because a snapshot stands for it.
    *encoded size* of an entry: `len(encode_entry(entry))`; *payload*: its data alone.

Invariants
    applied <= applying <= committed <= last index.
    An entry in a log is never changed; lists that are handed out are copies.
    A vote or an entry counts only once it is stable: this node's own answers wait in
    `Raft.messages_after_append` until `advance`.
    A leader commits entries of former terms only by one of its own term.
    Membership changes take effect when applied, and one at a time.

What it keeps
    Per entry, from `propose` until `MemoryStorage.compact`: an `Entry`, its data
    (copied once, where raft takes it over) and a list slot. From `propose` to
    `advance` another list slot, in `Unstable`. Per postponed read: its context.
    Compaction alone frees entries, and nothing here compacts unasked.

Differences from etcd's library (v3.6.0)
    One voter: there is no replication yet, so a configuration that is not this node
    alone is refused, and so is every message from another node. Pre-votes, quorum
    checks and leadership transfer mean nothing to a single voter and are left out.
    A single voter answers a read only after the first commit of its term. etcd's
    answers at once, although its commit index may, after a restart, lag behind what
    it had acknowledged.
    Of several own acknowledgements before one Ready only the last is queued.
    Where etcd's library panics, `RaftInvariantError` is raised with the same text.
    Writes are acknowledged by `advance` only (no asynchronous storage writes).

`raft.py` has a few lines over 500: the fields and the steps that move them are read
together, and replication will bring modules of its own.
"""

from miniet.raft.codec import decode_conf_change, encode_conf_change
from miniet.raft.config import RaftConfig
from miniet.raft.errors import (
    CompactedError,
    ProposalDroppedError,
    RaftInvariantError,
    SnapshotOutOfDateError,
    SnapshotTemporarilyUnavailableError,
    StepLocalMessageError,
    StepPeerNotFoundError,
    StorageError,
    UnavailableError,
    UnsupportedConfigurationError,
)
from miniet.raft.memory_storage import MemoryStorage
from miniet.raft.messages import (
    NO_NODE,
    ConfChange,
    ConfChangeType,
    ConfState,
    Entry,
    EntryType,
    HardState,
    Message,
    MessageType,
    ReadState,
    Snapshot,
    SoftState,
    StateType,
)
from miniet.raft.ports import Logger, LogLevel, RandomSource, Storage, StorageStatistics
from miniet.raft.raw_node import RawNode
from miniet.raft.ready import RaftStatistics, Ready, Status
from miniet.raft.sizes import NO_LIMIT

__all__ = [
    "NO_LIMIT",
    "NO_NODE",
    "CompactedError",
    "ConfChange",
    "ConfChangeType",
    "ConfState",
    "Entry",
    "EntryType",
    "HardState",
    "LogLevel",
    "Logger",
    "MemoryStorage",
    "Message",
    "MessageType",
    "ProposalDroppedError",
    "RaftConfig",
    "RaftInvariantError",
    "RaftStatistics",
    "RandomSource",
    "RawNode",
    "ReadState",
    "Ready",
    "Snapshot",
    "SnapshotOutOfDateError",
    "SnapshotTemporarilyUnavailableError",
    "SoftState",
    "StateType",
    "Status",
    "StepLocalMessageError",
    "StepPeerNotFoundError",
    "Storage",
    "StorageError",
    "StorageStatistics",
    "UnavailableError",
    "UnsupportedConfigurationError",
    "decode_conf_change",
    "encode_conf_change",
]
