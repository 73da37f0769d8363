"""A failure inside an entry stops the member, and nothing of it becomes durable."""

import pytest

from miniet.engine.lease_store import LEASE_BUCKET
from miniet.engine.requests import RequestKind
from miniet.errors import DataError, InvariantError, RequestError
from miniet.lease import LeaseNotFoundError
from miniet.pb import rpc_pb2
from tests.support.engine_rig import EngineRig


def put_op(key: bytes, **fields: bool) -> rpc_pb2.RequestOp:
    return rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=key, **fields))


TWO_PUTS = rpc_pb2.TxnRequest(success=[put_op(b"p"), put_op(b"q")])


def broken_rig(writes_left: int) -> EngineRig:
    """Return a member that failed while it applied `TWO_PUTS`."""
    rig = EngineRig().started()
    rig.put(b"a")
    rig.backend.commit()
    rig.backend.batch_tx.writes_left = writes_left
    with pytest.raises(DataError, match="the disk is gone"):
        rig.propose(RequestKind.TXN, TWO_PUTS)
    rig.backend.batch_tx.writes_left = None
    return rig


@pytest.mark.parametrize("writes_left", [0, 1])
def test_half_an_entry_is_never_committed(writes_left: int) -> None:
    rig = broken_rig(writes_left)
    rig.backend.batch_tx.put(b"key", b"anything else", b"")
    rig.clock.advance(1.0)
    with pytest.raises(InvariantError, match="applied in part"):
        rig.engine.step_commit()
    with pytest.raises(InvariantError, match="applied in part"):
        rig.backend.commit()


@pytest.mark.parametrize("writes_left", [0, 1])
def test_the_next_start_applies_the_whole_entry(writes_left: int) -> None:
    whole = EngineRig().started()
    whole.put(b"a")
    whole.propose(RequestKind.TXN, TWO_PUTS)
    again = broken_rig(writes_left).restarted().started()
    assert again.state() == whole.state()


def test_a_refusal_after_the_first_write_is_a_failure() -> None:
    rig = EngineRig().started()
    rig.backend.batch_tx.writes_left = 1
    rig.backend.batch_tx.failure = RequestError("too late")
    with pytest.raises(InvariantError, match="after its first write"):
        rig.propose(RequestKind.TXN, TWO_PUTS)
    with pytest.raises(InvariantError, match="applied in part"):
        rig.backend.commit()


def rig_with_orphaned_key() -> EngineRig:
    """Return a member with a key whose lease is not in the backend."""
    rig = EngineRig().started()
    rig.grant(7, 60)
    rig.put(b"orphan", lease=7)
    rig.backend.batch_tx.delete(LEASE_BUCKET, (7).to_bytes(8, "big"))
    return rig.restarted(crash=False).started()


def test_keeping_a_lease_that_is_gone_is_refused() -> None:
    rig = rig_with_orphaned_key()
    before = rig.state()
    assert isinstance(rig.put(b"orphan", ignore_lease=True), LeaseNotFoundError)
    assert rig.state() == before


def test_keeping_a_lease_that_is_gone_refuses_the_whole_txn() -> None:
    rig = rig_with_orphaned_key()
    before = rig.state()
    ops = [put_op(b"p"), put_op(b"orphan", ignore_lease=True)]
    answer = rig.propose(RequestKind.TXN, rpc_pb2.TxnRequest(success=ops))
    assert isinstance(answer, LeaseNotFoundError)
    assert rig.state() == before


def test_an_orphaned_key_can_be_put_without_its_lease() -> None:
    rig = rig_with_orphaned_key()
    assert rig.put(b"orphan").revision == 3
