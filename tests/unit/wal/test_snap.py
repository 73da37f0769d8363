"""Snapshot files, broken ones among them."""

import os

import pytest
from crc32c import crc32c

from miniet.raft.messages import ConfState, Snapshot
from miniet.wal import SnapshotDamagedError, SnapshotFiles, WalSnapshot, read_snapshot

OLD = Snapshot(21, 2, ConfState((7,)), b'{"Root":{}}')
NEW = Snapshot(42, 2, ConfState((7, 8)), b'{"Root":{"a":1}}')
VALID = [WalSnapshot(), WalSnapshot(21, 2), WalSnapshot(42, 2)]


@pytest.fixture
def files(tmp_path):
    files = SnapshotFiles(tmp_path / "snap", sync=False)
    files.save(OLD)
    files.save(NEW)
    return files


def test_file_is_etcds_byte_for_byte(tmp_path):
    path = SnapshotFiles(tmp_path, sync=False).save(OLD)
    assert path.name == "0000000000000002-0000000000000015.snap"
    data = b'\x0a\x0b{"Root":{}}\x12\x0a\x0a\x04\x08\x07\x28\x00\x10\x15\x18\x02'
    crc = crc32c(data)
    assert crc > 1 << 28
    varint = bytes((*(crc >> shift & 127 | 128 for shift in (0, 7, 14, 21)), crc >> 28))
    assert path.read_bytes() == b"\x08" + varint + b"\x12\x19" + data


def test_saved_snapshot_is_read_back(tmp_path):
    durations = []
    files = SnapshotFiles(tmp_path, on_fsync=durations.append)
    assert read_snapshot(files.save(NEW)) == NEW
    assert os.listdir(tmp_path) == ["0000000000000002-000000000000002a.snap"]
    assert len(durations) == 1


def test_newest_snapshot_known_to_the_log_is_loaded(files):
    assert files.load_newest(VALID) == NEW
    assert files.load_newest(VALID[:2]) == OLD
    assert files.load_newest(VALID[:1]) is None


def test_term_counts_before_index(files):
    files.save(Snapshot(30, 3, ConfState(), b"x"))
    assert files.names()[0] == "0000000000000003-000000000000001e.snap"


def test_absent_directory_holds_no_snapshot(tmp_path):
    assert SnapshotFiles(tmp_path / "absent").load_newest(VALID) is None


def test_other_files_are_left_alone(files, tmp_path):
    for name in ("db", "db.tmp1", "0000000000000015.snap.db", "x.snap.tmp"):
        (tmp_path / "snap" / name).write_bytes(b"x")
    assert len(files.names()) == 2
    assert files.load_newest(VALID) == NEW


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content[:6], id="no data"),
        pytest.param(lambda content: b"\x08\x00" + content[6:], id="crc of 0"),
        pytest.param(lambda content: content[6:], id="no crc"),
        pytest.param(lambda content: b"\xff" * 20, id="not protobuf"),
        pytest.param(lambda content: content[:-1], id="cut off"),
    ],
)
def test_damaged_file_is_refused(tmp_path, damage):
    path = SnapshotFiles(tmp_path, sync=False).save(NEW)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SnapshotDamagedError) as refused:
        read_snapshot(path)
    assert refused.value.path == str(path)


def test_bit_flip_anywhere_in_a_file_is_refused(tmp_path):
    path = SnapshotFiles(tmp_path, sync=False).save(NEW)
    content = path.read_bytes()
    for position in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            path.write_bytes(flipped)
            with pytest.raises(SnapshotDamagedError):
                read_snapshot(path)


def test_damaged_file_is_renamed_and_the_next_older_loaded(files, tmp_path):
    newest = files.names()[0]
    (tmp_path / "snap" / newest).write_bytes(b"")
    assert files.load_newest(VALID) == OLD
    assert sorted(os.listdir(tmp_path / "snap")) == [
        "0000000000000002-0000000000000015.snap",
        newest + ".broken",
    ]
