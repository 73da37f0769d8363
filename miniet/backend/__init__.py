"""The page store: etcd's ten buckets in one LMDB file, where etcd has bbolt.

    mvcc, lease, ... ──put, append, delete──► BatchTx ──┐ one write transaction,
                     ◄──get, range─────────── BatchTx ◄─┤ open all the time
                                                        │
    driver ──step_commit (100 ms or 10,000 operations)──┤ commit: pages, sync,
                                                        ▼         meta page, sync
    hash, snapshot ◄──get, range── ReadTx ◄──────── member/snap/db

Definitions. *Bucket*: a named tree of pairs in key order, `schema` lists them.
*Uncommitted*: written into the open transaction, in no file yet; a crash loses it and
the log (`wal`) brings it back, from the consistent index on, which `before_commit`
writes into the very transaction it speaks of. *Allocated*: all pages the file ever
had; *in use*: those reachable from the newest meta page.

Invariants.
- The file is always the state of some whole commit, whatever ends the process or, if
  `durable`, the machine: LMDB never writes over a page that is in use.
- Reads through `batch_tx` see every write before them; a `ReadTx` sees the commits
  before it was opened and no other, until it is closed.
- One `Backend` per file, on the whole machine: an exclusive lock on the file itself,
  taken before anything is read and handed over in a defragmentation.
- After a failed write or commit nothing works until the store is opened again. What
  was in the transaction is gone then, and nobody shall believe otherwise.
- No damaged structure is served: `open` walks all page and node headers of the file
  first (`pages`), because LMDB itself would end the process, or find keys no more.
  The bytes of a value have no checksum, neither here nor in bbolt.

What it keeps in memory. On Python's heap next to nothing: a `ReadTx` per open read.
Uncommitted pages, 4 KiB or more for each leaf touched and the branches above it, are
on LMDB's native heap, out of tracemalloc's sight; `uncommitted_bytes` counts what was
put on them. Committed pages are in the page cache and, once touched, in the process's
resident set, as part of the map: the kernel takes them back when it needs to.

Differences from etcd.
- No read and write buffers: LMDB reads its own open transaction. etcd has them
  because bbolt's readers cannot, and copies them for each read; their effect on a Go
  heap is computed elsewhere from `uncommitted_operation_count` and `uncommitted_bytes`.
- The free list lies in the file, not on the heap, and reuse of pages is decided by
  LMDB. Sizes mean the same, but are not the same numbers as bbolt's.
- Keys are limited to 511 bytes (bbolt: 32,768), which only names of users and roles
  could meet.
- A second server on the same file is refused at once; etcd waits for the first to go.
- Pages hold more: appended pairs fill them whole, bbolt leaves a tenth free.

`BoltSnapshot` writes a state in bbolt's format, for `etcdctl snapshot restore`.

Source: etcd v3.4.9 mvcc/backend/backend.go, batch_tx.go, read_tx.go.
"""

from miniet.backend.backend import Backend
from miniet.backend.batch_tx import BatchTx
from miniet.backend.bolt import BoltSnapshot
from miniet.backend.errors import (
    BackendBusyError,
    BackendClosedError,
    BackendDamagedError,
    BackendFailedError,
    BackendFullError,
    BackendLockedError,
    DefragmentError,
    KeySizeError,
)
from miniet.backend.hash import hash_buckets
from miniet.backend.read_tx import ReadTx
from miniet.backend.statistics import BackendStatistics

__all__ = [
    "Backend",
    "BackendBusyError",
    "BackendClosedError",
    "BackendDamagedError",
    "BackendFailedError",
    "BackendFullError",
    "BackendLockedError",
    "BackendStatistics",
    "BatchTx",
    "BoltSnapshot",
    "DefragmentError",
    "KeySizeError",
    "ReadTx",
    "hash_buckets",
]
