"""`kill -9` at the moments that need a plan: replay, defragmentation, compaction."""

import threading
import urllib.request
from contextlib import suppress
from pathlib import Path
from random import Random

import grpc
import pytest

from miniet.backend import Backend
from miniet.backend.schema import KEY
from miniet.lab.child import free_ports
from tests.conformance.crash.history import History, state_of
from tests.conformance.crash.load import Client
from tests.conformance.crash.test_kill import kill_in_start
from tests.support.etcd_calls import EtcdCalls
from tests.support.nursery import ForkedServed
from tests.support.served import Served, wait_until

# Nothing is committed between start and end: everything is replayed from the log.
NO_COMMITS = ("--backend-batch-interval=1h", "--backend-batch-limit=1000000")


def test_replay_that_is_killed_begins_again(tmp_path: Path) -> None:
    history = History()
    with ForkedServed(tmp_path / "data", *NO_COMMITS) as server:
        client = Client(server.endpoint, 0, history, Random(1))
        client.start()
        wait_until(lambda: len(client.acknowledged) >= 500, "500 acknowledged writes")
        server.kill()
        client.join()
    random = Random()
    for _ in range(5):
        kill_in_start(server, random)
    with server, EtcdCalls(server.endpoint) as calls:
        history.check(calls, client.acknowledged, client.pending)


@pytest.mark.parametrize("moment", ["while it copies", "when it has renamed"])
def test_defragmentation_that_is_killed_leaves_all_data(
    tmp_path: Path, moment: str
) -> None:
    with ForkedServed(tmp_path / "data") as server, EtcdCalls(server.endpoint) as calls:
        for number in range(24):
            calls.put(b"%d" % number, bytes(500_000))
        before = state_of(calls)
        directory = server.data_dir / "member" / "snap"
        old_file = (directory / "db").stat().st_ino
        defragment = threading.Thread(target=ended_by_the_kill, args=(calls,))
        defragment.start()
        if moment == "while it copies":
            wait_until(lambda: any(directory.glob("db.tmp.*")), "a copy")
        else:
            wait_until(lambda: (directory / "db").stat().st_ino != old_file, "renamed")
        server.kill()
        defragment.join()
    with server, EtcdCalls(server.endpoint) as calls:
        assert state_of(calls) == before
        assert not list(directory.glob("db.tmp.*"))


def ended_by_the_kill(calls: EtcdCalls) -> None:
    """Ask for a defragmentation; how it ends is no matter."""
    with suppress(grpc.RpcError):
        calls.defragment()


def test_compaction_that_is_killed_is_carried_out_later(tmp_path: Path) -> None:
    (metrics_port,) = free_ports(1)
    server = ForkedServed(
        tmp_path / "data",
        "--experimental-compaction-batch-limit=10",
        "--experimental-compaction-sleep-interval=5ms",
        f"--listen-metrics-urls=http://127.0.0.1:{metrics_port}",
    )
    with server, EtcdCalls(server.endpoint) as calls:
        for number in range(400):
            revision = calls.put(b"%d" % (number % 3), b"%d" % number)
        calls.compact(revision)
        before = state_of(calls)
        wait_until(lambda: compacted_count(server) > 50, "some of it was carried out")
        assert compacted_count(server) < 300
        server.kill()
    with server, EtcdCalls(server.endpoint) as calls:
        assert state_of(calls) == before
        refusal = calls.refusal(
            "/etcdserverpb.KV/Range",
            b"\x0a\x010" + b"\x20" + bytes([100]),  # key 0 at revision 100
        )
        assert refusal is not None
        assert refusal.text == "etcdserver: mvcc: required revision has been compacted"
        calls.compact(calls.put(b"0"), physical=True)  # waits for both
        versions = [(pair.key, pair.version) for pair in calls.everything().kvs]
        assert versions == [(b"0", 135), (b"1", 133), (b"2", 133)]
        assert server.stop() == 0
    # Of 401 records the last of each key is left.
    backend = Backend(server.data_dir / "member" / "snap" / "db", quota_bytes=0)
    backend.open()
    assert len(list(backend.batch_tx.range(KEY, b""))) == 3
    backend.close()


def compacted_count(server: Served) -> int:
    """How many records the present run's compactions have deleted."""
    url = f"{server.metrics_url}/metrics"
    with urllib.request.urlopen(url, timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    name = "etcd_debugging_mvcc_db_compaction_keys_total "
    (line,) = (line for line in lines if line.startswith(name))
    return int(float(line.removeprefix(name)))
