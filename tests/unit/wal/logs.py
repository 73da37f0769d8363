"""Small logs to read, tear and damage."""

import os
from collections.abc import Sequence
from pathlib import Path

from miniet.raft.messages import Entry, EntryType, HardState
from miniet.wal import Wal

METADATA = bytes.fromhex("08cdd2918bd2b881cf8e0110e5b9b2a8bc99bfb09601")
NODE = 0x8E9E05C52164694D


def entries(first: int, count: int, *, term: int = 2, size: int = 30) -> list[Entry]:
    """Entries without a zero byte in them, each different."""
    return [
        Entry(term, index, EntryType.NORMAL, filler(index, size))
        for index in range(first, first + count)
    ]


def filler(seed: int, size: int) -> bytes:
    return bytes((seed * 7 + position) % 255 + 1 for position in range(size))


def state(commit: int, term: int = 2) -> HardState:
    return HardState(term, NODE, commit)


def write_log(
    directory: Path, batches: Sequence[Sequence[Entry]], segment_bytes: int = 8192
) -> None:
    """Write a log: each batch with a state record that commits all before it."""
    wal = Wal.create(directory, METADATA, sync=False, segment_bytes=segment_bytes)
    for batch in batches:
        wal.append(state(batch[0].index - 1), batch)
        wal.flush(sync=False)
        wal._check()
    wal.close()


def last_segment(directory: Path) -> Path:
    return max(directory.glob("*.wal"))


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Change bytes of a file in place."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.pwrite(fd, data, offset)
    finally:
        os.close(fd)
