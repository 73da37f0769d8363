from contextlib import suppress

import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import example, given
from hypothesis import strategies as st

from miniet.engine.errors import InvalidSortOptionError
from miniet.engine.requests import (
    AlarmRequest,
    ClusterVersionSetRequest,
    CompactionRequest,
    Compare,
    CompareTarget,
    DeleteRangeRequest,
    EmptyOp,
    LeaseCheckpointRequest,
    LeaseGrantRequest,
    LeaseRevokeRequest,
    MemberAttributesSetRequest,
    OwnRequest,
    PutRequest,
    Request,
    RequestKind,
    TxnRequest,
    decode,
    encode,
    encode_body,
    put_request,
    range_query,
    read_put,
)
from miniet.mvcc import RangeQuery, SortOrder, SortTarget
from miniet.pb import membership_pb2, raft_internal_pb2, rpc_pb2
from miniet.protowire import fields, varint

REQUEST_ID = 0x7BA4A2041717B80A

ATTRIBUTES = membership_pb2.ClusterMemberAttrSetRequest(
    member_ID=2**64 - 1,
    member_attributes=membership_pb2.Attributes(name="ü", client_urls=["a", "b"]),
)

MESSAGES: dict[RequestKind, tuple[str, Message, Request]] = {
    RequestKind.PUT: (
        "put",
        rpc_pb2.PutRequest(
            key=b"k",
            value=b"v" * 200,
            lease=-3,
            prev_kv=True,
            ignore_value=True,
            ignore_lease=True,
        ),
        PutRequest(b"k", b"v" * 200, -3, True, True, True),
    ),
    RequestKind.DELETE_RANGE: (
        "delete_range",
        rpc_pb2.DeleteRangeRequest(key=b"a", range_end=b"b", prev_kv=True),
        DeleteRangeRequest(b"a", b"b", True),
    ),
    RequestKind.TXN: (
        "txn",
        rpc_pb2.TxnRequest(
            success=[rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=b"k"))]
        ),
        TxnRequest([], [PutRequest(b"k")], []),
    ),
    RequestKind.COMPACTION: (
        "compaction",
        rpc_pb2.CompactionRequest(revision=-1, physical=True),
        CompactionRequest(-1, True),
    ),
    RequestKind.LEASE_GRANT: (
        "lease_grant",
        rpc_pb2.LeaseGrantRequest(ID=-7, TTL=60),
        LeaseGrantRequest(-7, 60),
    ),
    RequestKind.LEASE_REVOKE: (
        "lease_revoke",
        rpc_pb2.LeaseRevokeRequest(ID=2**63 - 1),
        LeaseRevokeRequest(2**63 - 1),
    ),
    RequestKind.ALARM: (
        "alarm",
        rpc_pb2.AlarmRequest(action="DEACTIVATE", memberID=2**64 - 1, alarm="CORRUPT"),
        AlarmRequest(2, 2**64 - 1, 2),
    ),
    RequestKind.LEASE_CHECKPOINT: (
        "lease_checkpoint",
        rpc_pb2.LeaseCheckpointRequest(
            checkpoints=[
                rpc_pb2.LeaseCheckpoint(ID=-1, remaining_TTL=30),
                rpc_pb2.LeaseCheckpoint(ID=2),
            ]
        ),
        LeaseCheckpointRequest([(-1, 30), (2, 0)]),
    ),
    RequestKind.CLUSTER_VERSION_SET: (
        "cluster_version_set",
        membership_pb2.ClusterVersionSetRequest(ver="3.4.0"),
        ClusterVersionSetRequest("3.4.0"),
    ),
    RequestKind.MEMBER_ATTRIBUTES_SET: (
        "cluster_member_attr_set",
        ATTRIBUTES,
        MemberAttributesSetRequest(2**64 - 1, "ü", ("a", "b")),
    ),
}


def test_every_kind_is_in_the_table() -> None:
    assert set(MESSAGES) == set(RequestKind)


def frame(field: str, message: Message, request_id: int) -> bytes:
    """Encode an entry's data by the library, which writes fields in number order."""
    internal = raft_internal_pb2.InternalRaftRequest()
    getattr(internal, field).CopyFrom(message)
    internal.header.ID = request_id
    return internal.SerializeToString(deterministic=True)


@pytest.mark.parametrize("kind", RequestKind)
@pytest.mark.parametrize("request_id", [1, 127, 128, REQUEST_ID, 2**64 - 1])
def test_a_frame_is_protobufs(kind: RequestKind, request_id: int) -> None:
    field, message, _ = MESSAGES[kind]
    body = message.SerializeToString()
    assert encode(kind, request_id, body) == frame(field, message, request_id)


