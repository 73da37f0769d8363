"""A page store in memory, as `mvcc.ports` describes one; strict about its rules.

Views that were handed out are released at the next write, and a write during a
walk raises: what breaks the contract fails here and not only on LMDB.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from sortedcontainers import SortedDict

from miniet.errors import DataError

Pairs: TypeAlias = Any  # SortedDict[bytes, bytes]; sortedcontainers has no types


class _Read:
    def __init__(self, buckets: dict[bytes, Pairs]) -> None:
        self._buckets = buckets
        self._views: list[memoryview] = []
        self._walks = 0

    def _view(self, data: bytes) -> memoryview:
        view = memoryview(data)
        self._views.append(view)
        return view

    def get(self, bucket: bytes, key: bytes) -> memoryview | None:
        value = self._buckets.get(bucket, {}).get(key)
        return None if value is None else self._view(value)

    def get_all(
        self, bucket: bytes, keys: Sequence[bytes | bytearray]
    ) -> list[memoryview]:
        pairs = self._buckets.get(bucket, {})
        return [self._view(pairs[bytes(key)]) for key in keys]

    def range(
        self, bucket: bytes, start: bytes, end: bytes | None = None, limit: int = 0
    ) -> Iterator[tuple[memoryview, memoryview]]:
        pairs = self._buckets.get(bucket)
        if pairs is None or (end is not None and start >= end):
            return
        self._walks += 1
        try:
            for count, key in enumerate(
                pairs.irange(start, end, inclusive=(True, False))
            ):
                if limit and count == limit:
                    return
                yield self._view(key), self._view(pairs[key])
        finally:
            self._walks -= 1

    def keys(
        self, bucket: bytes, start: bytes, end: bytes | None = None, limit: int = 0
    ) -> Iterator[memoryview]:
        return (key for key, _ in self.range(bucket, start, end, limit))


class MemoryReadTx(_Read):
    """A pinned state."""

    def close(self) -> None:
        self._buckets = {}


class MemoryBatchTx(_Read):
    """The open write transaction."""

    def __init__(self, buckets: dict[bytes, Pairs]) -> None:
        super().__init__(buckets)
        self.pending: list[tuple[bytes, bytes, bytes | None]] = []
        self.writes_left: int | None = None
        """Writes that will still succeed; None: all of them."""
        self.failure: Exception = DataError("the disk is gone")
        """What the other writes raise."""

    def _write(self, bucket: bytes, key: bytes, value: bytes | None) -> None:
        if self._walks:
            raise RuntimeError("write during a walk")
        if self.writes_left is not None:
            if not self.writes_left:
                raise self.failure
            self.writes_left -= 1
        for view in self._views:
            view.release()
        self._views.clear()
        pairs = self._buckets.setdefault(bucket, SortedDict())
        if value is None:
            pairs.pop(key, None)
        else:
            pairs[key] = value
        self.pending.append((bucket, key, value))

    def put(self, bucket: bytes, key: bytes, value: bytes) -> None:
        self._write(bucket, key, value)

    def append(self, bucket: bytes, key: bytes, value: bytes) -> None:
        pairs = self._buckets.get(bucket)
        if pairs and key <= pairs.peekitem()[0]:
            raise RuntimeError(f"append of {key.hex()} is not after the last key")
        self._write(bucket, key, value)

    def delete(self, bucket: bytes, key: bytes) -> None:
        self._write(bucket, key, None)


def _copy(buckets: dict[bytes, Pairs]) -> dict[bytes, Pairs]:
    return {name: SortedDict(pairs) for name, pairs in buckets.items()}


class MemoryBackend:
    """Committed pairs, and the batch transaction over them.

    size_bytes: whatever a test says; nothing here makes it grow.
    """

    BATCH_LIMIT = 10_000
    BATCH_INTERVAL_S = 0.1

    def __init__(self, committed: dict[bytes, Pairs] | None = None) -> None:
        self._committed = _copy(committed or {})
        self._batch_tx = MemoryBatchTx(_copy(self._committed))
        self._commit_due_s = 0.0
        self.commit_count = 0
        self.before_commit: Callable[[], None] | None = None
        self.size_bytes = 0

    @property
    def batch_tx(self) -> MemoryBatchTx:
        return self._batch_tx

    def commit(self) -> None:
        if self._batch_tx.pending and self.before_commit is not None:
            self.before_commit()
        for bucket, key, value in self._batch_tx.pending:
            pairs = self._committed.setdefault(bucket, SortedDict())
            if value is None:
                pairs.pop(key, None)
            else:
                pairs[key] = value
        self._batch_tx.pending.clear()
        self.commit_count += 1

    def step_commit(self, now_s: float) -> bool:
        due = now_s >= self._commit_due_s
        if due:
            self._commit_due_s = now_s + self.BATCH_INTERVAL_S
        pending = len(self._batch_tx.pending)
        if not pending or not (due or pending >= self.BATCH_LIMIT):
            return False
        self.commit()
        return True

    def reset(self) -> None:
        self._committed.clear()
        self._batch_tx._buckets.clear()
        self._batch_tx.pending.clear()

    def read_tx(self) -> MemoryReadTx:
        return MemoryReadTx(_copy(self._committed))

    def crashed(self) -> "MemoryBackend":
        """Return what a crash now would leave: the committed state."""
        return MemoryBackend(self._committed)
