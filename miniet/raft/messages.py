"""What raft keeps, hands out and sends.

Records are slotted and hand-made so that a retained one is booked to the file
that made it. An `Entry` is never changed once it is in a log, so logs share them
freely. Numbers and names are etcd's `raftpb`.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

NO_NODE: Final = 0
"""The id that means nobody: no leader, no vote."""


class EntryType(IntEnum):
    """What an entry's data is: a request, or a change of membership."""

    NORMAL = 0
    CONF_CHANGE = 1
    CONF_CHANGE_V2 = 2


_NORMAL: Final = EntryType.NORMAL


@dataclass(slots=True)
class Entry:
    """One position of the log. Treat as immutable.

    With an `__init__` of its own: the one that dataclass makes is never compiled.

    `data` is the marshalled request; empty for the entry a new leader appends.
    `index` is 1-based.
    """

    term: int
    index: int
    type: int
    data: bytes

    def __init__(
        self,
        term: int = 0,
        index: int = 0,
        type: int = _NORMAL,
        data: bytes = b"",
    ) -> None:
        self.term = term
        self.index = index
        self.type = type
        self.data = data


@dataclass(slots=True, frozen=True)
class HardState:
    """What must be durable before anything that depends on it is sent."""

    term: int = 0
    vote: int = NO_NODE
    commit: int = 0

    @property
    def is_empty(self) -> bool:
        return self.term == 0 and self.vote == NO_NODE and self.commit == 0


class StateType(IntEnum):
    """The role of a node in its term."""

    FOLLOWER = 0
    CANDIDATE = 1
    LEADER = 2
    PRE_CANDIDATE = 3


@dataclass(slots=True, frozen=True)
class SoftState:
    """What is lost at a restart without harm."""

    lead: int = NO_NODE
    state: StateType = StateType.FOLLOWER


@dataclass(slots=True, frozen=True)
class ConfState:
    """Membership as raft counts it; two voter sets while a change is joint."""

    voters: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()
    voters_outgoing: tuple[int, ...] = ()
    learners_next: tuple[int, ...] = ()
    auto_leave: bool = False


@dataclass(slots=True, frozen=True)
class Snapshot:
    """The state up to and including `index`, in place of the entries before it.

    `data` is the application's; etcd keeps only membership there, the keys are
    in the backend.
    """

    index: int = 0
    term: int = 0
    conf_state: ConfState = ConfState()
    data: bytes = b""

    @property
    def is_empty(self) -> bool:
        return self.index == 0


class MessageType(IntEnum):
    """Kinds of messages, numbered as on etcd's wire."""

    HUP = 0
    BEAT = 1
    PROP = 2
    APP = 3
    APP_RESP = 4
    VOTE = 5
    VOTE_RESP = 6
    SNAP = 7
    HEARTBEAT = 8
    HEARTBEAT_RESP = 9
    UNREACHABLE = 10
    SNAP_STATUS = 11
    CHECK_QUORUM = 12
    TRANSFER_LEADER = 13
    TIMEOUT_NOW = 14
    READ_INDEX = 15
    READ_INDEX_RESP = 16
    PRE_VOTE = 17
    PRE_VOTE_RESP = 18
    STORAGE_APPEND = 19
    STORAGE_APPEND_RESP = 20
    STORAGE_APPLY = 21
    STORAGE_APPLY_RESP = 22
    FORGET_LEADER = 23


LOCAL_MESSAGE_TYPES: Final = frozenset(
    {
        MessageType.HUP,
        MessageType.BEAT,
        MessageType.UNREACHABLE,
        MessageType.SNAP_STATUS,
        MessageType.CHECK_QUORUM,
        MessageType.STORAGE_APPEND,
        MessageType.STORAGE_APPEND_RESP,
        MessageType.STORAGE_APPLY,
        MessageType.STORAGE_APPLY_RESP,
    }
)
"""What a node says to itself; never taken from a network."""

RESPONSE_MESSAGE_TYPES: Final = frozenset(
    {
        MessageType.APP_RESP,
        MessageType.VOTE_RESP,
        MessageType.HEARTBEAT_RESP,
        MessageType.UNREACHABLE,
        MessageType.READ_INDEX_RESP,
        MessageType.PRE_VOTE_RESP,
        MessageType.STORAGE_APPEND_RESP,
        MessageType.STORAGE_APPLY_RESP,
    }
)
"""What answers an earlier message; taken from known nodes only."""


@dataclass(slots=True)
class Message:
    """One message between nodes, or between a node and its own storage."""

    type: MessageType
    to: int = NO_NODE
    sender: int = NO_NODE
    term: int = 0
    log_term: int = 0
    index: int = 0
    entries: list[Entry] = field(default_factory=list)
    commit: int = 0
    vote: int = NO_NODE
    snapshot: Snapshot | None = None
    reject: bool = False
    reject_hint: int = 0
    context: bytes = b""
    responses: list["Message"] = field(default_factory=list)


class ConfChangeType(IntEnum):
    """What a conf change does to one node."""

    ADD_NODE = 0
    REMOVE_NODE = 1
    UPDATE_NODE = 2
    ADD_LEARNER_NODE = 3


@dataclass(slots=True, frozen=True)
class ConfChange:
    """One membership change (the v1 form etcd proposes)."""

    id: int
    type: ConfChangeType
    node_id: int
    context: bytes = b""


@dataclass(slots=True, frozen=True)
class ReadState:
    """A read point: state applied up to `index` reflects every earlier write."""

    index: int
    context: bytes
