"""What a compaction must leave of a model's history, by etcd 3.4's rule.

A compaction at C spares every change after C, and of each key the newest change at or
before C if that is a put: it is what a reader at C sees. Everything else goes; a key
of which nothing is spared is forgotten altogether.

The rule is for the index and for bucket `key` alike. It is written from the table of
generations in etcd's documents and shares no line with the index that it judges.
"""

from dataclasses import dataclass

from tests.support.model import Model
from tests.support.model_api import Change


def retained(history: list[Change], compact_revision: int) -> list[Change]:
    """Return what is left of one key's changes, oldest first."""
    before = [c for c in history if c.revision <= compact_revision]
    after = [c for c in history if c.revision > compact_revision]
    return [c for c in before[-1:] if not c.is_deletion] + after


@dataclass(frozen=True)
class RetainedCounts:
    """The counts of an index, as `StoreStatistics` names them.

    A generation is one life of a key: a deletion ends it, and an empty one follows.
    """

    key_count: int
    index_key_count: int
    generation_count: int
    index_revision_count: int
    key_bytes: int


def retained_by_key(model: Model, compact_revision: int) -> dict[bytes, list[Change]]:
    """Return the keys that an index still knows, each with what is left of it."""
    left = {
        key: retained(history, compact_revision)
        for key, history in model.histories.items()
    }
    return {key: history for key, history in left.items() if history}


def retained_counts(model: Model, compact_revision: int) -> RetainedCounts:
    """Return what the index must count after a compaction at `compact_revision`."""
    left = retained_by_key(model, compact_revision)
    changes = [change for history in left.values() for change in history]
    return RetainedCounts(
        key_count=len(model.pairs(model.revision)),
        index_key_count=len(left),
        generation_count=len(left) + sum(c.is_deletion for c in changes),
        index_revision_count=len(changes),
        key_bytes=sum(map(len, left)),
    )


def retained_names(model: Model, compact_revision: int) -> list[str]:
    """Return what bucket `key` must hold: `3`, `8.1`, `5t`, as `stored_revisions`."""
    changes = [
        change
        for history in retained_by_key(model, compact_revision).values()
        for change in history
    ]
    return [
        f"{c.revision}{f'.{c.sub}' if c.sub else ''}{'t' if c.is_deletion else ''}"
        for c in sorted(changes, key=lambda c: (c.revision, c.sub))
    ]
