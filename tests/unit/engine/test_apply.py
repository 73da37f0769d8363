"""One request after the other on a whole engine; the quota has its own file."""

from collections.abc import Callable
from typing import Any

import pytest

from miniet.engine.errors import CorruptError, KeyNotFoundError, NoSpaceError
from miniet.engine.requests import AlarmAction, AlarmType, RequestKind
from miniet.engine.results import (
    AlarmResult,
    CompactionResult,
    DeleteRangeResult,
    DoneResult,
    LeaseGrantResult,
    LeaseRevokeResult,
    PutResult,
)
from miniet.lease import (
    LeaseExistsError,
    LeaseNotFoundError,
    LeaseTtlTooLargeError,
)
from miniet.mvcc import CompactedError, FutureRevisionError, KeyValue, RangeQuery
from miniet.pb import rpc_pb2
from tests.support.engine_rig import EngineRig
from tests.support.stores import pairs

Ask = Callable[[EngineRig], Any]


@pytest.fixture
def rig() -> EngineRig:
    return EngineRig().started()


def pair_of(rig: EngineRig, key: bytes) -> KeyValue:
    [kv] = rig.engine.store.read().range(RangeQuery(key=key)).kvs
    return KeyValue.decode(kv)


# ---- put


def test_a_put_answers_its_revision(rig: EngineRig) -> None:
    assert rig.put(b"k") == PutResult(2)
    assert rig.put(b"k") == PutResult(3)


def test_a_put_returns_the_pair_before_if_asked(rig: EngineRig) -> None:
    assert rig.put(b"k", b"old", prev_kv=True) == PutResult(2)
    before = pair_of(rig, b"k").encode()
    assert rig.put(b"k", b"new", prev_kv=True) == PutResult(3, before)
    assert rig.put(b"k", b"newer") == PutResult(4)


def test_ignore_value_keeps_the_value_and_takes_the_lease(rig: EngineRig) -> None:
    rig.grant(7, 60)
    rig.put(b"k", b"kept")
    rig.put(b"k", b"", ignore_value=True, lease=7)
    assert pair_of(rig, b"k") == KeyValue(b"k", 2, 3, 2, b"kept", 7)


def test_ignore_lease_keeps_the_lease_and_takes_the_value(rig: EngineRig) -> None:
    rig.grant(7, 60)
    rig.put(b"k", b"old", lease=7)
    rig.put(b"k", b"new", ignore_lease=True)
    assert pair_of(rig, b"k") == KeyValue(b"k", 2, 3, 2, b"new", 7)
    assert rig.engine.lessor.lease_of(b"k") == 7


def test_both_ignore_flags_make_a_revision_all_the_same(rig: EngineRig) -> None:
    rig.put(b"k", b"v")
    rig.put(b"k", b"", ignore_value=True, ignore_lease=True)
    assert pair_of(rig, b"k") == KeyValue(b"k", 2, 3, 2, b"v")


@pytest.mark.parametrize("flag", ["ignore_value", "ignore_lease"])
def test_an_ignore_flag_needs_the_key(rig: EngineRig, flag: str) -> None:
    answer = rig.put(b"absent", b"", **{flag: True})
    assert isinstance(answer, KeyNotFoundError)
    assert rig.engine.store.current_revision == 1


def test_an_unknown_lease_is_found_before_a_missing_key(rig: EngineRig) -> None:
    answer = rig.put(b"absent", b"", ignore_value=True, lease=9)
    assert isinstance(answer, LeaseNotFoundError)


def test_a_put_on_an_unknown_lease_writes_nothing(rig: EngineRig) -> None:
    before = rig.state()
    assert isinstance(rig.put(b"k", lease=9), LeaseNotFoundError)
    assert rig.state() == before


# ---- delete, compaction


def test_a_delete_returns_the_pairs_that_go_if_asked(rig: EngineRig) -> None:
    for key in (b"a", b"b", b"c"):
        rig.put(key)
    gone = [pair_of(rig, key).encode() for key in (b"a", b"b")]
    answer = rig.delete(b"a", range_end=b"c", prev_kv=True)
    assert answer == DeleteRangeResult(5, 2, gone)
    assert list(pairs(rig.engine.store)) == [b"c"]


def test_a_delete_of_nothing_makes_no_revision(rig: EngineRig) -> None:
    rig.put(b"a")
    assert rig.delete(b"b", prev_kv=True) == DeleteRangeResult(2, 0, [])


