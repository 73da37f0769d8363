"""What `TreeIndex` costs per key and per revision, as tracemalloc counts it.

Everything is counted that is allocated while the index grows, whosever line it is:
the keys, the entries, their revisions, and the dict and lists of sortedcontainers.
"""

import gc
import random
import tracemalloc
from collections.abc import Iterator

import pytest

from miniet.mvcc import TreeIndex

KEY_BYTES_MAX = 270
"""1.5 times what Go's index takes for a key of 16 bytes."""
REVISION_BYTES_MAX = 24
"""1.5 times a revision's two numbers."""

KEYS = 50_000
"""As full as at 200,000 the dict has the same share of free slots."""
OVERWRITTEN_KEYS = 1_000


@pytest.fixture
def traced() -> Iterator[None]:
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


def traced_bytes() -> int:
    return tracemalloc.get_traced_memory()[0]


def put_all(index: TreeIndex, key_count: int, revision: int) -> int:
    """Put keys of 16 bytes in random order; return the last revision."""
    numbers = random.Random(revision).sample(range(key_count), key_count)
    for number in numbers:
        revision += 1
        index.put(b"key-%012d" % number, revision, 0)
    return revision


@pytest.mark.usefixtures("traced")
def test_key_of_16_bytes_costs_270_at_the_most() -> None:
    index, before = TreeIndex(), traced_bytes()
    put_all(index, KEYS, 1)
    assert (traced_bytes() - before) / KEYS <= KEY_BYTES_MAX


@pytest.mark.usefixtures("traced")
def test_each_further_revision_costs_24_at_the_most() -> None:
    index = TreeIndex()
    revision = put_all(index, OVERWRITTEN_KEYS, 1)
    with_keys = traced_bytes()
    for further in range(1, 100):
        revision = put_all(index, OVERWRITTEN_KEYS, revision)
        per_revision = (traced_bytes() - with_keys) / (OVERWRITTEN_KEYS * further)
        assert per_revision <= REVISION_BYTES_MAX, f"at {further + 1} revisions"

    index.compact(revision, set())
    assert traced_bytes() < 1.02 * with_keys
    assert index.revision_count == OVERWRITTEN_KEYS


def test_collector_walks_one_object_per_key() -> None:
    gc.collect()
    index, before = TreeIndex(), len(gc.get_objects())
    put_all(index, KEYS, 1)
    # Besides the entries, the ordered map has a list per 1,000 keys or so.
    assert len(gc.get_objects()) - before < 1.01 * KEYS
