"""Raft snapshots as files, newest valid first.

    08 crc 12 size data        crc: CRC-32C of data; data: raftpb.Snapshot

Source: etcd v3.4.9 etcdserver/api/snap/snapshotter.go.
"""

import logging
import os
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from crc32c import crc32c

from miniet.protowire import fields, varint
from miniet.raft.codec import decode_snapshot, encode_snapshot
from miniet.raft.messages import Snapshot
from miniet.wal.contents import WalSnapshot
from miniet.wal.errors import SnapshotDamagedError
from miniet.wal.segment import DIRECTORY_MODE, sync_data, sync_directory

_NAME: Final = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}\.snap")

_log = logging.getLogger(__name__)


def snapshot_name(term: int, index: int) -> str:
    """Return the file name; names sort as their snapshots do."""
    return f"{term:016x}-{index:016x}.snap"


class SnapshotFiles:
    """The `.snap` files of one directory; keeps nothing in memory.

    Not for use by two threads at once.
    """

    __slots__ = ("_directory", "_on_fsync", "_sync")

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        sync: bool = True,
        on_fsync: Callable[[float], None] | None = None,
    ) -> None:
        """Name the directory; `save` makes it.

        Args:
            sync: False: never wait for the disk.
            on_fsync: called with the seconds each sync of a file took.
        """
        self._directory = Path(directory)
        self._sync = sync
        self._on_fsync = on_fsync

    def __repr__(self) -> str:
        return f"<SnapshotFiles {len(self.names())} files>"

    def names(self) -> list[str]:
        """Return the names of the snapshot files, newest first."""
        try:
            found = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        return sorted(filter(_NAME.fullmatch, found), reverse=True)

    def save(self, snapshot: Snapshot) -> Path:
        """Write one snapshot; its name appears when it is whole and on the disk.

        Then, not before, record it in the log (`Wal.save_snapshot`).

        Raises:
            OSError: it was not written; nothing is left of it.
        """
        data = encode_snapshot(snapshot)
        content = b"".join(
            (b"\x08", varint(crc32c(data)), b"\x12", varint(len(data)), data)
        )
        self._directory.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
        path = self._directory / snapshot_name(snapshot.term, snapshot.index)
        building = path.with_name(path.name + ".tmp")
        try:
            with open(building, "wb") as file:
                file.write(content)
                file.flush()
                self._sync_file(file.fileno())
            building.rename(path)
        except OSError:
            building.unlink(missing_ok=True)
            raise
        if self._sync:
            sync_directory(self._directory)
        return path

    def load_newest(self, valid: Collection[WalSnapshot]) -> Snapshot | None:
        """Load the newest readable snapshot that the log knows.

        Files that cannot be read get the ending `.broken` on the way.

        Args:
            valid: what `valid_snapshots` found.
        Returns:
            None: no file matches; start from the beginning of the log.
        """
        for name in self.names():
            path = self._directory / name
            try:
                snapshot = read_snapshot(path)
            except SnapshotDamagedError as error:
                _log.warning("renaming unreadable snapshot file error=%s", error)
                path.rename(path.with_name(name + ".broken"))
                continue
            if WalSnapshot(snapshot.index, snapshot.term) in valid:
                return snapshot
        return None

    def _sync_file(self, fd: int) -> None:
        if not self._sync:
            return
        start = time.perf_counter()
        sync_data(fd)
        if self._on_fsync is not None:
            self._on_fsync(time.perf_counter() - start)


def read_snapshot(path: Path) -> Snapshot:
    """Read one snapshot file.

    Raises:
        SnapshotDamagedError: empty, cut off, or its CRC does not hold.
    """
    crc, data = 0, memoryview(b"")
    try:
        for number, value in fields(path.read_bytes()):
            if number == 1 and isinstance(value, int):
                crc = value
            elif number == 2 and isinstance(value, memoryview):
                data = value
        if not crc or not data:
            raise ValueError("no CRC or no data")
        if crc32c(data) != crc:
            raise ValueError("CRC mismatch")
        return decode_snapshot(data)
    except ValueError as error:
        raise SnapshotDamagedError(
            f"snapshot file: {error}", path=str(path), remedy="an older one may do"
        ) from error
