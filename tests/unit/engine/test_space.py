"""The space quota from end to end: before the log, in the log, under the alarm."""

from collections.abc import Callable
from typing import Any

import pytest

from miniet.engine.errors import NoSpaceError
from miniet.engine.requests import AlarmAction, AlarmType, RequestKind
from miniet.engine.results import (
    AlarmResult,
    CompactionResult,
    DeleteRangeResult,
    LeaseGrantResult,
    PutResult,
    TxnResult,
)
from miniet.pb import rpc_pb2
from tests.support.engine_rig import MEMBER, EngineRig

QUOTA_BYTES = 10_000
NO_SPACE = (MEMBER.member_id, AlarmType.NOSPACE)


def full_rig() -> EngineRig:
    rig = EngineRig(quota_bytes=QUOTA_BYTES).started()
    rig.put(b"a")
    rig.backend.size_bytes = QUOTA_BYTES
    return rig


def alarmed_rig() -> EngineRig:
    rig = full_rig()
    rig.alarm(AlarmAction.ACTIVATE, AlarmType.NOSPACE)
    rig.backend.size_bytes = 0
    return rig


def test_a_write_that_just_fits_passes_the_check() -> None:
    rig = EngineRig(quota_bytes=QUOTA_BYTES).started()
    rig.engine.check_quota(QUOTA_BYTES - 1)
    with pytest.raises(NoSpaceError):
        rig.engine.check_quota(QUOTA_BYTES)


def test_a_request_without_cost_passes_a_full_disk() -> None:
    full_rig().engine.check_quota(0)


def test_a_refusal_before_the_log_raises_the_alarm() -> None:
    rig = full_rig()
    with pytest.raises(NoSpaceError):
        rig.engine.check_quota(1)
    assert not rig.engine.alarms.is_up(AlarmType.NOSPACE)
    rig.run()
    assert rig.engine.alarms.matching(AlarmType.NONE) == [NO_SPACE]


def test_refusals_under_the_alarm_do_not_fill_the_log() -> None:
    rig = full_rig()
    for _ in range(3):
        with pytest.raises(NoSpaceError):
            rig.engine.check_quota(1)
        rig.run()
    before = rig.engine.applied_index
    with pytest.raises(NoSpaceError):
        rig.engine.check_quota(1)
    rig.run()
    assert rig.engine.applied_index == before


def test_the_write_that_reaches_the_quota_is_applied_and_refused() -> None:
    rig = full_rig()
    assert isinstance(rig.put(b"b"), NoSpaceError)
    assert rig.engine.store.current_revision == 3


def test_its_answer_comes_when_the_alarm_is_up() -> None:
    rig = full_rig()
    answers = rig.ask(RequestKind.PUT, rpc_pb2.PutRequest(key=b"b"))
    while not answers:
        assert not rig.engine.alarms.is_up(AlarmType.NOSPACE)
        assert rig.turn()
    assert rig.engine.alarms.is_up(AlarmType.NOSPACE)


def test_under_the_alarm_its_answer_comes_at_once() -> None:
    rig = full_rig()
    answers = [rig.ask(RequestKind.PUT, rpc_pb2.PutRequest(key=b"b")) for _ in range(2)]
    rig.run()
    assert [type(answer) for [answer] in answers] == [NoSpaceError] * 2


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda rig: rig.put(b"b"), id="put"),
        pytest.param(lambda rig: rig.grant(1, 60), id="lease grant"),
        pytest.param(lambda rig: rig.propose(RequestKind.TXN, txn(put=True)), id="txn"),
    ],
)
def test_the_alarm_refuses_what_needs_space(write: Callable[[EngineRig], Any]) -> None:
    rig = alarmed_rig()
    before = rig.state()
    assert isinstance(write(rig), NoSpaceError)
    assert rig.state() == before


def txn(*, put: bool) -> rpc_pb2.TxnRequest:
    delete = rpc_pb2.DeleteRangeRequest(key=b"a")
    request = rpc_pb2.TxnRequest(
        success=[rpc_pb2.RequestOp(request_delete_range=delete)]
    )
    if put:
        request.failure.add(request_put=rpc_pb2.PutRequest(key=b"b"))
    return request


def test_the_alarm_lets_through_what_frees_space_or_needs_none() -> None:
    rig = alarmed_rig()
    assert isinstance(rig.propose(RequestKind.TXN, txn(put=False)), TxnResult)
    assert isinstance(rig.delete(b"a"), DeleteRangeResult)
    assert isinstance(rig.compact(2), CompactionResult)
    assert isinstance(rig.alarm(AlarmAction.GET, AlarmType.NONE), AlarmResult)


def test_a_lease_can_be_revoked_under_the_alarm() -> None:
    rig = EngineRig().started()
    rig.grant(1, 60)
    rig.put(b"k", lease=1)
    rig.alarm(AlarmAction.ACTIVATE, AlarmType.NOSPACE)
    assert rig.revoke(1).revision == 3


def test_writes_go_on_when_the_alarm_is_lifted() -> None:
    rig = alarmed_rig()
    rig.alarm(AlarmAction.DEACTIVATE, AlarmType.NOSPACE)
    assert isinstance(rig.put(b"b"), PutResult)
    assert isinstance(rig.grant(1, 60), LeaseGrantResult)


def test_the_alarm_outlives_a_restart() -> None:
    rig = alarmed_rig()
    rig.backend.commit()
    assert isinstance(rig.restarted().started().put(b"b"), NoSpaceError)


def test_a_replayed_write_over_the_quota_is_there_and_the_alarm_not_lost() -> None:
    rig = full_rig()
    rig.put(b"b")
    again = rig.restarted().started()
    assert again.state() == rig.state()
