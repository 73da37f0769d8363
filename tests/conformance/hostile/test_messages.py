"""Messages of any shape: an answer or a refusal, and the server goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miniet.pb import health_pb2, memory_pb2, rpc_pb2
from tests.conformance.crash.history import state_of
from tests.support.etcd_calls import EtcdCalls
from tests.support.messages import random_message
from tests.support.mutations import mutated
from tests.support.real_etcd import ETCD, RealEtcd
from tests.support.served import Served

METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for module in (rpc_pb2, health_pb2, memory_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
UNARY = [
    path
    for path, method in METHODS.items()
    if not method.client_streaming and not method.server_streaming
]
ALARM = "/etcdserverpb.Maintenance/Alarm"
STREAMS = [path for path in METHODS if path not in UNARY]

# An alarm would refuse most of what follows, and has a test of its own; tracing would
# make all of it slow.
FUZZED = sorted(METHODS.keys() - {ALARM, "/miniet.Memory/SetTracing"})

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
    path=st.sampled_from(FUZZED),
    requests=st.lists(st.binary(max_size=40), min_size=1, max_size=3),
)
def test_any_bytes_are_answered(
    calls: EtcdCalls, path: str, requests: list[bytes]
) -> None:
    send(calls, path, requests)


@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(path=st.sampled_from(FUZZED), seed=st.integers(0, 2**32))
def test_any_message_is_answered_spoilt_or_not(
    calls: EtcdCalls, path: str, seed: int
) -> None:
    send(calls, path, [fuzzed(path, Random(seed))])


def fuzzed(path: str, random: Random) -> bytes:
    """Make a request that is taken seriously, then perhaps spoil it."""
    message = random_message(METHODS[path].input_type, random)
    give_keys(message, random)
    return mutated(message.SerializeToString(), random)


READS = ("Range", "LeaseTimeToLive", "LeaseLeases", "HashKV", "Status", "MemberList")


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdCalls]:
    """A server of its own, whose only lease does not expire."""
    with (
        Served(tmp_path_factory.mktemp("lasting") / "data") as server,
        EtcdCalls(server.endpoint) as calls,
    ):
        calls.grant(128, 100_000)
        calls.put(b"a", b"leased", lease=128)
        yield calls


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(FUZZED), seed=st.integers(0, 2**32))
def test_refused_message_changes_nothing(
    lasting: EtcdCalls, path: str, seed: int
) -> None:
    if path in STREAMS or path.endswith((*READS, "LeaseGrant")):
        return
    before = state_of(lasting)
    if lasting.refusal(path, fuzzed(path, Random(seed))) is not None:
        assert state_of(lasting) == before


UNREADABLE = "grpc: error unmarshalling request: "


@pytest.mark.etcd
@pytest.mark.skipif(ETCD is None, reason="no etcd on this machine")
def test_what_etcd_cannot_read_is_refused_in_its_words(tmp_path: Path) -> None:
    # What can be read may be answered differently: the two have other histories.
    seed = Random().randrange(2**32)
    random = Random(seed)
    unreadable = 0
    with (
        Served(tmp_path / "miniet" / "data") as server,
        RealEtcd(tmp_path / "etcd" / "data") as etcd,
        EtcdCalls(server.endpoint) as ours,
        EtcdCalls(etcd.client_url.removeprefix("http://")) as theirs,
    ):
        for number in range(300):
            path = random.choice(READABLE_BY_BOTH)
            request = fuzzed(path, random)
            expected = theirs.refusal(path, request)
            if expected is None or not expected.text.startswith(UNREADABLE):
                continue
            if any(word in expected.text for word in LENIENT):
                continue
            unreadable += 1
            found = ours.refusal(path, request)
            assert found is not None, (seed, number, path, request, expected)
            assert found.code == expected.code, (seed, number, path, request, expected)
            assert found.text.startswith(UNREADABLE)
    assert unreadable > 30


# etcd's decoder refuses a known field of a wrong type, and an end of a group that never
# began in some places; protobuf's rule, and its library's, is to take it as unknown.
LENIENT = ("wrong wireType", "wiretype end group")
READABLE_BY_BOTH = [
    f"/etcdserverpb.{name}"
    for name in (
        *("KV/Range", "KV/Put", "KV/DeleteRange", "KV/Txn", "KV/Compact"),
        *("Lease/LeaseGrant", "Lease/LeaseRevoke", "Lease/LeaseTimeToLive"),
        *("Lease/LeaseLeases", "Maintenance/HashKV", "Maintenance/Status"),
    )
]


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
