"""What is left to say of the whole; its parts and its states have their own files."""

import pytest

from miniet.clock import ManualClock
from miniet.engine.requests import RequestKind
from miniet.pb import rpc_pb2
from tests.support.engine_rig import EngineRig

PUT = rpc_pb2.PutRequest(key=b"k")


class SlowClock(ManualClock):
    """A clock that moves whenever it is read."""

    step_s = 0.0

    def monotonic_s(self) -> float:
        self.advance(self.step_s)
        return super().monotonic_s()


@pytest.mark.parametrize(("step_s", "slow_count"), [(0.1, 0), (0.11, 2)])
def test_entries_that_are_slow_to_apply_are_counted(
    step_s: float, slow_count: int
) -> None:
    clock = SlowClock()
    rig = EngineRig(clock=clock, slow_apply_s=0.1000001).started()
    clock.step_s = step_s
    for _ in range(2):
        rig.put(b"k")
    assert rig.engine.statistics().slow_applies_total == slow_count


def test_nothing_is_applied_before_it_was_handed_out_as_durable() -> None:
    rig = EngineRig().started()
    applied_index = rig.engine.applied_index
    rig.ask(RequestKind.PUT, PUT)
    written = rig.engine.ready()
    assert written is not None
    assert written.must_sync
    assert [len(written.entries), len(written.committed_entries)] == [1, 0]
    rig.engine.apply(written)
    rig.engine.persisted(written)
    assert rig.engine.applied_index == applied_index
    committed = rig.engine.ready()
    assert committed is not None
    assert committed.committed_entries == written.entries
    assert not committed.must_sync


def test_applying_may_run_beside_the_next_write() -> None:
    rig = EngineRig().started()
    first = rig.ask(RequestKind.PUT, PUT)
    rig.turn()
    second = rig.ask(RequestKind.PUT, PUT)
    ready = rig.engine.ready()
    assert ready is not None
    assert [len(ready.entries), len(ready.committed_entries)] == [1, 1]
    rig.engine.apply(ready)
    assert (len(first), len(second)) == (1, 0)
    rig.engine.persisted(ready)
    rig.run()
    assert len(second) == 1


def test_answers_come_in_the_order_of_the_log() -> None:
    rig = EngineRig().started()
    order: list[int] = []
    for number in range(5):
        rig.engine.propose(
            RequestKind.PUT,
            PUT.SerializeToString(),
            lambda _, number=number: order.append(number),  # type: ignore[misc]
        )
    rig.run()
    assert order == [0, 1, 2, 3, 4]


def test_an_idle_member_has_nothing_to_do() -> None:
    rig = EngineRig().started()
    rig.engine.tick()
    rig.engine.step_leases()
    rig.engine.step_auto_compaction()
    assert rig.engine.ready() is None


def test_commits_go_by_the_clock() -> None:
    rig = EngineRig().started()
    rig.clock.advance(1)
    rig.engine.step_commit()
    before = rig.backend.commit_count
    rig.put(b"k")
    assert rig.backend.commit_count == before
    rig.clock.advance(0.1)
    rig.engine.step_commit()
    assert rig.backend.commit_count == before + 1


def test_many_operations_are_committed_without_waiting_for_the_clock() -> None:
    rig = EngineRig().started()
    rig.backend.commit()
    rig.backend.BATCH_LIMIT = 3  # type: ignore[misc]
    before = rig.backend.commit_count
    for _ in range(4):
        rig.put(b"k")
    assert rig.backend.commit_count == before + 1


def test_a_member_counts_what_its_components_keep() -> None:
    rig = EngineRig(quota_bytes=12345).started()
    rig.grant(7, 60)
    rig.put(b"k", lease=7)
    stats = rig.engine.statistics()
    assert stats.applied_index == rig.engine.applied_index == stats.raft.committed
    assert (stats.store.key_count, stats.lease.attached_key_count) == (1, 1)
    assert (stats.snapshot_index, stats.quota_bytes) == (0, 12345)
    assert (stats.proposals_pending, stats.proposals_failed_total) == (0, 0)
    assert rig.engine.term == stats.raft.term == 2
