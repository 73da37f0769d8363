"""Clients that ask for more than they read: the server holds what its limits say."""

import sys
from pathlib import Path

import pytest

from miniet.pb import rpc_pb2
from tests.support.bystander import anonymous_bytes
from tests.support.etcd_calls import EtcdCalls
from tests.support.http2 import DATA, Wire, call
from tests.support.served import Served

MIB = 1 << 20
VALUE_BYTES = MIB // 4
RESPONSES_MAX = 128
"""Responses that wait in a watch stream."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize("watchers", [1, 5])
def test_watcher_that_never_reads_holds_a_bounded_number_of_responses(
    tmp_path: Path, watchers: int
) -> None:
    # The log's own memory must not be mistaken for the watchers'.
    flags = ("--snapshot-count=10", "--experimental-snapshot-catchup-entries=5")
    create = rpc_pb2.WatchRequest()
    create.create_request.key = b"a"
    with (
        Served(tmp_path / "data", *flags) as server,
        EtcdCalls(server.endpoint) as calls,
        EtcdCalls(server.endpoint) as slow,
    ):
        value = bytes(VALUE_BYTES)
        for _ in range(40):
            calls.put(b"a", value)
        before_bytes = anonymous_bytes(server.pid)
        streams = [
            slow.raw_stream(
                "/etcdserverpb.Watch/Watch", iter([create.SerializeToString()])
            )
            for _ in range(watchers)
        ]
        for stream in streams:
            next(stream)  # the watcher is there; nothing is read after this
        for _ in range(2 * RESPONSES_MAX):
            calls.put(b"a", value)
        full_bytes = anonymous_bytes(server.pid)
        for _ in range(2 * RESPONSES_MAX):
            calls.put(b"a", value)
        after_bytes = anonymous_bytes(server.pid)
        # Watchers of one key share their events.
        assert full_bytes - before_bytes < RESPONSES_MAX * VALUE_BYTES + 24 * MIB
        assert after_bytes - full_bytes < 16 * MIB  # they were 64 MiB more to tell
        assert server.log.count("saved raft snapshot") > 10


@pytest.mark.parametrize(
    ("path", "request_bytes"),
    [
        (
            "/etcdserverpb.Watch/Watch",
            rpc_pb2.WatchRequest(
                create_request=rpc_pb2.WatchCreateRequest(key=b"a", start_revision=1)
            ).SerializeToString(),
        ),
        ("/etcdserverpb.KV/Range", rpc_pb2.RangeRequest(key=b"a").SerializeToString()),
    ],
    ids=["watch", "range"],
)
def test_client_that_leaves_its_answers_behind_is_no_error(
    server: Served, calls: EtcdCalls, path: str, request_bytes: bytes
) -> None:
    for _ in range(3):
        calls.put(b"a", bytes(4 * VALUE_BYTES))
    for _ in range(20):
        request = call(1, path, request_bytes, end_stream=False)
        with Wire.http2(server.port, request) as wire:
            wire.wait_frame(DATA, 1)
    calls.put(b"a")
    assert "ERROR" not in server.log
