"""Writing: the one open transaction that all writes go into."""

from collections.abc import Callable, Mapping

import lmdb

from miniet.backend.errors import KeySizeError
from miniet.backend.read_tx import ErrorHandler, Reader
from miniet.backend.schema import KEY_BYTES_MAX
from miniet.errors import InvariantError, MinietError


class BatchTx(Reader):
    """The open write transaction: reads see what it wrote, committed or not.

    The same object across commits; the backend binds it to each new transaction of
    LMDB. Nothing of what is written is kept here, only how much there is.
    """

    __slots__ = ("_delete", "_writers", "operation_count", "put_bytes")

    def __init__(self, on_error: ErrorHandler) -> None:
        super().__init__(on_error)
        self.operation_count = 0
        """Puts and deletes since the last commit, deletes of nothing included."""
        self.put_bytes = 0
        """Key and value bytes of the puts among them."""

    def begin(
        self,
        txn: "lmdb.Transaction[memoryview]",
        databases: Mapping[bytes, lmdb._Database],
    ) -> None:
        """Go on with a new transaction, in which nothing is uncommitted yet."""
        self._bind(txn, databases)
        self._delete: Callable[..., bool] = txn.delete
        # A cursor kept per bucket saves a third of the time of a put.
        self._writers: Mapping[bytes, Callable[..., bool]] = {
            bucket: txn.cursor(database).put for bucket, database in databases.items()
        }
        self.operation_count = 0
        self.put_bytes = 0

    def refuse(self, make_error: Callable[[], MinietError]) -> None:
        """Raise from every call, until the next `begin`."""
        refusal = self._refuse(make_error)
        self._writers = refusal
        self._delete = refusal
        self.operation_count = 0
        self.put_bytes = 0

    def put(self, bucket: bytes, key: bytes, value: bytes) -> None:
        """Write one pair.

        Raises:
            KeySizeError: the key is empty or too long; nothing was written.
        """
        try:
            self._writers[bucket](key, value)
        except lmdb.Error as error:
            raise self._write_error(error, bucket, key) from error
        self.operation_count += 1
        self.put_bytes += len(key) + len(value)

    def append(self, bucket: bytes, key: bytes, value: bytes) -> None:
        """Write one pair whose key sorts after every key of the bucket.

        Pages are filled whole, where keys in any order leave them half empty.

        Raises:
            InvariantError: the key sorts elsewhere; nothing was written.
        """
        try:
            if not self._writers[bucket](key, value, True, True, True):
                raise InvariantError(f"append out of order: {bucket!r} {bytes(key)!r}")
        except lmdb.Error as error:
            raise self._write_error(error, bucket, key) from error
        self.operation_count += 1
        self.put_bytes += len(key) + len(value)

    def delete(self, bucket: bytes, key: bytes) -> None:
        """Remove one pair; nothing happens if it is not there."""
        try:
            self._delete(key, b"", self._databases[bucket])
        except lmdb.BadValsizeError:
            pass  # Such a key cannot be there.
        except lmdb.Error as error:
            raise self._on_error(error) from error
        self.operation_count += 1

    def _write_error(self, error: lmdb.Error, bucket: bytes, key: bytes) -> MinietError:
        if isinstance(error, lmdb.BadValsizeError):
            return KeySizeError(bucket, len(key), KEY_BYTES_MAX)
        return self._on_error(error)
