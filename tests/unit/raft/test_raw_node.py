"""The life of a node that is alone."""

from dataclasses import fields
from random import Random

import pytest

from miniet.raft import (
    NO_NODE,
    CompactedError,
    ConfChange,
    ConfChangeType,
    ConfState,
    Entry,
    EntryType,
    HardState,
    MemoryStorage,
    Message,
    MessageType,
    ProposalDroppedError,
    RaftConfig,
    RaftInvariantError,
    RawNode,
    ReadState,
    Snapshot,
    SoftState,
    StateType,
    StepLocalMessageError,
    StepPeerNotFoundError,
    UnsupportedConfigurationError,
    decode_conf_change,
    encode_conf_change,
)
from miniet.raft.codec import entry_size
from miniet.raft.messages import LOCAL_MESSAGE_TYPES, RESPONSE_MESSAGE_TYPES
from tests.unit.raft.member import Disk, Member


def _crash(member: Member) -> Member:
    """Return the member as it comes back: only what was synced is there."""
    return Member(member.disk)


# Fresh start


def test_bootstrap_hands_out_first_entry_to_write_and_apply() -> None:
    member = Member()
    ready = member.node.ready()
    [entry] = ready.entries
    assert ready.committed_entries == [entry]
    assert (entry.term, entry.index, entry.type) == (1, 1, EntryType.CONF_CHANGE)
    change = decode_conf_change(entry.data)
    assert change == ConfChange(0, ConfChangeType.ADD_NODE, 1, b"context")
    assert ready.hard_state == HardState(term=1, commit=1)
    assert ready.soft_state is None
    assert ready.must_sync
    assert member.node.status().applied == 0


def test_node_without_bootstrap_never_campaigns() -> None:
    member = Member(Disk())
    for _ in range(100):
        member.node.tick()
    assert not member.node.has_ready()
    assert member.node.status().soft_state.state is StateType.FOLLOWER
    member.node.campaign()
    assert "WARN 1 is unpromotable and can not campaign" in member.logger.lines


def test_bootstrap_over_a_log_is_an_error() -> None:
    member = Member()
    member.settle()
    with pytest.raises(RaftInvariantError):
        member.node.bootstrap([(1, b"")])


def test_bootstrap_without_peers_is_an_error() -> None:
    with pytest.raises(RaftInvariantError):
        Member(Disk()).node.bootstrap([])


@pytest.mark.parametrize("peers", [[(2, b"")], [(1, b""), (2, b"")]])
def test_bootstrap_of_others_is_refused(peers: list[tuple[int, bytes]]) -> None:
    member = Member(Disk())
    with pytest.raises(UnsupportedConfigurationError):
        member.node.bootstrap(peers)
    assert not member.node.has_ready()


# Election


def test_node_campaigns_within_two_election_timeouts() -> None:
    timeouts = set()
    for seed in range(60):
        member = Member(random=Random(seed), election_ticks=5)
        member.settle()
        ticks = 0
        while not member.node.has_ready():
            member.node.tick()
            ticks += 1
        timeouts.add(ticks)
    assert timeouts == set(range(5, 10))


def test_unapplied_membership_change_forbids_campaign() -> None:
    member = Member()
    member.node.campaign()
    assert member.node.status().soft_state.state is StateType.FOLLOWER
    assert "pending configuration changes to apply" in member.logger.lines[-1]


def test_vote_is_durable_before_leadership() -> None:
    member = Member()
    member.settle()
    member.node.campaign()
    ready = member.node.ready()
    assert ready.soft_state == SoftState(NO_NODE, StateType.CANDIDATE)
    assert ready.hard_state == HardState(term=2, vote=1, commit=1)
    assert ready.must_sync
    assert member.node.status().soft_state.state is StateType.CANDIDATE
    member.persist(ready)
    member.node.advance()
    assert member.node.status().soft_state == SoftState(1, StateType.LEADER)


