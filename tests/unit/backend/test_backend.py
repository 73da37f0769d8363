"""Opening, transactions, commits, refusals."""

import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import lmdb
import pytest

from miniet.backend import (
    Backend,
    BackendBusyError,
    BackendClosedError,
    BackendDamagedError,
    BackendFailedError,
    BackendFullError,
    BackendLockedError,
    KeySizeError,
)
from miniet.backend.schema import (
    ALARM,
    AUTH_USERS,
    BUCKETS,
    CONSISTENT_INDEX_KEY,
    KEY,
    META,
)
from miniet.errors import InvariantError
from miniet.mvcc import ports
from tests.unit.backend.conftest import Opener


def contents(reader: ports.ReadTx, bucket: bytes = KEY) -> dict[bytes, bytes]:
    return {bytes(key): bytes(value) for key, value in reader.range(bucket, b"")}


def test_backend_satisfies_the_protocols_of_the_store(backend: Backend) -> None:
    port: ports.Backend = backend  # checked by mypy
    batch: ports.BatchTx = port.batch_tx
    batch.put(KEY, b"k", b"v")
    assert contents(batch) == {b"k": b"v"}


def test_new_file_has_ten_empty_buckets_and_mode_0600(
    backend: Backend, path: Path
) -> None:
    assert len(BUCKETS) == 10
    assert list(BUCKETS) == sorted(BUCKETS)
    for bucket in BUCKETS:
        assert contents(backend.batch_tx, bucket) == {}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_closed_backend_leaves_one_file(open_backend: Opener, path: Path) -> None:
    open_backend().close()
    assert os.listdir(path.parent) == ["db"]


def test_reads_see_uncommitted_writes(backend: Backend) -> None:
    backend.batch_tx.put(KEY, b"a", b"1")
    backend.batch_tx.put(KEY, b"a", b"2")
    assert backend.batch_tx.get(KEY, b"a") == b"2"
    backend.batch_tx.delete(KEY, b"a")
    assert backend.batch_tx.get(KEY, b"a") is None


def test_buckets_are_apart(backend: Backend) -> None:
    backend.batch_tx.put(ALARM, b"a", b"")
    assert backend.batch_tx.get(META, b"a") is None
    assert backend.batch_tx.get(ALARM, b"a") == b""


@pytest.mark.parametrize(
    ("start", "end", "limit", "expected"),
    [
        (b"", None, 0, b"bdfh"),
        (b"b", b"f", 0, b"bd"),
        (b"a", b"e", 0, b"bd"),
        (b"c", None, 0, b"dfh"),
        (b"c", None, 2, b"df"),
        (b"b", b"f", 1, b"b"),
        (b"b", b"f", 9, b"bd"),
        (b"b", b"b", 0, b""),
        (b"f", b"b", 0, b""),
        (b"i", None, 0, b""),
        (b"", b"", 0, b""),
        (b"z" * 600, None, 0, b""),
    ],
)
def test_range_is_half_open_in_key_order(
    backend: Backend, start: bytes, end: bytes | None, limit: int, expected: bytes
) -> None:
    for key in (b"f", b"b", b"h", b"d"):
        backend.batch_tx.put(KEY, key, key * 2)
    backend.batch_tx.put(META, b"c", b"other bucket")
    found = [
        (bytes(key), bytes(value))
        for key, value in backend.batch_tx.range(KEY, start, end, limit)
    ]
    assert found == [(bytes((k,)), bytes((k, k))) for k in expected]


def test_append_out_of_order_is_refused_and_writes_nothing(backend: Backend) -> None:
    backend.batch_tx.append(KEY, b"b", b"1")
    for key in (b"a", b"b"):
        with pytest.raises(InvariantError, match="out of order"):
            backend.batch_tx.append(KEY, key, b"2")
    assert contents(backend.batch_tx) == {b"b": b"1"}
    assert backend.statistics().uncommitted_operation_count == 1


def test_appends_go_on_after_puts_and_deletes(backend: Backend) -> None:
    backend.batch_tx.append(KEY, b"b", b"")
    backend.batch_tx.put(KEY, b"d", b"")
    backend.batch_tx.append(KEY, b"e", b"")
    backend.batch_tx.delete(KEY, b"e")
    backend.batch_tx.append(KEY, b"e", b"")
    backend.commit()
    backend.batch_tx.append(KEY, b"f", b"")
    assert sorted(contents(backend.batch_tx)) == [b"b", b"d", b"e", b"f"]


def test_read_tx_sees_the_last_commit_until_closed(backend: Backend) -> None:
    backend.batch_tx.put(KEY, b"a", b"1")
    backend.commit()
    backend.batch_tx.put(KEY, b"a", b"2")
    with backend.read_tx() as tx:
        backend.commit()
        for i in range(200):
            backend.batch_tx.put(KEY, b"%d" % i, bytes(3000))
            backend.commit()
        assert contents(tx) == {b"a": b"1"}
        assert tx.get(KEY, b"a") == b"1"
        assert backend.statistics().open_read_tx_count == 1
    assert backend.statistics().open_read_tx_count == 0
    with backend.read_tx() as tx:
        assert tx.get(KEY, b"a") == b"2"


