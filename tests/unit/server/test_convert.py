"""Responses put together from bytes are what protobuf makes of the same messages."""

from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from miniet.engine.results import DeleteRangeResult, OpResult, PutResult, TxnResult
from miniet.mvcc import RangeResult
from miniet.pb import kv_pb2, rpc_pb2
from miniet.server import convert
from miniet.server.convert import Headers
from miniet.watch import STREAM_WATCH_ID, WatchResponse

CLUSTER_ID, MEMBER_ID, TERM = 2**64 - 1, 2**63, 7
HEADERS = Headers(CLUSTER_ID, MEMBER_ID)

ids = st.integers(0, 2**63 - 1)
revisions = st.integers(1, 2**63 - 1)
# Lengths around those where the length itself takes one byte more.
values = st.sampled_from((b"", b"v", bytes(100), bytes(127), bytes(128)))
pairs = st.builds(
    kv_pb2.KeyValue,
    key=st.binary(min_size=1, max_size=9),
    value=values,
    mod_revision=revisions,
    create_revision=revisions,
    version=revisions,
    lease=ids,
)
events = st.builds(
    kv_pb2.Event,
    type=st.sampled_from((kv_pb2.Event.PUT, kv_pb2.Event.DELETE)),
    kv=pairs,
    prev_kv=st.none() | pairs,
)


def encoded(messages: list[Any]) -> list[bytes]:
    return [message.SerializeToString() for message in messages]


puts = st.builds(
    PutResult,
    revision=revisions,
    prev_kv=st.none() | pairs.map(lambda pair: pair.SerializeToString()),
)
deletes = st.builds(
    DeleteRangeResult,
    revision=revisions,
    deleted=ids,
    prev_kvs=st.lists(pairs, max_size=3).map(encoded),
)
ranges = st.builds(
    RangeResult,
    kvs=st.lists(pairs, max_size=3).map(encoded),
    count=ids,
    more=st.booleans(),
    revision=revisions,
)
txns = st.builds(
    TxnResult,
    revision=revisions,
    succeeded=st.booleans(),
    responses=st.recursive(
        st.lists(puts | deletes | ranges, max_size=4),
        lambda inner: st.lists(
            puts
            | ranges
            | st.builds(
                TxnResult, revision=revisions, succeeded=st.booleans(), responses=inner
            ),
            max_size=3,
        ),
        max_leaves=4,
    ),
)


# ---- the same answers as messages


def header(revision: int) -> rpc_pb2.ResponseHeader:
    return rpc_pb2.ResponseHeader(
        cluster_id=CLUSTER_ID, member_id=MEMBER_ID, revision=revision, raft_term=TERM
    )


def pair(data: bytes) -> kv_pb2.KeyValue:
    return kv_pb2.KeyValue.FromString(data)


def message(result: OpResult, head: rpc_pb2.ResponseHeader) -> Any:
    """Make the response message of a result."""
    if isinstance(result, PutResult):
        prev = None if result.prev_kv is None else pair(result.prev_kv)
        return rpc_pb2.PutResponse(header=head, prev_kv=prev)
    if isinstance(result, RangeResult):
        return rpc_pb2.RangeResponse(
            header=head,
            kvs=map(pair, result.kvs),
            more=result.more,
            count=result.count,
        )
    if isinstance(result, DeleteRangeResult):
        return rpc_pb2.DeleteRangeResponse(
            header=head, deleted=result.deleted, prev_kvs=map(pair, result.prev_kvs)
        )
    return rpc_pb2.TxnResponse(
        header=head,
        succeeded=result.succeeded,
        responses=map(operation, result.responses),
    )


def operation(result: OpResult) -> rpc_pb2.ResponseOp:
    """Put it into the union; etcd leaves the header of a nested txn empty."""
    if isinstance(result, TxnResult):
        inner = message(result, rpc_pb2.ResponseHeader())
        return rpc_pb2.ResponseOp(response_txn=inner)
    inner = message(result, rpc_pb2.ResponseHeader(revision=result.revision))
    if isinstance(result, PutResult):
        return rpc_pb2.ResponseOp(response_put=inner)
    if isinstance(result, RangeResult):
        return rpc_pb2.ResponseOp(response_range=inner)
    return rpc_pb2.ResponseOp(response_delete_range=inner)


def expected(result: OpResult) -> bytes:
    return message(result, header(result.revision)).SerializeToString()


def head_of(result: OpResult) -> bytes:
    return HEADERS.encode(result.revision, TERM)


# ---- claims


@given(puts)
@example(PutResult(2, kv_pb2.KeyValue(value=bytes(20_000)).SerializeToString()))
def test_put_response_is_protobuf_s(result: PutResult) -> None:
    assert convert.put_response(head_of(result), result) == expected(result)


@given(ranges)
def test_range_response_is_protobuf_s(result: RangeResult) -> None:
    assert convert.range_response(head_of(result), result) == expected(result)


@given(deletes)
def test_delete_range_response_is_protobuf_s(result: DeleteRangeResult) -> None:
    assert convert.delete_range_response(head_of(result), result) == expected(result)


@given(txns)
@example(TxnResult(2, True, []))
@example(TxnResult(2, True, [TxnResult(2, False, [TxnResult(2, True, [])])]))
@example(TxnResult(2, True, [RangeResult([], 0, False, 2), PutResult(2)]))
def test_txn_response_is_protobuf_s_however_deep(result: TxnResult) -> None:
    assert convert.txn_response(head_of(result), result) == expected(result)


answers = st.builds(
    WatchResponse,
    watch_id=ids | st.just(STREAM_WATCH_ID),
    revision=st.just(0) | revisions,
    created=st.booleans(),
    canceled=st.booleans(),
    compact_revision=ids,
    cancel_reason=st.sampled_from(("", "etcdserver: no such watch", "é")),
    fragment=st.booleans(),
    events=st.lists(events, max_size=3).map(encoded),
    more_ids=st.lists(ids, max_size=3),
)


def watch_response(answer: WatchResponse) -> rpc_pb2.WatchResponse:
    return rpc_pb2.WatchResponse(
        header=header(answer.revision),
        watch_id=answer.watch_id,
        created=answer.created,
        canceled=answer.canceled,
        compact_revision=answer.compact_revision,
        cancel_reason=answer.cancel_reason,
        fragment=answer.fragment,
        events=map(kv_pb2.Event.FromString, answer.events),
    )


@given(answers)
def test_watch_responses_are_protobuf_s_for_each_watcher(answer: WatchResponse) -> None:
    head = HEADERS.encode(answer.revision, TERM)
    singles = [
        replace(answer, watch_id=watch_id)
        for watch_id in (answer.watch_id, *answer.more_ids)
    ]
    assert convert.watch_responses(head, answer) == [
        watch_response(single).SerializeToString() for single in singles
    ]


@given(ids, ids, st.integers(0, 2**63 - 1), ids)
def test_header_is_protobuf_s(
    cluster_id: int, member_id: int, revision: int, term: int
) -> None:
    same = rpc_pb2.PutResponse(
        header=rpc_pb2.ResponseHeader(
            cluster_id=cluster_id,
            member_id=member_id,
            revision=revision,
            raft_term=term,
        )
    )
    head = Headers(cluster_id, member_id).encode(revision, term)
    assert head == same.SerializeToString()


def test_header_goes_before_a_message_made_without_one() -> None:
    rest = rpc_pb2.LeaseGrantResponse(ID=5, TTL=60)
    same = rpc_pb2.LeaseGrantResponse(header=header(9), ID=5, TTL=60)
    answer = convert.response(HEADERS.encode(9, TERM), rest)
    assert answer == same.SerializeToString()
