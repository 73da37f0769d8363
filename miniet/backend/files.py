"""The file and its neighbours: who may use it, what a crash left beside it."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import lmdb

from miniet.backend.errors import BackendFailedError, BackendLockedError

# LMDB writes up to 64 pages at a time, so a disk with less than this may be full.
_FULL_BYTES: Final = 1 << 18

# Size of LMDB's table of its default 126 readers.
_READER_TABLE_BYTES: Final = 8192


def open_locked(path: Path) -> int:
    """Open the file for this process alone, creating it empty if missing.

    Returns:
        a descriptor; the lock lasts until it is closed.
    Raises:
        BackendLockedError: another one has it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        lock(fd, path)
        # Its holder may have put a defragmented file in its place meanwhile.
        if os.fstat(fd).st_ino != os.stat(path).st_ino:
            raise BackendLockedError(str(path))
    except BaseException:
        os.close(fd)
        raise
    return fd


def lock(fd: int, path: Path) -> None:
    """Take the exclusive lock that etcd takes too; `path` is for the message."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BackendLockedError(str(path)) from error


def sync_directory(directory: Path) -> None:
    """Make creations and renames in `directory` durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def reader_table(path: Path) -> Path:
    """Where LMDB keeps its table of readers; of no use once nobody has it open."""
    return path.with_name(path.name + "-lock")


def reserve_reader_table(path: Path) -> None:
    """Give LMDB's table of readers its room on the disk.

    LMDB only sets its length and then writes to it through a map, which on a full
    disk ends the process with SIGBUS, at the open or at any later read.

    Raises:
        BackendFailedError: there is no room.
    """
    table = reader_table(path)
    fd = os.open(table, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, _READER_TABLE_BYTES)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise BackendFailedError(str(table), write_trouble(error, table)) from error
    finally:
        os.close(fd)


def write_trouble(error: lmdb.Error | OSError, path: Path) -> str:
    """Say why a write near `path` failed, in the system's words.

    LMDB calls it an input/output error when a full disk cuts a write short.
    """
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, lmdb.DiskError):
        return os.strerror(errno.ENOSPC)
    if os.strerror(errno.EIO) in str(error):
        found = os.statvfs(path.parent)
        if found.f_bavail * found.f_frsize < _FULL_BYTES:
            return os.strerror(errno.ENOSPC)
    return str(error)


def remove_leftovers(path: Path) -> None:
    """Remove the unfinished copies of a killed process.

    Its reader table stays: whoever opens the file first makes that anew.
    """
    for leftover in path.parent.glob(f"{path.name}.tmp*"):
        leftover.unlink()


@contextmanager
def copy_beside(path: Path) -> Iterator[Path]:
    """Name a new file beside `path`; it is removed unless it was renamed."""
    temporary = path.with_name(f"{path.name}.tmp.{os.urandom(4).hex()}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
