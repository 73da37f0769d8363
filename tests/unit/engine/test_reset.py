"""Emptying a memory-only member at once."""

import pytest

from miniet.engine.requests import AlarmAction, AlarmType, RequestKind
from miniet.engine.results import CompactionResult, PutResult
from miniet.pb import rpc_pb2
from tests.support.engine_rig import MEMBER, EngineRig
from tests.support.stores import pairs


@pytest.fixture
def rig() -> EngineRig:
    """Return a member that holds some of everything."""
    rig = EngineRig().started()
    for number in range(10):
        rig.put(b"k%d" % number)
    rig.grant(7, 60)
    rig.put(b"leased", lease=7)
    rig.compact(5)
    rig.alarm(AlarmAction.ACTIVATE, AlarmType.NOSPACE)
    return rig


def test_nothing_is_left_but_the_member(rig: EngineRig) -> None:
    rig.engine.reset()
    rig.run()
    assert rig.state() == EngineRig().started().state()
    assert rig.engine.membership.members == [MEMBER]
    assert rig.engine.is_serving


def test_revisions_begin_again(rig: EngineRig) -> None:
    rig.engine.reset()
    assert rig.put(b"k") == PutResult(2)
    assert pairs(rig.engine.store) == {b"k": b"v"}


def test_the_raft_log_is_emptied_and_goes_on(rig: EngineRig) -> None:
    applied_index = rig.engine.applied_index
    rig.engine.reset()
    storage = rig.engine.statistics().raft.storage
    assert (storage.entry_count, storage.snapshot_index) == (0, applied_index)
    rig.put(b"k")
    assert rig.engine.applied_index == applied_index + 1


def test_log_is_emptied_right_after_a_snapshot_in_memory() -> None:
    rig = EngineRig(memory_snapshot_count=20).started()
    while rig.engine.statistics().raft.storage.snapshot_index == 0:
        rig.put(b"k")
    rig.engine.reset()
    assert rig.engine.statistics().raft.storage.entry_count == 0


def test_leases_live_and_expire_as_before(rig: EngineRig) -> None:
    rig.engine.reset()
    rig.grant(7, 2)
    rig.put(b"leased", lease=7)
    assert rig.renew(7) == [2]
    rig.clock.advance(2)
    rig.engine.step_leases()
    rig.run()
    assert pairs(rig.engine.store) == {}


def test_one_that_follows_another_at_once_changes_nothing(rig: EngineRig) -> None:
    rig.engine.reset()
    rig.engine.reset()
    assert rig.put(b"k") == PutResult(2)


def test_reads_and_writes_under_way_are_answered(rig: EngineRig) -> None:
    put = rig.ask(RequestKind.PUT, rpc_pb2.PutRequest(key=b"k"))
    read = rig.read()
    rig.engine.reset()
    rig.run()
    assert (put, read) == ([PutResult(2)], [None])


def test_a_physical_compaction_under_way_is_answered(rig: EngineRig) -> None:
    message = rpc_pb2.CompactionRequest(revision=8, physical=True)
    answers = rig.ask(RequestKind.COMPACTION, message)
    rig.run()
    rig.engine.reset()
    rig.engine.step_compaction()
    assert answers == [CompactionResult(12, is_physical=True)]


def test_revokes_waiting_in_line_are_forgotten(rig: EngineRig) -> None:
    rig.alarm(AlarmAction.DEACTIVATE, AlarmType.NOSPACE)
    for lease_id in range(100, 150):
        rig.grant(lease_id, 2)
    rig.clock.advance(2)
    rig.engine.step_leases()
    rig.engine.reset()
    applied_index = rig.engine.applied_index
    rig.run()
    # Those sixteen that were in the log already, and no more.
    assert rig.engine.applied_index == applied_index + 16


def test_before_the_term_has_begun_it_begins_all_the_same() -> None:
    rig = EngineRig()
    rig.engine.campaign_soon()
    while not rig.engine.is_leader:
        assert rig.turn()
    rig.engine.reset()
    rig.run()
    assert rig.engine.is_serving
