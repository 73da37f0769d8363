"""From an expired lease to its revoke in the log."""

from miniet.engine.lease_expiry import REVOKES_IN_FLIGHT_MAX
from miniet.engine.requests import AlarmAction, AlarmType, RequestKind
from miniet.lease.promotion import REVOKE_RATE
from miniet.pb import rpc_pb2
from tests.support.engine_rig import EngineRig
from tests.support.stores import pairs


def rig_with_leases(count: int, ttl_s: int = 2) -> EngineRig:
    rig = EngineRig().started()
    for lease_id in range(1, count + 1):
        rig.ask(
            RequestKind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=lease_id, TTL=ttl_s)
        )
    rig.run()
    return rig


def lease_count(rig: EngineRig) -> int:
    return rig.engine.statistics().lease.lease_count


def test_an_expired_lease_goes_with_its_keys() -> None:
    rig = rig_with_leases(1)
    rig.put(b"leased", lease=1)
    rig.put(b"free")
    rig.clock.advance(1.9)
    rig.engine.step_leases()
    rig.run()
    assert lease_count(rig) == 1
    rig.clock.advance(0.1)
    rig.engine.step_leases()
    rig.run()
    assert lease_count(rig) == 0
    assert list(pairs(rig.engine.store)) == [b"free"]
    assert rig.engine.store.current_revision == 4
    assert rig.engine.statistics().lease.expired_total == 1


def test_sixteen_revokes_are_in_flight_at_most() -> None:
    rig = rig_with_leases(50)
    rig.clock.advance(2)
    rig.engine.step_leases()
    pending = []
    while rig.turn():
        pending.append(rig.engine.statistics().proposals_pending)
    assert max(pending) == REVOKES_IN_FLIGHT_MAX
    assert lease_count(rig) == 0


def test_one_step_takes_what_half_a_second_may_revoke() -> None:
    rig = rig_with_leases(REVOKE_RATE // 2 + 1)
    rig.clock.advance(2)
    rig.engine.step_leases()
    rig.run()
    assert lease_count(rig) == 1
    rig.engine.step_leases()
    rig.run()
    assert lease_count(rig) == 0


def test_a_lease_revoked_by_a_client_meanwhile_does_not_stop_the_rest() -> None:
    rig = rig_with_leases(REVOKES_IN_FLIGHT_MAX)
    rig.grant(100, 3)
    rig.clock.advance(3)
    for lease_id in range(1, REVOKES_IN_FLIGHT_MAX + 1):
        rig.ask(RequestKind.LEASE_REVOKE, rpc_pb2.LeaseRevokeRequest(ID=lease_id))
    rig.engine.step_leases()
    rig.run()
    assert lease_count(rig) == 0


def test_a_follower_revokes_nothing() -> None:
    rig = rig_with_leases(1)
    again = rig.restarted(crash=False)
    again.clock.advance(100)
    again.engine.step_leases()
    again.run()
    assert lease_count(again) == 1


def test_a_refused_revoke_comes_up_again_after_the_retry_interval() -> None:
    rig = rig_with_leases(1)
    rig.alarm(AlarmAction.ACTIVATE, AlarmType.CORRUPT)
    rig.clock.advance(2)
    rig.engine.step_leases()
    rig.run()
    rig.alarm(AlarmAction.DEACTIVATE, AlarmType.CORRUPT)
    for step_s, left in ((6.5, 1), (0.5, 0)):
        rig.clock.advance(step_s)
        rig.engine.step_leases()
        rig.run()
        assert lease_count(rig) == left


def test_stopping_with_many_expired_leases_answers_them_all() -> None:
    rig = rig_with_leases(REVOKE_RATE // 2)
    rig.clock.advance(2)
    rig.engine.step_leases()
    assert rig.engine.statistics().proposals_pending == REVOKES_IN_FLIGHT_MAX
    rig.engine.stop()
    assert rig.engine.statistics().proposals_pending == 0


def test_checkpoints_of_long_leases_go_through_the_log() -> None:
    rig = EngineRig(lease_checkpoints=True, lease_checkpoints_persist=True).started()
    rig.grant(1, 1000)
    rig.clock.advance(300)
    rig.engine.step_leases()
    rig.run()
    again = rig.restarted(crash=False).started()
    assert again.engine.lessor.time_to_live(1, keys=False) == (701, 1000, [])