def test_election_takes_three_readys() -> None:
    member = Member()
    member.settle()
    member.node.campaign()
    vote, empty_entry, commit = member.settle()
    assert vote.entries == []
    assert empty_entry.entries == [Entry(2, 2)]
    assert empty_entry.soft_state == SoftState(1, StateType.LEADER)
    assert empty_entry.hard_state is None
    assert empty_entry.must_sync
    assert commit.committed_entries == [Entry(2, 2)]
    assert commit.hard_state == HardState(term=2, vote=1, commit=2)
    assert not commit.must_sync


def test_own_vote_of_an_earlier_term_is_ignored() -> None:
    member = Member()
    member.settle()
    member.node.campaign()
    member.persist(member.node.ready())
    member.node.campaign()  # before the first vote is known to be durable
    member.node.advance()
    status = member.node.status()
    assert (status.hard_state.term, status.soft_state.state) == (
        3,
        StateType.CANDIDATE,
    )
    member.settle()
    assert member.node.status().soft_state.state is StateType.LEADER


def test_vote_of_the_newest_term_counts() -> None:
    member = Member()
    member.settle()
    member.node.campaign()
    member.node.campaign()  # before a Ready took the first vote
    member.settle()
    assert member.node.status().hard_state == HardState(3, 1, 2)
    assert member.node.status().soft_state.state is StateType.LEADER


def test_acknowledged_write_of_an_earlier_term_does_not_stabilize() -> None:
    member = Member()
    ready = member.node.ready()
    member.persist(ready)
    member.apply(ready)
    member.node._raft.applied_to(1, 0, 0)  # so that it may campaign at once
    member.node.campaign()
    member.node._raft.stable_to(1, member.node._raft.log.last_entry_id(), None)
    assert member.node.statistics().unstable_entry_count == 1
    assert "ignored entry appends" in member.logger.lines[-1]


def test_leader_ignores_ticks_and_campaigns() -> None:
    member = Member().elect()
    for _ in range(100):
        member.node.tick()
    member.node.campaign()
    assert not member.node.has_ready()
    assert member.node.status().hard_state.term == 2


def test_roles_cannot_be_skipped() -> None:
    raft = Member().node._raft
    with pytest.raises(RaftInvariantError, match=r"\[follower -> leader\]"):
        raft.become_leader()
    raft = Member().elect().node._raft
    with pytest.raises(RaftInvariantError, match=r"\[leader -> candidate\]"):
        raft.become_candidate()


# Proposals


def test_proposal_is_written_before_it_is_committed() -> None:
    member = Member().elect()
    member.node.propose(b"a")
    ready = member.node.ready()
    assert [entry.data for entry in ready.entries] == [b"a"]
    assert ready.must_sync
    assert ready.committed_entries == []
    assert member.node.status().hard_state.commit == 2
    member.persist(ready)
    member.node.advance()
    ready = member.node.ready()
    assert [entry.data for entry in ready.committed_entries] == [b"a"]
    assert ready.entries == []
    assert ready.hard_state == HardState(2, 1, 3)
    assert not ready.must_sync


def test_proposals_during_a_write_share_the_next_one() -> None:
    member = Member().elect()
    member.node.propose(b"a")
    ready = member.node.ready()
    member.node.propose(b"b")
    member.node.propose(b"c")
    member.persist(ready)
    member.node.advance()
    ready = member.turn()
    assert [entry.data for entry in ready.entries] == [b"b", b"c"]
    assert [entry.data for entry in ready.committed_entries] == [b"a"]
    member.settle()
    assert member.data == [b"a", b"b", b"c"]


def test_acknowledgement_covers_only_what_was_handed_out() -> None:
    member = Member().elect()
    member.node.propose(b"a")
    member.persist(member.node.ready())
    member.node.propose(b"b")
    member.node.advance()
    assert member.node.status().hard_state.commit == 3


@pytest.mark.parametrize("candidate", [False, True])
def test_proposal_without_leader_is_dropped(candidate: bool) -> None:
    member = Member()
    member.settle()
    if candidate:
        member.node.campaign()
    with pytest.raises(ProposalDroppedError, match="raft proposal dropped"):
        member.node.propose(b"a")
    assert "no leader at term" in member.logger.lines[-1]
    assert member.node.statistics().unstable_entry_count == 0


