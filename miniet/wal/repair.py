"""Repair of a torn end: cut off what was never acknowledged, keep a copy.

Source: etcd v3.4.9 wal/repair.go.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from miniet.wal.errors import TornWriteError
from miniet.wal.reader import RecordReader
from miniet.wal.segment import (
    SegmentFile,
    list_segments,
    sync_data,
    sync_directory,
)


@dataclass(slots=True, frozen=True)
class RepairReport:
    """What a repair did."""

    path: Path
    """The segment that was cut."""
    broken_path: Path
    """Its copy from before, torn end and all."""
    kept_bytes: int
    """Its new size: the end of the last good record."""
    cut_bytes: int
    """How much of the file went, preallocated space included."""


def repair(directory: str | os.PathLike[str]) -> RepairReport | None:
    """Cut the last segment at its torn end; None if it is not torn.

    For after a `TornWriteError`, and once a start: a second one is no torn write.

    Raises:
        WalDamagedError: the segment is damaged, not torn; it was left as it is.
        WalMissingError, WalLockedError
    """
    path = Path(directory)
    segment = SegmentFile.open(path, list_segments(path)[-1])
    reader = RecordReader([segment.path])
    try:
        for _ in reader:
            pass
    except TornWriteError:
        return _cut(segment, reader.offset)
    finally:
        segment.close()
    return None


def _cut(segment: SegmentFile, kept_bytes: int) -> RepairReport:
    broken_path = segment.path.with_name(segment.path.name + ".broken")
    shutil.copyfile(segment.path, broken_path)
    with open(broken_path, "rb") as broken:
        sync_data(broken.fileno())
    sync_directory(segment.path.parent)
    size_bytes = os.fstat(segment.fd).st_size
    os.ftruncate(segment.fd, kept_bytes)
    os.fsync(segment.fd)
    return RepairReport(segment.path, broken_path, kept_bytes, size_bytes - kept_bytes)
