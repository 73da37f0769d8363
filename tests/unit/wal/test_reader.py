"""What a reader makes of torn and damaged logs."""

import itertools
import shutil

import pytest

from miniet.raft.codec import encode_entry
from miniet.raft.messages import Entry, EntryType
from miniet.wal import (
    Wal,
    WalDamagedError,
    WalSnapshot,
    read_log,
)
from miniet.wal.reader import RecordReader
from miniet.wal.record import LENGTH_BYTES, SECTOR_BYTES, RecordType, frame
from tests.unit.wal.logs import (
    METADATA,
    entries,
    filler,
    last_segment,
    overwrite,
    state,
    write_log,
)

START = WalSnapshot()


def record_ends(path):
    """Offsets in one segment after each of its records."""
    reader = RecordReader([path])
    return [reader.offset for _ in reader]


def test_reader_yields_every_record_with_its_place(tmp_path):
    write_log(tmp_path / "wal", [entries(1, 2)])
    reader = RecordReader([last_segment(tmp_path / "wal")])
    found = [(kind, bytes(data), reader.offset % 8) for kind, data in reader]
    assert [kind for kind, _, _ in found] == [
        RecordType.CRC,
        RecordType.METADATA,
        RecordType.SNAPSHOT,
        RecordType.ENTRY,
        RecordType.ENTRY,
        RecordType.STATE,
    ]
    assert found[1] == (RecordType.METADATA, METADATA, 0)
    assert found[4] == (RecordType.ENTRY, encode_entry(entries(2, 1)[0]), 0)


@pytest.mark.parametrize("term", [1, 2, 7])
def test_bit_flip_anywhere_in_the_records_is_refused(tmp_path, term):
    # The last record is a state; with term 1 or 2 it could pass for an entry.
    directory = tmp_path / "wal"
    wal = Wal.create(directory, METADATA, sync=False, segment_bytes=256)
    for first in (1, 4):
        batch = [Entry(term, first), *entries(first + 1, 2, term=term, size=14)]
        wal.append(state(first, term), batch)
        wal.flush(sync=False)
    wal.close()
    paths = sorted(directory.glob("*.wal"))
    assert len(paths) == 2
    for path in paths:
        size = record_ends(path)[-1]
        content = path.read_bytes()
        for offset, bit in itertools.product(range(size), range(8)):
            overwrite(path, offset, bytes((content[offset] ^ 1 << bit,)))
            with pytest.raises(WalDamagedError) as refused:
                read_log(directory, START)
            assert refused.value.path is not None
            overwrite(path, offset, content[offset : offset + 1])
    assert len(read_log(directory, START).entries) == 6


def test_damage_names_file_offset_and_remedy(tmp_path):
    write_log(tmp_path / "wal", [entries(1, 3)])
    path = last_segment(tmp_path / "wal")
    ends = record_ends(path)
    overwrite(path, ends[3] + 20, b"\xff")
    with pytest.raises(WalDamagedError, match="CRC mismatch") as refused:
        read_log(tmp_path / "wal", START)
    assert refused.value.path == str(path)
    assert refused.value.offset == ends[3]
    assert "backup" in refused.value.remedy


def test_write_with_any_of_its_sectors_lost_is_torn(tmp_path):
    directory = tmp_path / "wal"
    log = entries(1, 2) + entries(3, 4, size=400)
    write_log(directory, [log[:2], log[2:]])
    path = last_segment(directory)
    ends = record_ends(path)
    content = path.read_bytes()
    starts = [ends[5], *range(SECTOR_BYTES, ends[-1], SECTOR_BYTES), ends[-1]]
    sectors = list(itertools.pairwise(starts))
    assert len(sectors) == 4
    for lost in itertools.product([False, True], repeat=len(sectors)):
        if not any(lost):
            continue
        for (start, end), is_lost in zip(sectors, lost, strict=True):
            if is_lost:
                overwrite(path, start, bytes(end - start))
        contents = read_log(directory, START)
        first_lost = starts[lost.index(True)]
        good = [end for end in ends if end <= first_lost]
        assert contents.entries == log[: 2 + len(good[6:])]
        # All lost looks as if the write had never begun.
        assert (contents.torn is None) == all(lost)
        overwrite(path, 0, content)


def test_damage_with_a_blank_sector_in_an_older_segment_is_refused(tmp_path):
    directory = tmp_path / "wal"
    write_log(directory, [entries(1, 3, size=2000), entries(4, 3)], segment_bytes=4096)
    first = min(directory.glob("*.wal"))
    assert first != last_segment(directory)
    overwrite(first, 1024, bytes(SECTOR_BYTES))
    with pytest.raises(WalDamagedError):
        read_log(directory, START)


def test_older_segment_that_ends_too_soon_is_refused(tmp_path):
    directory = tmp_path / "wal"
    write_log(directory, [entries(1, 30), entries(31, 3)], segment_bytes=1024)
    first = min(directory.glob("*.wal"))
    content = first.read_bytes()
    for length in (*record_ends(first)[3:-1], len(content) - 1, len(content) - 20):
        first.write_bytes(content[:length])
        with pytest.raises(WalDamagedError):
            read_log(directory, START)


def test_segments_in_the_wrong_order_are_refused(tmp_path):
    directory = tmp_path / "wal"
    write_log(
        directory, [entries(1, 9), entries(10, 9), entries(19, 9)], segment_bytes=400
    )
    _, second, third, _ = sorted(directory.glob("*.wal"))
    shutil.copyfile(second, tmp_path / "spare")
    shutil.copyfile(third, second)
    shutil.copyfile(tmp_path / "spare", third)
    with pytest.raises(WalDamagedError, match="does not continue"):
        read_log(directory, START)


@pytest.mark.parametrize("kept", [0, 5, 16, 40])
def test_segment_without_its_first_records_is_refused(tmp_path, kept):
    write_log(tmp_path / "wal", [entries(1, 2)])
    path = last_segment(tmp_path / "wal")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WalDamagedError):
        read_log(tmp_path / "wal", START)


def test_crc_record_inside_a_segment_is_refused(tmp_path):
    write_log(tmp_path / "wal", [entries(1, 2)])
    path = last_segment(tmp_path / "wal")
    reader = RecordReader([path])
    for _ in reader:
        pass
    overwrite(path, reader.offset, frame(RecordType.CRC, reader.crc, None))
    with pytest.raises(WalDamagedError, match="inside a segment"):
        read_log(tmp_path / "wal", START)


@pytest.mark.parametrize("distance", [8, 512, 3000])
def test_data_behind_the_end_is_not_passed_over(tmp_path, distance):
    write_log(tmp_path / "wal", [entries(1, 2)])
    path = last_segment(tmp_path / "wal")
    end = record_ends(path)[-1]
    assert end % SECTOR_BYTES < SECTOR_BYTES - 16
    overwrite(path, end + distance, b"x")
    if distance < SECTOR_BYTES:
        with pytest.raises(WalDamagedError, match="more data in its sector"):
            read_log(tmp_path / "wal", START)
    else:
        contents = read_log(tmp_path / "wal", START)
        assert contents.torn.offset == end
        assert contents.entries == entries(1, 2)


def test_large_record_is_read_whole(tmp_path):
    large = Entry(2, 1, EntryType.NORMAL, filler(1, 1_500_000))
    write_log(tmp_path / "wal", [[large]], segment_bytes=LENGTH_BYTES)
    assert read_log(tmp_path / "wal", START).entries == [large]