def test_data_is_copied_where_it_is_kept() -> None:
    member = Member().elect()
    data = bytes(b"abc" * 10)
    member.node.propose(data)
    buffer = bytearray(b"xyz")
    member.node.propose(memoryview(buffer))
    buffer[:] = b"000"
    kept = [entry.data for entry in member.node.ready().entries]
    assert kept == [data, b"xyz"]
    assert kept[0] is not data


def test_proposals_beyond_uncommitted_limit_are_dropped() -> None:
    member = Member(uncommitted_bytes_max=10).elect()
    member.node.propose(b"x" * 100)  # the first one always passes
    with pytest.raises(ProposalDroppedError):
        member.node.propose(b"y")
    member.node.propose(b"")
    member.settle()
    assert member.node.statistics().uncommitted_payload_bytes == 0
    member.node.propose(b"x" * 6)
    member.node.propose(b"x" * 4)
    with pytest.raises(ProposalDroppedError):
        member.node.propose(b"y")
    member.settle()
    member.propose(b"z")
    assert member.data[-1] == b"z"


def test_stepped_proposal_is_one_unit() -> None:
    member = Member(uncommitted_bytes_max=10).elect()
    several = [Entry(data=b"x" * 6), Entry(data=b"x" * 6)]
    member.node.propose(b"1")
    with pytest.raises(ProposalDroppedError):
        member.node.step(Message(MessageType.PROP, entries=several))
    member.settle()
    member.node.step(Message(MessageType.PROP, entries=several))
    member.settle()
    assert member.data == [b"1", b"x" * 6, b"x" * 6]
    assert several[0].index == 0, "the sender's entries are not touched"


def test_empty_proposal_message_is_an_error() -> None:
    with pytest.raises(RaftInvariantError, match="1 stepped empty MsgProp"):
        Member().elect().node.step(Message(MessageType.PROP))


# Committed entries per Ready


def test_committed_entries_come_in_portions() -> None:
    size = entry_size(Entry(2, 3, data=b"x" * 20))
    member = Member(ready_committed_bytes_max=2 * size).elect()
    for _ in range(5):
        member.node.propose(b"x" * 20)
    counts = [len(ready.committed_entries) for ready in member.settle()]
    assert counts == [0, 2, 2, 1]


def test_entry_beyond_the_limit_comes_alone() -> None:
    member = Member(ready_committed_bytes_max=1).elect()
    member.propose(b"a", b"b")
    assert member.data == [b"a", b"b"]


# The contract


def test_second_ready_without_advance_is_an_error() -> None:
    member = Member()
    member.node.ready()
    with pytest.raises(RaftInvariantError, match="two accepted Ready structs"):
        member.node.ready()


def test_advance_without_ready_is_an_error() -> None:
    with pytest.raises(RaftInvariantError):
        Member().node.advance()


def test_nothing_is_handed_out_twice() -> None:
    member = Member().elect()
    assert not member.node.has_ready()
    member.node.propose(b"a")
    member.node.ready()
    assert not member.node.has_ready()


def test_empty_ready_is_empty() -> None:
    ready = Member().elect().node.ready()
    assert not any(getattr(ready, field.name) for field in fields(ready))


@pytest.mark.parametrize("kind", MessageType)
def test_step_refuses_what_no_peer_may_send(kind: MessageType) -> None:
    member = Member().elect()
    if kind in LOCAL_MESSAGE_TYPES:
        with pytest.raises(StepLocalMessageError):
            member.node.step(Message(kind, sender=1))
    elif kind in RESPONSE_MESSAGE_TYPES:
        with pytest.raises(StepPeerNotFoundError):
            member.node.step(Message(kind, sender=1, term=2, index=2))
    with pytest.raises((StepLocalMessageError, StepPeerNotFoundError)):
        member.node.step(Message(kind, sender=2, term=9, entries=[Entry()]))
    assert not member.node.has_ready()
    assert member.node.status().hard_state.term == 2


