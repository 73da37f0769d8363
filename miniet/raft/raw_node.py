"""`RawNode`: the one door to raft; calls in, `Ready` out."""

from collections.abc import Sequence
from dataclasses import dataclass

from miniet.raft.codec import encode_conf_change
from miniet.raft.config import RaftConfig
from miniet.raft.errors import (
    RaftInvariantError,
    StepLocalMessageError,
    StepPeerNotFoundError,
    UnsupportedConfigurationError,
)
from miniet.raft.log_slice import EntryId
from miniet.raft.messages import (
    LOCAL_MESSAGE_TYPES,
    NO_NODE,
    RESPONSE_MESSAGE_TYPES,
    ConfChange,
    ConfChangeType,
    ConfState,
    Entry,
    EntryType,
    Message,
    Snapshot,
)
from miniet.raft.ports import Logger, Storage
from miniet.raft.raft import Raft
from miniet.raft.ready import RaftStatistics, Ready, Status
from miniet.raft.sizes import encoded_bytes, payload_bytes


@dataclass(slots=True, frozen=True)
class _Handout:
    """What `advance` reports to the machine about the Ready taken last."""

    term: int
    # Last entry of the log if any was unstable.
    last: EntryId | None
    snapshot: Snapshot | None
    # Answers of this node to itself, due when the Ready is durable.
    own_messages: list[Message]
    # Last entry handed out to be applied; 0 = none. Sizes of all of them.
    applying: int
    encoded_bytes: int
    payload_bytes: int


