"""A log cut at every byte of its last segment: whole up to there, or refused.

The segment has a record of every type, each written by a flush of its own, so what
must be there after a cut at any byte is known. Each cut is carried through as a
start does it: read, repair, read again, go on writing, and start once more.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from miniet.errors import DataError
from miniet.raft.messages import ConfState, Entry, EntryType, HardState
from miniet.wal import (
    TornWriteError,
    Wal,
    WalContents,
    WalSnapshot,
    repair,
    valid_snapshots,
)
from tests.unit.wal.logs import METADATA, filler, last_segment, state

START = WalSnapshot()
SECTOR_BYTES = 512

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""For files, where that exists: a repair syncs, and nobody cuts the power here."""

SEGMENT_BYTES = 4096

FIRST_RECORDS_BYTES = 56
"""CRC and metadata record, which were synced before the segment got its name."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a log says up to an offset of its last segment."""

    offset: int
    entries: list[Entry]
    hard_state: HardState
    snapshots: list[WalSnapshot]


@dataclass(frozen=True, slots=True)
class Log:
    """A log to be cut: where it is, what it held, and what was known when."""

    directory: Path
    segment: Path
    content: bytes
    marks: list[Mark]

    @property
    def end(self) -> int:
        return self.marks[-1].offset

    def is_near_an_edge(self, offset: int) -> bool:
        """Whether a record or a sector begins or ends within 8 bytes."""
        return (offset + 8) % SECTOR_BYTES <= 16 or any(
            abs(offset - mark.offset) <= 8 for mark in self.marks
        )

    def known_at(self, offset: int) -> Mark:
        """Return what was written when the records ended at or before `offset`."""
        return [mark for mark in self.marks if mark.offset <= offset][-1]

    def put(self, content: bytes) -> None:
        """Give the last segment another content."""
        for broken in self.directory.glob("*.broken"):
            broken.unlink()
        self.segment.write_bytes(content)


STEPS: list[Entry | HardState | WalSnapshot] = [
    Entry(2, 3, data=filler(1, 30)),
    Entry(2, 4),  # of a leader, without data
    state(3),
    Entry(2, 5, EntryType.CONF_CHANGE, filler(2, 20)),
    state(4),
    WalSnapshot(4, 2),
    Entry(2, 6, data=filler(3, 600)),  # over more than one sector
    state(6),
    Entry(3, 6, data=filler(4, 50)),  # displaces another
    state(6, term=3),
    Entry(3, 7, data=bytes(530)),  # zeros that were written
    Entry(3, 8, data=filler(5, 70)),
    state(7, term=3),
]


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    with TemporaryDirectory(dir=MEMORY) as path:
        yield write_log(Path(path) / "wal")


def write_log(directory: Path) -> Log:
    """Write the steps into the last of two segments, one flush each."""
    wal = Wal.create(directory, METADATA, sync=False, segment_bytes=SEGMENT_BYTES)
    entries = [Entry(2, index, data=filler(index, 2100)) for index in (1, 2)]
    wal.append(state(2), entries)
    wal.flush(sync=False)
    hard_state, snapshots = state(2), [START]
    marks = [Mark(0, entries, hard_state, snapshots)]
    for step in STEPS:
        if isinstance(step, Entry):
            wal.append(None, [step])
            entries = [entry for entry in entries if entry.index < step.index] + [step]
        elif isinstance(step, HardState):
            wal.append(step, [])
            hard_state = step
        else:
            wal.save_snapshot(step.index, step.term, ConfState((1,)))
            snapshots = [*snapshots, step]
        wal.flush(sync=False)
        mark = Mark(wal.statistics().tail_bytes, entries, hard_state, snapshots)
        marks.append(mark)
    wal.close()
    segment = last_segment(directory)
    assert len(list(directory.glob("*.wal"))) == 2
    return Log(directory, segment, segment.read_bytes(), marks)


def start(directory: Path) -> tuple[Wal, WalContents]:
    """Open the log as a start does, after a repair if its end is torn."""
    try:
        return Wal.open(directory, START, sync=False)
    except TornWriteError:
        assert repair(directory) is not None
        return Wal.open(directory, START, sync=False)