# Reads


def test_read_after_first_commit_is_answered_at_once() -> None:
    member = Member().elect()
    member.node.read_index(b"ctx")
    assert member.node.has_ready()
    assert member.node.ready().read_states == [ReadState(2, b"ctx")]


def test_read_before_first_commit_of_the_term_waits_for_it() -> None:
    member = Member()
    member.settle()
    member.node.campaign()
    member.turn()
    member.node.read_index(b"1")
    member.node.step(Message(MessageType.READ_INDEX, entries=[Entry(data=b"2")]))
    assert member.node.statistics().postponed_read_count == 2
    member.turn()
    assert member.read_states == []
    member.turn()
    assert member.read_states == [ReadState(2, b"1"), ReadState(2, b"2")]
    assert member.node.statistics().postponed_read_count == 0


def test_read_after_restart_sees_writes_beyond_the_stored_commit() -> None:
    member = Member().elect()
    member.propose(b"acknowledged")
    written = member.node.status().hard_state.commit
    member.disk.hard_state = HardState(2, 1, 1)  # commit alone is never synced
    member = _crash(member)
    member.settle()
    member.node.campaign()
    member.turn()
    member.node.read_index(b"ctx")
    member.settle()
    [read] = member.read_states
    assert read.index > written
    assert member.data == [b"acknowledged"]


def test_read_without_leader_is_dropped() -> None:
    member = Member()
    member.settle()
    member.node.read_index(b"ctx")
    assert not member.node.has_ready()
    assert member.logger.lines[-1] == (
        "INFO 1 no leader at term 1; dropping index reading msg"
    )


# Membership


def test_changes_that_change_nothing_are_applied() -> None:
    member = Member().elect()
    for kind in (ConfChangeType.ADD_NODE, ConfChangeType.UPDATE_NODE):
        member.node.propose_conf_change(ConfChange(7, kind, 1, b"new context"))
        member.settle()
        assert decode_conf_change(member.applied[-1].data).context == b"new context"
        assert member.node.status().conf_state == ConfState((1,))


@pytest.mark.parametrize(
    ("kind", "node_id"),
    [
        (ConfChangeType.ADD_NODE, 2),
        (ConfChangeType.ADD_LEARNER_NODE, 2),
        (ConfChangeType.ADD_LEARNER_NODE, 1),
        (ConfChangeType.REMOVE_NODE, 1),
    ],
)
def test_change_that_cannot_be_run_is_refused_when_proposed(
    kind: ConfChangeType, node_id: int
) -> None:
    member = Member().elect()
    with pytest.raises(UnsupportedConfigurationError):
        member.node.propose_conf_change(ConfChange(1, kind, node_id))
    assert not member.node.has_ready()
    with pytest.raises(UnsupportedConfigurationError):
        member.node.apply_conf_change(ConfChange(1, kind, node_id))
    assert member.node.status().conf_state == ConfState((1,))
    member.propose(b"still alive")


def test_change_turned_down_by_the_application_has_no_effect() -> None:
    member = Member().elect()
    turned_down = ConfChange(1, ConfChangeType.REMOVE_NODE, NO_NODE)
    assert member.node.apply_conf_change(turned_down) == ConfState((1,))


def test_second_change_before_the_first_is_applied_becomes_empty() -> None:
    member = Member().elect()
    change = ConfChange(1, ConfChangeType.UPDATE_NODE, 1)
    member.node.propose_conf_change(change)
    member.node.propose_conf_change(change)
    member.settle()
    first, second = member.applied[-2:]
    assert first.type == EntryType.CONF_CHANGE
    assert (second.type, second.data) == (EntryType.NORMAL, b"")
    assert (
        "INFO 1 ignoring conf change transition:ConfChangeTransitionAuto"
        " changes:{type:ConfChangeUpdateNode node_id:1} at config voters=(1):"
        " possible unapplied conf change at index 3 (applied to 2)"
    ) in member.logger.lines
    member.node.propose_conf_change(change)
    member.settle()
    assert member.applied[-1].type == EntryType.CONF_CHANGE


