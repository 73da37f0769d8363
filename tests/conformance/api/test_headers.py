"""Which revision a response carries, and which parts of a header."""

from typing import Any

import pytest

from miniet.pb import rpc_pb2
from tests.conformance.api.targets import Target


def header_fields(header: Any) -> set[str]:
    return {field.name for field, _ in header.ListFields()}


WHOLE = {"cluster_id", "member_id", "revision", "raft_term"}


def test_fresh_store_is_at_revision_one(server: Target) -> None:
    assert server.revision() == 1


def test_put_carries_its_own_revision(server: Target) -> None:
    assert server.call("Put", key=b"a").header.revision == 2
    assert server.call("Put", key=b"a").header.revision == 3


def test_delete_that_finds_nothing_carries_the_current_revision(
    server: Target,
) -> None:
    server.call("Put", key=b"a")
    assert server.call("DeleteRange", key=b"b").header.revision == 2
    assert server.call("DeleteRange", key=b"a").header.revision == 3


def test_range_of_an_old_revision_carries_the_current_one(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"), (b"a", b"3"))
    answer = server.call("Range", key=b"a", revision=2)
    assert (answer.kvs[0].value, answer.header.revision) == (b"1", 4)


def test_txn_carries_the_revision_after_it(server: Target) -> None:
    put = rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=b"a"))
    get = rpc_pb2.RequestOp(request_range=rpc_pb2.RangeRequest(key=b"a"))
    delete = rpc_pb2.RequestOp(
        request_delete_range=rpc_pb2.DeleteRangeRequest(key=b"none")
    )
    assert server.call("Txn", success=[put, get]).header.revision == 2
    assert server.call("Txn", success=[get, delete]).header.revision == 2
    assert server.call("Txn").header.revision == 2


def test_compaction_carries_the_current_revision(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"))
    assert server.call("Compact", revision=2).header.revision == 3


def test_lease_calls_carry_the_current_revision(server: Target) -> None:
    server.put_all((b"a", b"1"))
    assert server.call("LeaseGrant", ID=7, TTL=100).header.revision == 2
    assert server.call("LeaseTimeToLive", ID=7).header.revision == 2
    assert server.call("LeaseLeases").header.revision == 2
    server.call("Put", key=b"b", lease=7)
    assert server.call("LeaseRevoke", ID=7).header.revision == 4


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Range", {"key": b"a"}),
        ("Put", {"key": b"a"}),
        ("DeleteRange", {"key": b"a"}),
        ("Txn", {}),
        ("LeaseGrant", {"TTL": 100}),
        ("LeaseTimeToLive", {"ID": 1}),
        ("LeaseLeases", {}),
        ("Status", {}),
        ("Hash", {}),
        ("HashKV", {}),
    ],
)
def test_header_is_whole(server: Target, name: str, fields: dict[str, Any]) -> None:
    server.put_all((b"b", b"1"))
    header = server.call(name, **fields).header
    assert header_fields(header) == WHOLE
    status = server.call("Status")
    assert header.member_id == status.leader
    assert header.raft_term == status.raftTerm


@pytest.mark.parametrize("name", ["Hash", "HashKV", "Status"])
def test_maintenance_call_carries_the_current_revision(
    server: Target, name: str
) -> None:
    server.put_all((b"a", b"1"), (b"b", b"2"))
    assert server.call(name).header.revision == 3


def test_member_list_has_no_revision(server: Target) -> None:
    assert header_fields(server.call("MemberList").header) == WHOLE - {"revision"}


def test_member_update_has_no_revision(server: Target) -> None:
    member = server.call("MemberList").members[0]
    answer = server.call("MemberUpdate", ID=member.ID, peerURLs=["http://x:1"])
    assert header_fields(answer.header) == WHOLE - {"revision"}


@pytest.mark.parametrize("name", ["Alarm", "Defragment"])
def test_header_is_absent(server: Target, name: str) -> None:
    assert not server.call(name).HasField("header")


def test_move_leader_has_no_header(server: Target) -> None:
    leader = server.call("Status").leader
    assert not server.call("MoveLeader", targetID=leader).HasField("header")


def test_snapshot_has_no_header(server: Target) -> None:
    assert not any(part.HasField("header") for part in server.snapshot())


def test_txn_operations_carry_a_revision_alone(server: Target) -> None:
    answer = server.call(
        "Txn",
        success=[
            rpc_pb2.RequestOp(request_range=rpc_pb2.RangeRequest(key=b"a")),
            rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=b"a")),
            rpc_pb2.RequestOp(
                request_delete_range=rpc_pb2.DeleteRangeRequest(key=b"b")
            ),
        ],
    )
    get, put, delete = answer.responses
    for header in (
        get.response_range.header,
        put.response_put.header,
        delete.response_delete_range.header,
    ):
        assert header_fields(header) == {"revision"}


def test_nested_txn_has_an_empty_header(server: Target) -> None:
    inner = rpc_pb2.TxnRequest(
        success=[rpc_pb2.RequestOp(request_put=rpc_pb2.PutRequest(key=b"a"))]
    )
    answer = server.call("Txn", success=[rpc_pb2.RequestOp(request_txn=inner)])
    nested = answer.responses[0].response_txn
    assert nested.HasField("header")
    assert header_fields(nested.header) == set()
    assert nested.responses[0].response_put.header.revision == 2


def test_keep_alive_carries_the_revision_before_it(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    server.put_all((b"a", b"1"))
    stream = server.keep_alive()
    stream.send(rpc_pb2.LeaseKeepAliveRequest(ID=7))
    assert stream.receive().header.revision == 2
    stream.cancel()
