"""Segments as files: their names, locks, preallocation, and syncing.

Knows nothing of what a record means.

Source: etcd v3.4.9 wal/util.go, wal/file_pipeline.go, pkg/fileutil.
"""

import errno
import fcntl
import logging
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from miniet.wal.errors import REPLACE_MEMBER, WalLockedError, WalMissingError

SEGMENT_BYTES: Final = 64_000_000
"""Size at which a segment ends, and to which the next one is preallocated."""

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700

_NAME: Final = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.wal")
_SCAN_BYTES: Final = 1 << 20

# struct flock: a write lock on the whole file; l_pid must be 0.
_WHOLE_FILE: Final = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)

_log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True, order=True)
class SegmentName:
    """Which segment a file is: its number and the first index it may hold."""

    sequence: int
    first_index: int

    def __str__(self) -> str:
        return f"{self.sequence:016x}-{self.first_index:016x}.wal"

    @classmethod
    def parse(cls, name: str) -> "SegmentName | None":
        """Read a file name; None if it is not a segment's."""
        match = _NAME.fullmatch(name)
        return cls(int(match[1], 16), int(match[2], 16)) if match else None


def list_segments(directory: Path) -> list[SegmentName]:
    """Return the segments of a log in order; other files are left alone.

    Raises:
        WalMissingError: no segment is there.
    """
    found = []
    try:
        file_names = os.listdir(directory)
    except FileNotFoundError:
        file_names = []
    for file_name in file_names:
        name = SegmentName.parse(file_name)
        if name is not None:
            found.append(name)
        elif not file_name.endswith((".tmp", ".broken")):
            _log.warning("ignored file in log directory path=%s", file_name)
    if not found:
        raise WalMissingError(
            "no log segments", path=str(directory), remedy=REPLACE_MEMBER
        )
    return sorted(found)


def segments_from(
    names: Sequence[SegmentName], index: int, directory: Path
) -> list[SegmentName]:
    """Pick the segments that hold everything after log position `index`.

    Raises:
        WalMissingError: the first of them, or one in between, is not there.
    """
    for position in reversed(range(len(names))):
        if names[position].first_index <= index:
            picked = list(names[position:])
            break
    else:
        raise WalMissingError(
            f"no segment begins at or before index {index}",
            path=str(directory),
            remedy=REPLACE_MEMBER,
        )
    for before, after in pairwise(picked):
        if after.sequence != before.sequence + 1:
            raise WalMissingError(
                f"segments between {before} and {after} are missing",
                path=str(directory),
                remedy=REPLACE_MEMBER,
            )
    return picked


class SegmentFile:
    """One segment held open for writing, and locked against everyone else."""

    __slots__ = ("fd", "name", "path")

    def __init__(self, directory: Path, name: SegmentName, fd: int) -> None:
        self.name = name
        self.path = directory / str(name)
        self.fd = fd  # closing it drops the lock

    def __repr__(self) -> str:
        return f"<SegmentFile {self.name} fd={self.fd}>"

    @classmethod
    def open(cls, directory: Path, name: SegmentName) -> "SegmentFile":
        """Open and lock an existing segment.

        Raises:
            WalLockedError: someone else holds it.
        """
        return cls(directory, name, open_locked(directory / str(name)))

    def write(self, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset`."""
        written = os.pwrite(self.fd, data, offset)
        while written < len(data):
            written += os.pwrite(self.fd, data[written:], offset + written)

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def open_locked(path: Path, flags: int = 0) -> int:
    """Open `path` for reading and writing and lock it without waiting.

    etcd locks the open file, not the process, where the system can do that; so
    does this, and the two keep each other out.

    Returns:
        the descriptor; closing it drops the lock.
    Raises:
        WalLockedError: someone else holds the lock.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, FILE_MODE)
    try:
        if hasattr(fcntl, "F_OFD_SETLK"):
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _WHOLE_FILE)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise WalLockedError(
                "locked by another writer",
                path=str(path),
                remedy="stop the server that uses this data directory",
            ) from error
        raise
    return fd


def preallocate(fd: int, size_bytes: int) -> None:
    """Reserve `size_bytes` of zeros, so that appending need not find room.

    Where the system or the file system cannot reserve, the file only grows.
    """
    try:
        os.posix_fallocate(fd, 0, size_bytes)
    except (AttributeError, OSError) as error:
        unsupported = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
        if isinstance(error, OSError) and error.errno not in unsupported:
            raise
        os.ftruncate(fd, size_bytes)


def sync_data(fd: int) -> None:
    """Wait until the file's data, and the size to find it, are on the disk."""
    getattr(os, "fdatasync", os.fsync)(fd)


def sync_directory(directory: Path) -> None:
    """Wait until the directory's names are on the disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(directory: Path, *, sync: bool) -> None:
    """Make a directory, and those above it that are missing.

    Args:
        sync: wait until their names are on the disk. Without that a power failure
            may take everything in them, however well it was synced itself.
    """
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
    if sync:
        for path in missing:
            sync_directory(path.parent)


def first_data_after(fd: int, offset: int) -> int | None:
    """Find the first byte that is not zero at or after `offset`; None if none is.

    Cost: preallocated space never written is skipped, not read.
    """
    while True:
        try:
            if hasattr(os, "SEEK_DATA"):
                offset = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return None
            raise
        chunk = os.pread(fd, _SCAN_BYTES, offset)
        if not chunk:
            return None
        if chunk != bytes(len(chunk)):
            return offset + len(chunk) - len(chunk.lstrip(b"\0"))
        offset += len(chunk)
