"""`Raft`: one node's term, vote, role and log, moved by ticks and messages."""

from collections.abc import Sequence

from miniet.raft.codec import decode_conf_change
from miniet.raft.config import RaftConfig
from miniet.raft.errors import ProposalDroppedError, RaftInvariantError
from miniet.raft.log import RaftLog
from miniet.raft.log_slice import EntryId
from miniet.raft.membership import (
    changed,
    check_supported,
    describe_change,
    describe_configuration,
)
from miniet.raft.messages import (
    NO_NODE,
    ConfChange,
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
from miniet.raft.ports import Logger, LogLevel, Storage
from miniet.raft.sizes import payload_bytes


class Raft:
    """The state machine behind `RawNode`.

    ::

                 election timeout            own vote durable
        FOLLOWER ----------------> CANDIDATE ----------------> LEADER
                                   |        ^
                                   +--------+ election timeout: next term

    With one voter nobody else is heard of, so nothing leads back to FOLLOWER.

    What this node answers itself (its vote, its acknowledgement of appended entries)
    waits in `messages_after_append` and is stepped only when the state that it
    promises is durable.

    Memory: a context per postponed read; everything else is a number or the log's.
    Source: etcd-io/raft v3.6.0 raft.go.
    """

    __slots__ = (
        "_logger",
        "_random",
        "conf_state",
        "election_elapsed",
        "election_ticks",
        "id",
        "lead",
        "log",
        "match_index",
        "messages_after_append",
        "pending_conf_index",
        "postponed_reads",
        "randomized_election_ticks",
        "read_states",
        "state",
        "term",
        "uncommitted_bytes",
        "uncommitted_bytes_max",
        "vote",
    )

    def __init__(
        self, config: RaftConfig, storage: Storage, logger: Logger | None = None
    ) -> None:
        self._logger = logger
        self._random = config.random
        self.id = config.id
        self.election_ticks = config.election_ticks
        self.uncommitted_bytes_max = config.uncommitted_bytes_max
        self.log = RaftLog(
            storage, logger, applying_bytes_max=config.ready_committed_bytes_max
        )
        self.term = 0
        self.vote = NO_NODE
        self.lead = NO_NODE
        self.state = StateType.FOLLOWER
        # Configuration as of the last applied membership change.
        self.conf_state = ConfState()
        # Highest own index known to be durable, as a leader counts it.
        self.match_index = 0
        # Index of the newest membership change that may not be applied yet: until
        # it is, no other one may enter the log.
        self.pending_conf_index = 0
        # Payload bytes proposed by this leader and not confirmed as applied.
        self.uncommitted_bytes = 0
        # Ticks since the timer was last reset, and when it is up.
        self.election_elapsed = 0
        self.randomized_election_ticks = 0
        # Contexts of reads asked before the first commit of the term.
        self.postponed_reads: list[bytes] = []
        self.read_states: list[ReadState] = []
        # Promises of durability; see above.
        self.messages_after_append: list[Message] = []

        hard_state, conf_state = storage.initial_state()
        check_supported(self.id, conf_state)
        self._switch_to(conf_state)
        if not hard_state.is_empty:
            self._load(hard_state)
        if config.applied > 0:
            self.log.applied_to(config.applied, 0)
        self.become_follower(self.term, NO_NODE)
        self._log_start()

    def __repr__(self) -> str:
        return f"<Raft {self.id:x} {self.state.name} term={self.term} log={self.log!r}>"

    @property
    def hard_state(self) -> HardState:
        """What must be durable."""
        return HardState(self.term, self.vote, self.log.committed)

    @property
    def soft_state(self) -> SoftState:
        """What need not be durable."""
        return SoftState(self.lead, self.state)

    # Roles

    def become_follower(self, term: int, lead: int) -> None:
        """Follow `lead`, who may be unknown, in `term`."""
        self._reset(term)
        self.lead = lead
        self.state = StateType.FOLLOWER
        self._log(LogLevel.INFO, "%x became follower at term %d", self.id, term)

    def become_candidate(self) -> None:
        """Start the next term and vote for oneself in it."""
        if self.state is StateType.LEADER:
            raise RaftInvariantError("invalid transition [leader -> candidate]")
        self._reset(self.term + 1)
        self.vote = self.id
        self.state = StateType.CANDIDATE
        self._log(LogLevel.INFO, "%x became candidate at term %d", self.id, self.term)

    def become_leader(self) -> None:
        """Lead the term, and put an empty entry of it into the log.

        Entries of earlier terms become committed with that entry.
        """
        if self.state is StateType.FOLLOWER:
            raise RaftInvariantError("invalid transition [follower -> leader]")
        self._reset(self.term)
        self.lead = self.id
        self.state = StateType.LEADER
        # A change may lie anywhere in the tail that is not applied yet.
        self.pending_conf_index = self.log.last_index()
        self._append([Entry()])
        self._log(LogLevel.INFO, "%x became leader at term %d", self.id, self.term)

    def tick(self) -> None:
        """Let one tick pass.

        A leader has nothing to do: heartbeats and quorum checks are for peers.
        """
        if self.state is StateType.LEADER:
            return
        self.election_elapsed += 1
        if self.promotable() and self.past_election_timeout():
            self.election_elapsed = 0
            self.hup()

    def promotable(self) -> bool:
        """Say whether this node may lead: a voter, and no snapshot on its way."""
        return self.id in self.conf_state.voters and self.log.unstable.snapshot is None

    def past_election_timeout(self) -> bool:
        """Say whether the randomized election timeout is over."""
        return self.election_elapsed >= self.randomized_election_ticks

    def hup(self) -> None:
        """Campaign, if nothing speaks against it."""
        if self.state is StateType.LEADER:
            self._log(
                LogLevel.DEBUG, "%x ignoring MsgHup because already leader", self.id
            )
        elif not self.promotable():
            self._log(LogLevel.WARN, "%x is unpromotable and can not campaign", self.id)
        elif self._has_unapplied_conf_change():
            self._log(
                LogLevel.WARN,
                "%x cannot campaign at term %d since there are still pending"
                " configuration changes to apply",
                self.id,
                self.term,
            )
        else:
            self._log(
                LogLevel.INFO,
                "%x is starting a new election at term %d",
                self.id,
                self.term,
            )
            self.become_candidate()
            self._promise(MessageType.VOTE_RESP, 0)

    # Inputs

    def step(self, message: Message) -> None:
        """Take one message of this node's own or of its application.

        What the current role has no use for is passed over.

        Raises:
            ProposalDroppedError: a proposal was not taken.
            UnsupportedConfigurationError: a proposed membership cannot be run.
        """
        kind = message.type
        if 0 < message.term < self.term:
            self._log(
                LogLevel.INFO,
                "%x [term: %d] ignored a %s message with lower term from %x [term: %d]",
                self.id,
                self.term,
                _etcd_name(kind),
                message.sender,
                message.term,
            )
        elif kind is MessageType.APP_RESP and self.state is StateType.LEADER:
            self._count_match(message.index)
        elif kind is MessageType.VOTE_RESP and self.state is StateType.CANDIDATE:
            self._count_vote(message.sender)
        elif kind is MessageType.PROP:
            self.propose(
                [
                    Entry(type=entry.type, data=bytes(memoryview(entry.data)))
                    for entry in message.entries
                ]
            )
        elif kind is MessageType.READ_INDEX:
            self.read_index(bytes(memoryview(message.entries[0].data)))

    def propose(self, entries: list[Entry]) -> None:
        """Append `entries`, all or none, and keep them.

        Args:
            entries: type and data set; term and index are set here.
        Raises:
            ProposalDroppedError: not leader, or too much is uncommitted.
            UnsupportedConfigurationError: a proposed membership cannot be run.
        """
        if not entries:
            raise RaftInvariantError(f"{self.id:x} stepped empty MsgProp")
        if self.state is not StateType.LEADER:
            self._log(
                LogLevel.INFO,
                "%x no leader at term %d; dropping proposal",
                self.id,
                self.term,
            )
            raise ProposalDroppedError("no leader")
        pending_conf_index = self.pending_conf_index
        for position, entry in enumerate(entries):
            if entry.type == EntryType.NORMAL:
                continue
            index = self.log.last_index() + 1 + position
            if self._may_change_conf(entry, pending_conf_index):
                pending_conf_index = index
            else:
                entries[position] = Entry()
        self._append(entries)
        self.pending_conf_index = pending_conf_index

    def read_index(self, context: bytes) -> None:
        """Find a read point and put it, with `context`, into `read_states`.

        Before the first commit of its term a leader does not know which entries of
        earlier terms are committed; the read waits until it does. Without a leader
        it is dropped: the application asks again.
        """
        if self.state is StateType.LEADER:
            if self._has_committed_in_term():
                self.read_states.append(ReadState(self.log.committed, context))
            else:
                self.postponed_reads.append(context)
        else:
            self._log(
                LogLevel.INFO,
                "%x no leader at term %d; dropping index reading msg",
                self.id,
                self.term,
            )

    def apply_conf_change(self, change: ConfChange) -> ConfState:
        """Switch to the configuration after `change`, a committed entry's."""
        self._switch_to(changed(self.id, self.conf_state, change))
        return self.conf_state

    def stable_to(
        self, term: int, last: EntryId | None, snapshot: Snapshot | None
    ) -> None:
        """Note what has become durable and is in the storage.

        Args:
            term: own term when the write was handed out.
            last: last entry of the log at that time, None if nothing was unstable.
            snapshot: the one that was handed out.
        """
        if last is not None and term == self.term:
            self.log.stable_to(last)
        elif last is not None:
            # The entries may have been replaced since, and written again: this
            # report does not tell which ones are on disk. A later one will.
            self._log(
                LogLevel.INFO,
                "%x [term: %d] ignored entry appends from a %s message"
                " with lower term [term: %d]",
                self.id,
                self.term,
                _etcd_name(MessageType.STORAGE_APPEND_RESP),
                term,
            )
        if snapshot is not None:
            self.log.stable_snapshot_to(snapshot.index)
            self.log.applied_to(snapshot.index, 0)

    def applied_to(self, index: int, encoded: int, payload: int) -> None:
        """Note that entries up to `index`, of that many bytes, have been applied."""
        self.log.applied_to(index, encoded)
        # Entries of a former term were never counted, so zero is the floor.
        self.uncommitted_bytes = max(0, self.uncommitted_bytes - payload)

    # Inside

    def _reset(self, term: int) -> None:
        if self.term != term:
            self.term = term
            self.vote = NO_NODE
        self.lead = NO_NODE
        self.election_elapsed = 0
        self.randomized_election_ticks = self._random.randrange(
            self.election_ticks, 2 * self.election_ticks
        )
        self.match_index = self.log.last_index()
        self.pending_conf_index = 0
        self.uncommitted_bytes = 0

    def _append(self, entries: Sequence[Entry]) -> None:
        """Give `entries` their places and acknowledge them to oneself, later."""
        payload = payload_bytes(entries)
        self._admit(payload)
        self.uncommitted_bytes += payload
        term = self.term
        index = self.log.last_index()
        for entry in entries:
            index += 1
            entry.term = term
            entry.index = index
        self.log.append(entries)
        self._promise(MessageType.APP_RESP, index)

    def _admit(self, payload: int) -> None:
        if not self.uncommitted_bytes_max or not self.uncommitted_bytes or not payload:
            # The first proposal passes whatever its size, and so do entries without
            # data: a new leader's, and the one that leaves a joint configuration.
            return
        if self.uncommitted_bytes + payload > self.uncommitted_bytes_max:
            self._log(
                LogLevel.WARN,
                "%x appending new entries to log would exceed uncommitted entry"
                " size limit; dropping proposal",
                self.id,
            )
            raise ProposalDroppedError("uncommitted entry size limit")

    def _promise(self, kind: MessageType, index: int) -> None:
        """Queue an answer to oneself for when the state it speaks of is durable."""
        queue = self.messages_after_append
        if queue and queue[-1].type is kind and queue[-1].term == self.term:
            # Acknowledging the last of a batch of entries acknowledges them all.
            queue[-1].index = index
            return
        queue.append(
            Message(kind, to=self.id, sender=self.id, term=self.term, index=index)
        )

    def _count_match(self, index: int) -> None:
        if index <= self.match_index:
            return
        self.match_index = index
        self.maybe_commit()

    def maybe_commit(self) -> bool:
        """Commit what is durable here; one voter is its own majority."""
        if not self.log.maybe_commit(EntryId(self.term, self.match_index)):
            return False
        # The first commit of the term answers the reads that waited for it.
        for context in self.postponed_reads:
            self.read_states.append(ReadState(self.log.committed, context))
        self.postponed_reads = []
        return True

    def _count_vote(self, sender: int) -> None:
        name = _etcd_name(MessageType.VOTE_RESP)
        self._log(
            LogLevel.INFO,
            "%x received %s from %x at term %d",
            self.id,
            name,
            sender,
            self.term,
        )
        self._log(
            LogLevel.INFO,
            "%x has received %d %s votes and %d vote rejections",
            self.id,
            1,
            name,
            0,
        )
        self.become_leader()

    def _may_change_conf(self, entry: Entry, pending_conf_index: int) -> bool:
        change = decode_conf_change(entry.data)
        if pending_conf_index > self.log.applied:
            self._log(
                LogLevel.INFO,
                "%x ignoring conf change %s at config %s: possible unapplied conf"
                " change at index %d (applied to %d)",
                self.id,
                describe_change(change),
                describe_configuration(self.conf_state),
                pending_conf_index,
                self.log.applied,
            )
            return False
        changed(self.id, self.conf_state, change)  # or refused with an error
        return True

    def _has_unapplied_conf_change(self) -> bool:
        log = self.log
        pages = log.scan(log.applied + 1, log.committed + 1, log.applying_bytes_max)
        return any(entry.type != EntryType.NORMAL for page in pages for entry in page)

    def _has_committed_in_term(self) -> bool:
        return self.log.term_or_zero(self.log.committed) == self.term

    def _switch_to(self, conf_state: ConfState) -> None:
        self.conf_state = conf_state
        self._log(
            LogLevel.INFO,
            "%x switched to configuration %s",
            self.id,
            describe_configuration(conf_state),
        )

    def _load(self, hard_state: HardState) -> None:
        last = self.log.last_index()
        if not self.log.committed <= hard_state.commit <= last:
            raise RaftInvariantError(
                f"{self.id:x} state.commit {hard_state.commit} is out of range"
                f" [{self.log.committed}, {last}]"
            )
        self.log.committed = hard_state.commit
        self.term = hard_state.term
        self.vote = hard_state.vote

    def _log(self, level: LogLevel, template: str, *args: object) -> None:
        if self._logger is not None:
            self._logger.log(level, template, *args)

    def _log_start(self) -> None:
        last = self.log.last_entry_id()
        self._log(
            LogLevel.INFO,
            "newRaft %x [peers: [%s], term: %d, commit: %d, applied: %d,"
            " lastindex: %d, lastterm: %d]",
            self.id,
            ",".join(f"{node_id:x}" for node_id in self.conf_state.voters),
            self.term,
            self.log.committed,
            self.log.applied,
            last.index,
            last.term,
        )

    def _check(self) -> None:
        self.log._check()
        if (self.state is StateType.LEADER) != (self.lead == self.id):
            raise RaftInvariantError(f"leads, or not: {self!r}, lead {self.lead:x}")
        if self.state is not StateType.FOLLOWER and self.vote != self.id:
            raise RaftInvariantError(f"campaigned without its own vote: {self!r}")
        if self.match_index > self.log.last_index():
            raise RaftInvariantError(f"acknowledged more than it has: {self!r}")
        unapplied = max(self.log.applied + 1, self.log.first_index())
        if self.uncommitted_bytes > payload_bytes(self.log.entries(unapplied)):
            raise RaftInvariantError(f"uncommitted payload: {self.uncommitted_bytes}")


def _etcd_name(kind: MessageType) -> str:
    return "Msg" + "".join(word.capitalize() for word in kind.name.split("_"))
