"""What the system says of this process, of others, and of none."""

import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from miniet.memory import process
from miniet.memory.process import (
    ProcessMemory,
    connection_count,
    read_process,
    reset_peak,
)

MIB = 1 << 20

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc"
)


def mapping(file: Path, touched_bytes: int) -> mmap.mmap:
    """Map 8 MiB of a file and touch a part of it."""
    with file.open("w+b") as opened:
        opened.truncate(8 * MIB)
        mapped = mmap.mmap(opened.fileno(), 8 * MIB)
    mapped[:touched_bytes] = b"x" * touched_bytes
    return mapped


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    code = "import sys; x = b'x' * (64 << 20); print('.', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running
        running.kill()


def test_what_is_allocated_is_resident_and_anonymous() -> None:
    before = read_process()
    kept = b"x" * (64 * MIB)
    now = read_process()
    assert now.resident_bytes - before.resident_bytes == pytest.approx(
        len(kept), abs=MIB
    )
    assert now.anonymous_bytes is not None
    assert before.anonymous_bytes is not None
    assert now.anonymous_bytes - before.anonymous_bytes == pytest.approx(
        len(kept), abs=MIB
    )


def test_anonymous_and_file_pages_are_all_that_is_resident() -> None:
    now = read_process()
    assert now.anonymous_bytes is not None
    assert now.file_bytes is not None
    assert now.anonymous_bytes + now.file_bytes == now.resident_bytes
    assert now.proportional_bytes is not None
    assert 0 < now.proportional_bytes <= now.resident_bytes


def test_another_process_is_read_by_its_id(child: "subprocess.Popen[bytes]") -> None:
    found = read_process(child.pid)
    assert found.resident_bytes > 64 * MIB
    assert found.resident_bytes < 128 * MIB


@pytest.mark.parametrize("folder", ["", "/dev/shm"], ids=["disk", "memory"])
def test_mapped_bytes_are_the_touched_pages_of_the_file(
    tmp_path: Path, folder: str
) -> None:
    file = Path(folder or tmp_path) / f"miniet-test-{os.getpid()}"
    try:
        mapped = mapping(file, 3 * MIB)
        found = read_process(mapped_path=file)
        mapped.close()
    finally:
        file.unlink()
    assert found.mapped_bytes == 3 * MIB
    assert found.file_bytes is not None
    assert found.file_bytes > 3 * MIB


def test_a_path_is_found_by_its_relative_name_and_through_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = mapping(tmp_path / "a file", MIB)
    (tmp_path / "link").symlink_to("a file")
    monkeypatch.chdir(tmp_path)
    assert read_process(mapped_path="link").mapped_bytes == MIB
    mapped.close()


def test_a_file_that_is_not_mapped_has_no_figure(tmp_path: Path) -> None:
    assert read_process(mapped_path=tmp_path / "other").mapped_bytes is None


def test_the_peak_stays_until_it_is_reset() -> None:
    spike = b"x" * (64 * MIB)
    spiked = read_process().resident_bytes
    del spike
    peak = read_process().peak_resident_bytes
    assert peak is not None
    assert peak >= spiked - MIB
    if not reset_peak():
        pytest.skip("the system does not let it be reset")
    peak = read_process().peak_resident_bytes
    assert peak is not None
    assert peak < spiked - 32 * MIB


def test_the_peak_of_no_process_cannot_be_reset() -> None:
    assert not reset_peak(2**22 + 1)


def test_no_process_is_said_to_be_none() -> None:
    with pytest.raises(ProcessLookupError, match="there is no process 4194305"):
        read_process(2**22 + 1)


def test_where_the_mappings_may_not_be_read_the_status_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "77"
    folder.mkdir()
    (tmp_path / "self").symlink_to("77")
    folder.joinpath("status").write_text(
        "Name:\tetcd\nVmHWM:\t   300 kB\nVmRSS:\t   200 kB\n"
        "RssAnon:\t   150 kB\nRssFile:\t    40 kB\nRssShmem:\t    10 kB\n"
    )
    monkeypatch.setattr(process, "_PROC", tmp_path)
    for mapped_path in (None, tmp_path / "db"):
        assert read_process(77, mapped_path) == ProcessMemory(
            resident_bytes=200 * 1024,
            anonymous_bytes=150 * 1024,
            file_bytes=50 * 1024,
            peak_resident_bytes=300 * 1024,
        )


def test_without_proc_ps_says_what_is_resident(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, child: "subprocess.Popen[bytes]"
) -> None:
    monkeypatch.setattr(process, "_PROC", tmp_path)
    found = read_process(child.pid)
    assert 64 * MIB < found.resident_bytes < 128 * MIB
    assert found.peak_resident_bytes is None
    assert found.anonymous_bytes is None
    own = read_process()
    assert own.peak_resident_bytes is not None
    assert own.peak_resident_bytes >= 8 * MIB
    assert connection_count([1]) is None


@pytest.mark.parametrize(
    ("family", "address"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")],
    ids=["IPv4", "IPv6"],
)
def test_connections_are_counted_once_each_by_the_servers_port(
    family: socket.AddressFamily, address: str
) -> None:
    with socket.socket(family) as server:
        try:
            server.bind((address, 0))
        except OSError:
            pytest.skip("this machine does not have that protocol")
        server.listen()
        port = server.getsockname()[1]
        assert connection_count([port]) == 0
        clients = [socket.create_connection((address, port)) for _ in range(3)]
        accepted = [server.accept()[0] for _ in clients]
        assert connection_count([port]) == 3
        assert connection_count({port, 1}, os.getpid()) == 3
        assert connection_count([clients[0].getsockname()[1]]) == 1
        assert connection_count([]) == 0
        for each in [*clients, *accepted]:
            each.close()
        assert connection_count([port]) == 0
