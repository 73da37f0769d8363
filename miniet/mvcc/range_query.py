"""What a range asks, what it answers, and how the answer is found.

The index alone decides which pairs match, their count, filters and every order
but that by value; only pairs that are answered are read from the backend.
(etcd reads and decodes all of them first; the answers are the same.)

Source: etcd v3.4.9 etcdserver/apply.go (Range), mvcc/kvstore_txn.go (rangeKeys).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import TypeAlias

from miniet.errors import InvariantError
from miniet.mvcc.errors import CompactedError, FutureRevisionError
from miniet.mvcc.key_index import Found
from miniet.mvcc.kv import KeyValue, without_value
from miniet.mvcc.ports import KEY_BUCKET, ReadTx
from miniet.mvcc.revision import revision_key
from miniet.mvcc.tree_index import TreeIndex

Match: TypeAlias = tuple[bytes, Found]


class SortOrder(IntEnum):
    """Numbers of `RangeRequest.SortOrder`."""

    NONE = 0
    ASCEND = 1
    DESCEND = 2


class SortTarget(IntEnum):
    """Numbers of `RangeRequest.SortTarget`."""

    KEY = 0
    VERSION = 1
    CREATE = 2
    MOD = 3
    VALUE = 4


@dataclass(slots=True)
class RangeQuery:
    """One range request; a limit, filter or revision of 0 is none.

    key, range_end: as in `KeyRange`.
    limit: pairs answered at most; negative is none, too.
    revision: main revision to read at; 0 or less: the current one.
    sort_order, sort_target: a target other than KEY with order NONE sorts ascending,
        but only the first limit + 1 keys.
    serializable: carried for the caller; the store does not look at it.
    keys_only: pairs without their values.
    count_only: no pairs at all; limit and filters do not count then.
    """

    key: bytes
    range_end: bytes = b""
    limit: int = 0
    revision: int = 0
    sort_order: SortOrder = SortOrder.NONE
    sort_target: SortTarget = SortTarget.KEY
    serializable: bool = False
    keys_only: bool = False
    count_only: bool = False
    min_mod_revision: int = 0
    max_mod_revision: int = 0
    min_create_revision: int = 0
    max_create_revision: int = 0

    @property
    def has_filter(self) -> bool:
        """Whether pairs are chosen by their revisions."""
        return bool(
            self.min_mod_revision
            or self.max_mod_revision
            or self.min_create_revision
            or self.max_create_revision
        )


@dataclass(slots=True)
class RangeResult:
    """The answer to a `RangeQuery`; everything in it belongs to the caller.

    kvs: wire form of each pair.
    count: keys of the range that exist at the revision, whatever limit and filters.
    more: the limit cut something off.
    revision: current main revision, not the one asked for.
    """

    kvs: list[bytes]
    count: int
    more: bool
    revision: int


def run_range(
    query: RangeQuery,
    index: TreeIndex,
    tx: ReadTx,
    *,
    current_revision: int,
    compact_revision: int,
) -> RangeResult:
    """Answer `query` as of its revision, or `current_revision`.

    Raises:
        FutureRevisionError, CompactedError: its revision cannot be read. The compact
            revision itself can.
    Cost: O(log keys + keys in range + pairs answered).
    """
    at = query.revision if query.revision > 0 else current_revision
    if at > current_revision:
        raise FutureRevisionError(at, current_revision)
    if at < compact_revision:
        raise CompactedError(at, compact_revision)
    matches, count = _select(query, index, at)
    if query.count_only:
        return RangeResult([], count, False, current_revision)
    surviving = count
    if query.has_filter:
        matches = [match for match in matches if _passes(query, match[1])]
        surviving = len(matches)
    if query.sort_order or query.sort_target:
        _sort(matches, query, tx)
    more = 0 < query.limit < surviving
    if query.limit > 0:
        del matches[query.limit :]
    copy: Callable[[memoryview], bytes] = without_value if query.keys_only else bytes
    kvs = [copy(_stored(tx, found)) for _, found in matches]
    return RangeResult(kvs, count, more, current_revision)


def _select(query: RangeQuery, index: TreeIndex, at: int) -> tuple[list[Match], int]:
    """Return the first matches that can be needed, and the number of all."""
    if not query.range_end:
        single = index.get(query.key, at)
        return ([], 0) if single is None else ([(query.key, single)], 1)
    found = index.alive(query.key, query.range_end, at)
    needed: int | None = None
    if query.count_only:
        needed = 0
    elif query.limit > 0 and not query.sort_order and not query.has_filter:
        # etcd reads one more than the limit to learn whether there is more; a sort
        # by target with order NONE sees that one.
        needed = query.limit + (1 if query.sort_target else 0)
    matches = list(islice(found, needed))
    return matches, len(matches) + sum(1 for _ in found)


def _passes(query: RangeQuery, found: Found) -> bool:
    mod, _, create, _ = found
    return not (
        (query.max_mod_revision and mod > query.max_mod_revision)
        or (query.min_mod_revision and mod < query.min_mod_revision)
        or (query.max_create_revision and create > query.max_create_revision)
        or (query.min_create_revision and create < query.min_create_revision)
    )


def _sort(matches: list[Match], query: RangeQuery, tx: ReadTx) -> None:
    """Sort by target; ties stay in key order, which etcd leaves open."""

    def by(match: Match) -> int | bytes:
        key, found = match
        match query.sort_target:
            case SortTarget.KEY:
                return key
            case SortTarget.VERSION:
                return found[3]
            case SortTarget.CREATE:
                return found[2]
            case SortTarget.MOD:
                return found[0]
            case _:
                return KeyValue.decode(_stored(tx, found)).value

    matches.sort(key=by, reverse=query.sort_order == SortOrder.DESCEND)


def _stored(tx: ReadTx, found: Found) -> memoryview:
    stored = tx.get(KEY_BUCKET, revision_key(found[0], found[1]))
    if stored is None:
        raise InvariantError(f"revision {found[0]}.{found[1]} is not in the backend")
    return stored
