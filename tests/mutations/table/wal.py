"""wal: the CRC chain, framing, torn ends, syncs, cuts, snapshot files."""

from functools import partial

from tests.mutations.mutation import Mutation

_UNIT = "tests/unit/wal/"

_wal = partial(Mutation, file="miniet/wal/wal.py", tests=(_UNIT + "test_wal.py",))
_record = partial(
    Mutation,
    file="miniet/wal/record.py",
    tests=(_UNIT + "test_record.py", _UNIT + "test_reader.py"),
)
_reader = partial(
    Mutation, file="miniet/wal/reader.py", tests=(_UNIT + "test_reader.py",)
)

MUTATIONS = (
    _wal(
        name="wal/killed-segment-unsynced",
        breaks="the name that a killed process gave a segment is left to the next cut",
        old="            wal._sync_directory(path)\n"
        "            wal._sync_directory(path.parent)\n",
        new="            wal._sync_directory(path.parent)\n",
        tests=("tests/simulation/test_names.py",),
    ),
    _wal(
        name="wal/killed-log-unsynced",
        breaks="the name that a killed process gave the log is never synced",
        old="            wal._sync_directory(path)\n"
        "            wal._sync_directory(path.parent)\n",
        new="            wal._sync_directory(path)\n",
        tests=("tests/simulation/test_names.py",),
    ),
    _wal(
        name="wal/crc-chain",
        breaks="each entry begins a CRC of its own",
        old="            crc = crc32c(data, crc)\n            framed.append",
        new="            crc = crc32c(data)\n            framed.append",
    ),
    _wal(
        name="wal/crc-of-next-segment",
        breaks="a new segment does not continue the CRC",
        old="framed = frame(RecordType.CRC, self._crc, None)",
        new="framed = frame(RecordType.CRC, 1, None)",
    ),
    _wal(
        name="wal/sync-flag",
        breaks="what must be on the disk is not waited for",
        old="            elif sync:\n",
        new="            elif not sync:\n",
    ),
    _wal(
        name="wal/cut-boundary",
        breaks="a segment that is exactly full is not ended",
        old="            if self._offset >= self._segment_bytes:\n",
        new="            if self._offset > self._segment_bytes:\n",
    ),
    _wal(
        name="wal/cut-name",
        breaks="a segment is named after an entry that it does not hold",
        old="SegmentName(tail.name.sequence + 1, self._last_index + 1)",
        new="SegmentName(tail.name.sequence + 1, self._last_index)",
    ),
    _wal(
        name="wal/cut-leaves-space",
        breaks="an ended segment keeps its preallocated space",
        old="        os.ftruncate(tail.fd, self._offset)\n",
        new="",
    ),
    _wal(
        name="wal/cut-without-sync",
        breaks="the tail of an ended segment is not waited for",
        old="        os.ftruncate(tail.fd, self._offset)\n        self._sync_tail()\n",
        new="        os.ftruncate(tail.fd, self._offset)\n",
    ),
    _wal(
        name="wal/cut-forgets-state",
        breaks="a new segment does not begin with the hard state",
        old="        if not self._hard_state.is_empty:\n"
        "            self._append_record",
        new="        if self._hard_state.is_empty:\n            self._append_record",
    ),
    _wal(
        name="wal/release-too-much",
        breaks="a segment that a start needs is given up",
        old="self._segments[1].name.first_index < index:",
        new="self._segments[1].name.first_index <= index + 1:",
    ),
    _wal(
        name="wal/gap-accepted",
        breaks="entries that leave a hole are taken",
        old="        if first > self._last_index + 1 or",
        new="        if first > self._last_index + 2 or",
    ),
    _wal(
        name="wal/goes-on-after-failure",
        breaks="a log whose write failed takes further writes",
        old="        if self._failure is not None:\n            raise self._failure\n",
        new="",
    ),
    _record(
        name="wal/padding",
        breaks="every record is followed by seven bytes of padding",
        old="    padding = -size & 7\n    return b",
        new="    padding = 7\n    return b",
    ),
    _record(
        name="wal/padding-unchecked",
        breaks="anything passes for padding",
        old="    if body[size:] != _PADDING[len(body) - size]:\n",
        new="    if len(body) < size:\n",
    ),
    _record(
        name="wal/torn-whole-record",
        breaks="only a record of nothing but zeros counts as torn",
        old="        if not any(body[start:end]):\n",
        new="        if not any(body):\n",
    ),
    _record(
        name="wal/torn-sector-offset",
        breaks="sectors are counted from the record instead of the file",
        old="SECTOR_BYTES - (offset + start) % SECTOR_BYTES",
        new="SECTOR_BYTES - start % SECTOR_BYTES",
    ),
    _reader(
        name="wal/crc-unchecked",
        breaks="a record whose CRC does not hold is read",
        old="        if running != crc:\n",
        new="        if running < 0:\n",
    ),
    _reader(
        name="wal/crc-between-segments",
        breaks="a segment that does not continue the one before is read",
        old="            if self.crc not in (0, crc):\n",
        new="            if self.crc < 0:\n",
    ),
    _reader(
        name="wal/torn-in-the-middle",
        breaks="damage in an earlier segment counts as a torn end",
        old="if not torn or at_start or self.path != self._paths[-1]:",
        new="if not torn or at_start:",
    ),
    _reader(
        name="wal/length-unchecked",
        breaks="a length field that lies about an intact record is a torn write",
        old="            self._check_length(file.fileno(), size)\n",
        new="",
    ),
    Mutation(
        name="wal/entry-not-displaced",
        breaks="an overwritten entry comes back at a start",
        file="miniet/wal/contents.py",
        old="        del entries[max(position, 0) :]\n",
        new="        del entries[max(position, 0) : position + 1]\n",
        tests=(_UNIT + "test_contents.py",),
    ),
    Mutation(
        name="wal/snapshot-beyond-commit",
        breaks="a snapshot beyond the commit index counts as valid",
        file="miniet/wal/contents.py",
        old="if snapshot.index <= commit]",
        new="if snapshot.index <= commit + 1]",
        tests=(_UNIT + "test_contents.py",),
    ),
    Mutation(
        name="wal/repair-cuts-nothing",
        breaks="a repaired log is still torn",
        file="miniet/wal/repair.py",
        old="    os.ftruncate(segment.fd, kept_bytes)\n",
        new="",
        tests=(_UNIT + "test_repair.py",),
    ),
    Mutation(
        name="wal/snap-crc",
        breaks="a damaged snapshot file is read",
        file="miniet/wal/snap.py",
        old="        if crc32c(data) != crc:\n",
        new="        if crc32c(data) < 0:\n",
        tests=(_UNIT + "test_snap.py",),
    ),
)
