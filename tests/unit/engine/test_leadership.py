"""What begins with leadership: serving, the time of leases, the member's own news."""

import pytest

from miniet.engine.conf_changes import update_of_member
from miniet.engine.config import CLUSTER_VERSION
from miniet.engine.errors import StoppedError
from miniet.engine.requests import RequestKind
from miniet.lease import NotPrimaryError
from miniet.pb import rpc_pb2
from tests.support.engine_rig import MEMBER, EngineRig


def test_a_new_member_serves_once_it_has_told_its_name() -> None:
    rig = EngineRig()
    rig.engine.campaign_soon()
    while rig.turn():
        known = rig.engine.membership.get(MEMBER.member_id)
        assert rig.engine.is_serving == (known == MEMBER)
    assert rig.engine.is_serving
    assert rig.engine.membership.cluster_version == CLUSTER_VERSION


def test_a_member_leads_only_after_a_campaign() -> None:
    rig = EngineRig()
    rig.run()
    assert (rig.engine.is_leader, rig.engine.leader_id) == (False, 0)
    rig.started()
    assert (rig.engine.is_leader, rig.engine.leader_id) == (True, MEMBER.member_id)
    assert rig.engine.statistics().leader_changes_total == 1


def test_ticks_bring_leadership_without_a_campaign() -> None:
    rig = EngineRig(election_ticks=10)
    rig.run()
    for _ in range(20):
        rig.engine.tick()
        rig.run()
    assert rig.engine.is_serving


def test_a_term_begins_when_all_before_it_is_applied() -> None:
    rig = EngineRig().started()
    rig.put(b"a")
    # Acknowledged, but that it is committed was never synced, nor its effect.
    again = rig.restarted()
    assert again.log.hard_state.commit < rig.engine.applied_index
    again.engine.campaign_soon()
    while not again.engine.is_serving:
        assert again.engine.store.current_revision == 1
        assert not again.engine.lessor.is_primary
        assert again.turn()
    assert again.engine.store.current_revision == 2
    assert again.engine.lessor.is_primary


def test_the_empty_entry_of_a_former_term_begins_nothing() -> None:
    rig = EngineRig(election_timeout_s=3.0)
    rig.engine.campaign_soon()
    while rig.engine._raft.statistics().leader_id == 0:
        assert rig.turn()
    # The first leader's empty entry and this grant become durable in one write;
    # that they are committed does not.
    rig.ask(RequestKind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(ID=1, TTL=60))
    rig.turn()
    again = rig.restarted().started()
    # Granted before the new term began, so it got an election timeout more.
    assert again.engine.lessor.time_to_live(1, keys=False) == (63, 60, [])


def test_news_already_known_is_not_told_again() -> None:
    rig = EngineRig().started()
    applied_index = rig.engine.applied_index
    again = rig.restarted(crash=False).started()
    assert again.engine.applied_index == applied_index + 1


def test_promotion_gives_each_lease_its_time_and_an_election_timeout() -> None:
    rig = EngineRig(election_timeout_s=3.0).started()
    rig.grant(1, 60)
    rig.clock.advance(50)
    again = rig.restarted(crash=False).started()
    assert again.engine.lessor.time_to_live(1, keys=False) == (63, 60, [])


def test_an_empty_entry_within_the_term_does_not_prolong_leases() -> None:
    rig = EngineRig().started()
    rig.grant(1, 60)
    rig.clock.advance(50)
    changes = [
        update_of_member(rig.engine.request_ids.next(), MEMBER.member_id, (url,))
        for url in ("http://one:2380", "http://two:2380")
    ]
    # Only one conf change at a time: an empty entry takes the second one's place.
    for change in changes:
        rig.engine.propose_conf_change(change, lambda _: None)
    rig.run()
    assert rig.engine.membership.members[0].peer_urls == ("http://one:2380",)
    assert rig.engine.lessor.time_to_live(1, keys=False) == (10, 60, [])


def test_before_its_term_begins_no_lease_can_be_renewed() -> None:
    rig = EngineRig().started()
    rig.grant(1, 60)
    again = rig.restarted(crash=False)
    [answer] = again.renew(1)
    assert isinstance(answer, NotPrimaryError)


def test_a_stopped_member_refuses_everything() -> None:
    rig = EngineRig().started()
    rig.grant(1, 60)
    rig.engine.stop()
    put = rig.ask(RequestKind.PUT, rpc_pb2.PutRequest(key=b"k"))
    change = update_of_member(1, MEMBER.member_id, ("http://one:2380",))
    changed: list[object] = []
    rig.engine.propose_conf_change(change, changed.append)
    for [answer] in (put, changed, rig.read(), rig.renew(1)):
        assert isinstance(answer, StoppedError)


@pytest.mark.parametrize("is_in_raft", [False, True])
def test_stopping_answers_everyone_once(is_in_raft: bool) -> None:
    rig = EngineRig().started()
    rig.grant(1, 2)
    rig.clock.advance(5)
    put = rig.ask(RequestKind.PUT, rpc_pb2.PutRequest(key=b"k"))
    everyone = [put, rig.read(), rig.renew(1)]
    if is_in_raft:
        rig.engine.ready()
    rig.engine.stop()
    assert [[type(each) for each in answers] for answers in everyone] == [
        [StoppedError]
    ] * 3
