"""Files cut short or blanked: refused with file, offset and remedy, or complete.

Flipped bits are in `test_flips`, cuts at every byte of a log in `test_torn_log`.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from miniet.engine.requests import RequestKind
from miniet.pb import rpc_pb2
from miniet.raft.messages import Entry, HardState
from miniet.wal import Wal, WalSnapshot
from miniet.wal.reader import RecordReader
from tests.conformance.crash.history import state_of
from tests.conformance.crash.member import Files, Member
from tests.conformance.crash.opening import Opener, Outcome
from tests.support.etcd_calls import EtcdCalls
from tests.support.nursery import ForkedServed


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A member with raft snapshots, large values, leases and free pages, all committed.

    As the backend has everything, an entry lost from the log cannot go unnoticed.
    """
    files = Files(tmp_path_factory.mktemp("good") / "data")
    grant = rpc_pb2.LeaseGrantRequest(ID=7, TTL=60)
    with Member(files.data_dir, snapshot_count=25) as member:
        member.propose(RequestKind.LEASE_GRANT, grant.SerializeToString())
        for number in range(60):
            put = rpc_pb2.PutRequest(
                key=b"%d" % number,
                value=bytes([number + 1]) * (5000 if number % 8 == 0 else 50),
                lease=7 if number % 10 == 0 else 0,
            )
            member.propose(RequestKind.PUT, put.SerializeToString())
            member.backend.commit()
        member.stop()
    os.truncate(files.last_segment, end_of_log(files))  # or every copy is of 64 MB
    return files


def end_of_log(files: Files) -> int:
    """Return the offset behind the last record."""
    reader = RecordReader([files.last_segment])
    for _ in reader:
        pass
    return reader.offset


def truncated(content: bytearray, random: Random) -> None:
    del content[random.randrange(len(content)) :]


def zeroed(content: bytearray, random: Random) -> None:
    start = random.randrange(len(content)) // 512 * 512
    end = min(start + random.choice((512, 4096)), len(content))
    content[start:end] = bytes(end - start)


def damaged_outcomes(
    opener: Opener,
    good: Files,
    tmp_path: Path,
    path: Path,
    damage: Callable[[bytearray, Random], None],
) -> Iterator[tuple[int, Outcome]]:
    """Damage a file of the member in many ways; yield what becomes of each."""
    for seed in range(25):
        data_dir = tmp_path / "data"
        shutil.copytree(good.data_dir, data_dir)
        content = bytearray(path.read_bytes())
        damage(content, Random(seed))
        (data_dir / path.relative_to(good.data_dir)).write_bytes(content)
        outcome = opener.open(data_dir)
        assert "crashed" not in outcome, (seed, outcome)
        if "refused" in outcome:
            assert str(data_dir) in outcome["path"], (seed, outcome)
            assert outcome["remedy"], (seed, outcome)
        yield seed, outcome
        shutil.rmtree(data_dir)


DAMAGES = pytest.mark.parametrize("damage", [truncated, zeroed])


@DAMAGES
def test_damaged_log_is_refused_or_repaired_without_a_loss(
    opener: Opener,
    good: Files,
    tmp_path: Path,
    damage: Callable[[bytearray, Random], None],
) -> None:
    state = opener.open(copied(good, tmp_path / "whole"))["state"]
    refused = 0
    outcomes = damaged_outcomes(opener, good, tmp_path, good.last_segment, damage)
    for seed, outcome in outcomes:
        refused += "refused" in outcome
        assert outcome.get("state", state) == state, seed
    assert refused > 10


@DAMAGES
def test_damaged_raft_snapshot_is_put_aside_without_a_loss(
    opener: Opener,
    good: Files,
    tmp_path: Path,
    damage: Callable[[bytearray, Random], None],
) -> None:
    state = opener.open(copied(good, tmp_path / "whole"))["state"]
    path = good.snapshots[-1]
    for seed, outcome in damaged_outcomes(opener, good, tmp_path, path, damage):
        assert outcome.get("state") == state, seed
        assert (tmp_path / "data/member/snap" / f"{path.name}.broken").exists(), seed


