"""`miniet.Server`: a member on a thread of this process."""

import gc
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import miniet
from miniet.raft import MemoryStorage
from miniet.server import bootstrap
from tests.embedded.client import connect


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which memory-only servers make theirs."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    make = tempfile.TemporaryDirectory

    def make_here(prefix: str, dir: str | None, **options: bool) -> object:
        return make(prefix=prefix, dir=directory, **options)

    monkeypatch.setattr(bootstrap, "TemporaryDirectory", make_here)
    return directory


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = {thread.name for thread in set(threading.enumerate()) - before}
    # grpcio's own, one for all servers and clients of the process.
    assert {name for name in left if "_poll_wrapper" not in name} == set()


def listener() -> tuple[socket.socket, int]:
    """Take a port of the loopback address."""
    taken = socket.create_server(("127.0.0.1", 0))
    return taken, taken.getsockname()[1]


def config(port: int = 0, **settings: object) -> miniet.Config:
    return miniet.Config(
        listen_client_urls=(f"http://127.0.0.1:{port}",),
        **settings,  # type: ignore[arg-type]
    )


# ---- starting and stopping


def test_server_can_be_started_and_stopped_many_times(temporary: Path) -> None:
    etcd = miniet.Server()
    for _ in range(20):
        with etcd, connect(etcd.endpoint) as client:
            assert client.put(b"k").header.revision == 2
        assert list(temporary.iterdir()) == []


def test_two_servers_do_not_see_each_other() -> None:
    with miniet.Server() as one, miniet.Server() as other:
        assert one.port != other.port
        with connect(one.endpoint) as client, connect(other.endpoint) as elsewhere:
            client.put(b"k", b"one")
            assert elsewhere.get(b"k") is None


def test_start_of_a_running_server_is_refused_and_does_no_harm() -> None:
    with miniet.Server() as etcd:
        with pytest.raises(miniet.StartError, match="running already"):
            etcd.start()
        with connect(etcd.endpoint) as client:
            client.put(b"k")


def test_start_imports_nothing_of_the_status_pages() -> None:
    code = """
import sys, miniet
with miniet.Server():
    assert not {"prometheus_client", "http.server"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_stop_of_a_server_that_does_not_run_is_nothing() -> None:
    etcd = miniet.Server()
    etcd.stop()
    etcd.start()
    etcd.stop()
    etcd.stop()


def test_what_needs_a_running_server_says_so() -> None:
    etcd = miniet.Server()
    with etcd:
        assert etcd.endpoint == f"127.0.0.1:{etcd.port}"
        assert etcd.client_urls == (f"http://{etcd.endpoint}",)
    for ask in (lambda: etcd.endpoint, lambda: etcd.port, etcd.statistics, etcd.reset):
        with pytest.raises(miniet.NotRunningError):
            ask()
    assert etcd.client_urls == etcd.metrics_urls == ()


def test_exception_in_the_block_comes_out_and_the_server_stops(temporary: Path) -> None:
    etcd = miniet.Server()
    with pytest.raises(ZeroDivisionError), etcd:
        1 / 0  # noqa: B018
    assert list(temporary.iterdir()) == []
    assert etcd.client_urls == ()


def test_port_is_free_after_a_stop() -> None:
    with miniet.Server() as etcd:
        port = etcd.port
    with miniet.Server(config=config(port)) as again, connect(again.endpoint) as client:
        client.put(b"k")


def test_server_listens_on_ipv6_too() -> None:
    settings = miniet.Config(
        listen_client_urls=("http://[::1]:0",), listen_metrics_urls=("http://[::1]:0",)
    )
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    with miniet.Server(config=settings) as etcd, connect(etcd.endpoint) as client:
        assert etcd.endpoint == f"[::1]:{etcd.port}"
        assert etcd.metrics_urls[0].startswith("http://[::1]:")
        client.put(b"k")


# ---- starts that fail


def test_port_in_use_fails_the_start_and_leaves_nothing(temporary: Path) -> None:
    taken, port = listener()
    with taken, pytest.raises(miniet.StartError, match=str(port)):
        miniet.Server(config=config(port)).start()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("flag", ["listen_client_urls", "listen_metrics_urls"])
def test_failed_start_gives_the_other_ports_back(temporary: Path, flag: str) -> None:
    taken, port = listener()
    free, free_port = listener()
    free.close()
    urls = {"listen_client_urls": (f"http://127.0.0.1:{free_port}",)}
    urls[flag] = (*urls.get(flag, ()), f"http://127.0.0.1:{port}")
    with taken, pytest.raises(miniet.StartError):
        miniet.Server(config=miniet.Config(**urls)).start()  # type: ignore[arg-type]
    assert list(temporary.iterdir()) == []
    socket.create_server(("127.0.0.1", free_port)).close()


def test_data_directory_that_is_a_file_fails_the_start(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    etcd = miniet.Server(file)
    with pytest.raises(miniet.StartError, match="file"):
        etcd.start()
    assert file.read_text() == "mine"
    file.unlink()
    with etcd, connect(etcd.endpoint) as client:
        client.put(b"k")


def test_memory_only_start_that_fails_takes_its_directory_along(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = bootstrap.TemporaryDirectory

    def make_obstructed(**options: object) -> object:
        made = make(**options)  # type: ignore[call-overload]
        (Path(made.name) / "member").write_text("in the way")
        return made

    monkeypatch.setattr(bootstrap, "TemporaryDirectory", make_obstructed)
    with pytest.raises(miniet.StartError, match="member"):
        miniet.Server().start()
    assert list(temporary.iterdir()) == []


def test_second_server_on_one_data_directory_is_refused(tmp_path: Path) -> None:
    with miniet.Server(tmp_path) as etcd, connect(etcd.endpoint) as client:
        with pytest.raises(miniet.DataError, match="another"):
            miniet.Server(tmp_path).start()
        client.put(b"k")


def test_log_that_cannot_be_written_fails_the_start(tmp_path: Path) -> None:
    with miniet.Server(tmp_path):
        pass
    code = """
