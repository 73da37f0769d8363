"""Raft snapshots: when, of what, and which entries they let go of."""

import pytest

from miniet.engine.requests import RequestKind
from miniet.errors import DataError
from miniet.pb import rpc_pb2
from miniet.raft import ConfState
from tests.support.engine_rig import MEMBER, EngineRig

# Fails its comparison and has no other branch: goes through the log, writes nothing.
IDLE_TXN = rpc_pb2.TxnRequest(
    compare=[rpc_pb2.Compare(key=b"absent", target="VERSION", version=1)],
    success=[rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=b"k"))],
)


def put_until(rig: EngineRig, applied_index: int) -> None:
    number = 0
    while rig.engine.applied_index < applied_index:
        number += 1
        rig.put(b"k%d" % number)


def test_is_due_one_entry_after_the_count() -> None:
    rig = EngineRig(snapshot_count=20).started()
    put_until(rig, 20)
    assert rig.engine.statistics().snapshot_index == 0
    rig.put(b"k")
    assert rig.engine.statistics().snapshot_index == 21
    put_until(rig, 41)
    assert rig.engine.statistics().snapshot_index == 21
    rig.put(b"k")
    assert rig.engine.statistics().snapshot_index == 42


def test_holds_the_membership_at_its_index() -> None:
    rig = EngineRig(snapshot_count=20).started()
    put_until(rig, 21)
    snapshot = rig.log.snapshot
    assert (snapshot.index, snapshot.term) == (21, rig.engine.term)
    assert snapshot.conf_state == ConfState(voters=(MEMBER.member_id,))
    assert snapshot.data == rig.engine.membership.snapshot_data(21)


@pytest.mark.parametrize(
    ("catchup_entries", "first_index"), [(5, 17), (0, 22), (21, 2), (5000, 2)]
)
def test_keeps_the_catch_up_entries(catchup_entries: int, first_index: int) -> None:
    rig = EngineRig(snapshot_count=20, catchup_entries=catchup_entries).started()
    put_until(rig, 21)
    storage = rig.engine.statistics().raft.storage
    assert (storage.snapshot_index, storage.first_index) == (21, first_index)
    assert storage.entry_count == 21 - first_index + 1


def test_a_second_one_within_the_catch_up_entries_drops_nothing_more() -> None:
    rig = EngineRig(snapshot_count=20, catchup_entries=5000).started()
    put_until(rig, 42)
    storage = rig.engine.statistics().raft.storage
    assert (storage.snapshot_index, storage.first_index) == (42, 2)


def test_a_restart_from_one_replays_only_what_came_after() -> None:
    rig = EngineRig(snapshot_count=20, catchup_entries=5).started()
    put_until(rig, 25)
    again = rig.restarted()
    assert again.engine.applied_index == again.engine.statistics().snapshot_index == 21
    assert again.started().state() == rig.state()
    assert again.engine.is_snapshot_due is False


def test_a_restart_from_one_keeps_the_membership_for_the_next() -> None:
    rig = EngineRig(snapshot_count=20, catchup_entries=5).started()
    put_until(rig, 21)
    again = rig.restarted().started()
    put_until(again, 42)
    assert again.log.snapshot.conf_state == ConfState(voters=(MEMBER.member_id,))


def test_one_taken_in_the_middle_of_a_replay_loses_nothing() -> None:
    rig = EngineRig().started()
    for number in range(6):
        rig.put(b"%d" % number, bytes(400_000))  # two in one Ready
    rig.backend.commit()
    rig.log.sync()
    again = EngineRig(rig.log.crashed(), rig.backend.crashed(), snapshot_count=5)
    while again.log.snapshot.is_empty:
        assert again.turn()
    assert again.engine.applied_index < rig.engine.applied_index
    once_more = again.restarted().started()
    assert once_more.state() == rig.state()


def test_the_backend_is_never_older_even_if_nothing_was_written() -> None:
    rig = EngineRig(snapshot_count=20).started()
    rig.put(b"k")
    rig.backend.commit()
    while rig.engine.applied_index < 25:
        rig.propose(RequestKind.TXN, IDLE_TXN)
    assert rig.log.snapshot.index == 21
    assert rig.restarted().started().state() == rig.state()


def test_a_backend_older_than_the_snapshot_is_refused() -> None:
    rig = EngineRig(snapshot_count=20).started()
    older = rig.backend.crashed()
    put_until(rig, 21)
    with pytest.raises(DataError, match="before the raft snapshot at 21"):
        EngineRig(rig.log.crashed(), older)


# ---- snapshots that stay in memory, as from etcd 3.6 on


LIKE_3_6 = {"snapshot_count": 10_000, "memory_snapshot_count": 100}


def put_batches(rig: EngineRig, batches: int, size: int) -> int:
    """Put as clients that share a sync do; return the most entries there were."""
    body = rpc_pb2.PutRequest(key=b"k", value=b"v")
    longest = 0
    for _ in range(batches):
        for _ in range(size):
            rig.ask(RequestKind.PUT, body)
        while rig.turn():
            pass
        longest = max(longest, rig.engine.statistics().raft.storage.entry_count)
    rig.check()
    return longest


def test_log_in_memory_is_cut_every_100_entries_without_the_disk() -> None:
    rig = EngineRig(**LIKE_3_6, catchup_entries=5).started()
    put_until(rig, 100)
    assert rig.engine.statistics().raft.storage.first_index == 1
    rig.put(b"k")
    statistics = rig.engine.statistics()
    storage = statistics.raft.storage
    assert (storage.snapshot_index, storage.first_index) == (101, 97)
    assert (statistics.snapshot_index, rig.log.snapshot.index) == (0, 0)
    put_until(rig, 202)
    assert rig.engine.statistics().raft.storage.first_index == 198


def test_log_of_3_6_keeps_the_catch_up_entries_and_no_more_than_100() -> None:
    rig = EngineRig(**LIKE_3_6).started()
    longest = put_batches(rig, 1_200, 10)
    assert 5_000 <= rig.engine.statistics().raft.storage.entry_count <= longest <= 5_101
    assert 10_001 <= rig.log.snapshot.index <= 10_010


def test_a_log_of_3_4_keeps_everything_until_the_disk_has_a_snapshot() -> None:
    rig = EngineRig().started()
    put_batches(rig, 20, 100)
    storage = rig.engine.statistics().raft.storage
    assert (storage.first_index, storage.snapshot_index) == (1, 0)


def test_snapshot_in_memory_is_not_there_after_a_restart() -> None:
    rig = EngineRig(**LIKE_3_6, catchup_entries=5).started()
    put_until(rig, 250)
    again = rig.restarted()
    assert again.engine.statistics().raft.storage.first_index == 1
    assert again.started().state() == rig.state()
    # The replay is applied, so the log is cut as before.
    assert again.engine.statistics().raft.storage.first_index > 200


def test_snapshot_for_the_disk_takes_the_place_of_one_in_memory() -> None:
    rig = EngineRig(snapshot_count=150, memory_snapshot_count=100).started()
    put_until(rig, 320)
    statistics = rig.engine.statistics()
    assert statistics.snapshot_index == rig.log.snapshot.index == 302
    assert statistics.raft.storage.snapshot_index == 302
    assert rig.restarted().started().state() == rig.state()


def test_disk_gets_the_snapshot_that_memory_has_of_the_same_entry() -> None:
    rig = EngineRig(snapshot_count=1_000, memory_snapshot_count=20).started()
    put_until(rig, 21)
    in_memory = rig.engine._raft_storage.snapshot()
    assert in_memory.index == 21
    assert rig.engine.make_snapshot() is in_memory
