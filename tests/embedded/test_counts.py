"""The counts that the Go prediction is made from, read off a real server."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import miniet
from miniet.memory.counts import Counts
from miniet.pb import rpc_pb2
from miniet.server.config import Config
from tests.embedded.client import Client, connect
from tests.support import http2
from tests.support.http2 import DATA, Wire, frame, header_block, header_frames
from tests.support.served import wait_until
from tests.support.slow_client import ask_and_not_read

MIB = 1 << 20

# Commits come when a test asks for one.
SETTINGS = Config(
    listen_client_urls=("http://127.0.0.1:0",), backend_batch_interval_s=3600
)


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[miniet.Server]:
    with miniet.Server(tmp_path / "data", config=SETTINGS) as server:
        yield server


@pytest.fixture
def client(etcd: miniet.Server) -> Iterator[Client]:
    with connect(etcd.endpoint) as client:
        yield client


def counts(etcd: miniet.Server) -> Counts:
    """Read every source; one that is not there would raise."""
    return Counts.of(etcd.statistics(), connection_count=1)


def compact(client: Client, revision: int) -> None:
    request = rpc_pb2.CompactionRequest(revision=revision, physical=True)
    client.call("/etcdserverpb.KV/Compact", request, rpc_pb2.CompactionResponse)


def test_counts_equal_what_a_load_implies(etcd: miniet.Server, client: Client) -> None:
    before = counts(etcd)
    for _ in range(10):
        client.put(b"overwritten", b"v" * 100)
    lease = client.grant(60)
    client.put(b"leased", b"v", lease)
    now = counts(etcd)
    assert now.connection_count == 1
    assert now.raft_entry_count - before.raft_entry_count == 12
    assert now.raft_last_index == now.raft_first_index + now.raft_entry_count - 1
    assert now.raft_payload_bytes - before.raft_payload_bytes > 10 * 111
    assert (now.key_count, now.index_key_count, now.index_key_bytes) == (2, 2, 17)
    assert (now.index_generation_count, now.index_revision_count) == (2, 11)
    assert (now.current_revision, now.compact_revision) == (12, -1)
    assert (now.put_total, now.put_bytes_total) == (11, 10 * 111 + 7)
    assert (now.lease_count, now.keyed_lease_count) == (1, 1)
    assert (now.attached_key_count, now.attached_key_bytes) == (1, 6)
    assert now.backend_uncommitted_count > before.backend_uncommitted_count + 11


def test_maxima_outlive_what_they_counted(etcd: miniet.Server, client: Client) -> None:
    for number in range(3):
        lease = client.grant(60)
        client.put(b"k%d" % number, b"", lease)
    for lease in client.leases():
        client.call(
            "/etcdserverpb.Lease/LeaseRevoke",
            rpc_pb2.LeaseRevokeRequest(ID=lease),
            rpc_pb2.LeaseRevokeResponse,
        )
    now = counts(etcd)
    assert (now.lease_count, now.attached_key_count) == (0, 0)
    assert (now.lease_count_max, now.attached_key_count_max) == (3, 3)


def test_compaction_is_counted_and_reads_no_value(
    etcd: miniet.Server, client: Client
) -> None:
    for _ in range(20):
        client.put(b"key", b"v" * 1000)
    assert counts(etcd).backend_read_bytes == 0
    compact(client, 21)
    now = counts(etcd)
    assert now.index_cut_revision_count == 19
    assert now.index_compacted_revision_count == now.index_revision_count == 1
    assert now.backend_read_bytes == 0


def test_only_values_that_were_read_since_the_start_count(tmp_path: Path) -> None:
    with miniet.Server(tmp_path / "data") as etcd, connect(etcd.endpoint) as client:
        for number in range(5):
            client.put(b"%d" % number, bytes(1000))
    with miniet.Server(tmp_path / "data") as etcd, connect(etcd.endpoint) as client:
        started = counts(etcd)
        client.get(b"3")
        now = counts(etcd)
    assert started.backend_opened_bytes == started.backend_size_bytes
    assert started.backend_read_bytes == 0
    assert 1000 < now.backend_read_bytes < 1100


def test_last_commit_is_counted(etcd: miniet.Server, client: Client) -> None:
    client.commit()
    for _ in range(7):
        client.put(b"key", bytes(1000))
    assert counts(etcd).backend_uncommitted_bytes > 7000
    client.commit()
    now = counts(etcd)
    assert now.backend_uncommitted_count == now.backend_uncommitted_bytes == 0
    assert now.backend_last_commit_count == 7 + 1  # and the consistent index
    assert 7000 < now.backend_last_commit_bytes < 8000


def test_response_is_in_flight_until_its_client_has_taken_it(
    etcd: miniet.Server, client: Client
) -> None:
    client.put(b"large", bytes(MIB))
    message = rpc_pb2.RangeRequest(key=b"large").SerializeToString()
    slow = ask_and_not_read(etcd.port, "/etcdserverpb.KV/Range", message)
    with closing(slow):
        wait_until(lambda: counts(etcd).response_in_flight_bytes > 0, "the response")
        held = counts(etcd)
    wait_until(lambda: not counts(etcd).response_in_flight_bytes, "the client left")
    client.get(b"large")
    wait_until(lambda: not counts(etcd).response_in_flight_bytes, "it was taken")
    now = counts(etcd)
    assert MIB < held.response_in_flight_bytes < MIB + 200
    assert (held.calls_in_flight, now.calls_in_flight) == (1, 0)
    assert now.response_in_flight_bytes_max == held.response_in_flight_bytes
    assert now.range_response_bytes_max == held.response_in_flight_bytes


def test_responses_wait_where_they_are_counted_until_their_turn_comes(
    etcd: miniet.Server, client: Client
) -> None:
    create = rpc_pb2.WatchCreateRequest(key=b"large")
    request = rpc_pb2.WatchRequest(create_request=create).SerializeToString()
    watch = header_frames(1, header_block("/etcdserverpb.Watch/Watch"))
    watchers = frame(DATA, 0, 1, http2.message(request) * 20)
    with Wire.http2(etcd.port, watch, watchers):
        wait_until(lambda: etcd.statistics().watch.watcher_count == 20, "watchers")
        client.put(b"large", bytes(MIB))
        # The transport takes one beyond what it may send, and another is on its way.
        assert etcd.statistics().watch.pending_response_count >= 17


def test_small_responses_are_not_followed(etcd: miniet.Server, client: Client) -> None:
    client.put(b"small", bytes(1000))
    client.get(b"small")
    now = counts(etcd)
    assert now.response_in_flight_bytes_max == 0
    assert 1000 < now.range_response_bytes_max < 1100


def test_open_stream_is_a_call_in_flight(etcd: miniet.Server, client: Client) -> None:
    stream = client.watch(b"key")
    next(stream)
    now = counts(etcd)
    assert (now.calls_in_flight, now.stream_count, now.watcher_count) == (1, 1, 1)
    stream.cancel()
    wait_until(lambda: not counts(etcd).calls_in_flight, "the stream ended")
