"""Requests as records, and the codec of an entry's data.

What raft carries is etcd's `InternalRaftRequest`: the client's own request message
under its field number, then a header with the request id. The request's bytes
pass through as the client sent them; only the frame around them is made here.

What the library parses is read out into slotted records and dropped before the
function returns, so that no protobuf object is ever kept.

What is made for every put has an `__init__` of its own: the one that dataclass makes is
never compiled.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from miniet.engine.errors import InvalidSortOptionError
from miniet.mvcc import RangeQuery, SortOrder, SortTarget
from miniet.pb import membership_pb2, raft_internal_pb2, rpc_pb2
from miniet.protowire import LENGTH_DELIMITED, fields, read_varint, varint


class RequestKind(IntEnum):
    """Field numbers of `InternalRaftRequest` that miniet proposes."""

    PUT = 4
    DELETE_RANGE = 5
    TXN = 6
    COMPACTION = 7
    LEASE_GRANT = 8
    LEASE_REVOKE = 9
    ALARM = 10
    LEASE_CHECKPOINT = 11
    CLUSTER_VERSION_SET = 1300
    MEMBER_ATTRIBUTES_SET = 1301


@dataclass(slots=True)
class PutRequest:
    """Write one key."""

    key: bytes
    value: bytes
    lease: int
    prev_kv: bool
    ignore_value: bool
    ignore_lease: bool

    def __init__(
        self,
        key: bytes,
        value: bytes = b"",
        lease: int = 0,
        prev_kv: bool = False,
        ignore_value: bool = False,
        ignore_lease: bool = False,
    ) -> None:
        self.key = key
        self.value = value
        self.lease = lease
        self.prev_kv = prev_kv
        self.ignore_value = ignore_value
        self.ignore_lease = ignore_lease


@dataclass(slots=True)
class DeleteRangeRequest:
    """Delete the keys of [key, range_end), with the API's rules for `range_end`."""

    key: bytes
    range_end: bytes = b""
    prev_kv: bool = False


class CompareResult(IntEnum):
    """The operator of a comparison; an unknown number is always true."""

    EQUAL = 0
    GREATER = 1
    LESS = 2
    NOT_EQUAL = 3


class CompareTarget(IntEnum):
    """What of a pair is compared; an unknown number compares as equal."""

    VERSION = 0
    CREATE = 1
    MOD = 2
    VALUE = 3
    LEASE = 4


@dataclass(slots=True)
class Compare:
    """One condition of a txn over every pair of [key, range_end).

    `operand` is bytes for target VALUE and an int for all others; 0 or empty
    where the client set none, or one of another kind.
    """

    key: bytes
    range_end: bytes = b""
    result: int = CompareResult.EQUAL
    target: int = CompareTarget.VERSION
    operand: int | bytes = 0


@dataclass(slots=True)
class TxnRequest:
    """If every comparison holds then `success`, else `failure`; all at once."""

    compare: list[Compare] = field(default_factory=list)
    success: list["TxnOp"] = field(default_factory=list)
    failure: list["TxnOp"] = field(default_factory=list)


@dataclass(slots=True)
class EmptyOp:
    """An operation with none of its kinds set; always refused."""


TxnOp = PutRequest | DeleteRangeRequest | RangeQuery | TxnRequest | EmptyOp


@dataclass(slots=True)
class CompactionRequest:
    """Forget what happened before `revision`."""

    revision: int
    physical: bool = False


@dataclass(slots=True)
class LeaseGrantRequest:
    """Create a lease; the id is chosen by then."""

    lease_id: int
    ttl_s: int


@dataclass(slots=True)
class LeaseRevokeRequest:
    """End a lease and delete its keys."""

    lease_id: int


@dataclass(slots=True)
class LeaseCheckpointRequest:
    """Remember how long leases still have: (lease id, seconds) pairs."""

    checkpoints: list[tuple[int, int]]


class AlarmAction(IntEnum):
    """What an alarm request does."""

    GET = 0
    ACTIVATE = 1
    DEACTIVATE = 2


class AlarmType(IntEnum):
    """Kinds of alarm."""

    NONE = 0
    NOSPACE = 1
    CORRUPT = 2


@dataclass(slots=True)
class AlarmRequest:
    """Ask for, raise or lift alarms."""

    action: int
    member_id: int
    alarm: int


@dataclass(slots=True)
class ClusterVersionSetRequest:
    """The version that all members speak, such as `3.4.0`."""

    version: str


@dataclass(slots=True)
class MemberAttributesSetRequest:
    """A member tells its name and where clients reach it."""

    member_id: int
    name: str
    client_urls: tuple[str, ...]


Request = (
    PutRequest
    | DeleteRangeRequest
    | TxnRequest
    | CompactionRequest
    | LeaseGrantRequest
    | LeaseRevokeRequest
    | LeaseCheckpointRequest
    | AlarmRequest
    | ClusterVersionSetRequest
    | MemberAttributesSetRequest
)

