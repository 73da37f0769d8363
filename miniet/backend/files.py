"""The file and its neighbours: who may use it, what a crash left beside it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from miniet.backend.errors import BackendLockedError


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
