"""`Store`: the key space and its history over a page store.

Source: etcd v3.4.9 mvcc/kvstore.go.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from miniet.errors import InvariantError, RequestError
from miniet.mvcc.compaction import (
    FINISHED_KEY,
    SCHEDULED_KEY,
    CompactionJob,
    write_mark,
)
from miniet.mvcc.errors import (
    CompactedError,
    FutureRevisionError,
    StoreDamagedError,
    StorePoisonedError,
)
from miniet.mvcc.hash import HashJob, KvHash
from miniet.mvcc.kv import Event, EventType, KeyValue, encode_deleted, encode_tombstone
from miniet.mvcc.ports import KEY_BUCKET, Backend, LeaseAttacher
from miniet.mvcc.restore import read_marks, restore_index
from miniet.mvcc.revision import parse_revision_key, revision_key
from miniet.mvcc.tree_index import TreeIndex
from miniet.mvcc.txn import ReadTxn, WriteTxn


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """What the store holds, and what it did since it was made.

    key_count: keys that exist now.
    index_key_count: keys in the index: those, and deleted ones not yet compacted.
    generation_count: generations of all keys, with the empty one of deleted keys.
    index_revision_count: revisions in the index, 17 bytes each.
    index_cut_revision_count: revisions that the last compaction to have walked the
        whole index took from keys that live on. Go re-slices their arrays, which stay
        as they were until they must grow; here they are copied.
    index_compacted_revision_count: revisions it left there, 0 before the first.
    key_bytes: sum of the lengths of the keys in the index.
    current_revision: main revision of the last change, 1 for none.
    compact_revision: oldest readable revision, -1 before the first compaction.
    finished_compact_revision: revision of the last finished compaction, or -1.
    compaction_count: compactions accepted and not finished.
    compaction_keep_count: revisions in the running compaction's set of survivors.
    range_total, put_total, delete_total: calls inside transactions.
    txn_total: transactions of more than one such call.
    put_size_bytes_total: lengths of all keys and values put.
    compaction_deleted_total: backend records deleted by compactions.
    """

    key_count: int
    index_key_count: int
    generation_count: int
    index_revision_count: int
    index_cut_revision_count: int
    index_compacted_revision_count: int
    key_bytes: int
    current_revision: int
    compact_revision: int
    finished_compact_revision: int
    compaction_count: int
    compaction_keep_count: int
    range_total: int
    put_total: int
    delete_total: int
    txn_total: int
    put_size_bytes_total: int
    compaction_deleted_total: int


class Store:
    """Keys over revisions: read at any of them, written one transaction at a time.

    Used from one thread. The constructor starts nothing: `restore` reads what the
    backend holds (also when it is empty), `step_compaction` is the background work.

    current_revision: main revision of the last finished write transaction.
    compact_revision: last accepted compaction, -1 for none. Reads below it fail.
    finished_compact_revision: last compaction whose records are gone, -1 for none.
    is_poisoned: a write broke off half-way (`StorePoisonedError`).
    on_changes: called at the end of each changing transaction with its main revision
        and its events, which the callee may keep but not change.

    Invariant: finished_compact_revision <= compact_revision <= current_revision.
    """

    def __init__(self, backend: Backend, lessor: LeaseAttacher) -> None:
        self.backend = backend
        self.batch_tx = backend.batch_tx
        self.lessor = lessor
        self.on_changes: Callable[[int, list[Event]], None] | None = None
        self.range_total = 0
        self.put_total = 0
        self.delete_total = 0
        self.txn_total = 0
        self.put_size_bytes_total = 0
        self.compaction_deleted_total = 0
        self._is_writing = False
        self.is_poisoned = False
        self.reset()

    def reset(self) -> None:
        """Forget everything: an empty store at revision 1; totals go on.

        The caller empties the backend and the lessor.
        """
        self._refuse_inside_write()
        self.index = TreeIndex()
        self.current_revision = 1
        self.compact_revision = -1
        self.finished_compact_revision = -1
        self._compactions: deque[CompactionJob] = deque()

    def __repr__(self) -> str:
        return (
            f"<Store revision={self.current_revision}"
            f" compact_revision={self.compact_revision} keys={len(self.index)}>"
        )

    # Transactions

    def read(self) -> ReadTxn:
        """Open a view of the current revision."""
        if self.is_poisoned:
            raise StorePoisonedError("a write broke off; the store is shut")
        return ReadTxn(self)

    def write(self) -> WriteTxn:
        """Open the write transaction; only one can be open.

        Raises:
            InvariantError: another one is open.
        """
        self._refuse_inside_write()
        txn = WriteTxn(self)
        self._is_writing = True
        return txn

    def delete_keys(self, keys: Iterable[bytes]) -> None:
        """Delete `keys` in order, in one transaction; for the lessor's revokes."""
        with self.write() as txn:
            for key in keys:
                txn.delete_range(key)

    def _leave_write(
        self, changes: list[Event] | None = None, *, poisoned: bool = False
    ) -> None:
        """Close the write transaction; for `WriteTxn` alone."""
        self._is_writing = False
        self.is_poisoned = poisoned
        if changes:
            self.current_revision += 1
            if self.on_changes is not None:
                self.on_changes(self.current_revision, changes)

    def _refuse_inside_write(self) -> None:
        if self.is_poisoned:
            raise StorePoisonedError("a write broke off; the store is shut")
        if self._is_writing:
            raise InvariantError("a write transaction is open")

    # History

    def read_events(self, from_revision: int, to_revision: int) -> Iterator[Event]:
        """Walk the stored changes of main revisions [from_revision, to_revision].

        Oldest first, by sub within a main. Below the compact revision changes may be
        missing. No write may happen during the walk.
        """
        start = revision_key(max(from_revision, 0), 0)
        end = revision_key(max(to_revision + 1, 0), 0)
        for key, value in self.batch_tx.range(KEY_BUCKET, start, end):
            main, _, is_tombstone = parse_revision_key(key)
            pair = KeyValue.decode(value)
            if is_tombstone:
                encoded = encode_deleted(pair.key, main)
                yield Event(EventType.DELETE, pair.key, main, 0, encoded)
            else:
                created = pair.create_revision
                yield Event(EventType.PUT, pair.key, main, created, bytes(value))

    # Compaction

    def compact(self, revision: int) -> None:
        """Make `revision` the oldest readable one; records go later, in steps.

        The mark in the backend is committed when this returns.

        Raises:
            CompactedError: not above the last compaction.
            FutureRevisionError: above the current revision.
        """
        self._refuse_inside_write()
        if revision <= self.compact_revision:
            raise CompactedError(revision, self.compact_revision)
        if revision > self.current_revision:
            raise FutureRevisionError(revision, self.current_revision)
        self.compact_revision = revision
        write_mark(self.batch_tx, SCHEDULED_KEY, revision)
        self.backend.commit()
        self._compactions.append(CompactionJob(revision))

    @property
    def compaction_pending(self) -> bool:
        """Whether a compaction is running or waiting."""
        return bool(self._compactions)

    def step_compaction(self, batch_limit: int = 1000) -> bool:
        """Do one step of the oldest compaction: some index keys, or some records.

        A full batch of records is committed at once. etcd pauses 10 ms between
        batches; that is the driver's part.

        Args:
            batch_limit: backend records visited at most.
        Returns:
            True while there is more to do.
        """
        self._refuse_inside_write()
        if not self._compactions:
            return False
        job = self._compactions[0]
        if not job.is_index_done:
            job.step_index(self.index)
            return True
        deleted_before = job.deleted_count
        is_full = job.step_records(self.batch_tx, batch_limit)
        self.compaction_deleted_total += job.deleted_count - deleted_before
        if is_full:
            self.backend.commit()
        else:
            write_mark(self.batch_tx, FINISHED_KEY, job.revision)
            self.finished_compact_revision = job.revision
            self._compactions.popleft()
        return self.compaction_pending

    # Hash

    def hash_by_revision(self, revision: int) -> KvHash:
        """Hash the history up to `revision` (0: all of it), here and now.

        Raises:
            CompactedError: `revision` is above 0 and not above the compact revision.
            FutureRevisionError: `revision` is above the current one.
        """
        job = self._hash_job(revision)
        return job.result(job.run(self.batch_tx))

    def prepare_hash(self, revision: int) -> HashJob:
        """Take the index's part of a hash and commit the backend.

        Open `backend.read_tx()` next, before any other call; the job may then run
        over it in another thread.

        Raises:
            CompactedError, FutureRevisionError: as `hash_by_revision`.
        """
        job = self._hash_job(revision)
        self.backend.commit()
        return job

    def _hash_job(self, revision: int) -> HashJob:
        self._refuse_inside_write()
        if 0 < revision <= self.compact_revision:
            raise CompactedError(revision, self.compact_revision)
        if revision > self.current_revision:
            raise FutureRevisionError(revision, self.current_revision)
        revision = revision or self.current_revision
        return HashJob(
            self.index.keep(revision),
            revision=revision,
            compact_revision=self.compact_revision,
            current_revision=self.current_revision,
        )

    # Boot

    def restore(self) -> None:
        """Build the index from the backend and attach keys to their leases.

        The lessor must have its leases already; keys of unknown ones stay unattached.
        An interrupted compaction is queued again.

        Raises:
            StoreDamagedError: a record cannot be one of this store's; it is empty.
        """
        self.reset()
        try:
            finished, scheduled = read_marks(self.batch_tx)
            restored = restore_index(
                self.batch_tx, self.index, max(finished, scheduled)
            )
        except StoreDamagedError:
            self.reset()
            raise
        for key, lease in restored.lease_of_key.items():
            # As in etcd, a key whose lease is gone stays; no lease will delete it.
            with suppress(RequestError):
                self.lessor.attach(lease, key)
        # Compaction may have deleted the newest record, a deletion: revisions never
        # go back, so not below the marks.
        self.current_revision = max(restored.last_revision, finished, scheduled)
        self.compact_revision = self.finished_compact_revision = finished
        if scheduled > finished:
            self.compact_revision = scheduled
            self._compactions.append(CompactionJob(scheduled))

    # Accounts

    def statistics(self) -> StoreStatistics:
        """Return the counts of now. Cost: O(1)."""
        index = self.index
        running = self._compactions[0] if self._compactions else None
        return StoreStatistics(
            key_count=index.live_count,
            index_key_count=len(index),
            generation_count=index.generation_count,
            index_revision_count=index.revision_count,
            index_cut_revision_count=index.cut_revision_count,
            index_compacted_revision_count=index.compacted_revision_count,
            key_bytes=index.key_bytes,
            current_revision=self.current_revision,
            compact_revision=self.compact_revision,
            finished_compact_revision=self.finished_compact_revision,
            compaction_count=len(self._compactions),
            compaction_keep_count=running.keep_count if running else 0,
            range_total=self.range_total,
            put_total=self.put_total,
            delete_total=self.delete_total,
            txn_total=self.txn_total,
            put_size_bytes_total=self.put_size_bytes_total,
            compaction_deleted_total=self.compaction_deleted_total,
        )

    def _check(self) -> None:
        """Verify index, marks and backend against each other, outside a write."""
        self._refuse_inside_write()
        self.index._check()
        finished, scheduled = read_marks(self.batch_tx)
        assert finished == self.finished_compact_revision
        assert max(finished, scheduled) == self.compact_revision
        assert self.compact_revision <= self.current_revision
        if not any(job.is_inside_index for job in self._compactions):
            # Only a compaction takes revisions out of the index.
            kept_count = self.index.compacted_revision_count
            assert kept_count <= self.index.revision_count
        waiting = [job.revision for job in self._compactions]
        assert waiting == sorted(set(waiting))
        assert self.compact_revision == (waiting[-1] if waiting else finished)
        self._check_records(exactly=not waiting)

    def _check_records(self, *, exactly: bool) -> None:
        """Each revision of the index is stored, and nothing else unless compacting."""
        expected = {}
        for entry in self.index.entries():
            for generation in entry.generations():
                for position, (main, sub) in enumerate(generation.pairs()):
                    version = generation.dropped_count + position + 1
                    expected[main, sub] = (entry, generation.created_main, version)
                    assert main <= self.current_revision
        for key, value in self.batch_tx.range(KEY_BUCKET, revision_key(0, 0)):
            main, sub, is_tombstone = parse_revision_key(key)
            pair = KeyValue.decode(value)
            known = expected.pop((main, sub), None)
            if known is None:
                # etcd 3.6 leaves a tombstone at the compaction revision.
                assert main <= self.compact_revision, f"{main}.{sub} is not known"
                assert is_tombstone or not exactly, f"{main}.{sub} was to be deleted"
                continue
            entry, created, version = known
            if is_tombstone:
                assert value == encode_tombstone(entry.key)
                continue
            assert bytes(value) == pair.encode()
            assert (
                pair.key,
                pair.create_revision,
                pair.mod_revision,
                pair.version,
            ) == (entry.key, created, main, version)
        assert not expected, f"in the index, not stored: {sorted(expected)}"
