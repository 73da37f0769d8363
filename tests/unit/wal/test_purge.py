"""Deleting old files, and stopping at those in use."""

import os

import pytest

from miniet.wal import Wal, WalSnapshot, purge, read_log
from miniet.wal.segment import open_locked
from tests.unit.wal.logs import METADATA, entries, state


@pytest.mark.parametrize(
    ("suffix", "keep", "deleted"),
    [
        (".snap", 2, ["1.snap", "2.snap"]),
        (".snap", 4, []),
        (".snap", 9, []),
        (".snap", 0, []),
        (".snap.db", 1, ["1.snap.db"]),
    ],
)
def test_oldest_files_of_the_kind_go(tmp_path, suffix, keep, deleted):
    names = {f"{number}.snap" for number in (4, 2, 3, 1)} | {"1.snap.db", "2.snap.db"}
    for name in names:
        (tmp_path / name).touch()
    assert purge(tmp_path, suffix, keep) == deleted
    assert set(os.listdir(tmp_path)) == names - set(deleted)


def test_files_newer_than_a_locked_one_stay(tmp_path):
    for name in ("1.wal", "2.wal", "3.wal"):
        (tmp_path / name).touch()
    fd = open_locked(tmp_path / "1.wal")
    try:
        assert purge(tmp_path, ".wal", 1) == []
    finally:
        os.close(fd)
    assert purge(tmp_path, ".wal", 1) == ["1.wal", "2.wal"]


def test_segments_in_use_stop_it(tmp_path):
    wal = Wal.create(tmp_path / "wal", METADATA, sync=False, segment_bytes=400)
    for first in range(1, 41, 10):
        wal.append(state(first - 1), entries(first, 10))
        wal.flush(sync=False)
    wal.append(state(40), [])
    wal.save_snapshot(25, 2)
    assert purge(tmp_path / "wal", ".wal", 1) == []
    wal.release_to(25)
    deleted = purge(tmp_path / "wal", ".wal", 1)
    assert [name[:16] for name in deleted] == ["0000000000000000", "0000000000000001"]
    assert purge(tmp_path / "wal", ".wal", 1) == []
    wal.close()
    at = WalSnapshot(25, 2)
    assert read_log(tmp_path / "wal", at).entries == entries(26, 15)
    assert Wal.open(tmp_path / "wal", at)[0].statistics().segment_count == 3
