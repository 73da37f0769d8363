"""What records say together, and which contradict each other."""

import pytest
from crc32c import crc32c

from miniet.raft.codec import encode_entry, encode_hard_state
from miniet.raft.messages import ConfState, Entry, EntryType, HardState
from miniet.wal import (
    Wal,
    WalDamagedError,
    WalMissingError,
    WalSnapshot,
    read_log,
    valid_snapshots,
)
from miniet.wal.contents import decode_wal_snapshot, encode_wal_snapshot
from miniet.wal.record import RecordType, frame
from tests.unit.wal.logs import METADATA, NODE, entries, last_segment, state, write_log

SNAPSHOT_0 = (RecordType.SNAPSHOT, encode_wal_snapshot(WalSnapshot()))


def write_records(directory, *records):
    """Write a log of any records whatever, with right CRCs."""
    directory.mkdir()
    crc = 0
    framed = [frame(RecordType.CRC, 0, None)]
    for kind, data in ((RecordType.METADATA, METADATA), *records):
        crc = crc32c(data, crc)
        framed.append(frame(kind, crc, data))
    name = "0000000000000000-0000000000000000.wal"
    (directory / name).write_bytes(b"".join(framed))
    return directory


@pytest.mark.parametrize(
    ("snapshot", "conf_state", "expected"),
    [
        (WalSnapshot(), None, "08001000"),
        (WalSnapshot(21, 2), None, "08151002"),
        (WalSnapshot(21, 2), ConfState((1,)), "081510021a0408012800"),
    ],
)
def test_snapshot_record_is_etcds(snapshot, conf_state, expected):
    encoded = encode_wal_snapshot(snapshot, conf_state)
    assert encoded == bytes.fromhex(expected)
    assert decode_wal_snapshot(memoryview(encoded)) == snapshot


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        pytest.param(
            (RecordType.METADATA, METADATA[:-1] + b"\x02"),
            "metadata differs",
            id="metadata",
        ),
        pytest.param(
            (RecordType.ENTRY, encode_entry(Entry(2, 4))), "leaves a hole", id="hole"
        ),
        pytest.param(
            (RecordType.ENTRY, b"\x08\x05\x10\x02\x18\x03"),
            "unknown entry type",
            id="type",
        ),
        pytest.param(
            (RecordType.ENTRY, encode_hard_state(HardState(2, NODE, 2))),
            "has no data",
            id="state as entry",
        ),
        pytest.param(
            (RecordType.STATE, encode_entry(entries(3, 1)[0])),
            "state record that is none",
            id="entry as state",
        ),
        pytest.param(
            (
                RecordType.STATE,
                encode_entry(Entry(5, 3, EntryType.CONF_CHANGE_V2, b"x")),
            ),
            "state record that is none",
            id="conf change as state",
        ),
        pytest.param(
            (RecordType.STATE, encode_entry(Entry(2, 3))),
            "state record that is none",
            id="no-op entry as state",
        ),
        pytest.param(
            (RecordType.STATE, encode_hard_state(HardState(1, NODE, 2))),
            "state record that is none",
            id="term falls",
        ),
        pytest.param(
            (RecordType.STATE, b"\x08"), "ends inside a varint", id="state cut"
        ),
        pytest.param(
            (RecordType.SNAPSHOT, b"\x08"), "ends inside a varint", id="snapshot cut"
        ),
        pytest.param(
            (RecordType.SNAPSHOT, encode_wal_snapshot(WalSnapshot(0, 3))),
            "index 0 has term 3, not 0",
            id="other term",
        ),
    ],
)
def test_record_that_contradicts_the_others_is_refused(tmp_path, record, reason):
    before = [(RecordType.ENTRY, encode_entry(entry)) for entry in entries(1, 2)]
    before.append((RecordType.STATE, encode_hard_state(state(2))))
    directory = write_records(tmp_path / "wal", SNAPSHOT_0, *before)
    assert len(read_log(directory, WalSnapshot()).entries) == 2
    damaged = write_records(tmp_path / "damaged", SNAPSHOT_0, *before, record)
    with pytest.raises(WalDamagedError, match=reason):
        read_log(damaged, WalSnapshot())


def test_entries_do_not_hold_on_to_the_file(tmp_path):
    write_log(tmp_path / "wal", [entries(1, 2)])
    contents = read_log(tmp_path / "wal", WalSnapshot())
    assert all(type(entry.data) is bytes for entry in contents.entries)
    assert type(contents.metadata) is bytes


def test_conf_change_entries_keep_their_type(tmp_path):
    batch = [Entry(1, 1, EntryType.CONF_CHANGE, b"x"), Entry(2, 2)]
    write_log(tmp_path / "wal", [batch])
    assert read_log(tmp_path / "wal", WalSnapshot()).entries == batch


def test_snapshots_above_the_commit_index_are_not_valid(tmp_path):
    wal = Wal.create(tmp_path / "wal", METADATA, sync=False, segment_bytes=600)
    wal.append(state(0), entries(1, 20))
    wal.save_snapshot(5, 2)
    wal.append(state(12), [])
    wal.save_snapshot(12, 2)
    wal.save_snapshot(13, 2)
    assert valid_snapshots(tmp_path / "wal") == [
        WalSnapshot(),
        WalSnapshot(5, 2),
        WalSnapshot(12, 2),
    ]
    wal.close()


def test_valid_snapshots_need_no_whole_end(tmp_path):
    wal = Wal.create(tmp_path / "wal", METADATA, sync=False, segment_bytes=4096)
    wal.append(state(5), entries(1, 5))
    wal.save_snapshot(4, 2)
    wal.append(None, entries(6, 1))
    wal.close()
    path = last_segment(tmp_path / "wal")
    path.write_bytes(path.read_bytes().rstrip(b"\0")[:-3])
    assert valid_snapshots(tmp_path / "wal") == [WalSnapshot(), WalSnapshot(4, 2)]


def test_valid_snapshots_of_no_log_are_refused(tmp_path):
    with pytest.raises(WalMissingError):
        valid_snapshots(tmp_path)


def test_gap_between_segments_is_refused(tmp_path):
    directory = tmp_path / "wal"
    write_log(directory, [entries(1, 9), entries(10, 9)], segment_bytes=400)
    _, second, _ = sorted(directory.glob("*.wal"))
    second.unlink()
    for read in (valid_snapshots, lambda path: read_log(path, WalSnapshot())):
        with pytest.raises(WalMissingError, match="between"):
            read(directory)


@pytest.mark.parametrize("first", [1, 2, 3])
def test_entry_displaces_all_that_stood_behind_it(tmp_path, first):
    old, new = entries(1, 4), entries(first, 1, term=3)
    directory = write_records(
        tmp_path / "wal",
        SNAPSHOT_0,
        *((RecordType.ENTRY, encode_entry(entry)) for entry in (*old, *new)),
    )
    contents = read_log(directory, WalSnapshot())
    assert contents.entries == [*old[: first - 1], *new]
