"""Where raft's entries go: files that hold together, or nothing."""

from dataclasses import asdict
from pathlib import Path

import pytest

from miniet.raft import ConfState, Entry, EntryType, HardState, Snapshot
from miniet.server.log_store import DiskLog, LogStore, MemoryLog
from miniet.wal import SnapshotFiles, Wal, WalSnapshot, read_log, valid_snapshots

VOTERS = ConfState((1,))


def entry(index: int, size_bytes: int = 100) -> Entry:
    return Entry(1, index, EntryType.NORMAL, bytes(size_bytes))


def snapshot(index: int) -> Snapshot:
    return Snapshot(index, 1, VOTERS, b"{}")


def open_log(directory: Path, **keep: int) -> DiskLog:
    """Make a log whose segments are cut after 1,000 bytes."""
    wal = Wal.create(directory / "wal", b"metadata", segment_bytes=1000)
    limits = {"snapshots_max": 2, "wals_max": 2} | keep
    (directory / "snap").mkdir()
    return DiskLog(
        wal,
        directory / "wal",
        SnapshotFiles(directory / "snap"),
        directory / "snap",
        **limits,
    )


def names(directory: Path, suffix: str) -> list[str]:
    return sorted(path.name for path in directory.glob(f"*{suffix}"))


def write(log: LogStore, first: int, last: int) -> None:
    """Write entries one flush each, so that segments are cut between them."""
    for index in range(first, last + 1):
        log.append(HardState(1, 1, index), [entry(index)])
        log.flush(True)


def test_what_was_flushed_can_be_read_again(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    write(log, 1, 30)
    log.close()
    contents = read_log(tmp_path / "wal", WalSnapshot())
    assert [e.index for e in contents.entries] == list(range(1, 31))
    assert contents.hard_state == HardState(1, 1, 30)


def test_saved_snapshot_is_in_both_places(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    write(log, 1, 10)
    log.save_snapshot(snapshot(8))
    log.close()
    valid = valid_snapshots(tmp_path / "wal")
    assert WalSnapshot(8, 1) in valid
    newest = SnapshotFiles(tmp_path / "snap").load_newest(valid)
    assert newest is not None
    assert (newest.index, newest.conf_state) == (8, VOTERS)


def test_snapshot_that_cannot_be_saved_is_not_in_the_log(tmp_path: Path) -> None:
    """A record that named a file that is not there would end the next start."""
    log = open_log(tmp_path)
    write(log, 1, 10)
    (tmp_path / "snap").rename(tmp_path / "gone")
    (tmp_path / "snap").write_text("not a directory")
    with pytest.raises(OSError):  # noqa: PT011 (which one is the system's business)
        log.save_snapshot(snapshot(8))
    log.close()
    assert {valid.index for valid in valid_snapshots(tmp_path / "wal")} == {0}


def test_purge_spares_segments_that_a_restart_needs(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    write(log, 1, 60)
    segments = names(tmp_path / "wal", ".wal")
    assert len(segments) > 5
    log.purge()
    assert names(tmp_path / "wal", ".wal") == segments
    log.save_snapshot(snapshot(55))
    log.purge()
    kept = names(tmp_path / "wal", ".wal")
    assert 2 <= len(kept) < len(segments)
    assert kept == segments[-len(kept) :]
    log.close()
    contents = read_log(tmp_path / "wal", WalSnapshot(55, 1))
    assert [e.index for e in contents.entries] == list(range(56, 61))


def test_purge_keeps_the_newest_snapshots(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    write(log, 1, 20)
    for index in (5, 10, 15, 20):
        log.save_snapshot(snapshot(index))
    everything = names(tmp_path / "snap", ".snap")
    assert len(everything) == 4
    log.purge()
    assert names(tmp_path / "snap", ".snap") == everything[-2:]
    log.close()


def test_zero_means_keep_all_files(tmp_path: Path) -> None:
    log = open_log(tmp_path, snapshots_max=0, wals_max=0)
    write(log, 1, 40)
    for index in (10, 20, 30):
        log.save_snapshot(snapshot(index))
    before = names(tmp_path, "*/*")
    log.purge()
    assert names(tmp_path, "*/*") == before
    log.close()


def test_statistics_are_those_of_the_files(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(None, [entry(1), entry(2)])
    waiting = log.statistics()
    assert (waiting.last_index, waiting.pending_bytes > 200) == (2, True)
    log.flush(True)
    written = log.statistics()
    assert written.pending_bytes == 0
    assert written.written_bytes > waiting.written_bytes
    log.close()


def test_memory_log_takes_everything_and_holds_nothing() -> None:
    log = MemoryLog()
    write(log, 1, 10)
    log.save_snapshot(snapshot(8))
    log.purge()
    log.close()
    assert not log.is_durable
    assert not any(asdict(log.statistics()).values())


@pytest.mark.parametrize("kind", [DiskLog, MemoryLog])
def test_only_files_are_durable(kind: type[LogStore]) -> None:
    assert kind.is_durable is (kind is DiskLog)
