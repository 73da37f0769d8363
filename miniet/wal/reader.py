"""Reading records from segments: the CRC chain, and what is wrong where it ends.

Only the end of the last segment may be torn, and only in the way a power failure
tears it (`has_blank_sector`, or the file ends too soon). Whatever else does not
fit is damage, also where etcd would take it for a torn write or the end:

- a length field that lies about a record which is itself intact;
- a length field of zero with more data behind it in the same sector;
- a segment that does not begin with its CRC and metadata: both were synced before
  the segment got its name.

Zeros followed by data in later sectors count as torn, so that repair keeps a
copy; etcd would overwrite that data without a word. Whoever knows the entries may
know better (`beyond`).

Source: etcd v3.4.9 wal/decoder.go.
"""

import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from crc32c import crc32c

from miniet.wal.errors import REPLACE_MEMBER, TornWriteError, WalDamagedError
from miniet.wal.record import (
    LENGTH_BYTES,
    SECTOR_BYTES,
    RecordType,
    has_blank_sector,
    intact_size,
    parse,
    split_length,
)
from miniet.wal.segment import first_data_after

_BUFFER_BYTES: Final = 1 << 18
_FIRST_RECORDS: Final = (RecordType.CRC, RecordType.METADATA)


class RecordReader:
    """Walks the records of consecutive segments, once.

    Keeps one read buffer of 256 KiB while it walks.
    """

    __slots__ = ("_paths", "_segment_bytes", "crc", "offset", "path")

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        # Length of the current file when it was opened.
        self._segment_bytes = 0
        # The segment being read, and the offset in it after its last good record.
        self.path = paths[0]
        self.offset = 0
        # Running CRC over the data of all records so far.
        self.crc = 0

    def __repr__(self) -> str:
        return f"<RecordReader of {len(self._paths)} files at {self.offset}>"

    def __iter__(self) -> Generator[tuple[int, memoryview], None, None]:
        """Yield (type, data) of every record; a CRC record has empty data.

        Whoever may leave the walk before its end closes it: a compiled generator
        that is merely dropped leaves the file open.

        Raises:
            TornWriteError: the last write was cut off; all before it was yielded.
            WalDamagedError: the log is damaged here.
        """
        for path in self._paths:
            with open(path, "rb", buffering=_BUFFER_BYTES) as file:
                self.path, self.offset = path, 0
                self._segment_bytes = os.fstat(file.fileno()).st_size
                yield from self._segment(file)

    def damaged(self, message: str) -> WalDamagedError:
        """Make the error for damage at, or just before, the present offset."""
        return WalDamagedError(
            message, path=str(self.path), offset=self.offset, remedy=REPLACE_MEMBER
        )

    def _segment(self, file: BinaryIO) -> Iterator[tuple[int, memoryview]]:
        for expected in _FIRST_RECORDS:
            record = self._next(file, at_start=True)
            if record is None or record[0] != expected:
                raise self.damaged("segment without its first records")
            yield record
        while (record := self._next(file)) is not None:
            if record[0] == RecordType.CRC:
                raise self.damaged("CRC record inside a segment")
            yield record

    def _next(
        self, file: BinaryIO, at_start: bool = False
    ) -> tuple[int, memoryview] | None:
        """Read one record; None at the end of the segment's data."""
        head = file.read(LENGTH_BYTES)
        length = int.from_bytes(head, "little")
        if length == 0:
            if head:
                self._check_end(file.fileno(), at_start)
            return None
        if len(head) < LENGTH_BYTES:
            raise self._unreadable("file ends inside a length field", True, at_start)
        try:
            size, padding = split_length(length)
        except ValueError as error:
            raise self.damaged(str(error)) from error
        room = self._segment_bytes - self.offset - LENGTH_BYTES
        body = file.read(min(size + padding, room))
        try:
            if len(body) < size + padding:
                raise ValueError("record cut off by the end of the file")
            kind, crc, data = parse(body, size)
            self._chain(kind, crc, data)
        except ValueError as error:
            self._check_length(file.fileno(), size)
            torn = len(body) < size + padding or has_blank_sector(
                body, self.offset + LENGTH_BYTES
            )
            raise self._unreadable(str(error), torn, at_start) from error
        self.offset += LENGTH_BYTES + size + padding
        return kind, memoryview(b"") if data is None else data

    def _chain(self, kind: int, crc: int, data: memoryview | None) -> None:
        """Take one record into the running CRC, if it fits."""
        if data is None:
            # A log may be read from any segment on: the first CRC record is believed.
            if self.crc not in (0, crc):
                raise ValueError("CRC does not continue the segment before")
            self.crc = crc
            return
        running = crc32c(data, self.crc)
        if running != crc:
            raise ValueError(f"CRC mismatch in a record of type {kind}")
        self.crc = running

    def _check_length(self, fd: int, size: int) -> None:
        """Refuse a length field that contradicts an intact record behind it."""
        start = self.offset + LENGTH_BYTES
        rest = self._segment_bytes - start
        found = intact_size(os.pread(fd, rest, start), self.crc)
        if found not in (None, size):
            raise self.damaged(f"length field says {size}, the record has {found}")

    def _check_end(self, fd: int, at_start: bool) -> None:
        """Refuse a length field of 0 that is not the end of what was written."""
        sector_end = (self.offset // SECTOR_BYTES + 1) * SECTOR_BYTES
        sector = os.pread(fd, sector_end - self.offset, self.offset)
        if any(sector[:LENGTH_BYTES]):
            return  # Written since: the log has a living writer, and we read along.
        if any(sector):
            raise self.damaged("length field of 0 before more data in its sector")
        beyond = first_data_after(fd, sector_end)
        if beyond is not None:
            message = f"zeros, then more data at {beyond}"
            raise self._unreadable(message, True, at_start)

    def _unreadable(
        self, message: str, torn: bool, at_start: bool
    ) -> WalDamagedError | TornWriteError:
        """Make the error for a record that cannot be read."""
        if not torn or at_start or self.path != self._paths[-1]:
            return self.damaged(message)
        return TornWriteError(
            f"torn write: {message}",
            path=str(self.path),
            offset=self.offset,
            remedy="repair cuts the file there and keeps a copy",
        )
