"""The write-ahead log and the snapshot files: what survives a crash.

    engine --append--> pending (memory) --flush--> 0000..01-0000..9c.wal   the last
                                                   0000..00-0000..00.wal   older
           --save----> TTTT-IIII.snap              (membership up to index I)

Bytes are etcd's: each reads the other's files. `Wal` writes, `read_log` only reads.

A start, in order::

    valid = valid_snapshots(wal_directory)
    snapshot = SnapshotFiles(snap_directory).load_newest(valid)
    at = WalSnapshot(snapshot.index, snapshot.term) if snapshot else WalSnapshot()
    try:
        wal, contents = Wal.open(wal_directory, at)
    except TornWriteError:
        repair(wal_directory)
        wal, contents = Wal.open(wal_directory, at)

Words. *segment*: one file of the log, cut at 64,000,000 bytes. *record*: one framed
message in it: metadata, entry, state, snapshot, or CRC. *torn*: cut off by a crash
while it was written, so never acknowledged. *damaged*: not as it was written.

Invariants. A segment has its name only when its first records are on the disk.
Segment numbers run on without a gap. One running CRC spans all data of all
segments; each segment begins with its value. Nothing after the last record of the
last segment but zeros. A damaged log is never opened, a torn one never silently.

Threads. `append` is for the thread of the engine; `flush` and `save_snapshot` may
run on another, and while they do no other method of that `Wal` may be called, except
`statistics`.

Memory. Per record appended and not yet flushed its framed bytes (payload + about 60
bytes); per segment held a name and a file descriptor. Entries read are handed over
and not kept; their data is booked to raft, whose codec copies it.

Differences from etcd. The next segment is preallocated when it is needed, not ahead
(`Wal._cut`). No writer buffer that may hold records back: `flush` writes them all.
Snapshot files appear by rename, and the directory is synced. What the CRC leaves
open is checked (`reader`, `contents`), so some damage that etcd reads over, or
repairs as torn, is refused here. An entry that changes membership must have data.
"""

from miniet.wal.contents import WalContents, WalSnapshot, read_log, valid_snapshots
from miniet.wal.errors import (
    SnapshotDamagedError,
    SnapshotNotFoundError,
    TornWriteError,
    WalDamagedError,
    WalExistsError,
    WalFailedError,
    WalLockedError,
    WalMissingError,
)
from miniet.wal.purge import purge
from miniet.wal.repair import RepairReport, repair
from miniet.wal.segment import SEGMENT_BYTES, make_directory, sync_directory
from miniet.wal.snap import SnapshotFiles, read_snapshot, snapshot_name
from miniet.wal.wal import Wal, WalStatistics

__all__ = [
    "SEGMENT_BYTES",
    "RepairReport",
    "SnapshotDamagedError",
    "SnapshotFiles",
    "SnapshotNotFoundError",
    "TornWriteError",
    "Wal",
    "WalContents",
    "WalDamagedError",
    "WalExistsError",
    "WalFailedError",
    "WalLockedError",
    "WalMissingError",
    "WalSnapshot",
    "WalStatistics",
    "make_directory",
    "purge",
    "read_log",
    "read_snapshot",
    "repair",
    "snapshot_name",
    "sync_directory",
    "valid_snapshots",
]
