"""The snapshot in bbolt's format, read back by a reader of the tests' own."""

import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.backend import Backend, BoltSnapshot
from miniet.backend.schema import AUTH_USERS, BUCKETS, KEY, META
from tests.support.bolt_reader import BoltFile

Contents = dict[bytes, dict[bytes, bytes]]


def write(backend: Backend, contents: Contents) -> None:
    for bucket, pairs in contents.items():
        for key, value in pairs.items():
            backend.batch_tx.put(bucket, key, value)
    backend.commit()


def snapshot(backend: Backend) -> tuple[list[bytes], int]:
    with backend.read_tx() as tx:
        made = BoltSnapshot(tx)
        return list(made), made.size_bytes


def check(blobs: list[bytes], size_bytes: int, contents: Contents) -> BoltFile:
    assert all(len(blob) == 32768 for blob in blobs[:-1])
    assert 0 < len(blobs[-1]) <= 32768
    file = BoltFile(b"".join(blobs))
    assert len(file.data) == size_bytes
    assert file.buckets == {
        bucket: sorted(contents.get(bucket, {}).items()) for bucket in BUCKETS
    }
    # Without a free list every page must be in use.
    assert file.reached == set(range(file.high_water))
    return file


def numbered(count: int, value_bytes: int, key: str = "%017d") -> dict[bytes, bytes]:
    return {(key % i).encode(): bytes(value_bytes) for i in range(count)}


@pytest.mark.parametrize(
    "contents",
    [
        pytest.param({}, id="empty"),
        pytest.param({META: {b"k": b"v"}}, id="one pair"),
        pytest.param({KEY: {b"k": b""}}, id="empty value"),
        pytest.param({KEY: numbered(1000, 10)}, id="one branch page"),
        pytest.param({KEY: numbered(20_000, 300)}, id="two branch levels"),
        pytest.param({KEY: numbered(40_000, 1), META: numbered(500, 9)}, id="small"),
        pytest.param({KEY: numbered(3, 1_500_000)}, id="larger than a blob"),
        pytest.param(
            {AUTH_USERS: numbered(400, 3000, "%0511d")}, id="longest keys in branches"
        ),
    ],
)
def test_snapshot_holds_every_pair(backend: Backend, contents: Contents) -> None:
    write(backend, contents)
    check(*snapshot(backend), contents)


@pytest.mark.parametrize("bytes_around", range(-3, 4))
@pytest.mark.parametrize("pages", [1, 2, 3])
def test_values_around_page_borders(
    backend: Backend, bytes_around: int, pages: int
) -> None:
    # Page header, one element, a key of one byte: 33 bytes beside the value.
    value = bytes(4096 * pages - 33 + bytes_around)
    contents = {KEY: {b"a": b"1", b"b": value, b"c": b"3"}}
    write(backend, contents)
    check(*snapshot(backend), contents)


def test_any_number_of_leaves_makes_branches_of_two_or_more(backend: Backend) -> None:
    # One leaf per pair; long keys, so that branch pages fill quickly.
    pairs: dict[bytes, bytes] = {}
    for i in range(40):
        pairs[b"%0500d" % i] = bytes(3500)
        write(backend, {KEY: {b"%0500d" % i: bytes(3500)}})
        check(*snapshot(backend), {KEY: pairs})


def test_snapshot_shows_the_state_of_its_read_tx(backend: Backend) -> None:
    contents = {KEY: numbered(5000, 50)}
    write(backend, contents)
    with backend.read_tx() as tx:
        made = BoltSnapshot(tx)
        blobs = iter(made)
        read = [next(blobs)]
        write(backend, {KEY: numbered(5000, 3)})
        read += blobs
        check(read, made.size_bytes, contents)
        assert list(made) == read


def test_snapshot_holds_one_blob_in_memory(backend: Backend) -> None:
    write(backend, {KEY: numbered(30_000, 300)})
    with backend.read_tx() as tx:
        tracemalloc.start()
        try:
            made = BoltSnapshot(tx)
            total = sum(len(blob) for blob in made)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert total == made.size_bytes > 9_000_000
    assert peak < 300_000


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 300),
    key_bytes_max=st.sampled_from([1, 17, 511]),
    value_bytes_max=st.sampled_from([0, 100, 5000, 20_000]),
)
def test_snapshot_of_any_pairs(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    count: int,
    key_bytes_max: int,
    value_bytes_max: int,
) -> None:
    source = random.Random(seed)
    contents: Contents = {bucket: {} for bucket in BUCKETS}
    for _ in range(count):
        key = source.randbytes(source.randint(1, key_bytes_max))
        bucket = source.choice([KEY, KEY, KEY, *BUCKETS])
        contents[bucket][key] = source.randbytes(source.randint(0, value_bytes_max))
    path = Path(tmp_path_factory.mktemp("bolt")) / "db"
    backend = Backend(path, quota_bytes=0, durable=False)
    backend.open()
    write(backend, contents)
    check(*snapshot(backend), contents)
    backend.close()
