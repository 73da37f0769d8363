"""A disk that takes no more: nothing promised is lost, and it goes on with space.

Where the log or a commit finds no room the server ends, as etcd does, and says so;
started again it has everything. A defragmentation or a raft snapshot that finds
none is given up, and the server goes on: both can be made another time.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import grpc
import pytest

from tests.conformance.crash.history import state_of
from tests.conformance.crash.member import Files
from tests.support.etcd_calls import EtcdCalls, refusal_of
from tests.support.nursery import ForkedServed
from tests.support.served import wait_until
from tests.support.small_disk import SmallDisk

MB = 1_000_000
DEFRAGMENT = "/etcdserverpb.Maintenance/Defragment"


@contextmanager
def small_disk(tmp_path: Path, size_bytes: int) -> Iterator[SmallDisk]:
    with SmallDisk(tmp_path / "disk", size_bytes) as disk:
        yield disk


def fill_with_puts(calls: EtcdCalls, size: int) -> tuple[set[bytes], bytes, str]:
    """Put new keys until the server is gone.

    Returns:
        the keys acknowledged, the one that was not, and the code that it got.
    """
    acknowledged = set()
    for number in count():
        key = b"%d" % number
        try:
            calls.put(key, bytes(size))
        except grpc.RpcError as error:
            return acknowledged, key, refusal_of(error).code
        acknowledged.add(key)
    raise AssertionError


def check_everything_is_there(
    server: ForkedServed, acknowledged: set[bytes], refused: bytes
) -> None:
    """Start the server again, twice; the second time it must be as the first."""
    with server, EtcdCalls(server.endpoint) as calls:
        found = {pair.key for pair in calls.everything().kvs}
        assert found - {refused} == acknowledged
        calls.put(b"after")
        before = state_of(calls)
        assert server.stop() == 0
    with server, EtcdCalls(server.endpoint) as calls:
        assert state_of(calls) == before


def test_log_that_cannot_begin_a_segment_ends_the_server(tmp_path: Path) -> None:
    # One segment is reserved whole, so its room is certain; the second has none.
    with small_disk(tmp_path, 70 * MB) as disk:
        flags = (f"--wal-dir={disk.path}/wal", "--backend-batch-interval=1h")
        server = ForkedServed(tmp_path / "data", *flags)
        with server, EtcdCalls(server.endpoint) as calls:
            acknowledged, refused, code = fill_with_puts(calls, 1_500_000)
            assert code == "UNAVAILABLE"
            assert server.wait_end() == 1
            assert f"{disk.path}/wal/" in server.log
            assert "No space left on device" in server.log
            assert "make room or mend the disk, then restart" in server.log
            assert "Traceback" not in server.log
        assert len(acknowledged) >= 42
        assert not list((disk.path / "wal").glob("*.tmp"))
        said = server.refused()
        assert "No space left on device" in said
        disk.grow(140 * MB)
        check_everything_is_there(server, acknowledged, refused)


def test_backend_that_cannot_commit_ends_the_server(tmp_path: Path) -> None:
    with small_disk(tmp_path, 4 * MB) as disk:
        server = ForkedServed(disk.path, f"--wal-dir={tmp_path}/wal")
        with server, EtcdCalls(server.endpoint) as calls:
            acknowledged, refused, code = fill_with_puts(calls, 20_000)
            assert code == "UNAVAILABLE"
            assert server.wait_end() == 1
            assert f"{disk.path}/member/snap/db: the store failed" in server.log
            assert "No space left on device" in server.log
            assert "restart" in server.log
            assert "Traceback" not in server.log
        assert len(acknowledged) > 50
        disk.grow(16 * MB)
        check_everything_is_there(server, acknowledged, refused)


@pytest.mark.parametrize("full", ["log", "backend"])
def test_files_that_may_not_grow_end_the_server(tmp_path: Path, full: str) -> None:
    # The same without root: a limit that a process may put upon itself.
    server = ForkedServed(tmp_path / "data")
    with server, EtcdCalls(server.endpoint) as calls:
        files = Files(server.data_dir)
        for number in range(50):
            calls.put(b"before %d" % number, bytes(1000))
        before = {pair.key for pair in calls.everything().kvs}
        limit_bytes = 4096 if full == "log" else files.db.stat().st_size
        # Writes behind this offset fail from now on; the log is already longer.
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
        acknowledged, refused, code = fill_with_puts(calls, 1000)
        assert code == "UNAVAILABLE"
        assert server.wait_end() == 1
        assert "restart" in server.log
        assert "Traceback" not in server.log
    check_everything_is_there(server, before | acknowledged, refused)


def test_defragmentation_without_room_is_refused_and_the_server_goes_on(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path, 4 * MB) as disk:
        server = ForkedServed(disk.path, f"--wal-dir={tmp_path}/wal")
        with server, EtcdCalls(server.endpoint) as calls:
            directory = disk.path / "member/snap"
            for number in range(100):
                calls.put(b"%d" % number, bytes(20_000))
            wait_until(lambda: calls.status().dbSize > 2 * MB, "all is committed")
            before = state_of(calls)
            for _ in range(3):
                refusal = calls.refusal(DEFRAGMENT, b"")
                assert refusal is not None
                assert refusal.code == "UNKNOWN"
                assert refusal.text.startswith(f"write {directory}/db.tmp.")
                assert refusal.text.endswith(": no space left on device")
                assert {path.name for path in directory.iterdir()} == {"db", "db-lock"}
            assert state_of(calls) == before
            calls.put(b"after", b"1")
            disk.grow(16 * MB)
            calls.defragment()
            calls.put(b"after", b"2")
            before = state_of(calls)
            server.kill()
        with server, EtcdCalls(server.endpoint) as calls:
            assert state_of(calls) == before


def test_raft_snapshot_without_room_is_put_off_and_the_server_goes_on(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path, 4 * MB) as disk:
        flags = (f"--wal-dir={tmp_path}/wal", "--snapshot-count=20")
        server = ForkedServed(disk.path, *flags)
        with server, EtcdCalls(server.endpoint) as calls:
            files = Files(disk.path)
            # Commits have pages to go around in, and the file need not grow.
            for number in range(200):
                calls.put(b"a", bytes(5000) if number < 50 else b"")
            calls.compact(200, physical=True)
            saved = len(files.snapshots)
            assert saved > 2
            disk.fill()
            for _ in range(45):
                calls.put(b"a", b"full")
            assert "saved no raft snapshot" in server.log
            assert "Traceback" not in server.log
            assert not list(files.snap.glob("*.tmp"))
            newest = files.snapshots[-1]
            disk.empty()
            for _ in range(45):
                calls.put(b"a", b"empty")
            assert files.snapshots[-1] > newest
            before = state_of(calls)
            server.kill()
        with server, EtcdCalls(server.endpoint) as calls:
            assert state_of(calls) == before


def test_start_without_room_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path, 4 * MB) as disk:
        server = ForkedServed(disk.path, f"--wal-dir={tmp_path}/wal")
        disk.fill()
        (line,) = server.refused().splitlines()
        assert line.startswith("miniet: ")
        assert "No space left on device" in line
        disk.empty()
        with server, EtcdCalls(server.endpoint) as calls:
            calls.put(b"a", b"1")
            before = state_of(calls)
            server.kill()
        (files := Files(disk.path)).db.with_name("db-lock").unlink()
        disk.fill()
        (line,) = server.refused().splitlines()
        assert line.startswith(f"miniet: {files.db}")
        assert "No space left on device" in line
        disk.empty()
        with server, EtcdCalls(server.endpoint) as calls:
            assert state_of(calls) == before
