"""One member of an etcd cluster, without its network and without waiting.

    propose ──► raft ──► ready ──► (driver writes the log) ──► persisted
                                        │
    answer ◄── apply ◄── committed entries, in order
                 ├──► mvcc.Store, lease.Lessor, watch.WatchableStore
                 └──► alarms, membership        all in one backend transaction

`Engine` composes the core: a request goes in, what is to be persisted and the
answers come out. `Applier` is the one place where state changes, a pure function of
the log's entries and the state before. `ConsistentIndex` says which entries the
backend already holds, so that a restart applies each exactly once.

Definitions: a *proposal* is a request on its way through the log; a *read point* is an
index at which the state reflects every write acknowledged before it was asked
for; *serving* begins when the member leads, has applied all that was before its
term, and has told its name through the log.

Invariants: entries are applied in index order, each once; nothing is answered
before it is applied, nothing is applied before it is durable; a request that is
refused changes nothing (but see `NoSpaceError`); after an entry that failed half-way
nothing is committed.

Kept in memory: per request in flight a closure and a queue entry; per alarm and
member a record. Everything large belongs to the components.

`requests` decodes an entry's data with the protobuf library inside one function;
the records that it returns are plain. Differences from etcd: one thread, so no
locks and no apply queue; a victim watcher is retried when its stream was read.
"""

from miniet.engine.config import VERSION, EngineConfig
from miniet.engine.engine import Engine
from miniet.engine.statistics import EngineStatistics

__all__ = ["VERSION", "Engine", "EngineConfig", "EngineStatistics"]