@DAMAGES
def test_damaged_backend_never_ends_the_process(
    opener: Opener,
    good: Files,
    tmp_path: Path,
    damage: Callable[[bytearray, Random], None],
) -> None:
    # A changed byte within a key or value is not noticed: neither LMDB nor bbolt has
    # checksums of its data. Whatever holds the file together is checked.
    state = opener.open(copied(good, tmp_path / "whole"))["state"]
    for seed, outcome in damaged_outcomes(opener, good, tmp_path, good.db, damage):
        if damage is truncated:
            assert outcome.get("state", state) == state, seed


def copied(good: Files, data_dir: Path) -> Path:
    shutil.copytree(good.data_dir, data_dir)
    return data_dir


# As the operator sees it.


def test_damaged_log_is_told_by_file_offset_and_remedy(
    good: Files, tmp_path: Path
) -> None:
    files = Files(copied(good, tmp_path / "data"))
    content = bytearray(files.last_segment.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 1
    files.last_segment.write_bytes(content)
    (line,) = ForkedServed(files.data_dir).refused().splitlines()
    assert line.startswith(f"miniet: {files.last_segment}: ")
    offset = int(line.partition("(offset ")[2].partition(")")[0])
    assert middle - 6000 < offset <= middle
    assert line.endswith(
        "; restore the data directory from a backup, "
        "or remove the member and add it again"
    )


def test_damaged_backend_is_told_by_file_offset_and_remedy(
    good: Files, tmp_path: Path
) -> None:
    files = Files(copied(good, tmp_path / "data"))
    os.truncate(files.db, 10_000)
    (line,) = ForkedServed(files.data_dir).refused().splitlines()
    assert line.startswith(f"miniet: {files.db}: ")
    assert "(offset " in line
    assert line.endswith("; restore the data directory from a snapshot")


def test_backend_of_another_kind_is_refused(good: Files, tmp_path: Path) -> None:
    files = Files(copied(good, tmp_path / "data"))
    files.db.write_bytes(bytes(65536))
    (line,) = ForkedServed(files.data_dir).refused().splitlines()
    assert f"{files.db}: not an LMDB file (offset 0)" in line


# A torn end is no damage: nothing in it was acknowledged.


@pytest.mark.parametrize("tear", ["cut off", "last sectors blank"])
def test_torn_end_of_the_log_is_repaired(
    good: Files, tmp_path: Path, tear: str
) -> None:
    with ForkedServed(tmp_path / "data", "--snapshot-count=5") as server:
        with EtcdCalls(server.endpoint) as calls:
            for number in range(20):
                calls.put(b"%d" % number, bytes(600))
            before = state_of(calls)
        server.kill()
    files = Files(server.data_dir)
    end = end_of_log(files)
    write_unacknowledged_entry(files)
    torn = end + 1200  # within it
    if tear == "cut off":
        os.truncate(files.last_segment, torn)
    else:
        with open(files.last_segment, "r+b") as segment:
            segment.seek((torn + 511) // 512 * 512)
            segment.write(bytes(8192))
    with server, EtcdCalls(server.endpoint) as calls:
        assert "torn write: " in server.log
        assert f"(offset {end})" in server.log
        assert state_of(calls) == before
        assert calls.put(b"after") == before[2][1] + 1
    assert len(list(files.wal.glob("*.broken"))) == 1
    with server, EtcdCalls(server.endpoint) as calls:
        assert calls.range(b"after").count == 1


def write_unacknowledged_entry(files: Files) -> None:
    """Append what a crash in the middle of a write may leave a part of."""
    newest = files.snapshots[-1].stem.split("-")
    at = WalSnapshot(int(newest[1], 16), int(newest[0], 16))
    wal, contents = Wal.open(files.wal, at)
    term = contents.hard_state.term
    index = contents.entries[-1].index if contents.entries else at.index
    put = rpc_pb2.PutRequest(key=b"never", value=b"x" * 3000)
    wal.append(HardState(), [Entry(term, index + 1, data=put.SerializeToString())])
    wal.close()
