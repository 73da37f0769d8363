"""What clients ask, as requests of the API; what they hear, in comparable form.

The calls are those of `tests.support.model`, and a few that it has as methods. An
answer becomes a tuple of plain values, the same one whether the server or the model
gave it; a refusal becomes its text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf.message import Message

from miniet.pb import kv_pb2, rpc_pb2
from tests.support import model_api as model
from tests.support.model_api import Change, DeleteRange, Put, Range, Refusal, Txn

KV = "/etcdserverpb.KV"
LEASE = "/etcdserverpb.Lease"
MAINTENANCE = "/etcdserverpb.Maintenance"


@dataclass(frozen=True)
class Read:
    """A range that may be answered from a state of before."""

    range: Range
    is_serializable: bool = False


@dataclass(frozen=True)
class Compact:
    revision: int
    is_physical: bool = False


@dataclass(frozen=True)
class Grant:
    lease_id: int
    ttl_s: int


@dataclass(frozen=True)
class Revoke:
    lease_id: int


@dataclass(frozen=True)
class Expire:
    """What the server itself may do to a lease from some moment on."""

    lease_id: int


@dataclass(frozen=True)
class Renew:
    lease_id: int


@dataclass(frozen=True)
class TimeToLive:
    lease_id: int


@dataclass(frozen=True)
class Reached:
    """No call: what was heard of this revision must have been made by somebody."""

    revision: int


@dataclass(frozen=True)
class Defragment:
    pass


Call: TypeAlias = (
    Put
    | DeleteRange
    | Txn
    | Read
    | Compact
    | Grant
    | Revoke
    | Expire
    | Renew
    | TimeToLive
    | Defragment
)

REFUSALS = {
    "etcdserver: mvcc: required revision has been compacted": Refusal.COMPACTED,
    "etcdserver: mvcc: required revision is a future revision": Refusal.FUTURE_REVISION,
    "etcdserver: requested lease not found": Refusal.LEASE_NOT_FOUND,
    "etcdserver: lease already exists": Refusal.LEASE_EXISTS,
    "etcdserver: key not found": Refusal.KEY_NOT_FOUND,
}
"""Texts after which a call is known to have changed nothing."""


def request_of(call: Call) -> tuple[str, Message]:
    """Return the method and the message that ask for it."""
    if isinstance(call, Put):
        return f"{KV}/Put", _put(call)
    if isinstance(call, DeleteRange):
        return f"{KV}/DeleteRange", _delete(call)
    if isinstance(call, Read):
        return f"{KV}/Range", _range(call.range, call.is_serializable)
    if isinstance(call, Txn):
        return f"{KV}/Txn", _txn(call)
    if isinstance(call, Compact):
        return f"{KV}/Compact", rpc_pb2.CompactionRequest(
            revision=call.revision, physical=call.is_physical
        )
    if isinstance(call, Grant):
        return f"{LEASE}/LeaseGrant", rpc_pb2.LeaseGrantRequest(
            ID=call.lease_id, TTL=call.ttl_s
        )
    if isinstance(call, Revoke):
        return f"{LEASE}/LeaseRevoke", rpc_pb2.LeaseRevokeRequest(ID=call.lease_id)
    if isinstance(call, TimeToLive):
        return f"{LEASE}/LeaseTimeToLive", rpc_pb2.LeaseTimeToLiveRequest(
            ID=call.lease_id, keys=True
        )
    assert isinstance(call, Defragment), call
    return f"{MAINTENANCE}/Defragment", rpc_pb2.DefragmentRequest()


def _put(put: Put) -> rpc_pb2.PutRequest:
    return rpc_pb2.PutRequest(
        key=put.key, value=put.value, lease=put.lease, prev_kv=put.prev_kv
    )


def _delete(delete: DeleteRange) -> rpc_pb2.DeleteRangeRequest:
    return rpc_pb2.DeleteRangeRequest(
        key=delete.key, range_end=delete.range_end, prev_kv=delete.prev_kv
    )


def _range(query: Range, is_serializable: bool = False) -> rpc_pb2.RangeRequest:
    return rpc_pb2.RangeRequest(
        key=query.key,
        range_end=query.range_end,
        limit=query.limit,
        revision=query.revision,
        serializable=is_serializable,
    )


def _txn(txn: Txn) -> rpc_pb2.TxnRequest:
    request = rpc_pb2.TxnRequest()
    for compare in txn.compare:
        added = request.compare.add(key=compare.key)
        added.result, added.target = compare.result, compare.target  # type: ignore
        if compare.target == model.CompareTarget.VALUE:
            added.value = compare.operand  # type: ignore[assignment]
        elif compare.target == model.CompareTarget.MOD:
            added.mod_revision = compare.operand  # type: ignore[assignment]
        else:
            assert compare.target == model.CompareTarget.VERSION
            added.version = compare.operand  # type: ignore[assignment]
    for operations, branch in (
        (txn.success, request.success),
        (txn.failure, request.failure),
    ):
        for operation in operations:
            if isinstance(operation, Put):
                branch.add().request_put.CopyFrom(_put(operation))
            elif isinstance(operation, DeleteRange):
                branch.add().request_delete_range.CopyFrom(_delete(operation))
            else:
                assert isinstance(operation, Range)
                branch.add().request_range.CopyFrom(_range(operation))
    return request


def heard(call: Call, response: bytes) -> Any:
    """Take the server's response apart."""
    if isinstance(call, Put):
        return _heard_put(rpc_pb2.PutResponse.FromString(response))
    if isinstance(call, DeleteRange):
        return _heard_delete(rpc_pb2.DeleteRangeResponse.FromString(response))
    if isinstance(call, Read):
        return _heard_range(rpc_pb2.RangeResponse.FromString(response))
    if isinstance(call, Txn):
        return _heard_txn(rpc_pb2.TxnResponse.FromString(response))
    if isinstance(call, Compact | Revoke):
        return rpc_pb2.CompactionResponse.FromString(response).header.revision
    if isinstance(call, Grant):
        granted = rpc_pb2.LeaseGrantResponse.FromString(response)
        return (granted.header.revision, granted.ID, granted.TTL)
    if isinstance(call, TimeToLive):
        left = rpc_pb2.LeaseTimeToLiveResponse.FromString(response)
        return (left.header.revision, left.grantedTTL, sorted(left.keys))
    assert isinstance(call, Defragment)
    return None