OwnRequest = (
    CompactionRequest
    | LeaseRevokeRequest
    | LeaseCheckpointRequest
    | AlarmRequest
    | ClusterVersionSetRequest
    | MemberAttributesSetRequest
)

# Looking a member up costs a third of calling its class.
_SORT_ORDERS: Final[dict[int, SortOrder]] = {int(order): order for order in SortOrder}
_SORT_TARGETS: Final[dict[int, SortTarget]] = {
    int(target): target for target in SortTarget
}

_TAGS: Final = {kind: varint(kind << 3 | 2) for kind in RequestKind}
_HEADER_TAG: Final = varint(100 << 3 | 2)
_KEY_TAG: Final = 1 << 3 | LENGTH_DELIMITED
_VALUE_TAG: Final = 2 << 3 | LENGTH_DELIMITED


def encode(kind: RequestKind, request_id: int, body: bytes) -> bytes:
    """Frame an encoded request as the data of an entry.

    `body` is the request message as etcd's API defines it for `kind`. Fields
    stand in number order, as etcd writes them, so membership requests follow
    the header.
    """
    identity = varint(request_id)
    header = b"%b%b\x08%b" % (_HEADER_TAG, varint(len(identity) + 1), identity)
    request = b"%b%b%b" % (_TAGS[kind], varint(len(body)), body)
    return request + header if kind < 100 else header + request


def encode_body(request: OwnRequest) -> tuple[RequestKind, bytes]:
    """Encode a request that this member itself makes.

    Returns:
        (kind, body) for `encode`.
    """
    if isinstance(request, LeaseRevokeRequest):
        revoke = rpc_pb2.LeaseRevokeRequest(ID=request.lease_id)
        return RequestKind.LEASE_REVOKE, revoke.SerializeToString()
    if isinstance(request, LeaseCheckpointRequest):
        checkpoints = rpc_pb2.LeaseCheckpointRequest()
        for lease_id, remaining_s in request.checkpoints:
            checkpoints.checkpoints.add(ID=lease_id, remaining_TTL=remaining_s)
        return RequestKind.LEASE_CHECKPOINT, checkpoints.SerializeToString()
    if isinstance(request, CompactionRequest):
        compaction = rpc_pb2.CompactionRequest(
            revision=request.revision, physical=request.physical
        )
        return RequestKind.COMPACTION, compaction.SerializeToString()
    if isinstance(request, AlarmRequest):
        alarm = rpc_pb2.AlarmRequest(memberID=request.member_id)
        # Numbers outside the enums are kept as they are, as etcd does.
        alarm.action = request.action  # type: ignore[assignment]
        alarm.alarm = request.alarm  # type: ignore[assignment]
        return RequestKind.ALARM, alarm.SerializeToString()
    if isinstance(request, ClusterVersionSetRequest):
        version = membership_pb2.ClusterVersionSetRequest(ver=request.version)
        return RequestKind.CLUSTER_VERSION_SET, version.SerializeToString()
    attributes = membership_pb2.ClusterMemberAttrSetRequest(member_ID=request.member_id)
    attributes.member_attributes.name = request.name
    attributes.member_attributes.client_urls.extend(request.client_urls)
    return RequestKind.MEMBER_ATTRIBUTES_SET, attributes.SerializeToString()


def decode(data: bytes) -> tuple[int, Request]:
    """Read an entry's data back.

    Returns:
        (request id, request).
    Raises:
        ValueError: not an internal request, or of a kind that miniet does not
            know.
    """
    try:
        message = raft_internal_pb2.InternalRaftRequest.FromString(data)
    except Exception:  # protobuf's DecodeError is a plain Exception
        message = _parse_field_by_field(data)
    request_id = message.header.ID
    # In the order of how often they occur.
    if message.HasField("put"):
        return request_id, put_request(message.put)
    if message.HasField("txn"):
        return request_id, txn_request(message.txn)
    if message.HasField("delete_range"):
        return request_id, delete_range_request(message.delete_range)
    if message.HasField("lease_grant"):
        grant = message.lease_grant
        return request_id, LeaseGrantRequest(grant.ID, grant.TTL)
    if message.HasField("lease_revoke"):
        return request_id, LeaseRevokeRequest(message.lease_revoke.ID)
    if message.HasField("lease_checkpoint"):
        return request_id, LeaseCheckpointRequest(
            [(c.ID, c.remaining_TTL) for c in message.lease_checkpoint.checkpoints]
        )
    if message.HasField("compaction"):
        compaction = message.compaction
        return request_id, CompactionRequest(compaction.revision, compaction.physical)
    if message.HasField("alarm"):
        alarm = message.alarm
        return request_id, AlarmRequest(alarm.action, alarm.memberID, alarm.alarm)
    if message.HasField("cluster_version_set"):
        return request_id, ClusterVersionSetRequest(message.cluster_version_set.ver)
    if message.HasField("cluster_member_attr_set"):
        attributes = message.cluster_member_attr_set
        return request_id, MemberAttributesSetRequest(
            attributes.member_ID,
            attributes.member_attributes.name,
            tuple(attributes.member_attributes.client_urls),
        )
    raise ValueError("entry data holds no request that miniet knows")