def test_read_tx_can_be_used_and_closed_by_another_thread(backend: Backend) -> None:
    for i in range(2000):
        backend.batch_tx.append(KEY, b"%06d" % i, bytes(100))
    backend.commit()
    tx = backend.read_tx()
    found: list[int] = []

    def walk() -> None:
        found.append(sum(1 for _ in tx.range(KEY, b"")))
        tx.close()

    thread = threading.Thread(target=walk)
    thread.start()
    for i in range(50):
        backend.batch_tx.put(KEY, b"%06d" % i, b"new")
        backend.commit()
    thread.join()
    assert found == [2000]
    assert backend.statistics().open_read_tx_count == 0


def test_closing_a_read_tx_twice_counts_once(backend: Backend) -> None:
    first, second = backend.read_tx(), backend.read_tx()
    first.close()
    first.close()
    assert backend.statistics().open_read_tx_count == 1
    with pytest.raises(BackendClosedError):
        first.get(KEY, b"k")
    second.close()


def test_too_many_read_txs_are_refused(backend: Backend) -> None:
    opened = []
    with pytest.raises(BackendBusyError) as caught:
        opened.extend(backend.read_tx() for _ in range(1000))
    assert caught.value.open_read_tx_count == len(opened) > 100
    for tx in opened:
        tx.close()
    backend.read_tx().close()


def test_close_commits_and_reopening_finds_it(open_backend: Opener) -> None:
    first = open_backend()
    first.batch_tx.put(META, b"k", b"v")
    first.close()
    first.close()
    assert contents(open_backend().batch_tx, META) == {b"k": b"v"}


def test_close_refuses_while_a_read_tx_is_open(backend: Backend) -> None:
    tx = backend.read_tx()
    with pytest.raises(BackendBusyError):
        backend.close()
    tx.close()
    backend.close()


def test_nothing_works_before_open_or_after_close(path: Path) -> None:
    backend = Backend(path, quota_bytes=0, durable=False)
    for _ in range(2):
        for call in (
            lambda: backend.batch_tx.put(KEY, b"k", b"v"),
            lambda: backend.batch_tx.append(KEY, b"k", b"v"),
            lambda: backend.batch_tx.delete(KEY, b"k"),
            lambda: backend.batch_tx.get(KEY, b"k"),
            lambda: backend.batch_tx.get_all(KEY, [b"k"]),
            lambda: list(backend.batch_tx.range(KEY, b"")),
            backend.commit,
            backend.read_tx,
            backend.defragment,
            backend.reset,
            backend.hash,
        ):
            with pytest.raises(BackendClosedError):
                call()
        backend.open()
        backend.close()


def test_opening_twice_is_a_bug(backend: Backend) -> None:
    with pytest.raises(InvariantError, match="already open"):
        backend.open()


# Commits


def test_commit_with_nothing_written_does_nothing(open_backend: Opener) -> None:
    calls: list[float] = []
    backend = open_backend(on_commit=calls.append)
    backend.before_commit = lambda: calls.append(-1.0)
    backend.commit()
    assert calls == []
    assert backend.statistics().commit_count == 0


def test_before_commit_writes_into_the_same_commit(open_backend: Opener) -> None:
    took_s: list[float] = []
    backend = open_backend(on_commit=took_s.append)
    index = iter(range(1, 100))

    def save_index() -> None:
        value = next(index).to_bytes(8, "big")
        backend.batch_tx.put(META, CONSISTENT_INDEX_KEY, value)

    backend.before_commit = save_index
    for i in (1, 2):
        backend.batch_tx.put(KEY, b"%d" % i, b"v")
        backend.commit()
        with backend.read_tx() as tx:
            assert len(contents(tx)) == i
            assert tx.get(META, CONSISTENT_INDEX_KEY) == i.to_bytes(8, "big")
    assert len(took_s) == 2
    assert all(seconds >= 0 for seconds in took_s)
    assert backend.statistics().uncommitted_operation_count == 0


def test_step_commit_waits_for_interval_or_limit(open_backend: Opener) -> None:
    backend = open_backend(batch_limit=3, batch_interval_s=0.1)
    put = backend.batch_tx.put

    assert not backend.step_commit(10.0)  # nothing written; the next is due at 10.1
    put(KEY, b"a", b"")
    put(KEY, b"a", b"")
    assert not backend.step_commit(10.05)
    put(KEY, b"a", b"")
    assert backend.step_commit(10.06)  # by operations
    put(KEY, b"a", b"")
    assert not backend.step_commit(10.09)
    assert backend.step_commit(10.1)  # by time
    assert not backend.step_commit(10.3)
    assert backend.statistics().commit_count == 2


