"""A refused call gets etcd's code and text, and nothing has changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message

from miniet.pb import rpc_pb2
from tests.conformance.crash.history import state_of
from tests.support.etcd_calls import SECONDS_MAX, EtcdCalls, Refusal, refusal_of
from tests.support.real_etcd import ETCD, RealEtcd
from tests.support.served import Served

REQUEST_BYTES_MAX = 1_572_864
MESSAGE_BYTES_MAX = REQUEST_BYTES_MAX + 524_288


@pytest.fixture(
    scope="module", params=["miniet", pytest.param("etcd", marks=pytest.mark.etcd)]
)
def any_calls(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EtcdCalls]:
    """miniet, and a real etcd where there is one; five writes, two compacted."""
    data_dir: Path = tmp_path_factory.mktemp(request.param) / "data"
    if request.param == "miniet":
        server: Served | RealEtcd = Served(data_dir)
    elif ETCD is None:
        pytest.skip("no etcd on this machine")
    else:
        server = RealEtcd(data_dir)
    with server:
        url = server.client_url if isinstance(server, RealEtcd) else server.endpoint
        with EtcdCalls(url.removeprefix("http://")) as calls:
            for number in range(5):
                calls.put(b"key", b"%d" % number)
            calls.grant(7, 1000)
            calls.compact(3, physical=True)
            yield calls


@dataclass
class Case:
    """One call, and how it must be refused."""

    path: str
    request: Message | bytes
    code: str
    text: str


def put(**fields: object) -> rpc_pb2.PutRequest:
    return rpc_pb2.PutRequest(**fields)  # type: ignore[arg-type]


def txn(*keys: bytes) -> rpc_pb2.TxnRequest:
    """A txn that puts these keys; no key, no kind."""
    request = rpc_pb2.TxnRequest()
    for key in keys:
        operation = request.success.add()
        if key:
            operation.request_put.key = key
    return request


KV, LEASE = "/etcdserverpb.KV/", "/etcdserverpb.Lease/"
HASH_KV = "/etcdserverpb.Maintenance/HashKV"
INVALID, RANGE = "INVALID_ARGUMENT", "OUT_OF_RANGE"
NO_KEY = "etcdserver: key is not provided"
COMPACTED = "etcdserver: mvcc: required revision has been compacted"
FUTURE = "etcdserver: mvcc: required revision is a future revision"
NO_LEASE = "etcdserver: requested lease not found"
TOO_LARGE = "etcdserver: request is too large"
TOO_MANY = "etcdserver: too many operations in txn request"
DUPLICATE = "etcdserver: duplicate key given in txn request"

LARGE_PUT = put(key=b"key", value=bytes(REQUEST_BYTES_MAX))
HUGE_PUT = put(key=b"key", value=bytes(MESSAGE_BYTES_MAX))
HUGE_TEXT = (
    f"grpc: received message larger than max "
    f"({HUGE_PUT.ByteSize()} vs. {MESSAGE_BYTES_MAX})"
)
LEASED_TXN = txn(b"new")
LEASED_TXN.success.add().request_put.MergeFrom(put(key=b"key", lease=8))
READ_TXN = txn(b"new")
READ_TXN.success.add().request_range.MergeFrom(
    rpc_pb2.RangeRequest(key=b"key", revision=2)
)

CASES = {
    "put without a key": Case(KV + "Put", put(value=b"x"), INVALID, NO_KEY),
    "range without a key": Case(KV + "Range", b"", INVALID, NO_KEY),
    "delete without a key": Case(KV + "DeleteRange", b"", INVALID, NO_KEY),
    "compare without a key": Case(
        KV + "Txn", rpc_pb2.TxnRequest(compare=[rpc_pb2.Compare()]), INVALID, NO_KEY
    ),
    "request too large": Case(KV + "Put", LARGE_PUT, INVALID, TOO_LARGE),
    "message too large": Case(KV + "Put", HUGE_PUT, "RESOURCE_EXHAUSTED", HUGE_TEXT),
    "put with an unknown lease": Case(
        KV + "Put", put(key=b"key", lease=8), "NOT_FOUND", NO_LEASE
    ),
    "txn whose second put has an unknown lease": Case(
        KV + "Txn", LEASED_TXN, "NOT_FOUND", NO_LEASE
    ),
    "txn whose range comes too late": Case(KV + "Txn", READ_TXN, RANGE, COMPACTED),
    "end of an unknown lease": Case(
        LEASE + "LeaseRevoke", rpc_pb2.LeaseRevokeRequest(ID=8), "NOT_FOUND", NO_LEASE
    ),
    "lease that exists": Case(
        LEASE + "LeaseGrant",
        rpc_pb2.LeaseGrantRequest(ID=7, TTL=9),
        "FAILED_PRECONDITION",
        "etcdserver: lease already exists",
    ),
    "lease for too long": Case(
        LEASE + "LeaseGrant",
        rpc_pb2.LeaseGrantRequest(ID=9, TTL=9_000_000_001),
        RANGE,
        "etcdserver: too large lease TTL",
    ),
    "range of the future": Case(
        KV + "Range", rpc_pb2.RangeRequest(key=b"key", revision=1000), RANGE, FUTURE
    ),
    "range of the compacted": Case(
        KV + "Range", rpc_pb2.RangeRequest(key=b"key", revision=2), RANGE, COMPACTED
    ),
    "compaction of the future": Case(
        KV + "Compact", rpc_pb2.CompactionRequest(revision=1000), RANGE, FUTURE
    ),
    "compaction of the compacted": Case(
        KV + "Compact", rpc_pb2.CompactionRequest(revision=3), RANGE, COMPACTED
    ),
    "hash of the future": Case(
        HASH_KV, rpc_pb2.HashKVRequest(revision=1000), RANGE, FUTURE
    ),
    "hash of the compacted": Case(
        HASH_KV, rpc_pb2.HashKVRequest(revision=2), RANGE, COMPACTED
    ),
    "two puts of one key": Case(KV + "Txn", txn(b"new", b"new"), INVALID, DUPLICATE),
    "129 operations": Case(
        KV + "Txn", txn(*(b"%d" % n for n in range(129))), INVALID, TOO_MANY
    ),
    "operation of no kind": Case(
        KV + "Txn", txn(b"new", b""), INVALID, "etcdserver: key not found"
    ),
    "unknown method": Case(
        KV + "Frob",
        b"",
        "UNIMPLEMENTED",
        "unknown method Frob for service etcdserverpb.KV",
    ),
    "unknown service": Case(
        "/etcdserverpb.Frob/Put",
        b"",
        "UNIMPLEMENTED",
        "unknown service etcdserverpb.Frob",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_refused_call_changes_nothing(any_calls: EtcdCalls, case: Case) -> None:
    before = state_of(any_calls)
    refusal = any_calls.refusal(case.path, case.request)
    assert refusal == Refusal(case.code, case.text)
    assert state_of(any_calls) == before


def test_undecodable_request_changes_nothing(any_calls: EtcdCalls) -> None:
    before = state_of(any_calls)
    refusal = any_calls.refusal(KV + "Put", b"\x0a\xff")
    assert refusal is not None
    assert refusal.code == "INTERNAL"
    assert refusal.text.startswith("grpc: error unmarshalling request: ")
    assert state_of(any_calls) == before


def test_message_of_many_times_the_limit_is_refused(calls: EtcdCalls) -> None:
    request = put(key=b"key", value=bytes(20_000_000))
    refusal = calls.refusal(KV + "Put", request)
    assert refusal is not None
    assert refusal.code == "RESOURCE_EXHAUSTED"
    assert calls.range(b"key").count == 0


def test_compressed_message_is_not_unpacked(any_calls: EtcdCalls) -> None:
    call = any_calls.channel.unary_unary(KV + "Put")
    body = put(key=b"key", value=bytes(10_000)).SerializeToString()
    before = state_of(any_calls)
    with pytest.raises(grpc.RpcError) as raised:
        call(body, compression=grpc.Compression.Gzip, timeout=SECONDS_MAX)
    assert refusal_of(raised.value).code == "UNIMPLEMENTED"  # the texts differ
    assert state_of(any_calls) == before