import resource, signal, sys
import miniet
# No file may grow, or be written beyond its first bytes.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    miniet.Server(sys.argv[1]).start()
except (miniet.StartError, miniet.DataError) as error:
    print("refused:", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.startswith("refused:")


# ---- data


def test_data_directory_keeps_data_from_one_server_to_the_next(tmp_path: Path) -> None:
    etcd = miniet.Server(tmp_path / "data")
    for revision in (2, 3, 4):
        with etcd, connect(etcd.endpoint) as client:
            assert client.put(b"k", b"%d" % revision).header.revision == revision
    other = miniet.Server(str(tmp_path / "data"))
    with other, connect(other.endpoint) as client:
        assert client.get(b"k") == b"4"


def test_statistics_count_what_each_component_holds(tmp_path: Path) -> None:
    with miniet.Server(tmp_path) as etcd, connect(etcd.endpoint) as client:
        before = etcd.statistics()
        watch = client.watch(b"k")
        assert next(watch).created
        lease = client.grant(60)
        for _ in range(10):
            client.put(b"k", bytes(1000), lease)
        after = etcd.statistics()
    storage, before_storage = after.raft.storage, before.raft.storage
    assert storage.entry_count - before_storage.entry_count == 11
    grown_bytes = storage.entry_payload_bytes - before_storage.entry_payload_bytes
    assert 10_000 < grown_bytes < 11_000
    assert (after.store.key_count, after.store.index_revision_count) == (1, 10)
    assert (after.lease.lease_count, after.lease.attached_key_count) == (1, 1)
    assert (after.watch.stream_count, after.watch.watcher_count) == (1, 1)
    assert after.backend.size_bytes >= before.backend.size_bytes
    assert after.wal.last_index == storage.last_index


@pytest.mark.parametrize(("profile", "is_cut"), [("3.5", False), ("3.6", True)])
def test_profile_decides_when_the_log_is_cut(profile: str, is_cut: bool) -> None:
    settings = config(profile=profile, snapshot_catchup_entries=5)
    with miniet.Server(config=settings) as etcd, connect(etcd.endpoint) as client:
        for _ in range(150):
            client.put(b"k")
        assert client.status().version == "3.4.23"
        assert (etcd.statistics().raft.storage.entry_count < 60) == is_cut


def test_memory_only_server_says_so_and_keeps_no_log() -> None:
    with miniet.Server() as etcd, connect(etcd.endpoint) as client:
        client.put(b"k")
        assert "memory-only" in client.status().errors[0]
        assert etcd.statistics().wal.written_bytes == 0


# ---- reset


def test_reset_leaves_an_empty_server_at_revision_1() -> None:
    with miniet.Server() as etcd, connect(etcd.endpoint) as client:
        lease = client.grant(60)
        for n in range(100):
            client.put(b"k%d" % n, b"v", lease)
        etcd.reset()
        answer = client.range(b"\0", b"\0")
        assert (answer.count, answer.header.revision) == (0, 1)
        assert client.leases() == []
        assert client.put(b"k").header.revision == 2
        counts = etcd.statistics()
        assert (counts.store.key_count, counts.lease.lease_count) == (1, 0)


def test_reset_takes_milliseconds_whatever_was_there() -> None:
    with miniet.Server() as etcd, connect(etcd.endpoint) as client:
        durations_ms = []
        for _ in range(5):
            for n in range(300):
                client.put(b"k%d" % n, bytes(1000))
            begun_s = time.perf_counter()
            etcd.reset()
            durations_ms.append((time.perf_counter() - begun_s) * 1000)
        assert min(durations_ms) < 20


def test_reset_of_a_server_with_a_data_directory_is_refused(tmp_path: Path) -> None:
    with miniet.Server(tmp_path) as etcd, connect(etcd.endpoint) as client:
        client.put(b"k", b"v")
        with pytest.raises(miniet.StartError, match="memory-only"):
            etcd.reset()
        assert client.get(b"k") == b"v"


# ---- what is left behind


def test_stopped_server_lets_go_of_what_it_held() -> None:
    def storages() -> int:
        gc.collect()
        return sum(isinstance(thing, MemoryStorage) for thing in gc.get_objects())

    before = storages()
    with miniet.Server() as etcd:
        assert storages() == before + 1
    assert storages() == before
    assert etcd.client_urls == ()


def test_nothing_is_left_open_after_a_stop() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with miniet.Server():  # grpcio opens what it keeps for the whole process
        pass
    before = descriptors()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            with miniet.Server(
                config=config(listen_metrics_urls=("http://127.0.0.1:0",))
            ):
                pass
        gc.collect()
    assert descriptors() <= before


def test_server_never_stopped_is_stopped_with_the_process(tmp_path: Path) -> None:
    code = """
import os, sys
import miniet
servers = [miniet.Server(), miniet.Server(sys.argv[1])]
for server in servers:
    server.start()
print(servers[0]._server._member.temporary_directory.name)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path(done.stdout.strip()).exists()
    with miniet.Server(tmp_path) as etcd, connect(etcd.endpoint) as client:
        assert client.put(b"k").header.revision == 2
