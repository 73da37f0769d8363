"""A compaction frees the memory that its counts promise.

All bytes are counted that are allocated while the index grows, and that are still
there after it was compacted.
"""

import gc
import random
import tracemalloc

import pytest

from miniet.mvcc import TreeIndex
from tests.support.model import Model
from tests.support.model_api import Change, DeleteRange, Put, Txn
from tests.support.retained import retained_by_key, retained_counts

KEYS = [b"key-%012d" % number for number in range(400)]
TRANSACTIONS, CHANGES_EACH = 400, 25
REVISION_BYTES = 16
KEY_BYTES_MIN = 200
"""What a key takes at the least besides its revisions: its bytes, two objects."""


def history(deleted_share: float) -> Model:
    """Draw transactions that put and delete keys."""
    model, rng = Model(), random.Random(1)
    for _ in range(TRANSACTIONS):
        keys = rng.sample(KEYS, CHANGES_EACH)
        model.txn(
            Txn(
                success=tuple(
                    DeleteRange(key) if rng.random() < deleted_share else Put(key)
                    for key in keys
                )
            )
        )
    return model


def fill(index: TreeIndex, changes: list[Change]) -> None:
    for change in changes:
        if change.is_deletion:
            index.tombstone(change.key, change.revision, change.sub)
        else:
            index.restore(
                change.key,
                change.revision,
                change.sub,
                created_main=change.create_revision,
                version=change.version,
            )


def traced_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize(("deleted_share", "back"), [(0.0, 0), (0.1, 100), (0.5, 0)])
def test_compaction_frees_what_its_counts_promise(
    deleted_share: float, back: int
) -> None:
    model = history(deleted_share)
    at = model.revision - back
    changes, index = model.changes(), TreeIndex()
    kept = retained_by_key(model, at)
    left = sorted(
        (change for history in kept.values() for change in history),
        key=lambda change: (change.revision, change.sub),
    )
    tracemalloc.start()
    try:
        before = traced_bytes()
        fill(index, changes)
        full_bytes = traced_bytes() - before
        full_keys, full_revisions = len(index), index.revision_count
        index.compact(at, set())
        compacted_bytes = traced_bytes() - before
        # The same, from an index that never held anything else.
        before = traced_bytes()
        twin = TreeIndex()
        fill(twin, left)
        twin_bytes = traced_bytes() - before
    finally:
        tracemalloc.stop()

    counts = retained_counts(model, at)
    assert index.revision_count == twin.revision_count == counts.index_revision_count
    promised_bytes = (full_revisions - counts.index_revision_count) * REVISION_BYTES + (
        full_keys - counts.index_key_count
    ) * KEY_BYTES_MIN
    assert promised_bytes > 20_000
    assert full_bytes - compacted_bytes > 0.95 * promised_bytes
    # The dict keeps its slots.
    assert compacted_bytes < 1.02 * twin_bytes + 100 * full_keys
