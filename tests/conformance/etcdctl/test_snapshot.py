"""A snapshot of miniet, taken and restored by etcdctl, becomes a real etcd."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.etcdctl import servers
from tests.support.binaries import find_binary
from tests.support.real_etcd import RealEtcd

ETCD, ETCDCTL = find_binary("etcd", "3.4"), find_binary("etcdctl", "3.4")

pytestmark = [
    pytest.mark.etcd,
    pytest.mark.skipif(
        ETCD is None or ETCDCTL is None, reason="etcd and etcdctl 3.4 are not on PATH"
    ),
]


def etcdctl(endpoint: str, *arguments: str) -> Any:
    """Run etcdctl and return what it says as JSON."""
    assert ETCDCTL is not None
    run = subprocess.run(
        [ETCDCTL, f"--endpoints={endpoint}", "-w", "json", *arguments],
        env={"PATH": os.environ.get("PATH", os.defpath), "ETCDCTL_API": "3"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout) if run.stdout.startswith(("{", "[")) else None


def contents(endpoint: str) -> dict[str, Any]:
    """Read all that clients can see, and the hash of the whole history."""
    pairs = etcdctl(endpoint, "get", "", "--prefix")
    (hashed,) = etcdctl(endpoint, "endpoint", "hashkv")
    leases = etcdctl(endpoint, "lease", "list")
    return {
        "revision": pairs["header"]["revision"],
        "kvs": pairs["kvs"],
        "hash": hashed["HashKV"]["hash"],
        "compact_revision": hashed["HashKV"]["compact_revision"],
        "leases": leases["leases"],
    }


def test_etcd_goes_on_from_a_restored_snapshot(tmp_path: Path) -> None:
    snapshot = str(tmp_path / "snapshot.db")
    with servers.miniet(tmp_path / "miniet", ()) as miniet:
        for number in range(20):
            etcdctl(miniet.endpoint, "put", f"key{number % 8}", str(number))
        lease = etcdctl(miniet.endpoint, "lease", "grant", "5000")["ID"]
        etcdctl(miniet.endpoint, "put", "leased", "1", f"--lease={lease:x}")
        etcdctl(miniet.endpoint, "compaction", "9")
        etcdctl(miniet.endpoint, "del", "key3")
        etcdctl(miniet.endpoint, "snapshot", "save", snapshot)
        before = contents(miniet.endpoint)
    status = etcdctl(miniet.endpoint, "snapshot", "status", snapshot)
    assert status["revision"] == before["revision"]

    real = RealEtcd(tmp_path / "etcd", binary=ETCD)
    etcdctl(
        miniet.endpoint,
        *("snapshot", "restore", snapshot, f"--data-dir={real.data_dir}"),
        "--name=test",
        f"--initial-cluster=test={real.peer_url}",
        f"--initial-advertise-peer-urls={real.peer_url}",
    )
    with real:
        endpoint = real.client_url.removeprefix("http://")
        assert contents(endpoint) == before
        etcdctl(endpoint, "lease", "revoke", f"{lease:x}")
        after = etcdctl(endpoint, "get", "leased")
        assert "kvs" not in after
        assert after["header"]["revision"] == before["revision"] + 1
