"""A disk that keeps only what was synced, and can fail in all the usual ways.

The server's log and snapshot files are real files. This stands between Python's
`os` and them: it follows what a sync has made durable, and when the power goes it
puts the files into one of the states that a disk could have left:

- of what was written since the last sync of a file, any set of sectors;
- of names that were made, changed or removed since the last sync of their
  directory, all or none.

The backend's file is written by LMDB, below Python. It is left as of its last
commit; only a disk that lies loses commits, whole ones.
"""

import errno
import os
import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from unittest.mock import patch

SECTOR_BYTES = 512
PAGE_BYTES = 4096
_INTERCEPTED = ("pwrite", "ftruncate", "posix_fallocate", "fsync", "fdatasync")


class PowerLost(BaseException):
    """The machine stops in the middle of a call; no handler may go on after it."""


@dataclass
class FileState:
    """What a file would hold after a loss of power, at least."""

    content: bytes = b""


@dataclass
class Counts:
    """What was done and what went wrong."""

    writes: int = 0
    syncs: int = 0
    lost_syncs: int = 0
    torn_writes: int = 0
    full_errors: int = 0


@dataclass
class SimulatedDisk:
    """Follows the files of one member below `root`.

    Use it `with intercepted():`, in one thread, with one member at a time.
    """

    root: Path
    random: Random
    counts: Counts = field(default_factory=Counts)
    is_dead: bool = False
    """Whether the machine is off: nothing can be written any more."""
    is_full: bool = False
    is_lying: bool = False
    """Whether syncs say yes and do nothing."""
    calls_left: int | None = None
    """Calls until the machine stops in the middle of one; None: it does not."""
    on_stop: Callable[[], None] = lambda: None
    """Called when that happens."""

    def __post_init__(self) -> None:
        self.snap = self.root / "member" / "snap"
        self.wal = self.root / "member" / "wal"
        self.db = self.snap / "db"
        # By inode: what the last sync made durable.
        self._files: dict[int, FileState] = {}
        self._names: dict[int, dict[str, int]] = {}
        # Contents of the backend's file since the disk began to lie.
        self._commits: list[bytes] = []

    # ---- what the server's calls do

    @contextmanager
    def intercepted(self) -> Iterator[None]:
        """Stand between `os` and the files while the block lasts."""
        self._real = {name: getattr(os, name) for name in _INTERCEPTED}
        with patch.multiple(
            os, **{name: getattr(self, f"_{name}") for name in _INTERCEPTED}
        ):
            yield

    def _pwrite(self, fd: int, data: bytes, offset: int) -> int:
        self.counts.writes += 1
        if self._stops_now():
            self.counts.torn_writes += 1
            self._real["pwrite"](fd, data[: self._cut(offset, len(data))], offset)
            self._stop()
        if self.is_full and data:
            kept = self._cut(offset, len(data))
            if 0 < kept < len(data):
                return int(self._real["pwrite"](fd, data[:kept], offset))
            self._refuse()
        return int(self._real["pwrite"](fd, data, offset))

    def _cut(self, offset: int, size: int) -> int:
        """How much of a write is carried out: a system writes page by page."""
        first = PAGE_BYTES - offset % PAGE_BYTES
        return self.random.choice((0, *range(first, size, PAGE_BYTES), size))

    def _ftruncate(self, fd: int, size: int) -> None:
        if self._stops_now():
            self._stop()
        self._real["ftruncate"](fd, size)

    def _posix_fallocate(self, fd: int, offset: int, size: int) -> None:
        if self._stops_now():
            self._stop()
        if self.is_full:
            self._refuse()
        # A new file; its inode may have been another's before.
        self._files.pop(os.fstat(fd).st_ino, None)
        # Zeros all the same; they need not be real to be read.
        self._real["ftruncate"](fd, offset + size)

    def _fdatasync(self, fd: int) -> None:
        self.counts.syncs += 1
        if self._stops_now():
            if self.random.random() < 0.5:
                self._make_durable(fd)
            self._stop()
        if self.is_full and not stat.S_ISDIR(os.fstat(fd).st_mode):
            # Space that was promised and is not there is missed at the latest here.
            self._refuse()
        if self.is_lying:
            self.counts.lost_syncs += 1
        else:
            self._make_durable(fd)

    _fsync = _fdatasync

    def _make_durable(self, fd: int) -> None:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            # Of the snapshots' directory only their names are followed.
            self._names[status.st_ino] = _names_in(fd)
        else:
            self._files[status.st_ino] = FileState(self._content(fd, status))

    def _content(self, fd: int, status: os.stat_result) -> bytes:
        try:
            return os.pread(fd, status.st_size, 0)
        except OSError:  # open for writing alone
            [path] = (p for p in self._followed() if p.stat().st_ino == status.st_ino)
            return path.read_bytes()

    def _stops_now(self) -> bool:
        if self.is_dead:
            raise PowerLost
        if self.calls_left is None:
            return False
        self.calls_left -= 1
        return self.calls_left <= 0

    def _stop(self) -> None:
        self.is_dead, self.calls_left = True, None
        self.on_stop()
        raise PowerLost

    def _refuse(self) -> None:
        self.counts.full_errors += 1
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Let LMDB write, within the space that there is."""
        if self.is_dead:
            raise PowerLost
        if self.is_full:
            # Its writes are not Python's: the process may not write so far.
            with _file_size_limit(SECTOR_BYTES):
                self.counts.full_errors += 1
                yield
        else:
            yield
        if self.is_lying:
            self._commits.append(self.db.read_bytes())

    # ---- faults

    def begin_lying(self) -> None:
        """Let every sync from now on be a lie, the backend's too."""
        self.is_lying = True
        self._commits = [self.db.read_bytes()]

    def turn_off(self) -> None:
        """Let nothing be written any more, until `turn_on`."""
        self.is_dead, self.calls_left = True, None

    def turn_on(self, *, power_lost: bool) -> None:
        """Leave the files as the end of the process, or of the power, does.

        The server's descriptors are closed by now.
        """
        if power_lost:
            if self.wal.parent.exists():
                self._lose_names()
                self._lose_content()
            if self.is_lying and self._commits:
                self.db.write_bytes(self.random.choice(self._commits))
            self._files.clear()
            self._names.clear()
            self._note_all()
            self._commits.clear()
            self.is_lying = False
        self.is_dead = self.is_full = False
        self.calls_left = None

    def _lose_names(self) -> None:
        """Give each directory its names of now or of its last sync."""
        member = self.wal.parent
        for directory in (member, self.wal, self.snap):
            if not directory.exists() or self.random.random() < 0.5:
                continue
            now = _names_in(directory)
            before = self._names.get(directory.stat().st_ino)
            if before is None or before == now:
                continue
            inodes = {inode: directory / name for name, inode in now.items()}
            contents: dict[str, Path | bytes] = {}
            for name, inode in before.items():
                if inode in inodes:
                    contents[name] = inodes[inode]
                elif inode in self._files:
                    contents[name] = self._files[inode].content
            self._rename_all(directory, now, contents)

    def _rename_all(
        self, directory: Path, now: dict[str, int], before: "dict[str, Path | bytes]"
    ) -> None:
        aside = directory / "names.moved"
        aside.mkdir()
        for name in now:
            (directory / name).rename(aside / name)
        for name, content in before.items():
            if isinstance(content, bytes):
                (directory / name).write_bytes(content)
            else:
                (aside / content.name).rename(directory / name)
        shutil.rmtree(aside)

    def _lose_content(self) -> None:
        seed = self.random.getrandbits(32)
        for path in self._followed():
            # Systems give inodes out again, which must not disturb the other files.
            random = Random(f"{seed}/{path.name}")
            now, before = path.read_bytes(), b""
            if path.suffix not in (".tmp", ".broken"):  # nobody relies on these
                state = self._files.get(path.stat().st_ino, FileState())
                before = state.content
            if now != before:
                path.write_bytes(_mixed(before, now, random))

    def _note_all(self) -> None:
        """What is there after a loss of power is there to stay."""
        for path in self._followed():
            self._files[path.stat().st_ino] = FileState(path.read_bytes())
        for directory in (self.wal.parent, self.wal, self.snap):
            if directory.exists():
                self._names[directory.stat().st_ino] = _names_in(directory)

    def _followed(self) -> list[Path]:
        """All files that Python writes, in an order that is always the same."""
        found: list[Path] = []
        for directory in (self.wal, self.wal.with_name("wal.tmp"), self.snap):
            if directory.exists():
                found += (directory / name for name in sorted(_names_in(directory)))
        return [path for path in found if path.is_file()]


def _mixed(before: bytes, now: bytes, random: Random) -> bytes:
    """Take each sector as it was or as it is, and one of the two lengths."""
    size = random.choice((len(before), len(now)))
    share = random.choice((0.0, 0.5, 0.9, 1.0))
    mixed = bytearray(size)
    for begin in range(0, size, SECTOR_BYTES):
        source = now if random.random() < share else before
        sector = source[begin : min(begin + SECTOR_BYTES, size)]
        mixed[begin : begin + len(sector)] = sector
    return bytes(mixed)


def _names_in(directory: "int | Path") -> dict[str, int]:
    """Return name -> inode of everything but what LMDB writes."""
    with os.scandir(directory) as entries:
        return {
            entry.name: entry.inode()
            for entry in entries
            if not entry.name.startswith("db") and entry.name != "snap"
        }


@contextmanager
def _file_size_limit(size: int) -> Iterator[None]:
    """Let writes beyond `size` fail; Python ignores the signal that comes first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
