"""What the store needs from others, as protocols."""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

KEY_BUCKET: Final = b"key"
"""All revisions of all keys: revision bytes -> encoded `KeyValue`."""

META_BUCKET: Final = b"meta"
"""Compaction marks and the consistent index."""


class ReadTx(Protocol):
    """Ordered reads of one consistent state of the page store."""

    def get(self, bucket: bytes, key: bytes) -> memoryview | None:
        """Return the value, or None.

        The view is valid until the next write to the store or the end of the
        transaction, whichever is first: copy what is kept.
        """
        ...

    def get_all(
        self, bucket: bytes, keys: Sequence[bytes | bytearray]
    ) -> list[memoryview]:
        """Return the value of each key, as `get` does.

        Raises:
            KeyError: there is none of this key, the first such.
        """
        ...

    def range(
        self, bucket: bytes, start: bytes, end: bytes | None = None, limit: int = 0
    ) -> Iterator[tuple[memoryview, memoryview]]:
        """Walk [start, end) in key order; `end` None = to the end, `limit` 0 = all.

        Views live as in `get`; no write may happen during the walk.
        """
        ...

    def keys(
        self, bucket: bytes, start: bytes, end: bytes | None = None, limit: int = 0
    ) -> Iterator[memoryview]:
        """Walk as `range` does, without touching the values."""
        ...


class BatchTx(ReadTx, Protocol):
    """The open write transaction: reads see what it wrote, committed or not."""

    def put(self, bucket: bytes, key: bytes, value: bytes) -> None:
        """Write one pair."""
        ...

    def append(self, bucket: bytes, key: bytes, value: bytes) -> None:
        """Write one pair whose key sorts after every key of the bucket."""
        ...

    def delete(self, bucket: bytes, key: bytes) -> None:
        """Remove one pair; nothing happens if it is not there."""
        ...


class Backend(Protocol):
    """The page store: one batch transaction, committed now and then."""

    @property
    def batch_tx(self) -> BatchTx:
        """The one open write transaction; the same object across commits."""
        ...

    def commit(self) -> None:
        """Make everything written so far durable, now."""
        ...

    def read_tx(self) -> "ClosingReadTx":
        """Open a read of the last committed state; may be used by one other thread."""
        ...


class ClosingReadTx(ReadTx, Protocol):
    """A read transaction that pins its state until `close`."""

    def close(self) -> None:
        """Let go of the state; its pages become reusable."""
        ...


class LeaseAttacher(Protocol):
    """The lessor as the store sees it: which lease holds which key."""

    def attach(self, lease_id: int, key: bytes) -> None:
        """Bind `key` to the lease, taking it from another that holds it.

        Raises:
            RequestError: no such lease; the key stays where it was.
        """
        ...

    def detach(self, lease_id: int, key: bytes) -> None:
        """Unbind `key`; nothing happens if it is not bound to that lease."""
        ...

    def lease_of(self, key: bytes) -> int:
        """Return the lease that holds `key`, 0 for none."""
        ...