class RawNode:
    """One raft node, without threads, clock, files or network.

    Call it from one thread. The loop: feed `tick`, `propose`, ...; while
    `has_ready()`, take `ready()`, do what it says, `advance()`.

    Args:
        config: see `RaftConfig`.
        storage: filled before, if the node ran before: `apply_snapshot` with the
            newest snapshot, `set_hard_state`, `append` of all later entries.
        logger: takes etcd's log lines; None = none are made.
    Raises:
        UnsupportedConfigurationError: the storage is that of a cluster of several.
        RaftInvariantError: hard state and log in the storage contradict each other.
    Source: etcd-io/raft v3.6.0 rawnode.go.
    """

    __slots__ = ("_accepted_hard_state", "_accepted_soft_state", "_handout", "_raft")

    def __init__(
        self, config: RaftConfig, storage: Storage, logger: Logger | None = None
    ) -> None:
        self._raft = Raft(config, storage, logger)
        # What the application knows: nothing of it is news for the first Ready.
        self._accepted_soft_state = self._raft.soft_state
        self._accepted_hard_state = self._raft.hard_state
        # Set between `ready` and `advance`.
        self._handout: _Handout | None = None

    def __repr__(self) -> str:
        return f"<RawNode {self._raft!r}>"

    def bootstrap(self, peers: Sequence[tuple[int, bytes | memoryview]]) -> None:
        """Start a new cluster: its first entries are the additions of its members.

        They are committed from the start, at term 1; the first Ready hands them out
        to be written and applied.

        Args:
            peers: (id, context) of each member; here just this node.
        Raises:
            RaftInvariantError: the storage is not empty, or there is no peer.
            UnsupportedConfigurationError: there is another peer than this node.
        """
        raft = self._raft
        if raft.log.last_index() != 0:
            raise RaftInvariantError("can't bootstrap a nonempty Storage")
        if not peers:
            raise RaftInvariantError("must provide at least one peer to Bootstrap")
        if [peer_id for peer_id, _ in peers] != [raft.id]:
            voters = tuple(peer_id for peer_id, _ in peers)
            raise UnsupportedConfigurationError(raft.id, ConfState(voters))
        raft.become_follower(1, NO_NODE)
        changes = [
            ConfChange(0, ConfChangeType.ADD_NODE, peer_id, bytes(memoryview(context)))
            for peer_id, context in peers
        ]
        raft.log.append(
            [
                Entry(1, index, EntryType.CONF_CHANGE, encode_conf_change(change))
                for index, change in enumerate(changes, 1)
            ]
        )
        raft.log.commit_to(len(changes))
        # In effect at once, so that the node can campaign; that they are applied
        # again when they come out of the Ready changes nothing.
        for change in changes:
            raft.apply_conf_change(change)

    def tick(self) -> None:
        """Let one tick pass."""
        self._raft.tick()

    def campaign(self) -> None:
        """Start an election now, as if the election timeout had passed."""
        self._raft.hup()

    def propose(self, *data: bytes | memoryview) -> int:
        """Append an entry for each of `data`, all or none.

        Each comes back as a committed entry, or never.

        Returns:
            The index the first comes back with, if no other entry takes its place.
        Raises:
            ProposalDroppedError: there is no leader, or too much is uncommitted.
        Memory: keeps one copy of each, made here, until the log is compacted.
        """
        entries = [Entry(data=bytes(memoryview(each))) for each in data]
        self._raft.propose(entries)
        return entries[0].index

    def propose_conf_change(self, change: ConfChange) -> None:
        """Append a membership change; call `apply_conf_change` when it comes back.

        One change at a time: while an earlier one is not applied, an empty entry
        takes this one's place in the log.

        Raises:
            ProposalDroppedError: there is no leader, or too much is uncommitted.
            UnsupportedConfigurationError: it would add another node, or remove this.
        """
        self._raft.propose(
            [Entry(type=EntryType.CONF_CHANGE, data=encode_conf_change(change))]
        )

    def apply_conf_change(self, change: ConfChange) -> ConfState:
        """Put a committed membership change into effect; return the new membership.

        Args:
            change: as decoded from the entry; node id 0 = turned down, no effect.
        Raises:
            UnsupportedConfigurationError: the new membership cannot be run.
        """
        return self._raft.apply_conf_change(change)

    def step(self, message: Message) -> None:
        """Take a message: a proposal or a read request, as there are no peers.

        Raises:
            StepLocalMessageError: only the node itself makes such messages.
            StepPeerNotFoundError: it comes from another node, or answers one.
            ProposalDroppedError: a proposal was not taken.
            UnsupportedConfigurationError: a proposed membership cannot be run.
            ValueError: a proposed membership change is malformed.
        """
        if message.type in LOCAL_MESSAGE_TYPES:
            raise StepLocalMessageError(message.type)
        if message.type in RESPONSE_MESSAGE_TYPES or message.sender not in (
            NO_NODE,
            self._raft.id,
        ):
            raise StepPeerNotFoundError(message.sender)
        self._raft.step(message)

    def read_index(self, context: bytes | memoryview) -> None:
        """Ask for a read point, a `ReadState` with this context in a later Ready.

        The request may be lost, without a leader: ask again after a while.

        Memory: keeps a copy of `context` until the Ready that answers.
        """
        self._raft.read_index(bytes(memoryview(context)))

    def has_ready(self) -> bool:
        """Say whether `ready` has anything to hand out.

        A snapshot, or an answer to oneself, never comes without a change of the hard
        state or an entry, so they need no look of their own.
        """
        raft, log = self._raft, self._raft.log
        hard = self._accepted_hard_state
        soft = self._accepted_soft_state
        return bool(
            log.has_next_unstable_entries()
            or log.has_next_committed_entries(allow_unstable=True)
            or raft.read_states
            or log.committed != hard.commit
            or raft.term != hard.term
            or raft.vote != hard.vote
            or raft.lead != soft.lead
            or raft.state is not soft.state
        )

    def ready(self) -> Ready:
        """Hand out everything that is to be done; see `Ready`.

        Raises:
            RaftInvariantError: `advance` has not been called for the last one.
        """
        if self._handout is not None:
            raise RaftInvariantError(
                "two accepted Ready structs without call to Advance"
            )
        raft, log = self._raft, self._raft.log
        soft_state, hard_state = raft.soft_state, raft.hard_state
        known = self._accepted_hard_state
        entries = log.next_unstable_entries()
        ready = Ready(
            soft_state=None if soft_state == self._accepted_soft_state else soft_state,
            hard_state=None if hard_state == known else hard_state,
            entries=entries,
            snapshot=log.unstable.next_snapshot(),
            committed_entries=log.next_committed_entries(allow_unstable=True),
            messages=[],
            read_states=raft.read_states,
            must_sync=bool(entries)
            or hard_state.term != known.term
            or hard_state.vote != known.vote,
        )
        self._accept(ready)
        return ready

    def advance(self) -> None:
        """Report that everything in the last Ready has been done.

        Raises:
            RaftInvariantError: no Ready has been taken since the last call.
        """
        handout = self._handout
        if handout is None:
            raise RaftInvariantError("Advance without a Ready")
        self._handout = None
        # Before `stable_to`, while the term of the entry acknowledged is at hand.
        for message in handout.own_messages:
            self._raft.step(message)
        if handout.last is not None or handout.snapshot is not None:
            self._raft.stable_to(handout.term, handout.last, handout.snapshot)
        if handout.applying:
            self._raft.applied_to(
                handout.applying, handout.encoded_bytes, handout.payload_bytes
            )

    def status(self) -> Status:
        """Return where the node stands."""
        raft = self._raft
        return Status(
            raft.id,
            raft.hard_state,
            raft.soft_state,
            raft.log.applied,
            raft.conf_state,
        )

    def statistics(self) -> RaftStatistics:
        """Return what is kept; O(1)."""
        raft, log = self._raft, self._raft.log
        return RaftStatistics(
            term=raft.term,
            leader_id=raft.lead,
            committed=log.committed,
            applying=log.applying,
            applied=log.applied,
            applying_bytes=log.applying_bytes,
            uncommitted_payload_bytes=raft.uncommitted_bytes,
            unstable_entry_count=len(log.unstable.entries),
            unstable_payload_bytes=log.unstable.payload_bytes,
            postponed_read_count=len(raft.postponed_reads),
            storage=log.storage.statistics(),
        )

    def _accept(self, ready: Ready) -> None:
        """Remember what was handed out, so that it is not handed out again."""
        raft, log = self._raft, self._raft.log
        if ready.soft_state is not None:
            self._accepted_soft_state = ready.soft_state
        if ready.hard_state is not None:
            self._accepted_hard_state = ready.hard_state
        own_messages, raft.messages_after_append = raft.messages_after_append, []
        raft.read_states = []
        log.unstable.accept_in_progress()
        committed = ready.committed_entries
        size = encoded_bytes(committed)
        if committed:
            log.accept_applying(committed[-1].index, size, allow_unstable=True)
        self._handout = _Handout(
            term=raft.term,
            last=log.last_entry_id() if log.unstable.entries else None,
            snapshot=ready.snapshot,
            own_messages=own_messages,
            applying=committed[-1].index if committed else 0,
            encoded_bytes=size,
            payload_bytes=payload_bytes(committed),
        )

    def _check(self) -> None:
        self._raft._check()
        handout, log = self._handout, self._raft.log
        handed_out = 0 if handout is None else handout.encoded_bytes
        if log.applying_bytes != handed_out:
            raise RaftInvariantError(
                f"{log.applying_bytes} bytes being applied, {handed_out} handed out"
            )
