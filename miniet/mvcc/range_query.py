"""What a range asks, what it answers, and how the answer is found.

The index alone decides which pairs match, their count, filters and every order
but that by value; only pairs that are answered are read from the backend.
(etcd reads and decodes all of them first; the answers are the same.)

Source: etcd v3.4.9 etcdserver/apply.go (Range), mvcc/kvstore_txn.go (rangeKeys).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import Final

from miniet.errors import InvariantError
from miniet.mvcc.errors import CompactedError, FutureRevisionError
from miniet.mvcc.key_index import Found, Revisions
from miniet.mvcc.kv import KeyValue, without_value
from miniet.mvcc.ports import KEY_BUCKET, ReadTx
from miniet.mvcc.revision import parse_revision_key, revision_key
from miniet.mvcc.tree_index import TreeIndex


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
    def is_descending(self) -> bool:
        """Whether the largest comes first."""
        return self.sort_order == SortOrder.DESCEND

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
    """The answer to a `RangeQuery`.

    kvs: wire form of each pair; views are good until the next write, see `own`.
    count: keys of the range that exist at the revision, whatever limit and filters.
    more: the limit cut something off.
    revision: current main revision, not the one asked for.
    """

    kvs: Sequence[bytes | memoryview]
    count: int
    more: bool
    revision: int

    def own(self) -> "RangeResult":
        """Copy the pairs, so that they outlive the next write."""
        self.kvs = list(map(bytes, self.kvs))
        return self


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
    if query.has_filter or query.sort_target in _NUMBERS:
        keys, count, surviving = _select_by_numbers(query, index, at)
    elif not query.range_end:
        single = index.get(query.key, at)
        keys = [] if single is None else [revision_key(single[0], single[1])]
        count = surviving = len(keys)
    else:
        keys, count = index.revision_keys(
            query.key, query.range_end, at, _needed(query)
        )
        surviving = count
    if query.count_only:
        return RangeResult([], count, False, current_revision)
    if query.sort_target == SortTarget.VALUE:
        keys.sort(key=partial(_value_at, tx), reverse=query.is_descending)
    elif query.sort_target not in _NUMBERS and query.is_descending:
        keys.reverse()
    more = 0 < query.limit < surviving
    if query.limit > 0:
        del keys[query.limit :]
    kvs: Sequence[bytes | memoryview] = _stored(tx, keys)
    if query.keys_only:
        kvs = list(map(without_value, kvs))
    return RangeResult(kvs, count, more, current_revision)


_ALL: Final = 2**63 - 1


def _needed(query: RangeQuery) -> int:
    """Return how many of the first matches can be needed."""
    if query.count_only:
        return 0
    if query.limit > 0 and not query.sort_order and not query.has_filter:
        # etcd reads one more than the limit to learn whether there is more; a sort
        # by target with order NONE sees that one.
        return min(query.limit + (1 if query.sort_target else 0), _ALL)
    return _ALL


_NUMBERS: Final[dict[SortTarget, Callable[[Found], int]]] = {
    SortTarget.VERSION: itemgetter(3),
    SortTarget.CREATE: itemgetter(2),
    SortTarget.MOD: itemgetter(0),
}
"""What the index knows of a key, as sort keys."""


def _select_by_numbers(
    query: RangeQuery, index: TreeIndex, at: int
) -> tuple[list[Revisions], int, int]:
    """Filter and sort by revisions and versions, all from the index.

    Ties stay in key order, as they came; etcd leaves that open.

    Returns:
        (backend keys of what is needed, number of all keys, of those that passed)
    """
    alive = index.alive(query.key, query.range_end, at)
    matches = list(islice(alive, _needed(query)))
    count = surviving = len(matches) + sum(1 for _ in alive)
    if query.has_filter:
        matches = [found for found in matches if _passes(query, found)]
        surviving = len(matches)
    if query.sort_target in _NUMBERS:
        matches.sort(key=_NUMBERS[query.sort_target], reverse=query.is_descending)
    keys: list[Revisions] = [revision_key(main, sub) for main, sub, _, _ in matches]
    return keys, count, surviving


def _passes(query: RangeQuery, found: Found) -> bool:
    mod, _, create, _ = found
    return not (
        (query.max_mod_revision and mod > query.max_mod_revision)
        or (query.min_mod_revision and mod < query.min_mod_revision)
        or (query.max_create_revision and create > query.max_create_revision)
        or (query.min_create_revision and create < query.min_create_revision)
    )


def _value_at(tx: ReadTx, key: Revisions) -> bytes:
    return KeyValue.decode(_stored(tx, [key])[0]).value


def _stored(tx: ReadTx, keys: list[Revisions]) -> list[memoryview]:
    """Read the pairs of what was found, all at once."""
    try:
        return tx.get_all(KEY_BUCKET, keys)
    except KeyError as error:
        main, sub, _ = parse_revision_key(error.args[0])
        text = f"revision {main}.{sub} is not in the backend"
        raise InvariantError(text) from error
