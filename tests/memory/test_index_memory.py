"""What `TreeIndex` costs per key and per revision, as tracemalloc counts it.

Everything is counted that is allocated while the index grows, whosever line it is:
the keys, the entries, their arrays, and the dict and lists of sortedcontainers.
"""

import gc
import tracemalloc
from collections.abc import Iterator

import pytest

from miniet.mvcc import TreeIndex

KEYS = 40_000
FURTHER_REVISIONS = 4


@pytest.fixture
def traced() -> Iterator[None]:
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


def traced_bytes() -> int:
    return tracemalloc.get_traced_memory()[0]


def put_all(index: TreeIndex, revision: int) -> int:
    for number in range(KEYS):
        revision += 1
        index.put(b"key-%012d" % number, revision, 0)
    return revision


@pytest.mark.usefixtures("traced")
def test_key_costs_below_600_bytes_and_a_revision_below_40() -> None:
    before = traced_bytes()
    index = TreeIndex()
    revision = put_all(index, 1)
    with_keys = traced_bytes()
    assert (with_keys - before) / KEYS < 600

    for _ in range(FURTHER_REVISIONS):
        revision = put_all(index, revision)
    with_history = traced_bytes()
    assert (with_history - with_keys) / (KEYS * FURTHER_REVISIONS) < 40

    index.compact(revision, set())
    compacted = traced_bytes()
    assert (compacted - before) / KEYS < 600
    assert index.revision_count == KEYS
