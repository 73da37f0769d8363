"""What a process that was killed has begun is made sure of by the next one."""

import os
from pathlib import Path
from random import Random

import pytest

from miniet.clock import SystemClock
from miniet.raft import Entry, HardState
from miniet.server.bootstrap import build_member
from miniet.server.config import Config
from miniet.server.recorders import Durations
from miniet.wal import TornWriteError, Wal, WalContents, WalSnapshot, repair
from tests.simulation.disk import PowerLost, SimulatedDisk

SEGMENT_BYTES = 4096
CALLS_OF_A_CUT, CALLS_OF_A_START = 8, 8


def opened(disk: SimulatedDisk) -> tuple[Wal, WalContents]:
    """Open the log, mended where its end is torn."""
    try:
        return Wal.open(disk.wal, WalSnapshot(), segment_bytes=SEGMENT_BYTES)
    except TornWriteError:
        repair(disk.wal)
        return Wal.open(disk.wal, WalSnapshot(), segment_bytes=SEGMENT_BYTES)


def machine(root: Path, seed: int) -> SimulatedDisk:
    """Return a disk with the directories of a member and no log."""
    disk = SimulatedDisk(root, Random(seed))
    disk.snap.mkdir(parents=True)
    disk.turn_on(power_lost=True)  # what is there now is there to stay
    return disk


def put_and_lose_power(disk: SimulatedDisk, wal: Wal, index: int) -> None:
    """Hold an entry that was synced against what is there after a loss of power."""
    entry = Entry(index=index, term=1, data=b"new")
    wal.append(HardState(1, 1, 0), [entry])
    wal.flush(sync=True)
    disk.turn_off()
    wal._release_files()
    disk.turn_on(power_lost=True)
    wal, contents = opened(disk)
    wal.close()
    assert contents.entries[-1] == entry


@pytest.mark.parametrize("calls", range(1, CALLS_OF_A_CUT + 1))
@pytest.mark.parametrize("seed", range(16))
def test_a_segment_that_was_begun_by_a_process_that_was_killed(
    tmp_path: Path, seed: int, calls: int
) -> None:
    disk = machine(tmp_path, seed)
    with disk.intercepted():
        wal = Wal.create(disk.wal, b"", segment_bytes=SEGMENT_BYTES)
        large = Entry(index=1, term=1, data=bytes(SEGMENT_BYTES))
        wal.append(HardState(1, 1, 0), [large])
        disk.calls_left = calls  # of the write, its sync, and a new segment
        try:
            wal.flush(sync=True)
        except PowerLost:
            assert calls < CALLS_OF_A_CUT
        disk.turn_off()
        wal._release_files()
        disk.turn_on(power_lost=False)
        wal, contents = opened(disk)
        put_and_lose_power(disk, wal, len(contents.entries) + 1)


@pytest.mark.parametrize("calls", range(1, CALLS_OF_A_START + 1))
@pytest.mark.parametrize("seed", range(16))
def test_a_log_that_was_begun_by_a_process_that_was_killed(
    tmp_path: Path, seed: int, calls: int
) -> None:
    disk = machine(tmp_path, seed)
    with disk.intercepted():
        disk.calls_left = calls
        try:
            Wal.create(disk.wal, b"", segment_bytes=SEGMENT_BYTES).close()
        except PowerLost:
            assert calls < CALLS_OF_A_START
        disk.turn_off()
        disk.turn_on(power_lost=False)
        if disk.wal.exists():
            wal, _ = opened(disk)
        else:
            wal = Wal.create(disk.wal, b"", segment_bytes=SEGMENT_BYTES)
        put_and_lose_power(disk, wal, 1)


def test_a_start_makes_sure_of_the_names_that_an_earlier_one_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[Path] = set()
    fsync = os.fsync

    def note(fd: int) -> None:
        synced.add(Path(os.readlink(f"/proc/self/fd/{fd}")))
        fsync(fd)

    def start() -> None:
        urls, clock = ("http://127.0.0.1:2379",), SystemClock()
        config, durations = Config(), Durations()
        build_member(config, tmp_path, urls, clock, Random(1), durations).close(
            commit=True
        )

    start()
    monkeypatch.setattr(os, "fsync", note)
    start()
    member = tmp_path / "member"
    assert {tmp_path, member, member / "wal", member / "snap"} <= synced
