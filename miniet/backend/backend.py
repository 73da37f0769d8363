"""`Backend`: one LMDB file, and the transaction that is always open on it."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import lmdb

from miniet.backend.batch_tx import BatchTx
from miniet.backend.defragment import write_compact_copy
from miniet.backend.errors import (
    BackendBusyError,
    BackendClosedError,
    BackendDamagedError,
    BackendFailedError,
    BackendFullError,
    DefragmentError,
)
from miniet.backend.files import (
    copy_beside,
    lock,
    open_locked,
    reader_table,
    remove_leftovers,
    reserve_reader_table,
    sync_directory,
    write_trouble,
)
from miniet.backend.hash import hash_buckets
from miniet.backend.pages import META_PAGE_COUNT, check_pages, read_meta
from miniet.backend.read_tx import ReadTx
from miniet.backend.schema import BUCKETS
from miniet.backend.statistics import BackendStatistics
from miniet.errors import DataError, InvariantError, MinietError

_MAP_UNLIMITED_BYTES: Final = 1 << 40


class Backend:
    """The page store of one server.

    All calls come from the thread that called `open`; only a `ReadTx` may be used by
    another one. Nothing runs by itself: the driver calls `step_commit`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        quota_bytes: int,
        batch_limit: int = 10_000,
        batch_interval_s: float = 0.1,
        durable: bool = True,
        map_spare_bytes: int = 1 << 30,
        on_commit: Callable[[float], None] | None = None,
    ) -> None:
        """Note the settings; nothing is opened yet.

        Args:
            path: the file; its directory exists.
            quota_bytes: what `size_bytes` is meant to stay below, 0 or less: no quota.
                Sizes the memory map; it is for others to refuse writes in time.
            batch_limit: operations after which `step_commit` commits.
            batch_interval_s: time after which it does.
            durable: whether a commit waits for the disk. Without it the file may be
                lost with the machine's power, not with the process.
            map_spare_bytes: address space set aside beyond twice the quota.
            on_commit: called after each commit with the seconds that it took.
        """
        self._path = Path(path)
        self._quota_bytes = quota_bytes
        self._batch_limit = batch_limit
        self._batch_interval_s = batch_interval_s
        self._durable = durable
        self._map_spare_bytes = map_spare_bytes
        self._on_commit = on_commit
        self.before_commit: Callable[[], None] | None = None
        """Called before every commit that has something to write; may write more."""

        self._batch_tx = BatchTx(self._fail)
        self._batch_tx.refuse(self._closed_error)
        # Descriptor of the file; its lock is ours as long as it is open.
        self._fd: int | None = None
        self._env: lmdb.Environment | None = None
        # Invariant: these two belong to `_env`.
        self._databases: dict[bytes, lmdb._Database] = {}
        self._txn: lmdb.Transaction[memoryview] | None = None
        # A set, because it is changed from other threads in one step.
        self._open_read_txs: set[ReadTx] = set()
        # Why the store refuses everything; None while it is well.
        self._failure: str | None = None
        # Clock seconds, from which on the next `step_commit` commits.
        self._commit_due_s = float("-inf")

        self._commit_count = 0
        self._defragment_count = 0
        self._last_commit_operation_count = 0
        self._last_commit_bytes = 0
        # Size right after the file was opened.
        self._opened_size_bytes = 0
        # What `batch_tx` had read when counting began.
        self._read_bytes_before = 0
        # As of the last commit.
        self._size_bytes = 0
        self._size_in_use_bytes = 0
        self._map_size_bytes = 0
        self._page_size_bytes = 0

    def __repr__(self) -> str:
        return (
            f"<Backend {self._size_bytes} bytes, {self._size_in_use_bytes} in use, "
            f"{self._batch_tx.operation_count} operations uncommitted>"
        )

    # Opening and closing

    def open(self) -> None:
        """Open the file, or create it with ten empty buckets.

        Raises:
            BackendLockedError: another server has it open.
            BackendDamagedError: it is not a backend's file, or not whole.
        Cost: every page and node header is read, see `pages.check_pages`.
        """
        if self._env is not None:
            raise InvariantError(f"{self._path} is already open")
        self._fd = open_locked(self._path)
        try:
            remove_leftovers(self._path)
            if os.fstat(self._fd).st_size > 0:
                check_pages(self._fd, str(self._path))
            if self._durable:
                # Its name may be of a process that was killed before it could.
                sync_directory(self._path.parent)
            self._open_environment()
        except BaseException:
            self._release()
            raise

    def close(self, *, commit: bool = True) -> None:
        """Commit and close; closing again does nothing.

        Args:
            commit: False: what is not committed is given up.
        Raises:
            BackendBusyError: a read transaction is open; nothing was closed. Its views
                point into the map, which must not go away under another thread.
        """
        if self._env is None:
            return
        self._require_no_read_tx("the store cannot be closed")
        try:
            if commit and self._failure is None:
                self.commit()
        finally:
            self._release()

    def _open_environment(self) -> None:
        assert self._fd is not None
        reserve_reader_table(self._path)
        try:
            env = self._env = lmdb.open(
                str(self._path),
                subdir=False,
                map_size=self._choose_map_size_bytes(os.fstat(self._fd).st_size),
                max_dbs=len(BUCKETS),
                mode=0o600,
                sync=self._durable,
                metasync=self._durable,
                lib_version=0,
            )
            self._databases = self._open_buckets(env)
            self._begin()
            self._measure()
        except lmdb.Error as error:
            raise self._translate(error) from error
        self._opened_size_bytes = self._size_bytes
        self.forget_reads()

    def _choose_map_size_bytes(self, file_bytes: int) -> int:
        # The quota must end the writes, not the map: the map is then full for deletes
        # and compactions too. The quota looks at the size of the last commit, so a
        # batch may go beyond it, and the copy-on-write of what frees space again
        # needs pages as well. Address space costs nothing; the file may have been
        # written under a larger quota.
        if self._quota_bytes <= 0:
            return _MAP_UNLIMITED_BYTES
        return 2 * max(self._quota_bytes, file_bytes) + self._map_spare_bytes

    def _open_buckets(self, env: lmdb.Environment) -> dict[bytes, lmdb._Database]:
        with env.begin(write=True) as txn:
            names = set(txn.cursor().iternext(values=False))
            # A new file gets all its buckets in one transaction.
            if names and not names.issuperset(BUCKETS):
                missing = ", ".join(b.decode() for b in BUCKETS if b not in names)
                raise BackendDamagedError(
                    f"not a backend's file, it lacks {missing}", path=str(self._path)
                )
            return {bucket: env.open_db(bucket, txn=txn) for bucket in BUCKETS}

    def _close_environment(self) -> None:
        """Drop what is uncommitted and unmap the file; the lock stays."""
        self._batch_tx.refuse(self._closed_error)
        if self._env is not None:
            self._env.close()
            reader_table(self._path).unlink(missing_ok=True)
        self._env = None
        self._txn = None
        self._databases = {}

    def _release(self) -> None:
        self._close_environment()
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None
        self._failure = None

    # Transactions

    @property
    def batch_tx(self) -> BatchTx:
        """The one open write transaction; the same object across commits."""
        return self._batch_tx

    def read_tx(self) -> ReadTx:
        """Open a read of the last committed state.

        Raises:
            BackendBusyError: too many are open.
        """
        env = self._require_usable()
        try:
            txn = env.begin(buffers=True)
        except lmdb.ReadersFullError as error:
            raise BackendBusyError(
                "no further read is possible", len(self._open_read_txs)
            ) from error
        tx = ReadTx(txn, self._databases, self._translate, self._open_read_txs.discard)
        self._open_read_txs.add(tx)
        return tx

    def commit(self) -> None:
        """Make everything written so far durable, now.

        Raises:
            DataError: the write failed; see `BackendFailedError`.
        """
        self._require_usable()
        if not self._batch_tx.operation_count:
            return
        if self.before_commit is not None:
            self.before_commit()
        assert self._txn is not None
        started_s = time.perf_counter()
        try:
            self._txn.commit()
            took_s = time.perf_counter() - started_s
            self._commit_count += 1
            self._last_commit_operation_count = self._batch_tx.operation_count
            self._last_commit_bytes = self._batch_tx.put_bytes
            self._begin()
            self._measure()
        except lmdb.Error as error:
            raise self._fail(error) from error
        if self._on_commit is not None:
            self._on_commit(took_s)

    def step_commit(self, now_s: float) -> bool:
        """Commit if it is time or enough has come together; return whether it was.

        Args:
            now_s: a monotonic clock's reading.
        """
        self._require_usable()
        due = now_s >= self._commit_due_s
        if due:
            self._commit_due_s = now_s + self._batch_interval_s
        operation_count = self._batch_tx.operation_count
        if not operation_count or not (due or operation_count >= self._batch_limit):
            return False
        self.commit()
        return True

    def _begin(self) -> None:
        assert self._env is not None
        self._txn = self._env.begin(write=True, buffers=True)
        self._batch_tx.begin(self._txn, self._databases)

    def _measure(self) -> None:
        """Take the sizes of the state just committed."""
        assert self._fd is not None
        assert self._env is not None
        assert self._txn is not None
        meta = read_meta(self._fd, str(self._path))
        used = META_PAGE_COUNT + meta.free_list.page_count + meta.main.page_count
        for database in self._databases.values():
            stat = self._txn.stat(database)
            used += stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
        self._page_size_bytes = meta.page_size_bytes
        self._size_bytes = meta.size_bytes
        self._size_in_use_bytes = used * meta.page_size_bytes
        self._map_size_bytes = self._env.info()["map_size"]

    # Maintenance

    @property
    def size_bytes(self) -> int:
        """Allocated size as of the last commit; what the quota is held against."""
        return self._size_bytes

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def forget_reads(self) -> None:
        """Count what is read from now on.

        For after a restore: it reads what etcd's opening has made resident anyway.
        """
        self._read_bytes_before = self._batch_tx.read_bytes

    def statistics(self) -> BackendStatistics:
        """Return sizes and counts; O(1)."""
        return BackendStatistics(
            size_bytes=self._size_bytes,
            size_in_use_bytes=self._size_in_use_bytes,
            opened_size_bytes=self._opened_size_bytes,
            read_bytes_total=self._batch_tx.read_bytes - self._read_bytes_before,
            uncommitted_operation_count=self._batch_tx.operation_count,
            uncommitted_bytes=self._batch_tx.put_bytes,
            last_commit_operation_count=self._last_commit_operation_count,
            last_commit_bytes=self._last_commit_bytes,
            open_read_tx_count=len(self._open_read_txs),
            commit_count=self._commit_count,
            defragment_count=self._defragment_count,
            map_size_bytes=self._map_size_bytes,
            page_size_bytes=self._page_size_bytes,
        )

    def hash(self) -> int:
        """Commit and return the hash of all buckets, see `hash_buckets`."""
        self.commit()
        with self.read_tx() as tx:
            return hash_buckets(tx)

    def defragment(self) -> None:
        """Commit, then put a copy without free space in the file's place.

        Raises:
            BackendBusyError: a read transaction is open; nothing was changed.
            DefragmentError: the copy failed; the old file goes on serving.
        Cost: reads and writes all pairs, 1.6 us for each of 300 bytes; nothing else
            can be done meanwhile. Old and new file exist side by side.
        """
        self._require_usable()
        self._require_no_read_tx("the store cannot be defragmented")
        self.commit()
        fd = self._replace_file()
        # From here on the name means the new file, the map the old one.
        try:
            self._close_environment()
            if self._fd is not None:
                os.close(self._fd)
            self._fd = fd
            self._open_environment()
            if self._durable:
                sync_directory(self._path.parent)
        except BaseException:
            self._release()
            raise
        self._defragment_count += 1

    def _replace_file(self) -> int:
        """Put a compact copy in the file's place; return its locked descriptor."""
        assert self._env is not None
        with copy_beside(self._path) as copy:
            try:
                write_compact_copy(self._env, self._databases, copy)
                fd = os.open(copy, os.O_RDWR | os.O_CLOEXEC)
                try:
                    # Locked before it gets the name: never is the name without a lock.
                    lock(fd, copy)
                    if self._durable:
                        os.fsync(fd)
                    copy.rename(self._path)
                except BaseException:
                    os.close(fd)
                    raise
            except (lmdb.Error, OSError) as error:
                raise DefragmentError(str(copy), write_trouble(error, copy)) from error
            return fd

    def reset(self) -> None:
        """Make the store as new: ten empty buckets, what was uncommitted is gone too.

        For servers whose data may go; a crash in the middle leaves an empty file.

        Raises:
            BackendBusyError: a read transaction is open; nothing was changed.
        """
        self._require_usable()
        self._require_no_read_tx("the store cannot be reset")
        assert self._fd is not None
        try:
            self._close_environment()
            os.ftruncate(self._fd, 0)
            self._open_environment()
        except BaseException:
            self._release()
            raise

    def _check(self) -> None:
        """Walk the file and hold it against the sizes kept; any cost."""
        self._require_usable()
        assert self._fd is not None
        used = check_pages(self._fd, str(self._path))
        if used * self._page_size_bytes != self._size_in_use_bytes:
            raise InvariantError(
                f"{used} pages in use, {self._size_in_use_bytes} bytes counted"
            )
        if not self._size_in_use_bytes <= self._size_bytes <= self._map_size_bytes:
            raise InvariantError(f"sizes out of order: {self.statistics()}")
        if self._batch_tx.put_bytes and not self._batch_tx.operation_count:
            raise InvariantError("uncommitted bytes without an operation")
        if not 0 < self._opened_size_bytes <= self._size_bytes:
            raise InvariantError(f"opened with {self._opened_size_bytes} bytes")
        if bool(self._last_commit_operation_count) != bool(self._commit_count):
            raise InvariantError("a commit without operations, or none with some")
        if self._batch_tx.read_bytes < self._read_bytes_before:
            raise InvariantError("fewer bytes read than before")

    # Refusals and failures

    def _require_usable(self) -> lmdb.Environment:
        if self._failure is not None:
            raise self._failed_error()
        if self._env is None:
            raise self._closed_error()
        return self._env

    def _require_no_read_tx(self, message: str) -> None:
        if self._open_read_txs:
            raise BackendBusyError(message, len(self._open_read_txs))

    def _fail(self, error: lmdb.Error) -> DataError:
        """Refuse everything from now on; return the error to raise."""
        translated = self._translate(error)
        self._failure = str(error)
        if isinstance(translated, BackendFailedError):
            self._failure = translated.reason
        self._batch_tx.refuse(self._failed_error)
        if self._txn is not None:
            self._txn.abort()
        return translated

    def _translate(self, error: lmdb.Error) -> DataError:
        path = str(self._path)
        if isinstance(error, lmdb.MapFullError):
            return BackendFullError(path, self._map_size_bytes)
        if isinstance(
            error,
            lmdb.CorruptedError
            | lmdb.PageNotFoundError
            | lmdb.InvalidError
            | lmdb.VersionMismatchError
            | lmdb.IncompatibleError,
        ):
            return BackendDamagedError(str(error), path=path)
        return BackendFailedError(path, write_trouble(error, self._path))

    def _failed_error(self) -> MinietError:
        return BackendFailedError(str(self._path), self._failure or "unknown")

    def _closed_error(self) -> MinietError:
        return BackendClosedError(f"{self._path} is not open")
