"""Names, locks and files of segments."""

import os
from random import Random

import pytest

from miniet.wal import WalLockedError, WalMissingError
from miniet.wal.segment import (
    SegmentFile,
    SegmentName,
    first_data_after,
    list_segments,
    make_directory,
    open_locked,
    preallocate,
    segments_from,
)
from tests.support.crash_files import Disk


@pytest.mark.parametrize(
    ("name", "sequence", "first_index"),
    [
        ("0000000000000000-0000000000000000.wal", 0, 0),
        ("000000000000000a-00000000000f4240.wal", 10, 1_000_000),
    ],
)
def test_name_is_two_hexadecimal_numbers(name, sequence, first_index):
    assert SegmentName.parse(name) == SegmentName(sequence, first_index)
    assert str(SegmentName(sequence, first_index)) == name


@pytest.mark.parametrize(
    "name",
    [
        "0.tmp",
        "0000000000000000-0000000000000000.wal.broken",
        "000000000000000A-0000000000000000.wal",
        "0-0.wal",
    ],
)
def test_other_names_are_no_segments(name):
    assert SegmentName.parse(name) is None


def test_listing_sorts_by_number_and_leaves_other_files_out(tmp_path):
    names = [SegmentName(1, 7), SegmentName(0, 0), SegmentName(10, 5)]
    for name in [*map(str, names), "0.tmp", f"{names[0]}.broken", "notes.txt"]:
        (tmp_path / name).touch()
    assert list_segments(tmp_path) == [names[1], names[0], names[2]]


def test_listing_of_nothing_is_refused(tmp_path):
    with pytest.raises(WalMissingError, match="no log segments"):
        list_segments(tmp_path)
    with pytest.raises(WalMissingError, match="no log segments"):
        list_segments(tmp_path / "absent")


NAMES = [SegmentName(3, 10), SegmentName(4, 20), SegmentName(5, 30)]


@pytest.mark.parametrize(
    ("index", "first"), [(10, 3), (19, 3), (20, 4), (29, 4), (30, 5), (1000, 5)]
)
def test_reading_begins_with_the_last_segment_at_or_before_the_index(
    tmp_path, index, first
):
    assert segments_from(NAMES, index, tmp_path)[0].sequence == first


def test_missing_first_segment_is_refused(tmp_path):
    with pytest.raises(WalMissingError, match="at or before index 9"):
        segments_from(NAMES, 9, tmp_path)


def test_gap_between_segments_is_refused_only_where_it_is_read(tmp_path):
    gapped = [NAMES[0], NAMES[2]]
    with pytest.raises(WalMissingError, match="between"):
        segments_from(gapped, 10, tmp_path)
    assert segments_from(gapped, 30, tmp_path) == [NAMES[2]]


def test_segment_is_locked_until_it_is_closed(tmp_path):
    name = NAMES[0]
    (tmp_path / str(name)).touch()
    segment = SegmentFile.open(tmp_path, name)
    with pytest.raises(WalLockedError, match="another writer"):
        SegmentFile.open(tmp_path, name)
    segment.close()
    segment.close()
    SegmentFile.open(tmp_path, name).close()


def test_write_goes_to_its_offset(tmp_path):
    (tmp_path / str(NAMES[0])).write_bytes(b"0123456789")
    segment = SegmentFile.open(tmp_path, NAMES[0])
    segment.write(b"ab", 3)
    segment.close()
    assert segment.path.read_bytes() == b"012ab56789"


def test_preallocated_space_is_zero_and_without_data(tmp_path):
    fd = open_locked(tmp_path / "file", os.O_CREAT)
    try:
        preallocate(fd, 3_000_000)
        assert os.fstat(fd).st_size == 3_000_000
        assert first_data_after(fd, 0) is None
        os.pwrite(fd, b"x", 2_000_001)
        assert first_data_after(fd, 0) == 2_000_001
        assert first_data_after(fd, 2_000_001) == 2_000_001
        assert first_data_after(fd, 2_000_002) is None
        assert first_data_after(fd, 5_000_000) is None
    finally:
        os.close(fd)


@pytest.mark.parametrize("seed", range(8))
def test_names_of_new_directories_outlive_a_power_failure(tmp_path, seed):
    root = tmp_path / "root"
    root.mkdir()
    disk = Disk(root)
    with disk.watched():
        make_directory(root / "data" / "member" / "snap", sync=True)
    left = disk.left(tmp_path / "left", Random(seed))
    disk.close()
    assert (left / "data" / "member" / "snap").is_dir()
