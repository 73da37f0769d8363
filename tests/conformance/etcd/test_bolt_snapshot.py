"""The snapshot in bbolt's format, given to a real etcd; and its hash, held to ours."""

import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crc32c import crc32c

from miniet.backend import Backend, BoltSnapshot
from miniet.backend.schema import (
    AUTH,
    AUTH_REVISION_KEY,
    CONSISTENT_INDEX_KEY,
    KEY,
    META,
)
from miniet.protowire import varint
from tests.support.bolt_reader import BoltFile

pytestmark = [
    pytest.mark.etcd,
    pytest.mark.skipif(
        shutil.which("etcd") is None or shutil.which("etcdctl") is None,
        reason="etcd and etcdctl are not on PATH",
    ),
]


def etcdctl(*arguments: str) -> str:
    run = subprocess.run(
        ["etcdctl", *arguments],
        env={**os.environ, "ETCDCTL_API": "3"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


class RunningEtcd:
    """A single member on free loopback ports, until `stop`."""

    def __init__(self, data_dir: Path) -> None:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            ports = one.getsockname()[1], two.getsockname()[1]
        self.url, self.peer_url = (f"http://127.0.0.1:{port}" for port in ports)
        self._log = (data_dir.parent / "etcd.log").open("wb")
        self._process = subprocess.Popen(
            [
                "etcd",
                f"--data-dir={data_dir}",
                f"--listen-client-urls={self.url}",
                f"--advertise-client-urls={self.url}",
                f"--listen-peer-urls={self.peer_url}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            # What is named etcd may be a wrapper: a group can be ended as a whole.
            start_new_session=True,
        )
        deadline_s = time.monotonic() + 20
        while not self._is_healthy():
            assert self._process.poll() is None, self._log_text()
            assert time.monotonic() < deadline_s, self._log_text()
            time.sleep(0.05)

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:
                return bool(json.load(answer)["health"] == "true")
        except (urllib.error.URLError, OSError):
            return False

    def _log_text(self) -> str:
        return Path(self._log.name).read_text(errors="replace")[-3000:]

    def call(self, path: str, **request: Any) -> dict[str, Any]:
        body = json.dumps(request).encode()
        with urllib.request.urlopen(f"{self.url}/v3/{path}", body, timeout=30) as reply:
            answer = json.load(reply)
        assert isinstance(answer, dict)
        return answer

    def stop(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=20)
        self._log.close()


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[RunningEtcd]:
    member = RunningEtcd(tmp_path / "fresh.etcd")
    yield member
    member.stop()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def key_value(key: bytes, value: bytes, revision: int) -> bytes:
    """Encode the first version of a key, as etcd stores it."""
    return b"".join(
        (
            b"\x0a" + varint(len(key)) + key,
            b"\x10" + varint(revision),
            b"\x18" + varint(revision),
            b"\x20\x01",
            b"\x2a" + varint(len(value)) + value if value else b"",
        )
    )


def revision_key(main: int) -> bytes:
    return main.to_bytes(8, "big") + b"_" + bytes(8)


def fill(backend: Backend) -> dict[bytes, bytes]:
    """Write a history: thousands of keys, large values, one deleted key."""
    live: dict[bytes, bytes] = {}
    sizes = [0, 1, 300, 3000, 4063, 4064, 9000, 200_000, 1_500_000]
    for revision in range(2, 6002):
        key = b"key/%06d" % revision
        value = b"v" * (sizes[revision % 9] if revision < 40 else 250)
        pair = key_value(key, value, revision)
        backend.batch_tx.append(KEY, revision_key(revision), pair)
        live[key] = value
    tombstone = b"\x0a" + varint(10) + b"key/000002"
    backend.batch_tx.append(KEY, revision_key(6002) + b"t", tombstone)
    del live[b"key/000002"]
    index = (7000).to_bytes(8, "big")
    backend.batch_tx.put(META, CONSISTENT_INDEX_KEY, index)
    backend.batch_tx.put(AUTH, AUTH_REVISION_KEY, (1).to_bytes(8, "big"))
    backend.commit()
    return live


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    backend = Backend(tmp_path / "db", quota_bytes=0, durable=False)
    backend.open()
    yield backend
    backend._check()
    backend.close()


@pytest.mark.parametrize("hashed", [False, True], ids=["bare", "with hash"])
def test_real_etcd_serves_a_restored_snapshot(
    backend: Backend, tmp_path: Path, hashed: bool
) -> None:
    live = fill(backend)
    with backend.read_tx() as tx:
        content = b"".join(BoltSnapshot(tx))
    file = tmp_path / "snapshot.db"
    # What a client saves from the snapshot stream ends with its SHA-256.
    file.write_bytes(content + (hashlib.sha256(content).digest() if hashed else b""))

    status = json.loads(etcdctl("snapshot", "status", str(file), "-w", "json"))
    assert status["revision"] == 6002
    assert status["totalSize"] >= len(content)

    data_dir = tmp_path / "restored.etcd"
    check = [] if hashed else ["--skip-hash-check"]
    etcdctl("snapshot", "restore", str(file), "--data-dir", str(data_dir), *check)
    for round_number in (1, 2):
        etcd = RunningEtcd(data_dir)
        try:
            assert everything(etcd) == live
            use(etcd, live, b"new/%d" % round_number)
        finally:
            etcd.stop()


def everything(etcd: RunningEtcd) -> dict[bytes, bytes]:
    answer = etcd.call("kv/range", key=b64(b"\x00"), range_end=b64(b"\x00"))
    return {
        base64.b64decode(kv["key"]): base64.b64decode(kv.get("value", ""))
        for kv in answer["kvs"]
    }


def use(etcd: RunningEtcd, live: dict[bytes, bytes], key: bytes) -> None:
    """Write, delete, compact and defragment: the pages must bear all of it."""
    revision = 0
    for i in range(50):
        new, old = key + b"/%d" % i, min(live)
        answer = etcd.call("kv/put", key=b64(new), value=b64(b"v"))
        revision = int(answer["header"]["revision"])
        etcd.call("kv/deleterange", key=b64(old))
        live[new] = b"v"
        del live[old]
    etcd.call("kv/compaction", revision=revision, physical=True)
    assert everything(etcd) == live
    etcd.call("maintenance/defragment")
    assert everything(etcd) == live


def test_hash_of_the_key_bucket_equals_hash_kv_of_etcd(
    backend: Backend, tmp_path: Path
) -> None:
    fill(backend)
    checksum = crc32c(KEY)
    for key, value in backend.batch_tx.range(KEY, b""):
        checksum = crc32c(value, crc32c(key, checksum))
    file = tmp_path / "snapshot.db"
    with backend.read_tx() as tx, file.open("wb") as out:
        out.writelines(BoltSnapshot(tx))
    data_dir = tmp_path / "restored.etcd"
    etcdctl(
        "snapshot",
        "restore",
        str(file),
        *("--data-dir", str(data_dir), "--skip-hash-check"),
    )
    etcd = RunningEtcd(data_dir)
    try:
        answer = json.loads(
            etcdctl("endpoint", "hashkv", "-w", "json", "--endpoints", etcd.url)
        )
    finally:
        etcd.stop()
    assert answer[0]["HashKV"]["hash"] == checksum


def test_hash_equals_the_hash_of_etcd_over_the_same_buckets(
    etcd: RunningEtcd, backend: Backend, tmp_path: Path
) -> None:
    version = subprocess.run(["etcd", "--version"], capture_output=True, check=True)
    if b"etcd Version: 3.4." not in version.stdout:
        pytest.skip("later versions leave more keys out of the hash")
    for i in range(300):
        etcd.call("kv/put", key=b64(b"key/%d" % i), value=b64(bytes(300)))
    etcd.call("lease/grant", TTL=1000, ID=7)
    expected = etcd.call("maintenance/hash")["hash"]
    saved = tmp_path / "saved.db"
    etcdctl("snapshot", "save", str(saved), "--endpoints", etcd.url)

    file = BoltFile(saved.read_bytes()[:-32], exact=False)
    for bucket, pairs in file.buckets.items():
        for key, value in pairs:
            backend.batch_tx.put(bucket, key, value)
    assert backend.hash() == expected