@pytest.mark.parametrize("kind", RequestKind)
def test_an_empty_request_is_framed_too(kind: RequestKind) -> None:
    field, message, _ = MESSAGES[kind]
    assert encode(kind, 1, b"") == frame(field, type(message)(), 1)


@pytest.mark.parametrize("kind", RequestKind)
def test_a_request_comes_back_as_it_went_in(kind: RequestKind) -> None:
    _, message, request = MESSAGES[kind]
    data = encode(kind, REQUEST_ID, message.SerializeToString())
    assert decode(data) == (REQUEST_ID, request)


OWN_KINDS = [
    kind for kind, (*_, request) in MESSAGES.items() if isinstance(request, OwnRequest)
]


@pytest.mark.parametrize("kind", OWN_KINDS)
def test_own_requests_are_encoded_as_their_messages(kind: RequestKind) -> None:
    _, message, request = MESSAGES[kind]
    assert encode_body(request) == (kind, message.SerializeToString())  # type: ignore[arg-type]


def test_an_alarm_beyond_the_enums_keeps_its_numbers() -> None:
    request = AlarmRequest(9, 1, -8)
    assert decode(encode(*_framing(request))) == (1, request)


def _framing(request: OwnRequest) -> tuple[RequestKind, int, bytes]:
    kind, body = encode_body(request)
    return kind, 1, body


def test_a_clients_bytes_pass_through() -> None:
    # Fields out of order, a default written out, one that nobody knows.
    body = b"\x12\x01v" + b"\x0a\x01k" + b"\x18\x00" + b"\xf8\x01\x07"
    data = encode(RequestKind.PUT, 1, body)
    assert [bytes(v) for n, v in fields(data) if n == RequestKind.PUT] == [body]  # type: ignore[arg-type]
    assert decode(data) == (1, PutRequest(b"k", b"v"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"not a request",
        encode(RequestKind.PUT, 1, b"\x0a\x09short"),
        # An AuthEnable, and a v2 request: kinds that are never proposed here.
        frame("auth_enable", rpc_pb2.AuthEnableRequest(), 1),
        frame("range", rpc_pb2.RangeRequest(key=b"k"), 1),
    ],
)
def test_what_is_no_request_of_ours_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"entry data|internal request"):
        decode(data)


@given(st.binary(max_size=40))
def test_garbage_is_a_request_or_a_value_error(data: bytes) -> None:
    with suppress(ValueError, InvalidSortOptionError):
        decode(data)


# ---- ranges and txns


_pieces = st.one_of(
    st.binary(max_size=6),
    st.builds(
        lambda tag, data: varint(tag) + varint(len(data)) + data,
        st.sampled_from([0x0A, 0x12, 0x1A, 0x22]),
        st.binary(max_size=200),
    ),
    st.builds(
        lambda tag, value: varint(tag) + varint(value),
        st.sampled_from([0x08, 0x18, 0x20, 0x28, 0x30, 0x38]),
        st.integers(-(2**63), 2**64 - 1),
    ),
)
"""Fields as a put has them, of right and wrong types, and what is none."""


@given(st.lists(_pieces, max_size=4).map(b"".join), st.integers(0, 3))
@example(b"\x0a\x01k\x12\x81\x80\x00v", 0)  # lengths may be longer than they must
@example(b"\x0a\x01k\x12" + b"\x81" * 10 + b"v", 0)  # but not by any measure
@example(b"\x0a\x01k\x12" + varint(2**64 - 1), 0)
def test_a_put_is_read_as_the_library_reads_it(body: bytes, cut: int) -> None:
    body = body[: len(body) - cut]
    try:
        message = rpc_pb2.PutRequest.FromString(body)
    except DecodeError:
        with pytest.raises(DecodeError):
            read_put(body)
        return
    assert read_put(body) == (body, put_request(message))


@pytest.mark.parametrize("key_bytes", [1, 16, 127, 128, 300])
@pytest.mark.parametrize("value_bytes", [0, 1, 127, 128, 256, 16_383, 16_384, 2**20])
def test_a_put_of_any_size_is_read(key_bytes: int, value_bytes: int) -> None:
    key, value = b"k" * key_bytes, b"v" * value_bytes
    body = rpc_pb2.PutRequest(key=key, value=value).SerializeToString()
    assert read_put(body) == (body, PutRequest(key, value))


