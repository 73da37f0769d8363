"""What of etcd's state machine tests one voter can reach.

Left out is everything that needs a second node: rows with several voters, appends,
heartbeats and votes from others, flow control, snapshots to followers, reads through
followers and learners.
"""

from random import Random

from miniet.raft import ConfState, HardState, MemoryStorage, RaftConfig, Snapshot
from miniet.raft.raft import Raft
from tests.conformance.raft.loading import Case, CaseFile, entries_of

FILE = CaseFile("raft_selection.json")


def _raft(voters: list[int]) -> Raft:
    storage = MemoryStorage()
    storage.apply_snapshot(Snapshot(conf_state=ConfState(tuple(voters))))
    return Raft(RaftConfig(id=1, random=Random(1)), storage)


@FILE.rows("TestCommit", keep=lambda case: len(case["match_of_voters_1_to_n"]) == 1)
def test_commit(case: Case) -> None:
    storage = MemoryStorage()
    storage.apply_snapshot(Snapshot(conf_state=ConfState((1,))))
    storage.append(entries_of(case["stored_entries"]))
    storage.set_hard_state(HardState(term=case["term"]))
    raft = Raft(RaftConfig(id=1, random=Random(1)), storage)
    [raft.match_index] = case["match_of_voters_1_to_n"]
    raft.maybe_commit()
    assert raft.log.committed == case["want_committed"]


@FILE.rows("TestPastElectionTimeout")
def test_past_election_timeout(case: Case) -> None:
    raft = _raft([1])
    count = 0
    for _ in range(10_000):
        raft.become_follower(1, 0)
        raft.election_elapsed = case["election_elapsed"]
        count += raft.past_election_timeout()
    assert round(count / 10_000, 1) == case["want_probability"]


@FILE.rows("TestPromotable", keep=lambda case: case["voters"] in ([], [1]))
def test_promotable(case: Case) -> None:
    assert _raft(case["voters"]).promotable() is case["want"]
