"""What can go wrong in raft, with etcd's texts where etcd has one."""

from miniet.errors import InvariantError, RequestError
from miniet.raft.messages import ConfState, MessageType


class RaftInvariantError(InvariantError):
    """The log or the state machine was driven, or became, impossible.

    etcd's raft panics here, with the same text. The node must stop: its state in
    memory can no longer be trusted.
    """


class StorageError(RequestError):
    """The stored log cannot serve what was asked for; it did not change."""


class CompactedError(StorageError):
    """The position was compacted away. Ask from `first_index` on, or use a snapshot."""

    def __init__(self, index: int, first_index: int) -> None:
        super().__init__("requested index is unavailable due to compaction")
        self.index = index
        self.first_index = first_index


class UnavailableError(StorageError):
    """The position is not in the log yet. Ask up to `last_index`."""

    def __init__(self, index: int, last_index: int) -> None:
        super().__init__("requested entry at index is unavailable")
        self.index = index
        self.last_index = last_index


class SnapshotOutOfDateError(StorageError):
    """A snapshot at `stored_index` or later is kept already; nothing need be done."""

    def __init__(self, index: int, stored_index: int) -> None:
        super().__init__("requested index is older than the existing snapshot")
        self.index = index
        self.stored_index = stored_index


class SnapshotTemporarilyUnavailableError(StorageError):
    """The snapshot is being made. Ask again later."""

    def __init__(self) -> None:
        super().__init__("snapshot is temporarily unavailable")


class ProposalDroppedError(RequestError):
    """The proposal is not in the log and never will be. Propose again later.

    Args:
        reason: why, in words; not part of the text that clients see.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("raft proposal dropped")
        self.reason = reason


class StepLocalMessageError(RequestError):
    """A message that only the node itself makes came from outside. Discard it."""

    def __init__(self, message_type: MessageType) -> None:
        super().__init__("raft: cannot step raft local message")
        self.message_type = message_type


class StepPeerNotFoundError(RequestError):
    """The message's sender is not part of the configuration. Discard the message."""

    def __init__(self, sender: int) -> None:
        super().__init__("raft: cannot step as peer not found")
        self.sender = sender


class UnsupportedConfigurationError(RequestError):
    """The membership is not this node alone, and nothing else can be run yet.

    At a proposal: nothing was proposed, tell whoever asked for the change. At a
    start: this log belongs to a cluster of several nodes.
    """

    def __init__(self, node_id: int, conf_state: ConfState) -> None:
        super().__init__(
            f"only a configuration whose one voter is this node ({node_id:x}) can be"
            f" run, not voters {list(conf_state.voters)}"
            f" with learners {list(conf_state.learners)}"
            f" and outgoing voters {list(conf_state.voters_outgoing)}"
        )
        self.node_id = node_id
        self.conf_state = conf_state
