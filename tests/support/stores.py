"""Short words for tests that need a whole `Store`."""

from collections.abc import Iterable

from miniet.mvcc import KeyValue, RangeQuery, Store
from miniet.mvcc.ports import KEY_BUCKET
from miniet.mvcc.revision import parse_revision_key
from tests.support.lease_stub import LeaseStub
from tests.support.memory_backend import MemoryBackend


def everything(revision: int = 0) -> RangeQuery:
    return RangeQuery(b"\x00", b"\x00", revision=revision)


def new_store(
    backend: MemoryBackend | None = None, lessor: LeaseStub | None = None
) -> Store:
    """Return a restored store; without arguments an empty one."""
    store = Store(backend or MemoryBackend(), lessor or LeaseStub())
    store.restore()
    return store


def put(store: Store, key: bytes, value: bytes = b"v", lease: int = 0) -> int:
    with store.write() as txn:
        revision = txn.put(key, value, lease)
    store._check()
    return revision


def delete(store: Store, key: bytes, range_end: bytes = b"") -> int:
    with store.write() as txn:
        deleted, _ = txn.delete_range(key, range_end)
    store._check()
    return deleted


def finish_compactions(store: Store, batch_limit: int = 1000) -> None:
    store._check()
    while store.step_compaction(batch_limit):
        store._check()
    store._check()


def compact(store: Store, revision: int, batch_limit: int = 1000) -> None:
    store.compact(revision)
    finish_compactions(store, batch_limit)


def stored_revisions(store: Store) -> list[str]:
    """Return what bucket `key` holds: `3`, `8.1`, `5t`; sub 0 is left out."""
    names = []
    for key, _ in store.batch_tx.range(KEY_BUCKET, b""):
        main, sub, is_tombstone = parse_revision_key(key)
        names.append(f"{main}{f'.{sub}' if sub else ''}{'t' if is_tombstone else ''}")
    return names


def decoded(kvs: Iterable[bytes | memoryview]) -> list[KeyValue]:
    return [KeyValue.decode(kv) for kv in kvs]


def pairs(store: Store, query: RangeQuery | None = None) -> dict[bytes, bytes]:
    """Return what a range answers, as key -> value."""
    return {
        kv.key: kv.value
        for kv in decoded(store.read().range(query or everything()).kvs)
    }


def real_server_history(store: Store) -> None:
    """Write the history whose compactions were watched on a real server.

    a@2 b@3 a@4 b-del@5 b@6 lk@7, one txn c@8.0 d@8.1 a-del@8.2, c@9 c-del@10 c@11
    d-del@12 e@13.
    """
    put(store, b"a")
    put(store, b"b")
    put(store, b"a")
    delete(store, b"b")
    put(store, b"b")
    put(store, b"lk")
    with store.write() as txn:
        txn.put(b"c", b"v")
        txn.put(b"d", b"v")
        txn.delete_range(b"a")
    put(store, b"c")
    delete(store, b"c")
    put(store, b"c")
    delete(store, b"d")
    put(store, b"e")
