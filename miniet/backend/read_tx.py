"""Reading: what both kinds of transaction can do, and the one that only reads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import NoReturn, cast

import lmdb

from miniet.backend.errors import BackendClosedError
from miniet.errors import MinietError

ErrorHandler = Callable[[lmdb.Error], MinietError]
"""Turns an error of LMDB into the one to raise, and does what it calls for."""


class Reader:
    """Ordered reads of one state of the file.

    Every view handed out points into the memory map or into LMDB's heap. It is good
    until the next write or the end of the transaction, whichever is first; touching
    it later reads other data or ends the process. Copy what is kept.
    """

    __slots__ = ("_cursor", "_databases", "_getters", "_on_error", "read_bytes")

    def __init__(self, on_error: ErrorHandler) -> None:
        self._on_error = on_error
        self.read_bytes = 0
        """Lengths of the values handed out."""

    def _bind(
        self,
        txn: "lmdb.Transaction[memoryview]",
        databases: Mapping[bytes, lmdb._Database],
    ) -> None:
        # Bound methods, because looking them up costs a tenth of a call.
        self._databases = databases
        self._cursor: Callable[..., lmdb.Cursor[memoryview]] = txn.cursor
        # A cursor kept per bucket looks on its last page first: 0.18 us a key where a
        # get of the transaction takes 0.24 to 0.27.
        self._getters: Mapping[
            bytes, Callable[[bytes | bytearray], memoryview | None]
        ] = {bucket: txn.cursor(database).get for bucket, database in databases.items()}

    def _refuse(self, make_error: Callable[[], MinietError]) -> "Refusal":
        """Let every call raise, and let go of the transaction."""
        # Put in the place of what is called, where a check would cost each call.
        refusal = Refusal(make_error)
        self._databases = self._getters = refusal
        self._cursor = refusal
        return refusal

    def get(self, bucket: bytes, key: bytes) -> memoryview | None:
        """Return the value of `key`, or None. A key too long to exist does not."""
        try:
            value = self._getters[bucket](key)
        except lmdb.BadValsizeError:
            return None
        except lmdb.Error as error:
            raise self._on_error(error) from error
        if value is not None:
            self.read_bytes += len(value)
        return value

    def get_all(
        self, bucket: bytes, keys: Sequence[bytes | bytearray]
    ) -> list[memoryview]:
        """Return the value of each key; cheapest in order.

        Args:
            keys: of 1 byte or more.
        Raises:
            KeyError: there is none of this key, the first such.
        """
        try:
            values = list(map(self._getters[bucket], keys))
        except lmdb.Error as error:
            raise self._on_error(error) from error
        read_bytes = 0
        for value in values:
            if value is None:
                raise KeyError(keys[values.index(None)])
            read_bytes += len(value)
        self.read_bytes += read_bytes
        return cast("list[memoryview]", values)

    def range(
        self, bucket: bytes, start: bytes, end: bytes | None = None, limit: int = 0
    ) -> Iterator[tuple[memoryview, memoryview]]:
        """Walk the pairs of [start, end) in key order.

        Args:
            bucket: one of `schema.BUCKETS`.
            start: first key wanted; empty = from the first of the bucket.
            end: first key not wanted; None = to the end of the bucket.
            limit: most pairs wanted; 0 = all.
        Yields:
            (key, value), as views. No write may happen during the walk.
        """
        try:
            cursor = self._cursor_at(bucket, start)
            if cursor is None:
                return
            for pair in islice(cursor.iternext(), limit or None):
                # Views have equality, but no order.
                if end is not None and bytes(pair[0]) >= end:
                    return
                self.read_bytes += len(pair[1])
                yield pair
        except lmdb.Error as error:
            raise self._on_error(error) from error

    def keys(
        self, bucket: bytes, start: bytes, end: bytes | None = None, limit: int = 0
    ) -> Iterator[memoryview]:
        """Walk as `range` does, without touching the values.

        A large value has pages of its own, which then stay on disk.
        """
        try:
            cursor = self._cursor_at(bucket, start)
            if cursor is None:
                return
            for key in islice(cursor.iternext(values=False), limit or None):
                if end is not None and bytes(key) >= end:
                    return
                yield key
        except lmdb.Error as error:
            raise self._on_error(error) from error

    def _cursor_at(
        self, bucket: bytes, start: bytes
    ) -> "lmdb.Cursor[memoryview] | None":
        """Return a cursor at the first key of a walk, None if there is none."""
        cursor = self._cursor(self._databases[bucket])
        return (
            cursor if (cursor.set_range(start) if start else cursor.first()) else None
        )


class Refusal(dict[bytes, NoReturn]):
    """A bucket table and a call, both of which only raise."""

    def __init__(self, make_error: Callable[[], MinietError]) -> None:
        super().__init__()
        self._make_error = make_error

    def __missing__(self, bucket: bytes) -> NoReturn:
        raise self._make_error()

    def __call__(self, *args: object) -> NoReturn:
        raise self._make_error()


class ReadTx(Reader):
    """Reads of the last state committed before it was opened, until `close`.

    One thread at a time may use it, any thread may. While it is open the pages of its
    state are not reused, so the file grows with every commit.
    """

    __slots__ = ("_on_close", "_txn")

    def __init__(
        self,
        txn: "lmdb.Transaction[memoryview]",
        databases: Mapping[bytes, lmdb._Database],
        on_error: ErrorHandler,
        on_close: Callable[["ReadTx"], None],
    ) -> None:
        super().__init__(on_error)
        self._bind(txn, databases)
        self._txn: lmdb.Transaction[memoryview] | None = txn
        self._on_close = on_close

    def close(self) -> None:
        """Let go of the state; closing again does nothing."""
        if self._txn is None:
            return
        self._txn.abort()
        # An aborted transaction keeps its slot in LMDB's reader table until it is
        # freed, so nothing here may refer to it any more.
        self._txn = None
        self._refuse(lambda: BackendClosedError("the read transaction is closed"))
        self._on_close(self)

    def __enter__(self) -> "ReadTx":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
