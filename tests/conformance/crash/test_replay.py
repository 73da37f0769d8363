"""A start replays the log over the backend, each entry exactly once."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from miniet.engine.requests import RequestKind
from miniet.errors import DataError
from miniet.pb import rpc_pb2
from miniet.wal import Wal
from miniet.wal.reader import RecordReader
from miniet.wal.record import RecordType
from tests.conformance.crash.member import Files, Member


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "data")


def test_only_entries_behind_the_consistent_index_are_applied(files: Files) -> None:
    with Member(files.data_dir) as member:
        member.put(10)
        member.backend.commit()
        member.put(7)
    with Member(files.data_dir) as member:
        assert member.applied_puts == 7
        assert member.engine.store.current_revision == 18
        state = member.state  # commits
    with Member(files.data_dir) as member:
        assert member.applied_puts == 0
        assert member.state == state


def test_clean_stop_leaves_nothing_to_replay(files: Files) -> None:
    with Member(files.data_dir) as member:
        member.put(10)
        member.stop()
    with Member(files.data_dir) as member:
        assert member.applied_puts == 0
        assert member.engine.store.current_revision == 11


def test_older_backend_catches_up_from_the_log(files: Files) -> None:
    with Member(files.data_dir) as member:
        member.put(10)
        member.stop()
    older = files.copy_of(files.db)
    with Member(files.data_dir) as member:
        member.put(7)
        state = member.state
        member.stop()
    shutil.copy(older, files.db)
    with Member(files.data_dir) as member:
        assert member.applied_puts == 7
        assert member.state == state


def test_missing_backend_is_made_again_from_the_whole_log(files: Files) -> None:
    with Member(files.data_dir) as member:
        member.put(17)
        state = member.state
        member.stop()
    files.db.unlink()
    with Member(files.data_dir) as member:
        assert member.applied_puts == 17
        assert member.state == state
        assert [each.name for each in member.engine.membership.members] == ["default"]


def test_lease_and_compaction_are_replayed(files: Files) -> None:
    grant = rpc_pb2.LeaseGrantRequest(ID=7, TTL=60).SerializeToString()
    put = rpc_pb2.PutRequest(key=b"leased", lease=7).SerializeToString()
    compact = rpc_pb2.CompactionRequest(revision=5).SerializeToString()
    with Member(files.data_dir) as member:
        member.put(10)
        member.backend.commit()
        member.propose(RequestKind.LEASE_GRANT, grant)
        member.propose(RequestKind.PUT, put)
    with Member(files.data_dir) as member:
        lease = member.engine.lessor.lookup(7)
        assert lease is not None
        assert member.engine.lessor.lease_of(b"leased") == 7
        member.propose(RequestKind.COMPACTION, compact)
        state = member.state
    with Member(files.data_dir) as member:
        assert member.engine.store.compact_revision == 5
        assert member.engine.store.compaction_pending
        assert member.state == state


def test_start_continues_at_the_newest_raft_snapshot(files: Files) -> None:
    with Member(files.data_dir, snapshot_count=5) as member:
        member.put(20)
        state = member.state
    assert len(files.snapshots) > 1
    with Member(files.data_dir) as member:
        index = int(files.snapshots[-1].stem.split("-")[1], 16)
        assert member.engine.statistics().snapshot_index == index
        assert member.state == state


@pytest.mark.parametrize("damage", ["damaged", "missing"])
def test_start_without_the_newest_raft_snapshot_takes_an_older_one(
    files: Files, damage: str
) -> None:
    with Member(files.data_dir, snapshot_count=5) as member:
        member.put(20)
        state = member.state
    newest = files.snapshots[-1]
    if damage == "missing":
        newest.unlink()
    else:
        newest.write_bytes(newest.read_bytes()[:-1])
    with Member(files.data_dir) as member:
        assert member.state == state
        assert member.applied_puts == 0
    assert newest.with_name(newest.name + ".broken").exists() == (damage == "damaged")


def test_log_without_an_entry_begins_a_new_member(files: Files) -> None:
    with Member(files.data_dir):
        metadata = metadata_of(files)
    shutil.rmtree(files.data_dir)
    Wal.create(files.wal, metadata).close()
    with Member(files.data_dir) as member:
        member.put(1)
        assert member.engine.store.current_revision == 2


def test_first_start_cut_off_before_it_promised_anything_begins_again(
    files: Files,
) -> None:
    with Member(files.data_dir):
        pass
    reader = RecordReader([files.last_segment])
    with closing(iter(reader)) as records:
        while next(records)[0] != RecordType.ENTRY:
            pass
    with open(files.last_segment, "r+b") as file:
        file.truncate(reader.offset)  # the state that was to commit it is torn off
    files.db.unlink()
    with Member(files.data_dir) as member:
        assert member.engine.is_serving
        member.put(1)
    with Member(files.data_dir) as member:
        assert member.engine.store.current_revision == 2


def metadata_of(files: Files) -> bytes:
    """Read whose log it is."""
    with closing(iter(RecordReader([files.last_segment]))) as records:
        next(records)
        kind, data = next(records)
    assert kind == RecordType.METADATA
    return bytes(data)


# What does not go together is refused, with the file, the reason and what can be done.


def refuse(files: Files, **settings: Any) -> DataError:
    """Build a member that must be refused; the files are as before, but for locks."""
    before = contents(files)
    with pytest.raises(DataError) as refusal:
        Member(files.data_dir, **settings)
    assert contents(files) == before
    error = refusal.value
    assert error.path is not None
    assert str(files.data_dir) in error.path
    assert error.remedy is not None
    return error


def contents(files: Files) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in files.data_dir.rglob("*.*")} | {
        path: path.read_bytes() for path in [files.db] if path.exists()
    }


def test_backend_older_than_the_raft_snapshot_is_refused(files: Files) -> None:
    with Member(files.data_dir) as member:
        member.put(3)
        member.stop()
    older = files.copy_of(files.db)
    with Member(files.data_dir, snapshot_count=5) as member:
        member.put(20)
        member.stop()
    shutil.copy(older, files.db)
    error = refuse(files)
    assert "the backend ends at index 7, before the raft snapshot at " in str(error)
    assert error.path == str(files.db)


def test_backend_missing_beside_a_raft_snapshot_is_refused(files: Files) -> None:
    with Member(files.data_dir, snapshot_count=5) as member:
        member.put(20)
    files.db.unlink()
    assert "there is a raft snapshot and no backend" in str(refuse(files))
    assert not files.db.exists()


def test_log_that_ends_before_the_backend_is_refused(files: Files) -> None:
    # Else new entries would have the indexes of lost ones, and be skipped.
    with Member(files.data_dir) as member:
        member.put(3)
    older = files.copy_of(files.wal)
    with Member(files.data_dir) as member:
        member.put(5)
        member.stop()
    shutil.rmtree(files.wal)
    shutil.copytree(older, files.wal)
    error = refuse(files)
    assert "beyond the end of the log at 7" in str(error)


@pytest.mark.parametrize("directory", ["missing", "empty"])
def test_backend_without_a_log_is_refused(files: Files, directory: str) -> None:
    with Member(files.data_dir) as member:
        member.put(3)
    shutil.rmtree(files.wal)
    if directory == "empty":
        files.wal.mkdir()
    assert "there is a backend and no log" in str(refuse(files))


def test_missing_first_segment_is_refused(files: Files) -> None:
    with Member(files.data_dir) as member:
        member.put(3)
    files.last_segment.rename(files.wal / f"{1:016x}-{9:016x}.wal")
    assert "no segment begins at or before index 0" in str(refuse(files))


@pytest.mark.parametrize(
    "settings",
    [
        {"initial_cluster_token": "another"},
        {
            "initial_advertise_peer_urls": ("http://localhost:9",),
            "initial_cluster": "default=http://localhost:9",
        },
    ],
    ids=["cluster", "member"],
)
def test_log_of_another_is_refused(files: Files, settings: dict[str, Any]) -> None:
    with Member(files.data_dir) as member:
        member.put(3)
    assert "belongs to another member or cluster" in str(refuse(files, **settings))