def _heard_put(response: rpc_pb2.PutResponse) -> Any:
    previous = response.prev_kv if response.HasField("prev_kv") else None
    return (response.header.revision, _heard_pair(previous))


def _heard_delete(response: rpc_pb2.DeleteRangeResponse) -> Any:
    previous = [_heard_pair(pair) for pair in response.prev_kvs]
    return (response.header.revision, response.deleted, previous)


def _heard_range(response: rpc_pb2.RangeResponse) -> Any:
    pairs = [_heard_pair(pair) for pair in response.kvs]
    return (response.header.revision, pairs, response.count, response.more)


def _heard_txn(response: rpc_pb2.TxnResponse) -> Any:
    parts = []
    for part in response.responses:
        if part.HasField("response_put"):
            parts.append(_heard_put(part.response_put))
        elif part.HasField("response_delete_range"):
            parts.append(_heard_delete(part.response_delete_range))
        else:
            parts.append(_heard_range(part.response_range))
    return (response.header.revision, response.succeeded, parts)


def _heard_pair(pair: "kv_pb2.KeyValue | None") -> Any:
    if pair is None:
        return None
    return (
        pair.key,
        pair.value,
        pair.create_revision,
        pair.mod_revision,
        pair.version,
        pair.lease,
    )


def heard_event(event: kv_pb2.Event) -> Change:
    """Take an event apart; which position in its txn it had is not told."""
    pair = event.kv
    if event.type == kv_pb2.Event.DELETE:
        return Change(pair.mod_revision, 0, pair.key, None)
    return Change(
        pair.mod_revision,
        0,
        pair.key,
        pair.value,
        pair.create_revision,
        pair.version,
        pair.lease,
    )


def shown(answer: Any) -> Any:
    """Bring an answer of the model into the form of `heard`."""
    if isinstance(answer, model.PutAnswer):
        return (answer.revision, shown_pair(answer.previous))
    if isinstance(answer, model.DeleteAnswer):
        return (answer.revision, answer.deleted, shown_pairs(answer.previous))
    if isinstance(answer, model.RangeAnswer):
        return (answer.revision, shown_pairs(answer.pairs), answer.count, answer.more)
    assert isinstance(answer, model.TxnAnswer), answer
    return (answer.revision, answer.succeeded, [shown(part) for part in answer.answers])


def shown_pairs(pairs: Iterable[Change]) -> list[Any]:
    return [shown_pair(pair) for pair in pairs]


def shown_pair(pair: Change | None) -> Any:
    if pair is None:
        return None
    return (
        pair.key,
        pair.value,
        pair.create_revision,
        pair.revision,
        pair.version,
        pair.lease,
    )
