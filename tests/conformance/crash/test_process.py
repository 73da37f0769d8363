"""How a server process ends, and what makes it refuse to start."""

import signal
from pathlib import Path

import pytest

from miniet.raft.messages import Entry, HardState
from miniet.wal import Wal, WalSnapshot
from tests.conformance.crash.member import Files, Member
from tests.support.etcd_calls import EtcdCalls
from tests.support.served import Served, wait_until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_server_with_everything_committed(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Served(tmp_path / "data") as server, EtcdCalls(server.endpoint) as calls:
        for _ in range(20):
            calls.put(b"a")
        watch = calls.raw_stream("/etcdserverpb.Watch/Watch", iter(()))
        assert server.stop(number) == 0
        assert "Traceback" not in server.log
        watch.cancel()
    with Member(tmp_path / "data") as member:
        assert member.applied_puts == 0
        assert member.engine.store.current_revision == 21


def test_signal_ends_a_start_that_takes_long(tmp_path: Path) -> None:
    server = Served(
        tmp_path / "data",
        "--initial-election-tick-advance=false",
        "--heartbeat-interval=1000",
        "--election-timeout=50000",
    )
    server.spawn()
    wait_until(lambda: (server.data_dir / "member/snap/db").exists(), "a start")
    assert server.stop() == 0
    assert "Traceback" not in server.log


def test_second_server_on_the_data_is_refused(tmp_path: Path) -> None:
    with Served(tmp_path / "data") as first, EtcdCalls(first.endpoint) as calls:
        calls.put(b"a", b"1")
        said = Served(tmp_path / "data").refused()
        assert "locked by another writer" in said
        assert "stop the server that uses this data directory" in said
        assert calls.put(b"a", b"2") == 3
    with first, EtcdCalls(first.endpoint) as calls:
        assert calls.range(b"a").kvs[0].version == 2


@pytest.mark.parametrize("flag", ["--listen-client-urls", "--listen-metrics-urls"])
def test_second_server_on_a_port_is_refused(tmp_path: Path, flag: str) -> None:
    with Served(tmp_path / "first") as first:
        url = f"{flag}=http://{first.endpoint}"
        said = Served(tmp_path / "second", url).refused().splitlines()
        assert said[-1].startswith("miniet: ")
        assert "in use" in said[-1] or "cannot listen" in said[-1]
    with Served(tmp_path / "second"):  # the refused start has left it usable
        pass


def test_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    said = Served(tmp_path / "data").refused()
    assert said.startswith("miniet: ")
    assert str(tmp_path / "data") in said


def test_entry_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with Member(data_dir) as member:
        member.put(3)
    wal, contents = Wal.open(Files(data_dir).wal, WalSnapshot())
    state, last = contents.hard_state, contents.entries[-1].index
    entry = Entry(state.term, last + 1, data=b"\xff\xff not a request")
    wal.append(HardState(state.term, state.vote, last + 1), [entry])
    wal.close()
    said = Served(data_dir).refused()
    assert f"entry {last + 1} of the log" in said
    assert "the log was written by another version; use that one" in said