def test_a_range_keeps_every_field() -> None:
    message = rpc_pb2.RangeRequest(
        key=b"a",
        range_end=b"b",
        limit=1,
        revision=2,
        sort_order="DESCEND",
        sort_target="VALUE",
        serializable=True,
        keys_only=True,
        count_only=True,
        min_mod_revision=3,
        max_mod_revision=4,
        min_create_revision=5,
        max_create_revision=6,
    )
    query = RangeQuery(
        key=b"a",
        range_end=b"b",
        limit=1,
        revision=2,
        sort_order=SortOrder.DESCEND,
        sort_target=SortTarget.VALUE,
        serializable=True,
        keys_only=True,
        count_only=True,
        min_mod_revision=3,
        max_mod_revision=4,
        min_create_revision=5,
        max_create_revision=6,
    )
    assert range_query(message) == query


@pytest.mark.parametrize("field", ["sort_order", "sort_target"])
@pytest.mark.parametrize("number", [-1, 5, 1000])
def test_an_unknown_sort_option_is_named(field: str, number: int) -> None:
    message = rpc_pb2.RangeRequest(key=b"k")
    setattr(message, field, number)
    with pytest.raises(InvalidSortOptionError) as refused:
        range_query(message)
    assert (refused.value.option, refused.value.number) == (
        field.replace("_", " "),
        number,
    )


def decoded_txn(message: rpc_pb2.TxnRequest) -> Request:
    return decode(encode(RequestKind.TXN, 1, message.SerializeToString()))[1]


def test_a_txn_keeps_kinds_and_order_of_its_operations() -> None:
    message = rpc_pb2.TxnRequest()
    message.success.add(request_range=rpc_pb2.RangeRequest(key=b"r"))
    message.success.add(request_put=rpc_pb2.PutRequest(key=b"p"))
    message.success.add()
    message.failure.add(request_delete_range=rpc_pb2.DeleteRangeRequest(key=b"d"))
    message.failure.add(request_txn=rpc_pb2.TxnRequest())
    assert decoded_txn(message) == TxnRequest(
        [],
        [RangeQuery(key=b"r"), PutRequest(b"p"), EmptyOp()],
        [DeleteRangeRequest(b"d"), TxnRequest()],
    )


COMPARES = {
    "version": (
        rpc_pb2.Compare(key=b"k", target="VERSION", version=-1),
        Compare(b"k", b"", 0, CompareTarget.VERSION, -1),
    ),
    "create": (
        rpc_pb2.Compare(key=b"k", target="CREATE", result="LESS", create_revision=2),
        Compare(b"k", b"", 2, CompareTarget.CREATE, 2),
    ),
    "mod, over a range": (
        rpc_pb2.Compare(
            key=b"k", range_end=b"l", target="MOD", result="GREATER", mod_revision=3
        ),
        Compare(b"k", b"l", 1, CompareTarget.MOD, 3),
    ),
    "value": (
        rpc_pb2.Compare(key=b"k", target="VALUE", result="NOT_EQUAL", value=b"v"),
        Compare(b"k", b"", 3, CompareTarget.VALUE, b"v"),
    ),
    "lease": (
        rpc_pb2.Compare(key=b"k", target="LEASE", lease=-5),
        Compare(b"k", b"", 0, CompareTarget.LEASE, -5),
    ),
    "operand of another kind": (
        rpc_pb2.Compare(key=b"k", target="VALUE", version=7),
        Compare(b"k", b"", 0, CompareTarget.VALUE, b""),
    ),
    "no operand": (
        rpc_pb2.Compare(key=b"k", target="MOD"),
        Compare(b"k", b"", 0, CompareTarget.MOD, 0),
    ),
}


@pytest.mark.parametrize("name", COMPARES)
def test_a_compare_reads_the_operand_of_its_target(name: str) -> None:
    message, compare = COMPARES[name]
    assert decoded_txn(rpc_pb2.TxnRequest(compare=[message])) == TxnRequest([compare])


def test_a_compare_of_unknown_numbers_keeps_them() -> None:
    message = rpc_pb2.Compare(key=b"k", version=7)
    message.target, message.result = 9, 8  # type: ignore[assignment]
    assert decoded_txn(rpc_pb2.TxnRequest(compare=[message])) == TxnRequest(
        [Compare(b"k", b"", 8, 9, 0)]
    )


def nested(depth: int) -> bytes:
    """Encode a put inside `depth` txns."""
    put = rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=b"k"))
    operation = put.SerializeToString()
    for _ in range(depth - 1):
        txn = b"\x12" + varint(len(operation)) + operation
        operation = b"\x22" + varint(len(txn)) + txn
    return b"\x12" + varint(len(operation)) + operation


def test_a_nested_txn_is_read_to_its_end() -> None:
    request: object = decode(encode(RequestKind.TXN, 1, nested(40)))[1]
    for _ in range(40):
        assert isinstance(request, TxnRequest)
        [request] = request.success
    assert request == PutRequest(b"k")