def test_statistics_count_what_is_uncommitted(backend: Backend) -> None:
    backend.batch_tx.put(KEY, b"key", b"value")
    backend.batch_tx.append(KEY, b"key2", b"")
    backend.batch_tx.delete(KEY, b"key")
    backend.batch_tx.delete(KEY, b"missing")
    statistics = backend.statistics()
    assert statistics.uncommitted_operation_count == 4
    assert statistics.uncommitted_bytes == 8 + 4
    backend.commit()
    statistics = backend.statistics()
    assert statistics.uncommitted_operation_count == 0
    assert statistics.uncommitted_bytes == 0


# Keys that cannot be


@pytest.mark.parametrize("key", [b"", b"k" * 512])
def test_impossible_key_is_refused_and_the_store_goes_on(
    backend: Backend, key: bytes
) -> None:
    for write in (backend.batch_tx.put, backend.batch_tx.append):
        with pytest.raises(KeySizeError) as caught:
            write(AUTH_USERS, key, b"v")
        assert caught.value.key_bytes == len(key)
        assert "authUsers" in str(caught.value)
    assert backend.batch_tx.get(AUTH_USERS, key) is None
    assert backend.statistics().uncommitted_operation_count == 0
    backend.batch_tx.delete(AUTH_USERS, key)
    backend.batch_tx.put(AUTH_USERS, b"k" * 511, b"v")
    backend.commit()
    assert backend.batch_tx.get(AUTH_USERS, b"k" * 511) == b"v"


# Exclusive use


def test_second_backend_on_the_file_is_refused(
    backend: Backend, open_backend: Opener
) -> None:
    backend.batch_tx.put(KEY, b"k", b"v")
    with pytest.raises(BackendLockedError, match="in use"):
        open_backend()
    backend.commit()
    backend.close()
    assert contents(open_backend().batch_tx) == {b"k": b"v"}


def test_second_process_is_refused_also_after_defragment(
    backend: Backend, path: Path
) -> None:
    program = (
        "import sys\n"
        "from miniet.backend import Backend, BackendLockedError\n"
        "try:\n"
        "    Backend(sys.argv[1], quota_bytes=0).open()\n"
        "except BackendLockedError:\n"
        "    sys.exit(7)\n"
    )
    for _ in range(2):
        command = [sys.executable, "-c", program, str(path)]
        assert subprocess.run(command, check=False).returncode == 7
        backend.defragment()


def test_file_replaced_while_it_is_being_locked_is_refused(
    backend: Backend, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The holder defragments between the other's opening of the file and its lock on
    # it, which then succeeds: on a file without a name.
    flock = fcntl.flock

    def defragment_first(fd: int, operation: int) -> None:
        monkeypatch.undo()
        backend.defragment()
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", defragment_first)
    with pytest.raises(BackendLockedError):
        Backend(path, quota_bytes=0).open()


# Damage


def test_store_without_a_bucket_is_refused(path: Path) -> None:
    lmdb.open(str(path), subdir=False, max_dbs=2, lib_version=0).close()
    env = lmdb.open(str(path), subdir=False, max_dbs=2, lib_version=0)
    env.open_db(KEY)
    env.close()
    with pytest.raises(BackendDamagedError, match="lacks alarm, auth,"):
        Backend(path, quota_bytes=0).open()


def test_refused_file_is_left_as_it_was_and_unlocked(
    open_backend: Opener, path: Path
) -> None:
    path.write_bytes(b"no database " * 1000)
    for _ in range(2):
        with pytest.raises(BackendDamagedError) as caught:
            open_backend()
    assert caught.value.path == str(path)
    assert caught.value.remedy is not None
    assert path.read_bytes() == b"no database " * 1000


# Failures while running


def test_full_map_refuses_everything_until_reopened(open_backend: Opener) -> None:
    backend = open_backend(quota_bytes=1 << 16, map_spare_bytes=1 << 20)
    backend.batch_tx.put(KEY, b"kept", b"v")
    backend.commit()
    with pytest.raises(BackendFullError) as caught:
        backend.batch_tx.put(KEY, b"lost", bytes(1 << 21))
    assert caught.value.map_size_bytes == (1 << 20) + (1 << 17)
    for call in (
        lambda: backend.batch_tx.put(KEY, b"k", b"v"),
        lambda: backend.batch_tx.get(KEY, b"kept"),
        lambda: list(backend.batch_tx.range(KEY, b"")),
        backend.commit,
        backend.read_tx,
        backend.defragment,
        lambda: backend.step_commit(1e9),
    ):
        with pytest.raises(BackendFailedError):
            call()
    backend.close()
    reopened = open_backend(quota_bytes=1 << 16, map_spare_bytes=1 << 20)
    assert contents(reopened.batch_tx) == {b"kept": b"v"}


def test_failed_commit_refuses_everything_until_reopened(
    open_backend: Opener,
) -> None:
    backend = open_backend()
    backend.batch_tx.put(KEY, b"kept", b"v")
    backend.commit()
    backend.batch_tx.put(KEY, b"lost", bytes(1 << 20))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, hard))
        with pytest.raises(BackendFailedError):
            backend.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    with pytest.raises(BackendFailedError):
        backend.commit()
    backend.close()
    assert contents(open_backend().batch_tx) == {b"kept": b"v"}


