"""What the server refuses for its sake: space, alarms, sizes, unknown calls."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from miniet.pb import rpc_pb2
from tests.conformance.api.conftest import REAL
from tests.conformance.api.refusals import CORRUPT, EMPTY_KEY, NO_SPACE
from tests.conformance.api.targets import (
    FAST_ELECTION,
    MINIET_ON_DISK,
    Target,
    running,
)
from tests.support.api_client import CallRefused, Refusal
from tests.support.api_requests import delete, get, put

QUOTA_BYTES = 2_000_000


@pytest.fixture(params=[MINIET_ON_DISK, REAL])
def small_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """A server with room for 2 MB."""
    quota = f"--quota-backend-bytes={QUOTA_BYTES}"
    with running(request.param, tmp_path, *FAST_ELECTION, quota) as target:
        yield target


WRITES: list[tuple[str, dict[str, Any]]] = [
    ("Put", {"key": b"b"}),
    ("Txn", {"success": [put(b"b")]}),
    ("Txn", {"failure": [put(b"b")]}),
    ("LeaseGrant", {"TTL": 100}),
]


LARGE = bytes(100_000)


def fill(server: Target) -> None:
    """Put until there is no space.

    That is found at a commit, which comes after 100 ms: a fast disk takes many puts
    before it.
    """
    for _ in range(2_000):
        try:
            server.call("Put", key=b"a", value=LARGE)
        except CallRefused as error:
            refused = error
            break
    assert refused.refusal == NO_SPACE


def test_full_server_refuses_writes_and_raises_the_alarm(small_server: Target) -> None:
    fill(small_server)
    for name, fields in WRITES:
        assert small_server.refusal(name, **fields) == NO_SPACE
    member = small_server.call("Status").leader
    alarms = small_server.call("Alarm").alarms
    assert [(alarm.memberID, alarm.alarm) for alarm in alarms] == [
        (member, rpc_pb2.NOSPACE)
    ]


def test_full_server_reads_deletes_and_compacts(small_server: Target) -> None:
    fill(small_server)
    revision = small_server.revision()
    assert small_server.call("Range", key=b"a").count == 1
    small_server.call("Txn", success=[get(b"a"), delete(b"none")])
    small_server.call("DeleteRange", key=b"a")
    small_server.call("Compact", revision=revision, physical=True)


def test_space_comes_back_with_compaction_defragmentation_and_disarming(
    small_server: Target,
) -> None:
    fill(small_server)
    revision = small_server.revision()
    small_server.call("Compact", revision=revision, physical=True)
    small_server.call("Defragment")
    assert small_server.refusal("Put", key=b"b") == NO_SPACE
    (alarm,) = small_server.call("Alarm").alarms
    small_server.call(
        "Alarm", action="DEACTIVATE", memberID=alarm.memberID, alarm=alarm.alarm
    )
    small_server.call("Put", key=b"b")


def test_space_is_looked_at_before_the_fields(small_server: Target) -> None:
    assert small_server.refusal("Put", value=LARGE) == EMPTY_KEY
    fill(small_server)
    assert small_server.refusal("Put", value=LARGE) == NO_SPACE


def test_space_alarm_refuses_all_that_needs_space(server: Target) -> None:
    server.put_all((b"a", b"1"))
    server.call("Alarm", action="ACTIVATE", memberID=42, alarm="NOSPACE")
    for name, fields in WRITES:
        assert server.refusal(name, **fields) == NO_SPACE
    assert server.call("Txn", success=[delete(b"a"), get(b"a")]).header.revision == 3
    server.call("Alarm", action="DEACTIVATE", memberID=42, alarm="NOSPACE")
    for name, fields in WRITES:
        server.call(name, **fields)


def test_corruption_alarm_refuses_all_changes(server: Target) -> None:
    server.put_all((b"a", b"1"))
    server.call("LeaseGrant", ID=7, TTL=100)
    server.call("Alarm", action="ACTIVATE", memberID=42, alarm="CORRUPT")
    changes: list[tuple[str, dict[str, Any]]] = [
        *WRITES,
        ("DeleteRange", {"key": b"a"}),
        ("Txn", {"success": [delete(b"none")]}),
        ("LeaseRevoke", {"ID": 7}),
        ("Compact", {"revision": 2}),
    ]
    for name, fields in changes:
        assert server.refusal(name, **fields) == CORRUPT
    assert server.call("Range", key=b"a").count == 1
    assert server.call("Txn", success=[get(b"a")]).succeeded
    server.call("Alarm", action="DEACTIVATE", memberID=42, alarm="CORRUPT")
    server.call("DeleteRange", key=b"a")


# gRPC's own


def raw(server: Target, path: str, request: bytes) -> Refusal:
    call = server.unary(path, rpc_pb2.RangeResponse)
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=10)
    return CallRefused(caught.value).refusal


def test_message_beyond_the_limit_is_refused_by_its_size(server: Target) -> None:
    request = rpc_pb2.PutRequest(key=b"a", value=bytes(3_000_000)).SerializeToString()
    assert raw(server, "/etcdserverpb.KV/Put", request) == Refusal(
        "RESOURCE_EXHAUSTED",
        f"grpc: received message larger than max ({len(request)} vs. 2097152)",
    )


def test_undecodable_message_is_an_internal_error(server: Target) -> None:
    refusal = raw(server, "/etcdserverpb.KV/Range", b"\x0a\xff")
    assert refusal.code == "INTERNAL"
    assert re.match("grpc: error unmarshalling request: ", refusal.text)


def test_unknown_method_and_service_are_named(server: Target) -> None:
    assert raw(server, "/etcdserverpb.KV/Frob", b"") == Refusal(
        "UNIMPLEMENTED", "unknown method Frob for service etcdserverpb.KV"
    )
    assert raw(server, "/etcdserverpb.Frob/Range", b"") == Refusal(
        "UNIMPLEMENTED", "unknown service etcdserverpb.Frob"
    )


@pytest.mark.parametrize(
    "request_bytes",
    [
        # An unknown field of each wire type, before and after the key.
        b"\xf8\x07\x05\x0a\x01a",
        b"\x0a\x01a\xfa\x07\x02xy",
        b"\x0a\x01a\xfd\x07abcd",
        b"\x0a\x01a\xf9\x07abcdefgh",
        # The last of two values counts.
        b"\x0a\x01b\x0a\x01a",
    ],
)
def test_unknown_fields_are_passed_over(server: Target, request_bytes: bytes) -> None:
    server.put_all((b"a", b"1"))
    assert server.send("Range", request_bytes).count == 1