def test_dropped_change_does_not_block_the_next_one() -> None:
    member = Member(uncommitted_bytes_max=1).elect()
    change = ConfChange(1, ConfChangeType.UPDATE_NODE, 1)
    member.node.propose(b"full")
    with pytest.raises(ProposalDroppedError):
        member.node.propose_conf_change(change)
    member.settle()
    member.node.propose_conf_change(change)
    member.settle()
    assert member.applied[-1].type == EntryType.CONF_CHANGE


def test_malformed_change_is_refused() -> None:
    member = Member().elect()
    entry = Entry(type=EntryType.CONF_CHANGE, data=b"\xff")
    with pytest.raises(ValueError, match="varint"):
        member.node.step(Message(MessageType.PROP, entries=[entry]))
    assert not member.node.has_ready()


@pytest.mark.parametrize(
    "conf_state",
    [ConfState((1, 2)), ConfState((2,)), ConfState((1,), (2,)), ConfState((), (1,))],
)
def test_log_of_a_larger_cluster_is_refused(conf_state: ConfState) -> None:
    storage = MemoryStorage()
    storage.apply_snapshot(Snapshot(5, 1, conf_state))
    with pytest.raises(UnsupportedConfigurationError) as caught:
        RawNode(RaftConfig(1, Random(1)), storage)
    assert caught.value.conf_state == conf_state


# Restart


def test_restart_hands_out_all_entries_again() -> None:
    member = Member().elect()
    member.propose(b"a", b"b")
    member = _crash(member)
    assert member.node.status().hard_state.term == 2
    [ready] = member.settle()
    assert ready.soft_state is None
    assert ready.hard_state is None
    assert ready.entries == []
    assert member.data == [b"a", b"b"]
    assert member.node.status().conf_state == ConfState((1,))
    member.elect()
    assert member.node.status().hard_state.term == 3
    member.propose(b"c")
    assert member.data == [b"a", b"b", b"c"]


def test_restart_with_applied_index_hands_out_the_rest() -> None:
    member = Member().elect()
    member.propose(b"a", b"b", b"c")
    member = Member(member.disk, applied=4)
    assert member.node.status().applied == 4
    member.settle()
    assert member.data == [b"c"]


def test_restart_remembers_the_vote() -> None:
    member = Member().elect()
    assert _crash(member).node.status().hard_state == HardState(2, 1, 2)


def test_new_leader_takes_no_change_before_its_tail_is_applied() -> None:
    member = Member().elect()
    change = ConfChange(1, ConfChangeType.UPDATE_NODE, 1)
    member.node.propose_conf_change(change)
    member.persist(member.node.ready())  # written, perhaps committed by someone
    member = _crash(member)
    member.settle()
    member.node.campaign()
    member.turn()
    member.node.propose_conf_change(change)
    member.settle()
    types = [entry.type for entry in member.applied[-3:]]
    assert types == [EntryType.CONF_CHANGE, EntryType.NORMAL, EntryType.NORMAL]


def test_uncommitted_tail_is_committed_by_the_next_term() -> None:
    member = Member().elect()
    member.node.propose(b"written, not acknowledged")
    member.persist(member.node.ready())
    member = _crash(member)
    member.settle()
    assert member.data == []
    member.elect()
    assert member.data == [b"written, not acknowledged"]
    assert [entry.term for entry in member.applied[-2:]] == [2, 3]


def test_restart_from_snapshot_and_compacted_log() -> None:
    member = Member().elect()
    member.propose(*(b"%d" % number for number in range(20)))
    member.compact(15)
    member.propose(b"after")
    statistics = member.node.statistics().storage
    assert (statistics.first_index, statistics.last_index) == (16, 23)
    member = _crash(member)
    assert member.storage.first_index() == 23
    assert member.node.status().conf_state == ConfState((1,))
    member.elect()
    assert member.data == [b"after"]
    with pytest.raises(CompactedError):
        member.storage.term(21)


