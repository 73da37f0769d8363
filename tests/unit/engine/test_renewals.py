import pytest

from miniet.engine.errors import StoppedError
from miniet.engine.requests import AlarmAction, AlarmType
from miniet.lease import NotPrimaryError
from tests.support.engine_rig import EngineRig
from tests.support.stores import pairs


@pytest.fixture
def rig() -> EngineRig:
    rig = EngineRig().started()
    rig.grant(1, 10)
    return rig


def expire(rig: EngineRig) -> None:
    rig.engine.step_leases()
    rig.run()


def test_a_renewal_needs_no_entry_and_answers_at_once(rig: EngineRig) -> None:
    rig.clock.advance(9)
    applied_index = rig.engine.applied_index
    assert rig.renew(1) == [10]
    assert rig.engine.lessor.time_to_live(1, keys=False) == (10, 10, [])
    assert rig.engine.applied_index == applied_index
    assert not rig.turn()


def test_a_lease_that_never_was_has_no_time(rig: EngineRig) -> None:
    assert rig.renew(2) == [0]


def test_a_renewal_too_late_waits_until_the_keys_are_gone(rig: EngineRig) -> None:
    rig.put(b"k", lease=1)
    rig.clock.advance(10)
    answers = [rig.renew(1), rig.renew(1)]
    rig.run()
    assert answers == [[], []]
    assert pairs(rig.engine.store) == {b"k": b"v"}
    expire(rig)
    assert answers == [[0], [0]]
    assert pairs(rig.engine.store) == {}


def test_a_client_may_end_the_lease_that_a_renewal_waits_for(rig: EngineRig) -> None:
    rig.clock.advance(10)
    answer = rig.renew(1)
    rig.revoke(1)
    assert answer == [0]


def test_a_revoke_that_was_refused_ends_no_wait(rig: EngineRig) -> None:
    rig.alarm(AlarmAction.ACTIVATE, AlarmType.CORRUPT)
    rig.clock.advance(10)
    answer = rig.renew(1)
    expire(rig)
    assert answer == []
    rig.alarm(AlarmAction.DEACTIVATE, AlarmType.CORRUPT)
    rig.clock.advance(7)
    expire(rig)
    assert answer == [0]


def test_a_checkpointed_lease_is_renewed_for_its_whole_time() -> None:
    rig = EngineRig(lease_checkpoints=True).started()
    rig.grant(1, 1000)
    rig.clock.advance(300)
    expire(rig)
    answer = rig.renew(1)
    assert answer == []
    rig.run()
    assert answer == [1000]
    assert rig.engine.lessor.time_to_live(1, keys=False) == (1000, 1000, [])


def test_a_checkpoint_refused_by_a_stop_answers_the_renewal() -> None:
    rig = EngineRig(lease_checkpoints=True).started()
    rig.grant(1, 1000)
    rig.clock.advance(300)
    expire(rig)
    answer = rig.renew(1)
    rig.engine.stop()
    assert [type(each) for each in answer] == [StoppedError]


def test_who_does_not_lead_cannot_renew(rig: EngineRig) -> None:
    [answer] = rig.restarted(crash=False).renew(1)
    assert isinstance(answer, NotPrimaryError)


def test_a_stop_answers_who_waits(rig: EngineRig) -> None:
    rig.clock.advance(10)
    answer = rig.renew(1)
    rig.engine.stop()
    assert [type(each) for each in answer] == [StoppedError]


def test_a_reset_answers_who_waits(rig: EngineRig) -> None:
    rig.clock.advance(10)
    answer = rig.renew(1)
    rig.engine.reset()
    assert answer == [0]
