"""What the generated classes do: presence, zeros, unions, nesting."""

from random import Random

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.pb import (
    etcdserver_pb2,
    kv_pb2,
    raft_internal_pb2,
    raft_pb2,
    record_pb2,
    rpc_pb2,
)
from tests.support.messages import message_classes, random_message


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(message_classes()), st.randoms(use_true_random=False))
def test_message_survives_its_bytes(kind: type[Message], random: Random) -> None:
    message = random_message(kind.DESCRIPTOR, random)
    assert kind.FromString(message.SerializeToString()) == message


# (name, message, hex of its bytes), the bytes as etcd writes them.
PROTO2 = [
    ("no-op entry", raft_pb2.Entry(Type=0, Term=2, Index=2), "08 00 10 02 18 02"),
    (
        "entry with data",
        raft_pb2.Entry(Type=0, Term=2, Index=3, Data=b"ab"),
        "08 00 10 02 18 03 22 02 61 62",
    ),
    (
        "hard state without a vote",
        raft_pb2.HardState(term=1, vote=0, commit=0),
        "08 01 10 00 18 00",
    ),
    (
        "conf state, voters one by one",
        raft_pb2.ConfState(voters=[1, 2], auto_leave=False),
        "08 01 08 02 28 00",
    ),
    (
        "metadata",
        etcdserver_pb2.Metadata(NodeID=0, ClusterID=1),
        "08 00 10 01",
    ),
    ("crc record", record_pb2.Record(type=4, crc=0), "08 04 10 00"),
    ("unset fields", raft_pb2.Entry(), ""),
]


@pytest.mark.parametrize(
    ("message", "encoded"),
    [row[1:] for row in PROTO2],
    ids=[row[0] for row in PROTO2],
)
def test_proto2_writes_zeros_that_were_set(message: Message, encoded: str) -> None:
    assert message.SerializeToString().hex(" ") == encoded
    assert type(message).FromString(bytes.fromhex(encoded)) == message


def test_proto3_leaves_zeros_out() -> None:
    assert kv_pb2.KeyValue(key=b"", version=0, lease=0).SerializeToString() == b""


def test_union_holds_one_member_and_says_which() -> None:
    operation = rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=b"k"))
    assert operation.WhichOneof("request") == "request_put"
    operation.request_range.CopyFrom(rpc_pb2.RangeRequest(key=b"r"))
    assert operation.WhichOneof("request") == "request_range"
    assert not operation.HasField("request_put")
    assert rpc_pb2.RequestOp().WhichOneof("request") is None


def test_compare_keeps_an_explicit_zero_in_its_union() -> None:
    compare = rpc_pb2.Compare(key=b"k", version=0)
    again = rpc_pb2.Compare.FromString(compare.SerializeToString())
    assert again.WhichOneof("target_union") == "version"


def test_enums_keep_unknown_numbers_of_a_newer_client() -> None:
    request = rpc_pb2.RangeRequest.FromString(b"\x28\x63")
    assert request.sort_order == 99


def test_watch_filters_are_read_packed_and_unpacked() -> None:
    packed = rpc_pb2.WatchCreateRequest.FromString(b"\x2a\x02\x00\x01")
    unpacked = rpc_pb2.WatchCreateRequest.FromString(b"\x28\x00\x28\x01")
    assert list(packed.filters) == list(unpacked.filters) == [0, 1]


def test_unknown_fields_are_passed_over() -> None:
    assert rpc_pb2.PutRequest.FromString(b"\x0a\x01k\xfa\x3f\x01z").key == b"k"


def test_raft_request_is_written_in_number_order() -> None:
    request = raft_internal_pb2.InternalRaftRequest(
        header=raft_internal_pb2.RequestHeader(ID=1),
        put=rpc_pb2.PutRequest(key=b"k"),
    )
    assert request.SerializeToString().hex(" ") == "22 03 0a 01 6b a2 06 02 08 01"
