"""mvcc: keys over revisions, in memory their index, in the backend their history.

    write txn ──put──► TreeIndex      key -> generations of (main, sub)     memory
        │       └────► backend        (main, sub) -> wire KeyValue          pages
        └─end──► current revision + 1, events to `Store.on_changes`
    read txn ──► TreeIndex: which revision of which key ──► backend: its bytes

Words. A *revision* is (main, sub): main counts the write transactions that changed
something (the first is 2), sub the changes in one. A *generation* is one life of
a key, from its first put to its deletion, the *tombstone*. *Compaction* at C
gives up every revision that no read at C or later can see; its set of survivors
is *keep*.

Invariants
- Revisions never repeat and never go back, over restarts and compactions too.
- A reader at revision R sees exactly the changes with main <= R.
- compact_revision <= R <= current_revision are the revisions that can be read.
- Each revision in the index is in the backend; without a compaction under way the
  reverse is true, too.
- The bytes under a revision are the wire form that clients get; nothing parses and
  builds them again on the way out.

Kept in memory: per key of the index its bytes, a `KeyIndex`, its packed revisions
and a place in a dict and a sorted list (about 264 bytes for a 16-byte key); 17
bytes per revision more, 18 from the 31st on. A deleted key stays until compaction
passes its deletion. While a compaction runs, or a hash is taken, about 100 bytes
per key for `keep`. Events are made here and live as long as a watcher wants them.

Pure: no I/O, no threads, no clock. The page store and the lessor are protocols in
`ports`; compaction advances when `Store.step_compaction` is called.

Rules are those of etcd 3.4 where versions differ: a tombstone at the compaction
revision itself is removed. Differences from etcd: no locks (one thread); no buffers
between transactions and page store; filters, limits and sorts are decided in the
index before the backend is read; the index is compacted in steps, and frees at
once what Go's slices hold on to; a revision array is searched by bisection.
"""

from miniet.mvcc.compaction import CompactionJob
from miniet.mvcc.errors import (
    CompactedError,
    FutureRevisionError,
    StoreDamagedError,
    StorePoisonedError,
)
from miniet.mvcc.hash import HashJob, KvHash
from miniet.mvcc.key_index import Found, Generation, KeyIndex
from miniet.mvcc.kv import Event, EventType, KeyRange, KeyValue
from miniet.mvcc.range_query import RangeQuery, RangeResult, SortOrder, SortTarget
from miniet.mvcc.revision import Revision
from miniet.mvcc.store import Store, StoreStatistics
from miniet.mvcc.tree_index import TreeIndex
from miniet.mvcc.txn import ReadTxn, WriteTxn

__all__ = [
    "CompactedError",
    "CompactionJob",
    "Event",
    "EventType",
    "Found",
    "FutureRevisionError",
    "Generation",
    "HashJob",
    "KeyIndex",
    "KeyRange",
    "KeyValue",
    "KvHash",
    "RangeQuery",
    "RangeResult",
    "ReadTxn",
    "Revision",
    "SortOrder",
    "SortTarget",
    "Store",
    "StoreDamagedError",
    "StorePoisonedError",
    "StoreStatistics",
    "TreeIndex",
    "WriteTxn",
]
