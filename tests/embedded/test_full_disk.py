"""A disk that takes no more: the member stops, and loses nothing it promised."""

import subprocess
import sys
from pathlib import Path

import miniet
from tests.embedded.client import connect

ROOT = Path(__file__).parents[2]

# In a process of its own, whose files may not grow beyond a limit.
CODE = """
import resource, signal, sys
import grpc
import miniet
from tests.embedded.client import connect
from tests.embedded.test_status_pages import ask

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
config = miniet.Config(
    listen_client_urls=("http://127.0.0.1:0",),
    listen_metrics_urls=("http://127.0.0.1:0",),
)
etcd = miniet.Server(sys.argv[1], config=config)
with etcd, connect(etcd.endpoint) as client:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    count = 0
    try:
        while True:
            client.put(b"k%d" % count, bytes(1000))
            count += 1
    except grpc.RpcError as error:
        print(count, error.code().name, error.details())
    try:
        client.range(b"k0")
    except grpc.RpcError as error:
        print(error.code().name, error.details())
    print(ask(etcd.metrics_urls[0], "/health").status)
"""


def test_member_on_a_full_disk_stops_and_keeps_what_it_acknowledged(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    refusal, read, health = done.stdout.splitlines()
    count, _, rest = refusal.partition(" ")
    assert rest == read == "UNAVAILABLE etcdserver: server stopped"
    assert health == "503"
    assert "the member failed and stops" in done.stderr
    assert 20 < int(count) < 200
    with miniet.Server(tmp_path) as etcd, connect(etcd.endpoint) as client:
        found = client.range(b"k", b"l").count
        # The last one was refused; whether it reached the disk is open.
        assert found in (int(count), int(count) + 1)
