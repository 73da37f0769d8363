"""Transactions: one view of the store, and one step of its history.

Source: etcd v3.4.9 mvcc/kvstore_txn.go.
"""

from types import TracebackType
from typing import TYPE_CHECKING, Final

from miniet.errors import InvariantError
from miniet.mvcc.key_index import Found
from miniet.mvcc.kv import (
    Event,
    EventType,
    encode_deleted,
    encode_key_value,
    encode_tombstone,
)
from miniet.mvcc.ports import KEY_BUCKET
from miniet.mvcc.range_query import RangeQuery, RangeResult, run_range
from miniet.mvcc.revision import revision_key, tombstone_key

if TYPE_CHECKING:
    from miniet.mvcc.store import Store


_PUT: Final = EventType.PUT


class ReadTxn:
    """Reads of the store as of the revision at which the transaction was opened.

    It holds nothing open and needs no end: older revisions stay readable until they
    are compacted.

    first_revision: compact revision at the opening, -1 for none.
    revision: current revision at the opening.
    """

    __slots__ = ("_operation_count", "_store", "first_revision", "revision")

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._operation_count = 0
        self.first_revision = store.compact_revision
        self.revision = store.current_revision

    def __repr__(self) -> str:
        return f"<{type(self).__name__} revision={self.revision}>"

    def range(self, query: RangeQuery) -> RangeResult:
        """Answer `query`.

        Raises:
            FutureRevisionError, CompactedError: its revision cannot be read.
        """
        store = self._store
        self._count_operation()
        store.range_total += 1
        return run_range(
            query,
            store.index,
            store.batch_tx,
            current_revision=self._seen_revision(),
            compact_revision=store.compact_revision,
        )

    def find(self, key: bytes, range_end: bytes = b"") -> list[Found]:
        """Find the keys of a range that exist, in key order, without their values.

        Args:
            key, range_end: as in `KeyRange`.
        Cost: as a range, but the backend is not read.
        """
        store = self._store
        self._count_operation()
        store.range_total += 1
        return list(store.index.alive(key, range_end, self._seen_revision()))

    def _seen_revision(self) -> int:
        return self.revision

    def _count_operation(self) -> None:
        self._operation_count += 1
        if self._operation_count == 2:
            self._store.txn_total += 1


class WriteTxn(ReadTxn):
    """The one open write transaction; all its changes share one main revision.

    Reads in it see its earlier changes; after the first, the current revision is the
    one that this transaction makes.

    As a context manager it ends when the block is left. What can be refused must
    be refused before the first change: an exception that leaves the block after
    one poisons the store (`StorePoisonedError` from then on). Nobody saw
    the half-done change: its revision was never current. The owner must close the
    backend without another commit and start again from the log.

    revision: current revision before this transaction.
    changes: one event per change so far, in order; sub revision = position.
    """

    __slots__ = ("_is_dirty", "_is_open", "changes")

    def __init__(self, store: "Store") -> None:
        super().__init__(store)
        self.changes: list[Event] = []
        self._is_open = True
        self._is_dirty = False  # a change was begun

    def __enter__(self) -> "WriteTxn":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.end()
            return
        self._is_open = False
        self._store._leave_write(poisoned=self._is_dirty)

    def _seen_revision(self) -> int:
        # Reads see earlier changes of this transaction, and its revision as current.
        return self.revision + 1 if self.changes else self.revision

    def put(
        self, key: bytes | memoryview, value: bytes | memoryview, lease: int = 0
    ) -> int:
        """Put a pair; the key leaves its old lease and joins `lease` (0: none).

        Args:
            key: 1 byte or more; copied if it is new.
            value: copied into the wire form that is stored.
        Returns:
            main revision of this transaction.
        Raises:
            RequestError: `lease` does not exist (the lessor's error); nothing changed.
        Memory: a new key its index entry, any other put 17 bytes; the stored bytes
            until `changes` and the watchers let go of them.
        """
        self._require_open()
        store = self._store
        main = self.revision + 1
        if type(key) is not bytes:
            key = bytes(key)
        self._count_operation()
        held_by = store.lessor.lease_of(key)
        if held_by != lease:
            if lease:
                store.lessor.attach(lease, key)
            else:
                store.lessor.detach(held_by, key)
        self._is_dirty = True
        changes = self.changes
        sub = len(changes)
        entry = store.index.put(key, main, sub)
        key, created = entry.key, entry.created_main
        kv = encode_key_value(key, created, main, entry.version, value, lease)
        store.batch_tx.append(KEY_BUCKET, revision_key(main, sub), kv)
        changes.append(Event(_PUT, key, main, created, kv))
        store.put_total += 1
        store.put_size_bytes_total += len(key) + len(value)
        return main

    def delete_range(self, key: bytes, range_end: bytes = b"") -> tuple[int, int]:
        """Delete every key of a range, in key order.

        Args:
            key, range_end: as in `KeyRange`.
        Returns:
            (number of keys deleted, revision): this transaction's main revision if
            it changed anything so far, else the one before.
        """
        self._require_open()
        store = self._store
        main = self.revision + 1
        self._count_operation()
        store.delete_total += 1
        # Nothing is newer than `main`: reading there is reading the newest state.
        entries = store.index.walk(key, range_end)
        keys = [entry.key for entry in entries if entry.get(main)]
        for each in keys:
            self._delete(each, main)
        return len(keys), main if self.changes else self.revision

    def _delete(self, key: bytes, main: int) -> None:
        store = self._store
        self._is_dirty = True
        sub = len(self.changes)
        key = store.index.tombstone(key, main, sub).key
        store.batch_tx.append(
            KEY_BUCKET, tombstone_key(main, sub), encode_tombstone(key)
        )
        self.changes.append(
            Event(EventType.DELETE, key, main, 0, encode_deleted(key, main))
        )
        held_by = store.lessor.lease_of(key)
        if held_by:
            store.lessor.detach(held_by, key)

    def end(self) -> None:
        """Make the changes current, then tell `Store.on_changes` about them.

        Raises:
            InvariantError: it has ended already.
        """
        self._require_open()
        self._is_open = False
        self._store._leave_write(changes=self.changes)

    def _require_open(self) -> None:
        if not self._is_open:
            raise InvariantError("the write transaction has ended")
