"""One compaction, done in small steps between other work.

First the index gives up what nobody may read any more and names what must stay
(`keep`), then the backend's records are walked from the start and the others
deleted. Both parts work below the compaction revision, where nothing is written
any more, so writes may come between any two steps.

Two marks in bucket `meta` survive a crash: `scheduledCompactRev` is written when
the compaction is accepted, `finishedCompactRev` at its end. A store that finds the
first above the second runs the compaction again; it finds less to do.

Source: etcd v3.4.9 mvcc/kvstore_compaction.go.
"""

from typing import Final

from miniet.mvcc.ports import KEY_BUCKET, META_BUCKET, BatchTx
from miniet.mvcc.revision import parse_revision_key, revision_key
from miniet.mvcc.tree_index import TreeIndex

SCHEDULED_KEY: Final = b"scheduledCompactRev"
FINISHED_KEY: Final = b"finishedCompactRev"

INDEX_STEP_KEYS: Final = 5_000
"""Keys of the index visited per step: about 5 ms at a microsecond per key."""


def write_mark(tx: BatchTx, mark: bytes, revision: int) -> None:
    """Store a main revision under a mark."""
    tx.put(META_BUCKET, mark, revision_key(revision, 0))


class CompactionJob:
    """A compaction accepted and not yet finished.

    Kept: `keep`, a 17-byte key per index key that existed at the revision, about 100
    bytes each with its set slot, from the first step to the end.

    revision: compaction revision.
    deleted_count: backend records deleted so far.
    """

    __slots__ = ("_index_position", "_keep", "_start", "deleted_count", "revision")

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.deleted_count = 0
        self._keep: set[bytes] = set()
        self._index_position: bytes | None = b""  # None: the index is done
        self._start = revision_key(0, 0)  # where the walk over records goes on

    def __repr__(self) -> str:
        return (
            f"<CompactionJob revision={self.revision} keep={len(self._keep)}"
            f" index_done={self.is_index_done} deleted={self.deleted_count}>"
        )

    @property
    def is_inside_index(self) -> bool:
        """Whether a part of the index is done, and not yet all of it."""
        return bool(self._index_position)

    @property
    def is_index_done(self) -> bool:
        """Whether the index part is over."""
        return self._index_position is None

    @property
    def keep_count(self) -> int:
        """Revisions held in the set of what must stay."""
        return len(self._keep)

    def step_index(self, index: TreeIndex) -> None:
        """Compact the next keys of the index."""
        if self._index_position is not None:
            self._index_position = index.compact(
                self.revision, self._keep, self._index_position, INDEX_STEP_KEYS
            )

    def step_records(self, tx: BatchTx, limit: int) -> bool:
        """Visit the next `limit` backend records and delete what need not stay.

        Returns:
            False when the end was reached.
        """
        doomed: list[bytes] = []
        visited, last = 0, b""
        end = revision_key(self.revision + 1, 0)
        for view in tx.keys(KEY_BUCKET, self._start, end, limit):
            visited += 1
            last = bytes(view)
            if last not in self._keep:
                doomed.append(last)
        for key in doomed:
            tx.delete(KEY_BUCKET, key)
        self.deleted_count += len(doomed)
        if visited < limit:
            return False
        main, sub, _ = parse_revision_key(last)
        self._start = revision_key(main, sub + 1)
        return True
