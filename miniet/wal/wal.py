"""`Wal`: the log that makes raft's promises survive a crash.

Source: etcd v3.4.9 wal/wal.go.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crc32c import crc32c

from miniet.errors import InvariantError
from miniet.raft.codec import (
    decode_entry,
    decode_hard_state,
    encode_entry,
    encode_hard_state,
)
from miniet.raft.messages import ConfState, Entry, HardState
from miniet.wal.contents import (
    WalContents,
    WalSnapshot,
    check_entry_form,
    decode_wal_snapshot,
    encode_wal_snapshot,
    gather,
)
from miniet.wal.errors import WalExistsError, WalFailedError
from miniet.wal.reader import RecordReader
from miniet.wal.record import LENGTH_BYTES, RecordType, frame, parse, split_length
from miniet.wal.segment import (
    DIRECTORY_MODE,
    SEGMENT_BYTES,
    SegmentFile,
    SegmentName,
    list_segments,
    make_directory,
    open_locked,
    preallocate,
    segments_from,
    sync_data,
    sync_directory,
)

_NEXT_SEGMENT: Final = "0.tmp"
_LEFTOVERS: Final = (_NEXT_SEGMENT, "1.tmp")  # etcd alternates between two names


@dataclass(slots=True, frozen=True)
class WalStatistics:
    """What the log holds, and what it has done since it was opened."""

    segment_count: int
    """Segments held locked; older files may wait for `purge`."""
    first_segment: str
    """File name of the oldest segment held."""
    last_segment: str
    """File name of the segment being written."""
    last_index: int
    """Index of the last entry or snapshot appended."""
    tail_bytes: int
    """Bytes of records in the last segment, without what is pending."""
    pending_bytes: int
    """Bytes of records appended and not yet flushed: the memory of this log."""
    written_bytes: int
    """Bytes written to files since open, headers of segments included."""
    fsync_count: int
    """Syncs of segments since open; 0 with sync off."""
    cut_count: int
    """Segments begun since open."""


class Wal:
    """The write-ahead log of one member, open for appending.

    `append` encodes into memory and touches no file; `flush` writes, and is made to
    run on another thread. There is no lock within: while `flush` or
    `save_snapshot` runs, no other method but `statistics` may be called. A failed
    write or sync fails every later call with the same `WalFailedError`.
    """

    __slots__ = (
        "_closed",
        "_crc",
        "_cut_count",
        "_directory",
        "_failure",
        "_fsync_count",
        "_hard_state",
        "_last_index",
        "_metadata",
        "_offset",
        "_on_fsync",
        "_pending",
        "_pending_bytes",
        "_segment_bytes",
        "_segments",
        "_sync",
        "_written_bytes",
        "last_sync_s",
    )

    def __init__(
        self,
        directory: Path,
        metadata: bytes,
        *,
        sync: bool,
        on_fsync: Callable[[float], None] | None,
        segment_bytes: int,
    ) -> None:
        """Make a log without segments; `create` and `open` are the way in."""
        self._directory = directory
        self._metadata = metadata  # repeated at the start of every segment
        self._sync = sync
        self._on_fsync = on_fsync
        self._segment_bytes = segment_bytes  # size at which a segment is cut
        # Held locked, oldest first; the last is written. Sequence numbers run on.
        self._segments: list[SegmentFile] = []
        self._offset = 0  # end of the records in the last segment, bytes
        self._pending: list[bytes] = []  # framed records, in order
        self._pending_bytes = 0  # Invariant: sum of the lengths in `_pending`
        self._crc = 0  # running CRC behind the last pending record
        self._hard_state = HardState()  # last appended
        self.last_sync_s = 0.0
        """Seconds that the last sync took; 0 without one."""
        self._last_index = 0  # of the last entry or snapshot appended
        self._failure: WalFailedError | None = None
        self._closed = False
        self._written_bytes = self._fsync_count = self._cut_count = 0

    def __repr__(self) -> str:
        return (
            f"<Wal {len(self._segments)} segments, last index {self._last_index}, "
            f"{self._offset} + {self._pending_bytes} bytes>"
        )

    @classmethod
    def create(
        cls,
        directory: str | os.PathLike[str],
        metadata: bytes,
        *,
        sync: bool = True,
        on_fsync: Callable[[float], None] | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> "Wal":
        """Make a new log; after a crash it is there whole or not at all.

        Args:
            directory: will hold the log; absent, or empty.
            metadata: opaque; given back by `open`.
            sync: False: never wait for the disk; a power failure may lose all.
            on_fsync: called with the seconds each sync of a segment took, on the
                thread that syncs.
            segment_bytes: size at which a segment is cut.
        Raises:
            WalExistsError: `directory` holds files.
        """
        path = Path(directory)
        if path.exists() and any(path.iterdir()):
            raise WalExistsError("not an empty directory", path=str(path))
        building = path.with_name(path.name + ".tmp")
        shutil.rmtree(building, ignore_errors=True)
        make_directory(path.parent, sync=sync)
        building.mkdir(DIRECTORY_MODE)
        wal = cls(
            path, metadata, sync=sync, on_fsync=on_fsync, segment_bytes=segment_bytes
        )
        try:
            name = SegmentName(0, 0)
            fd = open_locked(building / str(name), os.O_CREAT | os.O_EXCL)
            wal._segments.append(SegmentFile(path, name, fd))
            preallocate(fd, segment_bytes)
            wal._append_segment_head()
            wal._append_record(RecordType.SNAPSHOT, encode_wal_snapshot(WalSnapshot()))
            wal._write_pending()
            wal._sync_tail()
            wal._sync_directory(building)
            building.rename(path)
            wal._sync_directory(path.parent)
        except BaseException:
            wal._release_files()
            raise
        return wal

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        at: WalSnapshot,
        *,
        sync: bool = True,
        on_fsync: Callable[[float], None] | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> tuple["Wal", WalContents]:
        """Lock a log, read it from a snapshot on, and stand ready to append.

        Args:
            at: one of `valid_snapshots`, or index 0 for the whole log.
            sync, on_fsync, segment_bytes: as in `create`.
        Returns:
            the log, and what it says; the log keeps none of the entries.
        Raises:
            TornWriteError: the end is torn: `repair`, then open again, once.
            WalDamagedError: nothing helps.
            WalMissingError, WalLockedError, SnapshotNotFoundError
        """
        path = Path(directory)
        wal = cls(path, b"", sync=sync, on_fsync=on_fsync, segment_bytes=segment_bytes)
        try:
            for name in segments_from(list_segments(path), at.index, path):
                wal._segments.append(SegmentFile.open(path, name))
            reader = RecordReader([segment.path for segment in wal._segments])
            contents = gather(reader, at)
            if contents.torn is not None:
                raise contents.torn
            for leftover in _LEFTOVERS:
                (path / leftover).unlink(missing_ok=True)
            # A process that was killed before it could has left names that a power
            # failure takes back, and with them what is written from now on.
            wal._sync_directory(path)
            wal._sync_directory(path.parent)
        except BaseException:
            wal._release_files()
            raise
        wal._metadata = contents.metadata
        wal._offset = reader.offset
        wal._crc = reader.crc
        wal._hard_state = contents.hard_state
        entries = contents.entries
        wal._last_index = entries[-1].index if entries else at.index
        return wal, contents

    def append(self, hard_state: HardState | None, entries: Sequence[Entry]) -> None:
        """Encode entries, then a changed hard state, to be written by `flush`.

        Args:
            hard_state: None or empty: no change.
            entries: consecutive; the first may overwrite an index that was
                appended before, and so all that stood behind it.
        Raises:
            InvariantError: entries out of order, or such as the log cannot hold;
                nothing was appended.
            WalFailedError: the log has failed.
        Memory: the framed bytes, until `flush`. Cost: 2 us an entry.
        """
        self._check_usable()
        self._check_order(hard_state, entries)
        crc, kind = self._crc, RecordType.ENTRY
        framed = []
        for entry in entries:
            data = encode_entry(entry)
            crc = crc32c(data, crc)
            framed.append(frame(kind, crc, data))
        self._crc = crc
        self._pending += framed
        self._pending_bytes += sum(map(len, framed))
        if entries:
            self._last_index = entries[-1].index
        if hard_state is not None and not hard_state.is_empty:
            self._hard_state = hard_state
            self._append_record(RecordType.STATE, encode_hard_state(hard_state))

    def flush(self, sync: bool) -> None:
        """Write what is pending, and cut the segment if it is full.

        Args:
            sync: wait until it is on the disk. Needed when there are entries, or
                term or vote changed; a new commit index alone may wait.
        Raises:
            WalFailedError: a write or sync failed, now or before.
        """
        self._check_usable()
        try:
            self._write_pending()
            if self._offset >= self._segment_bytes:
                self._cut()
            elif sync:
                self._sync_tail()
        except OSError as error:
            self._failure = WalFailedError(
                f"write or sync failed: {error.strerror}",
                path=str(self._segments[-1].path),
                offset=self._offset,
                remedy="make room or mend the disk, then restart",
            )
            raise self._failure from error

    def save_snapshot(
        self, index: int, term: int, conf_state: ConfState | None = None
    ) -> None:
        """Record, durably, that a snapshot was taken; the file must be there before.

        Args:
            conf_state: membership at `index`, as etcd 3.4.23 and 3.5 record it.
        Raises:
            WalFailedError: a write or sync failed, now or before.
        """
        self._check_usable()
        snapshot = WalSnapshot(index, term)
        self._append_record(
            RecordType.SNAPSHOT, encode_wal_snapshot(snapshot, conf_state)
        )
        self._last_index = max(self._last_index, index)
        self.flush(sync=True)

    def release_to(self, index: int) -> None:
        """Unlock the segments that a start at snapshot `index` does not need.

        `purge` may then delete them.
        """
        self._check_usable()
        while len(self._segments) > 1 and self._segments[1].name.first_index < index:
            self._segments.pop(0).close()

    def close(self) -> None:
        """Flush, unless the log has failed, and unlock it; again: nothing happens.

        Raises:
            WalFailedError: what was pending could not be written.
        """
        if self._closed:
            return
        try:
            if self._failure is None:
                self.flush(sync=True)
        finally:
            self._closed = True
            self._release_files()

    def statistics(self) -> WalStatistics:
        """Return the counts of the moment; at any time, from any thread."""
        return WalStatistics(
            segment_count=len(self._segments),
            first_segment=str(self._segments[0].name),
            last_segment=str(self._segments[-1].name),
            last_index=self._last_index,
            tail_bytes=self._offset,
            pending_bytes=self._pending_bytes,
            written_bytes=self._written_bytes,
            fsync_count=self._fsync_count,
            cut_count=self._cut_count,
        )

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise InvariantError("the log is closed")

    def _check_order(
        self, hard_state: HardState | None, entries: Sequence[Entry]
    ) -> None:
        """Refuse what could be written but not read again."""
        if hard_state is not None and not hard_state.is_empty and hard_state.term == 0:
            raise InvariantError(f"hard state of term 0: {hard_state}")
        if not entries:
            return
        first, last = entries[0].index, entries[-1].index
        if first > self._last_index + 1 or last - first != len(entries) - 1:
            raise InvariantError(
                f"entries {first} to {last} ({len(entries)}) after {self._last_index}"
            )
        for entry in entries:
            if not entry.data and (reason := check_entry_form(entry)):
                raise InvariantError(reason)

    def _append_record(self, kind: RecordType, data: bytes) -> None:
        self._crc = crc32c(data, self._crc)
        framed = frame(kind, self._crc, data)
        self._pending.append(framed)
        self._pending_bytes += len(framed)

    def _append_segment_head(self) -> None:
        """Append what every segment begins with, so that it can be read alone."""
        framed = frame(RecordType.CRC, self._crc, None)
        self._pending.append(framed)
        self._pending_bytes += len(framed)
        self._append_record(RecordType.METADATA, self._metadata)
        if not self._hard_state.is_empty:
            self._append_record(RecordType.STATE, encode_hard_state(self._hard_state))

    def _write_pending(self) -> None:
        data = b"".join(self._pending)
        self._segments[-1].write(data, self._offset)
        self._offset += len(data)
        self._written_bytes += len(data)
        self._pending.clear()
        self._pending_bytes = 0

    def _sync_tail(self) -> None:
        if not self._sync:
            return
        start = time.perf_counter()
        sync_data(self._segments[-1].fd)
        self._fsync_count += 1
        self.last_sync_s = time.perf_counter() - start
        if self._on_fsync is not None:
            self._on_fsync(self.last_sync_s)

    def _sync_directory(self, directory: Path) -> None:
        if self._sync:
            sync_directory(directory)

    def _cut(self) -> None:
        """End the last segment and begin the next.

        The new file is whole and synced before it gets its name. It is
        preallocated only now: that takes less than one of the syncs here, and an
        idle server holds 64 MB less of its disk than etcd does.
        """
        tail = self._segments[-1]
        os.ftruncate(tail.fd, self._offset)
        self._sync_tail()
        name = SegmentName(tail.name.sequence + 1, self._last_index + 1)
        building = self._directory / _NEXT_SEGMENT
        fd = open_locked(building, os.O_CREAT | os.O_TRUNC)
        self._segments.append(SegmentFile(self._directory, name, fd))
        self._offset = 0
        try:
            preallocate(fd, self._segment_bytes)
            self._append_segment_head()
            self._write_pending()
            self._sync_tail()
            building.rename(self._directory / str(name))
        except OSError:
            building.unlink(missing_ok=True)  # others may need what it holds
            raise
        self._sync_directory(self._directory)
        self._cut_count += 1

    def _release_files(self) -> None:
        for segment in self._segments:
            segment.close()

    def _check(self) -> None:
        """Read the held segments again, take in what is pending, and compare."""
        reader = RecordReader([segment.path for segment in self._segments])
        on_disk = list(reader)
        self._expect("tail offset", self._offset, reader.offset)
        pending_bytes = sum(map(len, self._pending))
        self._expect("pending bytes", self._pending_bytes, pending_bytes)
        crc, state = reader.crc, HardState()
        last_entry = last_index = max(self._segments[0].name.first_index - 1, 0)
        pending = [_unframe(framed) for framed in self._pending]
        for kind, data in on_disk + pending:
            if kind == RecordType.ENTRY:
                last_entry = last_index = decode_entry(data).index
            elif kind == RecordType.SNAPSHOT:
                last_index = max(last_index, decode_wal_snapshot(data).index)
            elif kind == RecordType.STATE:
                state = decode_hard_state(data)
        for _, data in pending:
            crc = crc32c(data, crc)
        self._expect("running CRC", self._crc, crc)
        self._expect("hard state", self._hard_state, state)
        if self._last_index != last_entry:  # opened before a snapshot, or at one
            self._expect("last index", self._last_index, last_index)

    def _expect(self, what: str, kept: object, found: object) -> None:
        if kept != found:
            raise InvariantError(f"{what} is {kept}, the records say {found}")


def _unframe(framed: bytes) -> tuple[int, memoryview]:
    size, _ = split_length(int.from_bytes(framed[:LENGTH_BYTES], "little"))
    kind, _, data = parse(framed[LENGTH_BYTES:], size)
    return kind, memoryview(b"") if data is None else data