def test_map_leaves_room_beyond_a_file_larger_than_the_quota(
    open_backend: Opener, path: Path
) -> None:
    backend = open_backend(quota_bytes=1 << 26, map_spare_bytes=0)
    backend.batch_tx.put(KEY, b"k", bytes(1 << 20))
    backend.close()
    backend = open_backend(quota_bytes=4096, map_spare_bytes=0)
    assert backend.statistics().map_size_bytes >= 2 * path.stat().st_size
    backend.batch_tx.delete(KEY, b"k")
    backend.commit()


# Sizes


def test_deleting_frees_pages_but_not_the_file(backend: Backend, path: Path) -> None:
    for i in range(5000):
        backend.batch_tx.append(KEY, b"%06d" % i, bytes(200))
    backend.commit()
    full = backend.statistics()
    assert full.size_bytes == path.stat().st_size
    assert full.size_in_use_bytes > 5000 * 200
    for i in range(4999):
        backend.batch_tx.delete(KEY, b"%06d" % i)
        if i % 500 == 0:
            backend.commit()
    backend.commit()
    emptied = backend.statistics()
    assert emptied.size_bytes >= full.size_bytes
    assert emptied.size_in_use_bytes < 100_000
    backend._check()


def test_freed_pages_are_used_again(backend: Backend) -> None:
    sizes = []
    for _ in range(12):
        for i in range(1000):
            backend.batch_tx.put(KEY, b"%06d" % i, bytes(200))
        backend.commit()
        sizes.append(backend.statistics().size_bytes)
    assert len(set(sizes[4:])) == 1


def test_large_values_count_in_whole_pages(backend: Backend) -> None:
    before = backend.statistics().size_in_use_bytes
    backend.batch_tx.put(KEY, b"k", bytes(1_000_000))
    backend.commit()
    grown = backend.statistics().size_in_use_bytes - before
    assert 1_000_000 < grown < 1_000_000 + 5 * 4096


# Reset


def test_reset_makes_the_store_as_new(backend: Backend, path: Path) -> None:
    fresh = backend.statistics()
    for i in range(1000):
        backend.batch_tx.append(KEY, b"%06d" % i, bytes(200))
    backend.commit()
    backend.batch_tx.put(META, b"uncommitted", b"")
    backend.reset()
    statistics = backend.statistics()
    assert statistics.size_bytes == fresh.size_bytes == path.stat().st_size
    assert statistics.uncommitted_operation_count == 0
    assert all(contents(backend.batch_tx, bucket) == {} for bucket in BUCKETS)
    backend.batch_tx.append(KEY, b"1", b"v")
    backend.commit()
    assert contents(backend.batch_tx) == {b"1": b"v"}


def test_reset_refuses_while_a_read_tx_is_open(backend: Backend) -> None:
    with backend.read_tx(), pytest.raises(BackendBusyError):
        backend.reset()


def test_repr_shows_sizes(backend: Backend) -> None:
    backend.batch_tx.put(KEY, b"k", b"secret")
    assert "1 operations uncommitted" in repr(backend)
    assert "secret" not in repr(backend)


def test_statistics_tell_of_the_last_commit_alone(backend: Backend) -> None:
    backend.batch_tx.put(KEY, b"first", b"123")
    backend.batch_tx.put(KEY, b"second", b"")
    backend.commit()
    backend.batch_tx.put(KEY, b"third", b"12")
    backend.commit()
    statistics = backend.statistics()
    assert statistics.last_commit_operation_count == 1
    assert statistics.last_commit_bytes == len(b"third12")


def test_values_read_are_counted_by_get_and_walk_but_not_keys(backend: Backend) -> None:
    backend.batch_tx.put(KEY, b"a", b"123")
    backend.batch_tx.put(KEY, b"b", b"4567")
    backend.forget_reads()
    assert list(backend.batch_tx.keys(KEY, b""))
    assert backend.statistics().read_bytes_total == 0
    assert backend.batch_tx.get(KEY, b"a") == b"123"
    assert backend.statistics().read_bytes_total == 3
    assert len(list(backend.batch_tx.range(KEY, b""))) == 2
    assert backend.statistics().read_bytes_total == 10
