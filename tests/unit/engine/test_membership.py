import json
from typing import Any

import pytest

from miniet.engine.membership import (
    CLUSTER_BUCKET,
    CLUSTER_VERSION_KEY,
    MEMBERS_BUCKET,
    REMOVED_MEMBERS_BUCKET,
    Member,
    Membership,
)
from miniet.errors import DataError
from miniet.raft import ConfChange, ConfChangeType
from tests.support.engine_rig import CLUSTER_ID, MEMBER
from tests.support.memory_backend import MemoryBackend

FOUNDER = Member(MEMBER.member_id, MEMBER.peer_urls)


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def membership(backend: MemoryBackend) -> Membership:
    return Membership(backend, CLUSTER_ID)


def addition(member: Member) -> ConfChange:
    return ConfChange(0, ConfChangeType.ADD_NODE, member.member_id, member.to_json())


def restored(backend: MemoryBackend) -> Membership:
    backend.commit()
    again = Membership(backend.crashed(), CLUSTER_ID)
    again.restore()
    return again


# ---- JSON, byte for byte


DOCUMENTS = {
    "started": (
        MEMBER,
        b'{"id":10276657743932975437,"peerURLs":["http://localhost:2380"],'
        b'"name":"default","clientURLs":["http://localhost:2379"]}',
    ),
    "not started": (
        FOUNDER,
        b'{"id":10276657743932975437,"peerURLs":["http://localhost:2380"]}',
    ),
    "learner": (
        Member(1, ("http://a:1", "http://b:1"), is_learner=True),
        b'{"id":1,"peerURLs":["http://a:1","http://b:1"],"isLearner":true}',
    ),
    "not ASCII": (
        Member(1, ("http://a:1",), "münchen"),
        '{"id":1,"peerURLs":["http://a:1"],"name":"münchen"}'.encode(),
    ),
    "escaped by Go": (
        Member(1, ("http://a:1",), 'a<b>&"\u2028'),
        rb'{"id":1,"peerURLs":["http://a:1"],"name":"a\u003cb\u003e\u0026\"\u2028"}',
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_member_is_written_as_etcd_writes_it(name: str) -> None:
    member, text = DOCUMENTS[name]
    assert member.to_json() == text
    assert Member.from_json(text) == member


def test_absent_and_null_parts_read_as_empty() -> None:
    text = b'{"id":1,"peerURLs":null,"unknown":3}'
    assert Member.from_json(text) == Member(1, ())


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"id":"1"}', b"\xff", b"null"])
def test_what_is_no_member_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Member.from_json(text)


# ---- changes


def test_a_member_added_has_no_name_until_it_tells_one(membership: Membership) -> None:
    membership.apply(addition(FOUNDER))
    assert membership.members == [FOUNDER]
    membership.set_attributes(MEMBER.member_id, MEMBER.name, list(MEMBER.client_urls))
    assert membership.members == [MEMBER]


def test_attributes_of_an_unknown_member_are_ignored(membership: Membership) -> None:
    membership.set_attributes(1, "name", ["http://a:1"])
    assert membership.members == []


def test_an_update_keeps_name_and_client_urls(membership: Membership) -> None:
    membership.save(MEMBER)
    context = Member(MEMBER.member_id, ("http://new:2380",)).to_json()
    membership.apply(
        ConfChange(0, ConfChangeType.UPDATE_NODE, MEMBER.member_id, context)
    )
    [member] = membership.members
    assert member.peer_urls == ("http://new:2380",)
    assert (member.name, member.client_urls) == (MEMBER.name, MEMBER.client_urls)


def test_a_removed_member_is_remembered(
    backend: MemoryBackend, membership: Membership
) -> None:
    membership.save(MEMBER)
    membership.apply(ConfChange(0, ConfChangeType.REMOVE_NODE, MEMBER.member_id))
    assert membership.members == []
    assert membership.is_removed(MEMBER.member_id)
    assert not membership.is_removed(1)
    again = restored(backend)
    assert again.members == []
    assert again.is_removed(MEMBER.member_id)


def test_members_come_in_order_of_their_ids(membership: Membership) -> None:
    for member_id in (300, 2, 10):
        membership.save(Member(member_id, ()))
    assert [member.member_id for member in membership.members] == [2, 10, 300]


# ---- the backend


def test_the_buckets_are_etcds(backend: MemoryBackend, membership: Membership) -> None:
    membership.save(MEMBER)
    membership.set_version("3.4.0")
    membership.apply(ConfChange(0, ConfChangeType.REMOVE_NODE, 0xABC))
    tx = backend.batch_tx
    assert tx.get(MEMBERS_BUCKET, b"8e9e05c52164694d") == MEMBER.to_json()
    assert tx.get(CLUSTER_BUCKET, CLUSTER_VERSION_KEY) == b"3.4.0"
    assert tx.get(REMOVED_MEMBERS_BUCKET, b"abc") == b"removed"


def test_a_restart_brings_all_back(
    backend: MemoryBackend, membership: Membership
) -> None:
    membership.save(MEMBER)
    membership.save(Member(1, ("http://a:1",), "ü", is_learner=True))
    membership.set_version("3.4.0")
    again = restored(backend)
    assert again.members == membership.members
    assert again.cluster_version == "3.4.0"


def test_an_empty_backend_has_no_members_and_no_version(
    backend: MemoryBackend,
) -> None:
    again = restored(backend)
    assert (again.members, again.cluster_version) == ([], "")


def test_a_damaged_member_is_told(backend: MemoryBackend) -> None:
    backend.batch_tx.put(MEMBERS_BUCKET, b"1", b"{")
    with pytest.raises(DataError, match="member b'1'"):
        Membership(backend, CLUSTER_ID).restore()


# ---- the v2 tree of a raft snapshot


def node(path: str, children: dict[str, Any]) -> dict[str, Any]:
    return {
        "Path": path,
        "CreatedIndex": 0,
        "ModifiedIndex": 0,
        "ExpireTime": "0001-01-01T00:00:00Z",
        "Value": "",
        "Children": children,
    }


def leaf(path: str, value: str) -> dict[str, Any]:
    return node(path, {}) | {"Value": value, "Children": None}


def test_snapshot_data_is_etcds_v2_store(membership: Membership) -> None:
    membership.save(MEMBER)
    membership.set_version("3.4.0")
    document = json.loads(membership.snapshot_data(21))
    own = "/0/members/8e9e05c52164694d"
    raft_attributes = '{"peerURLs":["http://localhost:2380"]}'
    attributes = '{"name":"default","clientURLs":["http://localhost:2379"]}'
    member = {
        "raftAttributes": leaf(f"{own}/raftAttributes", raft_attributes),
        "attributes": leaf(f"{own}/attributes", attributes),
    }
    cluster = {
        "members": node("/0/members", {"8e9e05c52164694d": node(own, member)}),
        "removed_members": node("/0/removed_members", {}),
        "version": leaf("/0/version", "3.4.0"),
    }
    roots = {"0": node("/0", cluster), "1": node("/1", {})}
    assert document["Root"] == node("/", roots)
    assert (document["CurrentIndex"], document["CurrentVersion"]) == (21, 2)
    history = document["WatcherHub"]["EventHistory"]
    assert history["Queue"]["Events"] == [None] * 1000
    assert history["Queue"]["Capacity"] == 1000


def test_snapshot_data_says_who_learns(membership: Membership) -> None:
    membership.save(Member(1, ("http://a:1",), is_learner=True))
    members = json.loads(membership.snapshot_data(1))["Root"]["Children"]["0"]
    member = members["Children"]["members"]["Children"]["1"]
    assert member["Children"]["raftAttributes"]["Value"] == (
        '{"peerURLs":["http://a:1"],"isLearner":true}'
    )


def test_snapshot_data_of_one_member_is_about_seven_kilobytes(
    membership: Membership,
) -> None:
    membership.save(MEMBER)
    assert 6_000 < len(membership.snapshot_data(21)) < 8_000
