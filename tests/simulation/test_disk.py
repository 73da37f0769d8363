"""The simulated disk keeps what was synced, and only that for sure."""

import os
from pathlib import Path
from random import Random

import pytest

from tests.simulation.disk import PAGE_BYTES, SECTOR_BYTES, PowerLost, SimulatedDisk

FIRST, SECOND = b"1" * 4 * SECTOR_BYTES, b"2" * 4 * SECTOR_BYTES


def written(root: Path, seed: int) -> tuple[SimulatedDisk, Path, int]:
    """Make a log file with a synced first part and a second that is not synced."""
    disk = SimulatedDisk(root, Random(seed))
    disk.wal.mkdir(parents=True)
    disk.snap.mkdir()
    path = disk.wal / "a.wal"
    with disk.intercepted():
        fd = os.open(path, os.O_RDWR | os.O_CREAT)
        os.posix_fallocate(fd, 0, len(FIRST + SECOND))
        os.pwrite(fd, FIRST, 0)
        os.fdatasync(fd)
        os.pwrite(fd, SECOND, len(FIRST))
    return disk, path, fd


@pytest.mark.parametrize("seed", range(20))
def test_synced_bytes_survive_a_loss_of_power(tmp_path: Path, seed: int) -> None:
    disk, path, fd = written(tmp_path, seed)
    os.close(fd)
    disk.turn_off()
    disk.turn_on(power_lost=True)
    assert path.read_bytes().startswith(FIRST)


def test_each_sector_that_was_not_synced_is_whole_or_lost(tmp_path: Path) -> None:
    found: set[bytes] = set()
    for seed in range(30):
        disk, path, fd = written(tmp_path / str(seed), seed)
        os.close(fd)
        disk.turn_on(power_lost=True)
        rest = path.read_bytes()[len(FIRST) :]
        sectors = {
            rest[begin : begin + SECTOR_BYTES] for begin in range(0, len(rest), 512)
        }
        assert sectors <= {bytes(SECTOR_BYTES), SECOND[:SECTOR_BYTES]}
        found.add(rest)
    assert {bytes(len(SECOND)), SECOND} < found


def test_end_of_the_process_alone_loses_nothing_that_was_written(
    tmp_path: Path,
) -> None:
    disk, path, fd = written(tmp_path, 1)
    os.close(fd)
    disk.turn_off()
    disk.turn_on(power_lost=False)
    assert path.read_bytes() == FIRST + SECOND


def test_lie_about_a_sync_shows_when_the_power_goes(tmp_path: Path) -> None:
    lost = 0
    for seed in range(20):
        disk, path, fd = written(tmp_path / str(seed), seed)
        disk.db.write_bytes(b"")
        disk.begin_lying()
        with disk.intercepted():
            os.fdatasync(fd)
        os.close(fd)
        disk.turn_on(power_lost=True)
        lost += path.read_bytes() != FIRST + SECOND
    assert lost > 5


def test_full_disk_takes_whole_pages_and_then_says_so(tmp_path: Path) -> None:
    disk, _, fd = written(tmp_path, 1)
    disk.is_full = True
    taken: list[int] = []

    def fill() -> None:
        while True:
            taken.append(os.pwrite(fd, bytes(20_000), sum(taken)))

    with disk.intercepted(), pytest.raises(OSError, match="No space left on device"):
        fill()
    os.close(fd)
    assert taken
    assert [size % PAGE_BYTES for size in taken] == [0] * len(taken)


def test_machine_stops_in_the_middle_of_the_call_that_was_chosen(
    tmp_path: Path,
) -> None:
    disk, _, fd = written(tmp_path, 1)
    stopped: list[bool] = []
    disk.on_stop = lambda: stopped.append(True)
    disk.calls_left = 2
    with disk.intercepted():
        os.fdatasync(fd)
        with pytest.raises(PowerLost):
            os.pwrite(fd, b"x", 0)
        assert stopped
        with pytest.raises(PowerLost):
            os.fdatasync(fd)
    os.close(fd)