def check_start(log: Log, mark: Mark, *, goes_on: bool = True) -> None:
    """Start on the log; it must be as at `mark`, and what is written then must stay."""
    wal, contents = start(log.directory)
    assert contents.entries == mark.entries
    assert contents.hard_state == mark.hard_state
    commit = mark.hard_state.commit
    if not goes_on:
        wal.close()
        return
    valid = [each for each in mark.snapshots if each.index <= commit]
    assert valid_snapshots(log.directory) == valid
    added = Entry(4, mark.entries[-1].index + 1, data=b"added")
    wal.append(HardState(4, 1, commit), [added])
    wal._check()
    wal.close()
    wal, contents = Wal.open(log.directory, START, sync=False)
    assert contents.entries == [*mark.entries, added]
    assert contents.hard_state == HardState(4, 1, commit)
    wal.close()


def check_refused(log: Log) -> DataError:
    """Start on the log; it must be refused with file, offset and remedy."""
    before = log.segment.read_bytes()
    with pytest.raises(DataError) as refused:
        start(log.directory)
    error = refused.value
    assert not isinstance(error, TornWriteError)
    assert error.path == str(log.segment)
    assert error.offset is not None
    assert error.remedy
    assert log.segment.read_bytes() == before
    return error


def test_log_that_ends_at_any_byte_is_whole_up_to_there(log: Log) -> None:
    started = 0
    for end in range(log.end + 1):
        log.put(log.content[:end])
        try:
            check_start(log, log.known_at(end), goes_on=log.is_near_an_edge(end))
            started += 1
        except DataError:
            check_refused(log)
            assert end < FIRST_RECORDS_BYTES, end
        except AssertionError as error:
            error.add_note(f"file ends at {end}")
            raise
    assert started == log.end + 1 - FIRST_RECORDS_BYTES


def test_log_that_is_blank_from_any_byte_on_is_whole_up_to_there(log: Log) -> None:
    refused = 0
    for end in range(log.end + 1):
        log.put(log.content[:end] + bytes(SEGMENT_BYTES - end))
        # Zeros that were written anyway are no loss.
        same = log.end - len(log.content[end : log.end].lstrip(b"\0"))
        try:
            check_start(log, log.known_at(same), goes_on=log.is_near_an_edge(end))
        except DataError:
            check_refused(log)
            assert end % SECTOR_BYTES or end == 0, "no disk stops within a sector"
            refused += 1
        except AssertionError as error:
            error.add_note(f"blank from {end} on")
            raise
    assert 0 < refused < log.end - log.end // SECTOR_BYTES


def test_log_without_any_of_its_sectors_is_whole_up_to_there_or_refused(
    log: Log,
) -> None:
    # Sectors of one write may reach the disk in any order. But what a later record
    # calls committed was synced, and cannot be the rest of a write.
    count = log.end // SECTOR_BYTES + 1
    refused = 0
    for lost in product((False, True), repeat=count - 1):
        sectors = [number for number, is_lost in enumerate(lost, 1) if is_lost]
        content = bytearray(log.content)
        for sector in sectors:
            start_at = sector * SECTOR_BYTES
            content[start_at : start_at + SECTOR_BYTES] = bytes(SECTOR_BYTES)
        content[log.end :] = bytes(len(content) - log.end)
        log.put(content)
        first_lost = min(
            (at for at in range(log.end) if content[at] != log.content[at]),
            default=log.end,
        )
        known = log.known_at(first_lost)
        try:
            if committed_beyond(log, content, first_lost) > known.entries[-1].index:
                assert "was committed" in str(check_refused(log))
                refused += 1
            else:
                check_start(log, known)
        except BaseException as error:
            error.add_note(f"sectors {sectors} lost")
            raise
    assert 0 < refused < 2 ** (count - 1) - 1


def committed_beyond(log: Log, content: bytearray, offset: int) -> int:
    """Return the commit index of the last state behind `offset` that can be trusted.

    It, and the record before it, which its CRC continues, must be as written.
    """
    commit, before_is_whole = 0, False
    for step, (before, mark) in zip(STEPS, pairwise(log.marks), strict=True):
        start_at = max(before.offset, FIRST_RECORDS_BYTES)
        found, written = content, log.content
        whole = found[start_at : mark.offset] == written[start_at : mark.offset]
        if isinstance(step, HardState) and whole and before_is_whole:
            commit = step.commit
        before_is_whole = start_at >= offset and whole
    return commit


def test_segment_that_is_gone_is_refused(log: Log) -> None:
    first = min(log.directory.glob("*.wal"))
    aside = first.with_name("aside.tmp")
    log.put(log.content)
    first.rename(aside)
    try:
        with pytest.raises(DataError, match="no segment begins at or before index 0"):
            start(log.directory)
    finally:
        aside.rename(first)
