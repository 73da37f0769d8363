"""Numbers at the ends of their types, in every field: refused or carried out.

What raises while its entry is applied ends the member, and ends it again at each
start, for the entry is in the log.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from miniet.engine import txn
from miniet.engine.requests import (
    RequestKind,
    delete_range_request,
    put_request,
    range_query,
    txn_request,
)
from miniet.engine.validation import check_put, check_range, check_txn
from miniet.errors import RequestError
from miniet.pb import rpc_pb2
from tests.property.machines import effort
from tests.support.engine_rig import EngineRig

_NUMBERS = {
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), -1, 7, 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (1, 2**63, 2**64 - 1),
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), -1, 1, 2**31 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-1, 1, 2, 3, 4),
}
_KEYS = st.sampled_from([b"", b"\0", b"a", b"b", b"c", b"\xff"])
_DEPTH_MAX = 2


def _fill(draw: st.DrawFn, message: Message, depth: int = 0) -> None:
    """Set some fields of a message, few of them numbers: most numbers are refused."""
    fields = message.DESCRIPTOR.fields
    names = [field.name for field in fields if field.cpp_type in _NUMBERS]
    chosen = draw(st.sets(st.sampled_from(names), max_size=3)) if names else ()
    for field in fields:
        is_number = field.cpp_type in _NUMBERS
        if field.name not in chosen if is_number else draw(st.integers(0, 2)) == 0:
            continue
        if field.message_type is not None:
            if depth > _DEPTH_MAX:
                continue
            inner = getattr(message, field.name)
            if field.is_repeated:
                for _ in range(draw(st.integers(0, 2))):
                    _fill(draw, inner.add(), depth + 1)
            else:
                _fill(draw, inner, depth + 1)
        elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            setattr(message, field.name, True)
        elif is_number:
            numbers = st.sampled_from(_NUMBERS[field.cpp_type])
            setattr(message, field.name, draw(numbers))
        else:
            setattr(message, field.name, draw(_KEYS))


def _messages(kind: type[Message]) -> st.SearchStrategy[Any]:
    @st.composite
    def message(draw: st.DrawFn) -> Message:
        made = kind()
        _fill(draw, made)
        return made

    return message()


_WRITES: tuple[tuple[RequestKind, type[Message], Callable[[Any], object]], ...] = (
    (RequestKind.PUT, rpc_pb2.PutRequest, lambda m: check_put(put_request(m))),
    (
        RequestKind.DELETE_RANGE,
        rpc_pb2.DeleteRangeRequest,
        lambda m: check_range(delete_range_request(m)),
    ),
    (RequestKind.TXN, rpc_pb2.TxnRequest, lambda m: check_txn(txn_request(m), 128)),
    (RequestKind.TXN, rpc_pb2.TxnRequest, lambda m: check_txn(txn_request(m), 128)),
    (RequestKind.COMPACTION, rpc_pb2.CompactionRequest, lambda m: None),
    (RequestKind.LEASE_GRANT, rpc_pb2.LeaseGrantRequest, lambda m: None),
    (RequestKind.LEASE_REVOKE, rpc_pb2.LeaseRevokeRequest, lambda m: None),
    (RequestKind.ALARM, rpc_pb2.AlarmRequest, lambda m: None),
)
"""What the log carries, and what a server checks before."""


@st.composite
def _write(draw: st.DrawFn) -> tuple[RequestKind, Message, Callable[[Any], object]]:
    kind, message_type, check = draw(st.sampled_from(_WRITES))
    return kind, draw(_messages(message_type)), check


def _member() -> EngineRig:
    rig = EngineRig().started()
    rig.grant(7, 60)
    for key in (b"a", b"b", b"a", b"c"):
        rig.put(key, lease=7)
    rig.delete(b"b")
    return rig


@effort(300)
@given(st.lists(_write(), min_size=1, max_size=4))
def test_no_write_stops_the_member(
    writes: list[tuple[RequestKind, Message, Callable[[Any], object]]],
) -> None:
    rig = _member()
    for kind, message, check in writes:
        with suppress(RequestError):
            check(message)
            rig.ask(kind, message)
        rig.run()
    state = rig.state()
    again = rig.restarted().started()
    assert again.state() == state


@effort(900)
@given(_messages(rpc_pb2.RangeRequest))
def test_no_range_fails(message: rpc_pb2.RangeRequest) -> None:
    rig = _member()
    with suppress(RequestError):
        query = range_query(message)
        check_range(query)
        rig.engine.store.read().range(query)


@effort(300)
@given(_messages(rpc_pb2.TxnRequest))
def test_no_reading_txn_fails(message: rpc_pb2.TxnRequest) -> None:
    rig = _member()
    with suppress(RequestError):
        request = txn_request(message)
        check_txn(request, 128)
        if txn.is_read_only(request):
            txn.execute(request, rig.engine.store, rig.engine.lessor)
