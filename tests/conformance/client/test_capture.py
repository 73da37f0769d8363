"""What can be read of a real etcd from outside, held against what was loaded."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from miniet.client import ClientError, EtcdClient, read_capture, set_tracing
from miniet.memory.accounts import accounts
from miniet.memory.capture import Capture
from miniet.memory.components import GoComponent
from miniet.pb import rpc_pb2
from tests.conformance.api.conftest import NEEDS_ETCD
from tests.conformance.api.targets import etcd_binary
from tests.support.real_etcd import RealEtcd

MIB = 1 << 20
PUTS = 40


pytestmark = NEEDS_ETCD


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealEtcd]:
    path: Path = tmp_path_factory.mktemp("etcd") / "data"
    with RealEtcd(
        path, "--enable-pprof", "--snapshot-count", "500", binary=etcd_binary()
    ) as etcd:
        yield etcd


@pytest.fixture(scope="module")
def capture(etcd: RealEtcd) -> Iterator[Capture]:
    with EtcdClient(etcd.client_url) as client:
        client.put_all(((b"one", bytes(MIB)) for _ in range(PUTS)), in_flight=4)
        lease = client.grant(3600)
        client.put(b"leased", lease=lease)
        stream = client.watch(
            [rpc_pb2.WatchCreateRequest(key=b"w%d" % n) for n in range(10)]
        )
        stream.wait_created()
        yield read_capture(etcd.client_url, pid=etcd.pid, label="loaded", collect=True)


def test_exact_counts_are_those_of_the_load(capture: Capture) -> None:
    counts = capture.counts
    assert counts.key_count == 2
    assert counts.put_total == PUTS + 1
    assert counts.lease_count == 1
    assert (counts.stream_count, counts.watcher_count) == (1, 10)
    assert counts.backend_size_bytes > PUTS * MIB * 0.9  # the last are not committed
    assert counts.connection_count >= 2


def test_log_is_estimated_and_says_so(capture: Capture) -> None:
    assert capture.counts.raft_payload_bytes == pytest.approx(PUTS * MIB, rel=0.02)
    assert "--snapshot-count=500" in capture.estimated["raft_payload_bytes"]
    assert capture.counts.index_revision_count == PUTS + 1


def test_heap_and_process_are_of_one_time(capture: Capture) -> None:
    """What a collection lets go of is not left in the remainder."""
    rest = accounts(capture)[-1]
    assert rest.name == "remainder"
    # The program's pages, 20 MiB, and the runtime's tables; what it gives back in
    # the milliseconds between the two readings makes it less.
    assert rest.bytes < 34 * MIB


def test_profile_books_the_log_to_raft(capture: Capture) -> None:
    assert capture.go is not None
    assert capture.go.is_collected
    sizes = capture.go.bytes_by_component
    assert sizes is not None
    assert tuple(sizes) == tuple(GoComponent)
    # Entries of 1 MiB take a page more; each is sampled with chance 0.86.
    assert sizes["raft"] == pytest.approx(PUTS * MIB * 1.008, rel=0.3)
    assert sum(sizes.values()) == pytest.approx(capture.go.heap_alloc_bytes, rel=0.3)


def test_process_is_seen_with_its_flags_and_its_file(capture: Capture) -> None:
    assert capture.flags["snapshot-count"] == "500"
    assert capture.process is not None
    assert capture.process.mapped_bytes is not None
    assert capture.process.resident_bytes > PUTS * MIB


def test_without_the_process_its_size_is_still_known(etcd: RealEtcd) -> None:
    capture = read_capture(etcd.client_url)
    assert capture.product.startswith("etcd 3.4.")
    assert capture.process is not None
    assert capture.process.mapped_bytes is None
    assert "connection_count" in capture.unseen


def test_other_process_is_refused(etcd: RealEtcd, tmp_path: Path) -> None:
    with pytest.raises(ClientError, match=r"process \d+ is no etcd"):
        read_capture(etcd.client_url, pid=os.getpid())
    with (
        RealEtcd(tmp_path / "data", binary=etcd_binary()) as other,
        pytest.raises(ClientError, match="is not the server at"),
    ):
        read_capture(etcd.client_url, pid=other.pid)


def test_tracing_is_refused_in_a_line(etcd: RealEtcd) -> None:
    with pytest.raises(ClientError, match="only miniet can trace"):
        set_tracing(etcd.client_url, on=True)
