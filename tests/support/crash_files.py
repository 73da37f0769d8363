"""A directory whose power can go: what a disk may be left with, and no more.

`Disk` watches the calls by which Python programs write. When the power goes, before
the n-th call, it makes another directory of what the first may then look like:

- What was synced is there. Of what was written since, each sector of 512 bytes is
  left as it was at any one moment since the last sync of its file, and so is the
  length of the file.
- Names (files created, renamed, removed) are as at any one moment since the last
  sync of their directory.
- LMDB writes and syncs by itself, in C, so its file, `db`, is seen whole after each
  commit; whoever commits twice says so with `call`. A power failure inside the
  commit leaves any of the new pages, and the old meta pages.

Nothing really waits for the disk, so a hundred power failures take a second.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

SECTOR_BYTES = 512
PAGE_BYTES = 4096
META_PAGES = 2
WRITING = ("pwrite", "ftruncate", "posix_fallocate", "rename", "unlink", "mkdir")
SYNCING = ("fsync", "fdatasync")


class PowerFailure(BaseException):
    """The program is not there any more; nobody may catch it as an error."""


@dataclass
class Versions:
    """A file's contents, or a directory's names, since its last sync; newest last."""

    seen: list[Any] = field(default_factory=list)

    def see(self, version: Any) -> None:
        if not self.seen or self.seen[-1] != version:
            self.seen.append(version)

    def sync(self) -> None:
        del self.seen[:-1]


class Disk:
    """Watches one directory, all that is in it and all that is done to it.

    root: the directory; its content at the beginning counts as synced.
    calls_left: calls until the power goes; None: it stays.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls_left: int | None = None
        self._nodes: dict[int, Versions] = {}
        # Holds every file ever seen, so that no new one gets the number of an old.
        self._held = ExitStack()
        self._databases: set[int] = set()
        self._is_watching = True
        self._look()
        for versions in self._nodes.values():
            versions.sync()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch what is called inside; after a power failure nothing more counts."""
        with patch.multiple(
            os,
            **{name: self._writing(getattr(os, name)) for name in WRITING},
            **dict.fromkeys(SYNCING, self._sync),
        ):
            yield

    def call(self) -> None:
        """Note that a call comes, such as a commit of LMDB; the power may go first."""
        if not self._is_watching:
            return
        for inode in self._databases:
            self._nodes[inode].sync()  # a commit that was seen before is through
        self._look()
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                self._is_watching = False
                raise PowerFailure

    def left(self, target: Path, rng: Random) -> Path:
        """Fill `target` with what a power failure now may leave."""
        if self._is_watching:
            self.calls_left = None
            self.call()
            self.call()  # the last commit is through, too
        self._is_watching = False
        style = rng.choice((_oldest, _newest, _any, _any, _any))
        self._copy(self.root.stat().st_ino, target, rng, style)
        return target

    def close(self) -> None:
        """Let go of the files; nothing is watched any more."""
        self._is_watching = False
        self._held.close()

    def _writing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.call()
            result = real(*args, **kwargs)
            if self._is_watching:
                self._look()
            return result

        return watched

    def _sync(self, fd: int) -> None:
        self.call()
        if self._is_watching and (node := self._nodes.get(os.fstat(fd).st_ino)):
            node.sync()

    def _look(self) -> None:
        directories = [self.root]
        while directories:
            directory = directories.pop()
            names: dict[str, int] = {}
            for entry in os.scandir(directory):
                if entry.name.endswith("-lock"):
                    continue
                names[entry.name] = entry.inode()
                if entry.is_dir():
                    directories.append(Path(entry.path))
                    continue
                if entry.name == "db":
                    self._databases.add(entry.inode())
                self._node(Path(entry.path)).see(Path(entry.path).read_bytes())
            self._node(directory).see(names)

    def _node(self, path: Path) -> Versions:
        inode = path.stat().st_ino
        if inode not in self._nodes:
            self._nodes[inode] = Versions()
            self._held.callback(os.close, os.open(path, os.O_RDONLY))
        return self._nodes[inode]

    def _copy(self, inode: int, target: Path, rng: Random, style: "Style") -> None:
        versions = self._nodes[inode].seen
        if isinstance(versions[-1], dict):
            target.mkdir()
            for name, child in style(versions, rng).items():
                self._copy(child, target / name, rng, style)
        elif inode in self._databases:
            target.write_bytes(_database(versions, rng))
        else:
            target.write_bytes(_file(versions, rng, style))


Style = Callable[[list[Any], Random], Any]


def _oldest(versions: list[Any], rng: Random) -> Any:
    return versions[0]


def _newest(versions: list[Any], rng: Random) -> Any:
    return versions[-1]


def _any(versions: list[Any], rng: Random) -> Any:
    return rng.choice(versions)


def _file(versions: list[bytes], rng: Random, style: Style) -> bytes:
    """Put a file together from sectors of its versions."""
    size = len(style(versions, rng))
    sectors = []
    for start in range(0, size, SECTOR_BYTES):
        sector = style([v[start : start + SECTOR_BYTES] for v in versions], rng)
        sectors.append(sector.ljust(SECTOR_BYTES, b"\0"))
    return b"".join(sectors)[:size]


def _database(versions: list[bytes], rng: Random) -> bytes:
    """Return the last commit, or what a failure inside it leaves of it."""
    new = versions[-1]
    if len(versions) == 1 or rng.random() < 0.5:
        return new
    old = versions[-2]
    if not old:
        return old
    pages = []
    for start in range(0, max(len(old), len(new)), PAGE_BYTES):
        is_meta = start < META_PAGES * PAGE_BYTES
        source = new if not is_meta and rng.random() < 0.5 else old
        pages.append(source[start : start + PAGE_BYTES].ljust(PAGE_BYTES, b"\0"))
    return b"".join(pages)