def _parse_field_by_field(data: bytes) -> raft_internal_pb2.InternalRaftRequest:
    """Parse a frame whose request is nested as deeply as the library reads.

    It was read from its client, but inside the frame it is one level too deep.

    Raises:
        ValueError: not an internal request.
    """
    message = raft_internal_pb2.InternalRaftRequest()
    try:
        for number, value in fields(data):
            field_descriptor = message.DESCRIPTOR.fields_by_number.get(number)
            if field_descriptor is None or field_descriptor.message_type is None:
                continue
            getattr(message, field_descriptor.name).MergeFromString(bytes(value))
    except Exception as error:  # protobuf's DecodeError is a plain Exception
        raise ValueError(f"entry data is not an internal request: {error}") from error
    return message


def read_put(body: bytes) -> tuple[bytes, PutRequest]:
    """Read a put as a client has sent it.

    Most are a key and a value and nothing else. Those are cut apart here, compiled in a
    third of the time of the library, which reads all others.

    Returns:
        (`body`, what it says).
    Raises:
        DecodeError: it is no put; protobuf's.
    """
    size = len(body)
    if size > 2 and body[0] == _KEY_TAG and body[1] < 128:
        key_end = 2 + body[1]
        if key_end < size and body[key_end] == _VALUE_TAG:
            try:
                value_bytes, start = read_varint(body, key_end + 1)
            except ValueError:
                value_bytes = start = 0  # the library says what is wrong
            if start + value_bytes == size:
                return body, PutRequest(body[2:key_end], body[start:])
    return body, put_request(rpc_pb2.PutRequest.FromString(body))


def put_request(message: rpc_pb2.PutRequest) -> PutRequest:
    """Read a put out of its message."""
    return PutRequest(
        message.key,
        message.value,
        message.lease,
        message.prev_kv,
        message.ignore_value,
        message.ignore_lease,
    )


def delete_range_request(message: rpc_pb2.DeleteRangeRequest) -> DeleteRangeRequest:
    """Read a delete-range out of its message."""
    return DeleteRangeRequest(message.key, message.range_end, message.prev_kv)


def range_query(message: rpc_pb2.RangeRequest) -> RangeQuery:
    """Read a range out of its message.

    Raises:
        InvalidSortOptionError: a sort order or target that does not exist.
    """
    order = _SORT_ORDERS.get(message.sort_order)
    if order is None:
        raise InvalidSortOptionError("sort order", message.sort_order)
    target = _SORT_TARGETS.get(message.sort_target)
    if target is None:
        raise InvalidSortOptionError("sort target", message.sort_target)
    return RangeQuery(
        key=message.key,
        range_end=message.range_end,
        limit=message.limit,
        revision=message.revision,
        sort_order=order,
        sort_target=target,
        serializable=message.serializable,
        keys_only=message.keys_only,
        count_only=message.count_only,
        min_mod_revision=message.min_mod_revision,
        max_mod_revision=message.max_mod_revision,
        min_create_revision=message.min_create_revision,
        max_create_revision=message.max_create_revision,
    )


def txn_request(message: rpc_pb2.TxnRequest) -> TxnRequest:
    """Read a txn, nested ones included, out of its message."""
    return TxnRequest(
        [_compare(compare) for compare in message.compare],
        _operations(message.success),
        _operations(message.failure),
    )


def _operations(messages: Sequence[rpc_pb2.RequestOp]) -> list[TxnOp]:
    return [_operation(message) for message in messages]


def _operation(message: rpc_pb2.RequestOp) -> TxnOp:
    kind = message.WhichOneof("request")
    if kind == "request_put":
        return put_request(message.request_put)
    if kind == "request_range":
        return range_query(message.request_range)
    if kind == "request_delete_range":
        return delete_range_request(message.request_delete_range)
    if kind == "request_txn":
        return txn_request(message.request_txn)
    return EmptyOp()


_OPERAND_FIELDS: Final = {
    CompareTarget.VERSION: "version",
    CompareTarget.CREATE: "create_revision",
    CompareTarget.MOD: "mod_revision",
    CompareTarget.VALUE: "value",
    CompareTarget.LEASE: "lease",
}


def _compare(message: rpc_pb2.Compare) -> Compare:
    target = int(message.target)
    name = _OPERAND_FIELDS.get(target)  # type: ignore[call-overload]
    return Compare(
        message.key,
        message.range_end,
        message.result,
        target,
        # Reading a member that is not set yields its zero, as etcd does.
        0 if name is None else getattr(message, name),
    )
