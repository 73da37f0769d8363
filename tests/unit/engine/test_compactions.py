"""Compactions of the history: in batches, physical ones, automatic ones."""

import pytest

from miniet.clock import ManualClock
from miniet.engine.compactor import PeriodicCompactor, RevisionCompactor
from miniet.engine.errors import StoppedError
from miniet.engine.requests import RequestKind
from miniet.engine.results import CompactionResult
from miniet.pb import rpc_pb2
from tests.support.engine_rig import EngineRig
from tests.support.stores import stored_revisions


def rig_with_history(put_count: int = 10, **config: int) -> EngineRig:
    rig = EngineRig(**config).started()
    for _ in range(put_count):
        rig.put(b"k")
    return rig


def finish(rig: EngineRig) -> int:
    """Carry out what is pending; return the number of steps."""
    steps = 1
    while rig.engine.step_compaction():
        steps += 1
    rig.check()
    return steps


def test_reads_below_it_fail_at_once_records_go_in_batches() -> None:
    rig = rig_with_history(compaction_batch_limit=2)
    assert rig.compact(9) == CompactionResult(11)
    assert rig.engine.store.compact_revision == 9
    assert len(stored_revisions(rig.engine.store)) == 10
    assert finish(rig) > 4
    assert stored_revisions(rig.engine.store) == ["9", "10", "11"]


def ask_physical(rig: EngineRig, revision: int) -> list[object]:
    message = rpc_pb2.CompactionRequest(revision=revision, physical=True)
    answers = rig.ask(RequestKind.COMPACTION, message)
    rig.run()
    return answers


def test_a_physical_one_is_answered_when_its_end_is_committed() -> None:
    rig = rig_with_history()
    answers = ask_physical(rig, 9)
    assert answers == []
    finish(rig)
    assert answers == [CompactionResult(11, is_physical=True)]
    left = rig.restarted()
    assert stored_revisions(left.engine.store) == ["9", "10", "11"]
    assert not left.engine.store.compaction_pending


def test_a_physical_one_may_take_longer_than_a_request() -> None:
    rig = rig_with_history()
    answers = ask_physical(rig, 9)
    rig.clock.advance(100)
    rig.engine.tick()
    assert answers == []
    finish(rig)
    assert answers == [CompactionResult(11, is_physical=True)]


def test_a_stop_answers_who_waits_for_a_physical_one() -> None:
    rig = rig_with_history()
    answers = ask_physical(rig, 9)
    rig.engine.stop()
    assert [type(answer) for answer in answers] == [StoppedError]
    finish(rig)
    assert len(answers) == 1


def test_an_interrupted_one_goes_on_after_a_restart() -> None:
    rig = rig_with_history()
    rig.compact(9)
    again = rig.restarted().started()
    assert again.engine.store.compact_revision == 9
    finish(again)
    assert stored_revisions(again.engine.store) == ["9", "10", "11"]


def test_one_that_is_replayed_changes_nothing() -> None:
    rig = rig_with_history()
    rig.compact(9)
    # Accepting it committed the mark, under the index of the entry before.
    assert rig.restarted().started().state() == rig.state()


def test_nothing_to_do_is_no_work() -> None:
    assert rig_with_history().engine.step_compaction() is False


@pytest.mark.parametrize("lead", [True, False])
def test_an_automatic_one_is_the_leaders_matter(lead: bool) -> None:
    clock = ManualClock()
    rig = EngineRig(clock=clock, compactor=RevisionCompactor(clock, 3))
    if lead:
        rig.started()
        for _ in range(10):
            rig.put(b"k")
    clock.advance(300)
    rig.engine.step_auto_compaction()
    rig.run()
    assert rig.engine.store.compact_revision == (8 if lead else -1)


def test_an_automatic_one_that_a_client_was_faster_with_counts() -> None:
    clock = ManualClock()
    rig = EngineRig(clock=clock, compactor=RevisionCompactor(clock, 3)).started()
    for _ in range(10):
        rig.put(b"k")
    rig.compact(8)
    for _ in range(2):
        clock.advance(300)
        rig.engine.step_auto_compaction()
        rig.run()
    # Refused once as done already, and not asked for again.
    assert rig.engine.applied_index == 16


def test_a_periodic_one_keeps_one_period() -> None:
    clock = ManualClock()
    rig = EngineRig(clock=clock, compactor=PeriodicCompactor(clock, 100)).started()
    for second in range(201):
        rig.engine.step_auto_compaction()
        if second % 10 == 0:
            rig.put(b"k")
        clock.advance(1)
        rig.run()
    # The sample of second 100 was taken before the eleventh put.
    assert rig.engine.store.compact_revision == 11


def test_without_a_compactor_nothing_is_compacted() -> None:
    rig = rig_with_history()
    rig.clock.advance(1e6)
    rig.engine.step_auto_compaction()
    rig.run()
    assert rig.engine.store.compact_revision == -1
