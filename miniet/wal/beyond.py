"""What lies behind a torn record: a write that came later, or parts of the same.

A disk may write the sectors of one write in any order, so intact records behind a
torn one prove nothing by themselves. A state record does: a commit index is written
only when the entries up to it were synced. If it goes beyond the entries that can be
read, what looks torn was whole once, and somebody may have been told so.
"""

from collections.abc import Iterator
from pathlib import Path

from crc32c import crc32c

from miniet.raft.codec import decode_hard_state
from miniet.wal.record import LENGTH_BYTES, RecordType, parse, split_length
from miniet.wal.segment import first_data_after

_Record = tuple[int, int, bytes, int]
"""Type, CRC, data, and where the next one starts."""


def commit_beyond(path: Path, offset: int) -> int:
    """Return the highest commit index told behind `offset`; 0 if none is.

    Cost: 1 us for 8 bytes that are no record, some for each that is one.
    """
    with open(path, "rb") as file:
        start = first_data_after(file.fileno(), offset)
        if start is None:
            return 0
        file.seek(start - start % LENGTH_BYTES)
        rest = file.read().rstrip(b"\0")
    rest += bytes(-len(rest) % LENGTH_BYTES)
    commit = 0
    for kind, data in _proven(rest):
        if kind == RecordType.STATE:
            try:
                commit = max(commit, decode_hard_state(data).commit)
            except ValueError:
                continue
    return commit


def _proven(rest: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the records whose CRC continues that of a record before them."""
    before: int | None = None
    position = 0
    while position < len(rest):
        record = _record_at(rest, position)
        if record is None:
            before = None
            position += LENGTH_BYTES
            continue
        kind, crc, data, position = record
        if before is not None and crc32c(data, before) == crc:
            yield kind, data
        before = crc


def _record_at(rest: bytes, position: int) -> _Record | None:
    start = position + LENGTH_BYTES
    length = int.from_bytes(rest[position:start], "little")
    if length == 0:
        return None
    try:
        size, padding = split_length(length)
        end = start + size + padding
        if end > len(rest):
            return None
        kind, crc, data = parse(rest[start:end], size)
    except ValueError:
        return None
    return kind, crc, b"" if data is None else bytes(data), end
