"""Messages of any shape: an answer or a refusal, and the server goes on."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miniet.pb import rpc_pb2
from tests.conformance.crash.history import state_of
from tests.support.etcd_calls import EtcdCalls
from tests.support.messages import random_message
from tests.support.served import Served

METHODS: dict[str, MethodDescriptor] = {
    f"/etcdserverpb.{service.name}/{method.name}": method
    for service in rpc_pb2.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
UNARY = [
    path
    for path, method in METHODS.items()
    if not method.client_streaming and not method.server_streaming
]
ALARM = "/etcdserverpb.Maintenance/Alarm"
STREAMS = [path for path in METHODS if path not in UNARY]

# What a server says when it did not expect what came.
BUGS = ("UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED")


def send(calls: EtcdCalls, path: str, requests: list[bytes]) -> None:
    """Send requests to any method; no answer may say that the server was at a loss."""
    if path in STREAMS:
        stream = calls.raw_stream(path, iter(requests))
        calls.status()
        stream.cancel()
        return
    for request in requests:
        refusal = calls.refusal(path, request)
        assert refusal is None or refusal.code not in BUGS, (path, request, refusal)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=st.sampled_from(sorted(METHODS)),
    requests=st.lists(st.binary(max_size=40), min_size=1, max_size=3),
)
def test_any_bytes_are_answered(
    calls: EtcdCalls, path: str, requests: list[bytes]
) -> None:
    send(calls, path, requests)


# An alarm would refuse most of what follows; it has a test of its own.
@pytest.mark.parametrize("path", sorted(METHODS.keys() - {ALARM}))
def test_any_message_is_answered(calls: EtcdCalls, path: str) -> None:
    random = Random(path)
    for _ in range(25):
        message = random_message(METHODS[path].input_type, random)
        give_keys(message, random)
        send(calls, path, [message.SerializeToString()])


def give_keys(message: Message, random: Random) -> None:
    """Fill in what a random message lacks to be taken seriously."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in value if field.is_repeated else [value]:
                give_keys(each, random)
    if "key" in message.DESCRIPTOR.fields_by_name and random.random() < 0.9:
        message.key = random.choice((b"a", b"b", bytes(600)))  # type: ignore[attr-defined]
    if isinstance(message, rpc_pb2.PutRequest) and random.random() < 0.7:
        message.lease = 0
        message.ignore_value = message.ignore_lease = False


def nested_txn(depth: int) -> bytes:
    """Make a txn in a txn in a txn that puts a key of its own."""
    request = rpc_pb2.TxnRequest()
    request.success.add().request_put.key = b"depth %d" % depth
    encoded = request.SerializeToString()
    for _ in range(depth):
        body = b"\x22" + length(encoded) + encoded  # RequestOp.request_txn
        encoded = b"\x12" + length(body) + body  # TxnRequest.success
    return encoded


def length(data: bytes) -> bytes:
    return bytes((len(data) & 127 | 128, len(data) >> 7))


def nested_groups(depth: int) -> bytes:
    """Make a put with an unknown field 12 of groups within groups."""
    key = b"group %d" % depth
    return b"\x0a" + bytes((len(key),)) + key + b"\x63" * depth + b"\x64" * depth


@pytest.mark.parametrize(
    ("path", "request_of", "depths"),
    [
        ("/etcdserverpb.KV/Txn", nested_txn, range(44, 56)),
        ("/etcdserverpb.KV/Put", nested_groups, range(94, 106)),
    ],
    ids=["txn", "unknown groups"],
)
def test_what_a_client_may_nest_can_be_read_from_the_log(
    tmp_path: Path, path: str, request_of: Callable[[int], bytes], depths: range
) -> None:
    # In the log a request is one level deeper than in its call: what is just within
    # the library's limit here is beyond it there, and must not end the server, now
    # and at every start from then on.
    with Served(tmp_path / "data") as server:
        with EtcdCalls(server.endpoint) as calls:
            refusals = [calls.refusal(path, request_of(depth)) for depth in depths]
            taken = [refusal is None for refusal in refusals]
            assert taken == sorted(taken, reverse=True)
            assert set(taken) == {True, False}
            assert {each.code for each in refusals if each} == {"INTERNAL"}
            assert calls.everything().count == sum(taken)
            before = state_of(calls)
        server.kill()
        server.start()
        with EtcdCalls(server.endpoint) as calls:
            assert state_of(calls) == before


def test_alarms_of_any_kind_can_be_seen_and_lifted_after_a_restart(
    tmp_path: Path,
) -> None:
    kinds = [1, 2, 3, 77, -1, 2**31 - 1, -(2**31)]
    with Served(tmp_path / "data") as server:
        with EtcdCalls(server.endpoint) as calls:
            for kind in kinds:
                assert alarm(calls, "ACTIVATE", kind) == [(5, kind)]
            seen = sorted(calls.status().errors)
        assert server.stop() == 0
        server.start()
        with EtcdCalls(server.endpoint) as calls:
            assert sorted(calls.status().errors) == seen
            for kind in kinds:
                assert alarm(calls, "DEACTIVATE", kind) == [(5, kind)]
            assert alarm(calls, "GET", 0) == []
            calls.put(b"a")


def alarm(calls: EtcdCalls, action: str, kind: int) -> list[tuple[int, int]]:
    request = rpc_pb2.AlarmRequest(action=action, memberID=5)
    request.alarm = kind  # type: ignore[assignment]
    answer = calls.call(ALARM, request, rpc_pb2.AlarmResponse)
    return [(each.memberID, each.alarm) for each in answer.alarms]
