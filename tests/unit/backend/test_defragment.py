"""The compact copy that takes the file's place."""

import os
import resource
import stat
from pathlib import Path

import pytest

from miniet.backend import Backend, BackendBusyError, DefragmentError
from miniet.backend.schema import BUCKETS, KEY, META
from tests.unit.backend.conftest import Opener


def everything(backend: Backend) -> dict[bytes, list[tuple[bytes, bytes]]]:
    return {
        bucket: [
            (bytes(key), bytes(value))
            for key, value in backend.batch_tx.range(bucket, b"")
        ]
        for bucket in BUCKETS
    }


def fill(backend: Backend, pairs: int, value_bytes: int = 200) -> None:
    for i in range(pairs):
        backend.batch_tx.append(KEY, b"%06d" % i, bytes(value_bytes))
    for bucket in BUCKETS:
        backend.batch_tx.put(bucket, b"name", bucket)
    backend.commit()


def test_defragment_keeps_every_pair_and_gives_pages_back(
    backend: Backend, path: Path
) -> None:
    fill(backend, 25_000)
    for i in range(25_000):
        if i % 5:
            backend.batch_tx.delete(KEY, b"%06d" % i)
    backend.commit()
    before, sizes = everything(backend), backend.statistics()

    backend.defragment()

    assert everything(backend) == before
    after = backend.statistics()
    assert after.defragment_count == 1
    # A fifth of the pairs is left: pages are filled anew, not only renumbered.
    assert after.size_bytes < sizes.size_bytes / 4
    assert after.size_in_use_bytes < sizes.size_in_use_bytes / 2
    assert path.stat().st_size == after.size_bytes
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(os.listdir(path.parent)) == ["db", "db-lock"]


def test_defragment_commits_first(backend: Backend, open_backend: Opener) -> None:
    index = iter(range(1, 10))
    backend.before_commit = lambda: backend.batch_tx.put(
        META, b"n", b"%d" % next(index)
    )
    backend.batch_tx.put(KEY, b"k", b"v")
    backend.defragment()
    assert backend.statistics().uncommitted_operation_count == 0
    backend.batch_tx.put(KEY, b"k2", b"v")
    backend.close()
    found = everything(open_backend())
    assert found[KEY] == [(b"k", b"v"), (b"k2", b"v")]
    assert found[META] == [(b"n", b"2")]


@pytest.mark.parametrize("pairs", [0, 1, 9_999, 10_000, 10_001])
def test_defragment_copies_any_number_of_pairs(backend: Backend, pairs: int) -> None:
    for i in range(pairs):
        backend.batch_tx.append(KEY, b"%06d" % i, b"")
    backend.defragment()
    assert len(everything(backend)[KEY]) == pairs


def test_defragment_works_again_and_when_durable(open_backend: Opener) -> None:
    backend = open_backend(durable=True)
    fill(backend, 100)
    before = everything(backend)
    for _ in range(3):
        backend.defragment()
    assert everything(backend) == before
    backend._check()


def test_defragment_refuses_while_a_read_tx_is_open(backend: Backend) -> None:
    fill(backend, 10)
    with backend.read_tx() as tx:
        with pytest.raises(BackendBusyError) as caught:
            backend.defragment()
        assert tx.get(META, b"name") == META
    assert caught.value.open_read_tx_count == 1
    backend.defragment()


def test_failed_copy_leaves_the_old_store_serving(backend: Backend, path: Path) -> None:
    fill(backend, 5000)
    before, inode = everything(backend), path.stat().st_ino
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # The interpreter ignores SIGXFSZ, so a write beyond this fails.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
        with pytest.raises(DefragmentError, match=r"^write .*/db\.tmp\.\w+: mdb_"):
            backend.defragment()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(os.listdir(path.parent)) == ["db", "db-lock"]
    assert path.stat().st_ino == inode
    assert everything(backend) == before
    backend.batch_tx.put(KEY, b"more", b"v")
    backend.commit()
    backend._check()
    backend.defragment()


def test_leftover_copies_are_removed_at_open(open_backend: Opener, path: Path) -> None:
    for name in ("db.tmp.123", "db.tmp", "db-lock"):
        (path.parent / name).write_bytes(b"garbage" * 100)
    (path.parent / "0001.snap").write_bytes(b"not ours")
    open_backend().close()
    assert sorted(os.listdir(path.parent)) == ["0001.snap", "db"]