def test_commit_beyond_the_log_is_an_error() -> None:
    storage = MemoryStorage()
    storage.set_hard_state(HardState(1, 1, 5))
    with pytest.raises(RaftInvariantError, match=r"1 state.commit 5 is out of range"):
        RawNode(RaftConfig(1, Random(1)), storage)


# What a snapshot of a leader will do, once there are peers


def test_snapshot_comes_before_everything_else() -> None:
    member = Member().elect()
    log = member.node._raft.log
    log.restore(Snapshot(9, 2, ConfState((1,))))
    assert not member.node._raft.promotable()
    ready = member.node.ready()
    assert ready.snapshot is not None
    assert ready.committed_entries == []
    member.storage.apply_snapshot(ready.snapshot)
    member.node.advance()
    assert member.node.status().applied == 9
    assert log.unstable.snapshot is None


# Seen from outside


def test_statistics_tell_where_payload_is() -> None:
    member = Member().elect()
    before = member.node.statistics()
    assert (before.term, before.leader_id, before.committed) == (2, 1, 2)
    member.node.propose(b"x" * 50)
    statistics = member.node.statistics()
    assert statistics.unstable_entry_count == 1
    assert statistics.unstable_payload_bytes == 50
    assert statistics.uncommitted_payload_bytes == 50
    assert statistics.storage == before.storage
    member.turn()
    statistics = member.node.statistics()
    assert statistics.unstable_payload_bytes == 0
    assert statistics.storage.entry_count == before.storage.entry_count + 1
    assert statistics.storage.entry_payload_bytes == (
        before.storage.entry_payload_bytes + 50
    )
    ready = member.node.ready()
    statistics = member.node.statistics()
    assert (statistics.applying, statistics.applied) == (3, 2)
    assert statistics.applying_bytes == entry_size(ready.committed_entries[0])
    member.node.propose(b"y" * 30)
    assert member.node.statistics().uncommitted_payload_bytes == 80
    member.node.advance()
    assert member.node.statistics().applied == 3
    assert member.node.statistics().uncommitted_payload_bytes == 30


def test_log_lines_of_a_first_election_are_those_of_etcd() -> None:
    member = Member().elect()
    assert member.logger.lines == [
        "INFO 1 switched to configuration voters=()",
        "INFO 1 became follower at term 0",
        "INFO newRaft 1 [peers: [], term: 0, commit: 0, applied: 0,"
        " lastindex: 0, lastterm: 0]",
        "INFO 1 became follower at term 1",
        "INFO 1 switched to configuration voters=(1)",
        "INFO 1 switched to configuration voters=(1)",
        "INFO 1 is starting a new election at term 1",
        "INFO 1 became candidate at term 2",
        "INFO 1 received MsgVoteResp from 1 at term 2",
        "INFO 1 has received 1 MsgVoteResp votes and 0 vote rejections",
        "INFO 1 became leader at term 2",
    ]


def test_member_ids_are_logged_in_hex() -> None:
    member = Member(id=0x8E9E05C52164694D).elect()
    assert member.logger.lines[-1] == "INFO 8e9e05c52164694d became leader at term 2"


def test_repr_shows_sizes_on_one_line() -> None:
    member = Member().elect()
    member.propose(b"secret")
    for thing in (member.node, member.storage, member.node._raft.log.unstable):
        assert "\n" not in repr(thing)
        assert "secret" not in repr(thing)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 0},
        {"id": 1 << 64},
        {"election_ticks": 1},
        {"ready_committed_bytes_max": 0},
        {"applied": -1},
        {"uncommitted_bytes_max": -1},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"."):
        RaftConfig(**{"id": 1, "random": Random(1)} | wrong)  # type: ignore[arg-type]


def test_encoded_change_is_what_is_proposed() -> None:
    member = Member().elect()
    change = ConfChange(1, ConfChangeType.UPDATE_NODE, 1, b"ctx")
    member.node.propose_conf_change(change)
    [entry] = member.node.ready().entries
    assert entry.data == encode_conf_change(change)
