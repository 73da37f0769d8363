"""Repair of torn ends, and of nothing else."""

import pytest

from miniet.wal import (
    TornWriteError,
    Wal,
    WalDamagedError,
    WalLockedError,
    WalSnapshot,
    repair,
)
from tests.unit.wal.logs import entries, last_segment, overwrite, state, write_log

START = WalSnapshot()


@pytest.fixture
def directory(tmp_path):
    write_log(tmp_path / "wal", [entries(1, 3), entries(4, 2, size=2000)])
    return tmp_path / "wal"


def tear(directory):
    """Lose the second half of the last entry, as a power failure does."""
    path = last_segment(directory)
    overwrite(path, 4096, bytes(8192 - 4096))
    return path


def test_repair_cuts_behind_the_last_good_record(directory):
    path = tear(directory)
    torn_content = path.read_bytes()
    with pytest.raises(TornWriteError) as torn:
        Wal.open(directory, START)
    report = repair(directory)
    assert report.path == path
    assert report.kept_bytes == torn.value.offset == path.stat().st_size
    assert report.cut_bytes == len(torn_content) - report.kept_bytes
    assert report.broken_path == path.with_name(path.name + ".broken")
    assert report.broken_path.read_bytes() == torn_content
    wal, contents = Wal.open(directory, START, sync=False)
    assert contents.entries == entries(1, 3) + entries(4, 1, size=2000)
    wal.append(state(4), entries(5, 1))
    wal._check()
    wal.close()
    _, contents = Wal.open(directory, START)
    assert contents.entries[4:] == entries(5, 1)


def test_repaired_log_needs_no_second_repair(directory):
    tear(directory)
    assert repair(directory) is not None
    assert repair(directory) is None


def test_damage_is_not_repaired(directory):
    path = last_segment(directory)
    overwrite(path, 200, b"\xff")
    content = path.read_bytes()
    with pytest.raises(WalDamagedError):
        repair(directory)
    assert path.read_bytes() == content
    assert len(list(directory.iterdir())) == 1


def test_log_in_use_is_not_repaired(directory):
    wal, _ = Wal.open(directory, START)
    with pytest.raises(WalLockedError):
        repair(directory)
    wal.close()