def test_a_compaction_answers_the_present_revision(rig: EngineRig) -> None:
    for _ in range(3):
        rig.put(b"k")
    assert rig.compact(3) == CompactionResult(4)
    assert rig.engine.store.compact_revision == 3


def test_a_compaction_out_of_the_history_is_refused(rig: EngineRig) -> None:
    rig.put(b"k")
    assert isinstance(rig.compact(3), FutureRevisionError)
    assert isinstance(rig.compact(-1), CompactedError)
    assert rig.compact(0) == CompactionResult(2)
    assert isinstance(rig.compact(0), CompactedError)


# ---- leases


def test_a_grant_answers_the_ttl_that_it_gave(rig: EngineRig) -> None:
    assert rig.grant(7, 60) == LeaseGrantResult(1, 7, 60)
    assert rig.grant(-7, 0) == LeaseGrantResult(1, -7, 2)


def test_a_grant_refuses_known_ids_and_endless_ttls(rig: EngineRig) -> None:
    rig.grant(7, 60)
    assert isinstance(rig.grant(7, 60), LeaseExistsError)
    assert isinstance(rig.grant(8, 9_000_000_001), LeaseTtlTooLargeError)


def test_a_revoke_deletes_its_keys_in_one_revision(rig: EngineRig) -> None:
    rig.grant(7, 60)
    for key in (b"b", b"a"):
        rig.put(key, lease=7)
    assert rig.revoke(7) == LeaseRevokeResult(4)
    assert pairs(rig.engine.store) == {}
    assert isinstance(rig.revoke(7), LeaseNotFoundError)


def test_a_revoke_without_keys_makes_no_revision(rig: EngineRig) -> None:
    rig.grant(7, 60)
    assert rig.revoke(7) == LeaseRevokeResult(1)


# ---- the CORRUPT alarm


TXN = rpc_pb2.TxnRequest()
TXN.success.add(request_range=rpc_pb2.RangeRequest(key=b"k"))
REFUSED_WHEN_CORRUPT: dict[str, Ask] = {
    "put": lambda rig: rig.put(b"k"),
    "delete": lambda rig: rig.delete(b"k"),
    "txn": lambda rig: rig.propose(RequestKind.TXN, TXN),
    "compaction": lambda rig: rig.compact(1),
    "grant": lambda rig: rig.grant(8, 60),
    "revoke": lambda rig: rig.revoke(7),
}


@pytest.mark.parametrize("name", REFUSED_WHEN_CORRUPT)
def test_a_corrupt_member_refuses(rig: EngineRig, name: str) -> None:
    rig.grant(7, 60)
    rig.alarm(AlarmAction.ACTIVATE, AlarmType.CORRUPT)
    before = rig.state()
    assert isinstance(REFUSED_WHEN_CORRUPT[name](rig), CorruptError)
    assert rig.state() == before


def test_a_corrupt_member_takes_alarms_and_checkpoints(rig: EngineRig) -> None:
    rig.grant(7, 60)
    rig.alarm(AlarmAction.ACTIVATE, AlarmType.CORRUPT)
    checkpoint = rpc_pb2.LeaseCheckpointRequest(
        checkpoints=[rpc_pb2.LeaseCheckpoint(ID=7, remaining_TTL=30)]
    )
    assert rig.propose(RequestKind.LEASE_CHECKPOINT, checkpoint) == DoneResult()
    lease = rig.engine.lessor.lookup(7)
    assert lease is not None
    assert lease.remaining_ttl_s == 30
    answer = rig.alarm(AlarmAction.DEACTIVATE, AlarmType.CORRUPT)
    assert isinstance(answer, AlarmResult)
    assert isinstance(rig.put(b"k"), PutResult)


def test_corruption_is_told_before_missing_space(rig: EngineRig) -> None:
    rig.alarm(AlarmAction.ACTIVATE, AlarmType.NOSPACE)
    assert isinstance(rig.put(b"k"), NoSpaceError)
    rig.alarm(AlarmAction.ACTIVATE, AlarmType.CORRUPT)
    assert isinstance(rig.put(b"k"), CorruptError)


def test_missing_space_is_told_before_what_else_is_wrong(rig: EngineRig) -> None:
    rig.alarm(AlarmAction.ACTIVATE, AlarmType.NOSPACE)
    assert isinstance(rig.put(b"k", lease=9), NoSpaceError)
