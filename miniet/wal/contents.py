"""What a log says: its records put together to metadata, state and entries.

The CRC does not cover a record's type. Here lies the other half of that check:
an entry, a state and a metadata record cannot be mistaken for one another,
because each is accepted in its own canonical form only.

Source: etcd v3.4.9 wal/wal.go, ReadAll; etcd v3.4.10, ValidSnapshotEntries.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from miniet.protowire import fields, varint
from miniet.raft.codec import (
    decode_entry,
    decode_hard_state,
    encode_conf_state,
    encode_hard_state,
)
from miniet.raft.messages import ConfState, Entry, HardState
from miniet.wal.beyond import commit_beyond
from miniet.wal.errors import REPLACE_MEMBER, SnapshotNotFoundError, TornWriteError
from miniet.wal.reader import RecordReader
from miniet.wal.record import RecordType
from miniet.wal.segment import list_segments, segments_from


@dataclass(slots=True, frozen=True)
class WalSnapshot:
    """The mark that a log keeps of a raft snapshot; index 0 is the beginning."""

    index: int = 0
    term: int = 0


@dataclass(slots=True)
class WalContents:
    """A log as read; whoever asked for it owns it."""

    # As given to `Wal.create`: etcd's node id and cluster id.
    metadata: bytes = b""
    # The last one written; empty if there is none.
    hard_state: HardState = field(default_factory=HardState)
    # Everything after the snapshot asked for, one index after the other.
    entries: list[Entry] = field(default_factory=list)
    # The torn end behind all this, if there is one and the log was only read.
    torn: TornWriteError | None = None


def read_log(directory: str | os.PathLike[str], at: WalSnapshot) -> WalContents:
    """Read a log from a snapshot on, without locking or changing anything.

    The log may belong to a running server, etcd's too; then its last records may
    be missing.

    Raises:
        WalMissingError, WalDamagedError, SnapshotNotFoundError: as `Wal.open`. A
            torn end is no error here.
    Memory: keeps nothing. Cost: 7 us an entry.
    """
    path = Path(directory)
    names = segments_from(list_segments(path), at.index, path)
    return gather(RecordReader([path / str(name) for name in names]), at)


def valid_snapshots(directory: str | os.PathLike[str]) -> list[WalSnapshot]:
    """Return the snapshots that the log may be opened at, oldest first.

    These are the ones recorded, up to the commit index. Load the newest snapshot
    file that matches one, and open the log there.

    Raises:
        WalMissingError, WalDamagedError: as `Wal.open`.
    """
    path = Path(directory)
    names = list_segments(path)
    names = segments_from(names, names[0].first_index, path)
    reader = RecordReader([path / str(name) for name in names])
    found: list[WalSnapshot] = []
    commit = 0
    records = iter(reader)
    try:
        for kind, data in records:
            if kind == RecordType.SNAPSHOT:
                found.append(_decode_snapshot(reader, data))
            elif kind == RecordType.STATE:
                commit = _decode_state(reader, data, HardState()).commit
    except TornWriteError:
        pass  # What was cut off was never promised; opening the log says so.
    finally:
        records.close()
    return [snapshot for snapshot in found if snapshot.index <= commit]


def gather(reader: RecordReader, at: WalSnapshot) -> WalContents:
    """Put the records together to what they say after snapshot `at`.

    Raises:
        WalDamagedError: a record is damaged, or contradicts the others.
        SnapshotNotFoundError: no record of `at`.
    """
    contents = WalContents()
    entries = contents.entries
    metadata: bytes | None = None
    seen = False
    records = iter(reader)
    try:
        for kind, data in records:
            if kind == RecordType.ENTRY:
                _place(reader, entries, _decode_entry(reader, data), at.index)
            elif kind == RecordType.STATE:
                contents.hard_state = _decode_state(reader, data, contents.hard_state)
            elif kind == RecordType.SNAPSHOT:
                seen |= _matches(reader, _decode_snapshot(reader, data), at)
            elif kind == RecordType.METADATA:
                if metadata not in (None, data):
                    raise reader.damaged("metadata differs from the record before")
                metadata = contents.metadata = bytes(data)
    except TornWriteError as torn:
        contents.torn = torn
        last_index = entries[-1].index if entries else at.index
        commit = commit_beyond(reader.path, reader.offset)
        if commit > last_index:
            raise reader.damaged(
                f"no torn write: entry {last_index + 1} was committed, as a record "
                "behind it says"
            ) from torn
    finally:
        records.close()
    if not seen:
        raise SnapshotNotFoundError(
            f"no record of snapshot index {at.index} term {at.term}",
            path=str(reader.path.parent),
            remedy=REPLACE_MEMBER,
        )
    return contents


def encode_wal_snapshot(
    snapshot: WalSnapshot, conf_state: ConfState | None = None
) -> bytes:
    """Encode the data of a snapshot record.

    The conf state is optional: etcd 3.4.9 leaves it out, 3.4.23 writes it.
    """
    parts = [b"\x08", varint(snapshot.index), b"\x10", varint(snapshot.term)]
    if conf_state is not None:
        encoded = encode_conf_state(conf_state)
        parts += b"\x1a", varint(len(encoded)), encoded
    return b"".join(parts)


def decode_wal_snapshot(data: memoryview) -> WalSnapshot:
    """Decode the data of a snapshot record; a conf state in it is left out.

    Raises:
        ValueError: not a snapshot record's data.
    """
    found = [0, 0, 0]
    for number, value in fields(data):
        if number < 3 and isinstance(value, int):
            found[number] = value
    return WalSnapshot(found[1], found[2])


def check_entry_form(entry: Entry) -> str | None:
    """Say why the log cannot hold this entry; None if it can.

    A membership change without data would look like a state record whose type is
    damaged. etcd's server never writes one; only leaving a joint membership
    automatically would need it.
    """
    if entry.type and not entry.data:
        return f"entry {entry.index} changes membership but has no data"
    return None


def _place(
    reader: RecordReader, entries: list[Entry], entry: Entry, start: int
) -> None:
    """Put `entry` in its place; it displaces those from its index on.

    Also when it stands before `start` itself: etcd skips it then, and brings back
    entries that a later leader had removed.
    """
    position = entry.index - start - 1
    if position > len(entries):
        raise reader.damaged(f"entry {entry.index} leaves a hole")
    if position < len(entries):
        del entries[max(position, 0) :]
    if position >= 0:
        entries.append(entry)


def _decode_entry(reader: RecordReader, data: memoryview) -> Entry:
    try:
        entry = decode_entry(data)
    except ValueError as error:
        raise reader.damaged(f"entry record: {error}") from error
    if not entry.data and (reason := check_entry_form(entry)):
        raise reader.damaged(reason)
    return entry


def _decode_state(
    reader: RecordReader, data: memoryview, before: HardState
) -> HardState:
    try:
        state = decode_hard_state(data)
    except ValueError as error:
        raise reader.damaged(f"state record: {error}") from error
    if encode_hard_state(state) != data or state.term < max(before.term, 1):
        raise reader.damaged("state record that is none")
    return state


def _decode_snapshot(reader: RecordReader, data: memoryview) -> WalSnapshot:
    try:
        return decode_wal_snapshot(data)
    except ValueError as error:
        raise reader.damaged(f"snapshot record: {error}") from error


def _matches(reader: RecordReader, found: WalSnapshot, at: WalSnapshot) -> bool:
    if found.index == at.index and found.term != at.term:
        raise reader.damaged(
            f"snapshot index {at.index} has term {found.term}, not {at.term}"
        )
    return found == at
