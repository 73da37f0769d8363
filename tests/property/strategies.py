"""Requests drawn from so few keys, values and revisions that they keep meeting."""

from typing import Any

from hypothesis import strategies as st

from tests.support.model_api import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    Put,
    Range,
    SortOrder,
    SortTarget,
    Txn,
)

KEYS = st.sampled_from([b"a", b"ab", b"b", b"c", b"\xff"])
ENDS = st.sampled_from([b"", b"", b"\x00", b"ab", b"b", b"c\x00", b"\xff\xff"])
VALUES = st.sampled_from([b"", b"1", b"2", b"\x00\xff"])
LEASE_IDS = (7, 8, -9)
LEASES = st.sampled_from([0, 0, 0, *LEASE_IDS])
REVISIONS = st.integers(-1, 25)
"""Wherever a revision is asked for: most are past, some to come or compacted."""

SIMPLE_PUTS = st.builds(Put, KEYS, VALUES)
LEASED_PUTS = st.builds(Put, KEYS, VALUES, lease=LEASES)
DELETES = st.builds(DeleteRange, KEYS, ENDS, prev_kv=st.booleans())
CHANGES = st.lists(st.one_of(SIMPLE_PUTS, SIMPLE_PUTS, DELETES), max_size=4)
"""What one write transaction changes."""
HISTORY = st.lists(CHANGES, min_size=1, max_size=3)
"""Transactions, one after the other."""


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw 0 for "not asked for" more often than not."""
    return st.one_of(st.just(0), st.just(0), strategy)


_SHAPES: dict[str, st.SearchStrategy[Any]] = {
    "limit": _maybe(st.integers(-1, 3)),
    "revision": _maybe(REVISIONS),
    "sort_order": _maybe(st.sampled_from(list(SortOrder))),
    "sort_target": _maybe(st.sampled_from(list(SortTarget))),
    "keys_only": st.sampled_from([False, False, True]),
}
_FILTERS: dict[str, st.SearchStrategy[Any]] = {
    "count_only": st.sampled_from([False, False, True]),
    "min_mod_revision": _maybe(REVISIONS),
    "max_mod_revision": _maybe(REVISIONS),
    "min_create_revision": _maybe(REVISIONS),
    "max_create_revision": _maybe(REVISIONS),
}
_WIDE = st.builds(
    Range,
    st.just(b"\x00"),
    st.just(b"\x00"),
    limit=st.integers(1, 3),
    sort_order=st.sampled_from(list(SortOrder)),
    sort_target=st.sampled_from(list(SortTarget)),
)


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    """Draw a range: wide and cut off, or anything, with filters or without."""
    shaped = st.builds(Range, KEYS, ENDS, **_SHAPES)
    filtered = st.builds(Range, KEYS, ENDS, **_SHAPES, **_FILTERS)
    return draw(st.one_of(_WIDE, shaped, filtered))


@st.composite
def puts(draw: st.DrawFn) -> Put:
    """Draw a put that does not contradict itself."""
    keeps_value = draw(st.sampled_from([False, False, False, True]))
    keeps_lease = draw(st.sampled_from([False, False, False, True]))
    return Put(
        draw(KEYS),
        b"" if keeps_value else draw(VALUES),
        0 if keeps_lease else draw(LEASES),
        draw(st.booleans()),
        keeps_value,
        keeps_lease,
    )


@st.composite
def compares(draw: st.DrawFn) -> Compare:
    target = draw(st.sampled_from(list(CompareTarget)))
    operands: dict[CompareTarget, st.SearchStrategy[Any]] = {
        CompareTarget.VERSION: st.integers(0, 3),
        CompareTarget.VALUE: VALUES,
        CompareTarget.LEASE: LEASES,
    }
    return Compare(
        draw(KEYS),
        draw(ENDS),
        draw(st.sampled_from(list(CompareResult))),
        target,
        draw(operands.get(target, REVISIONS)),
    )


@st.composite
def txns(draw: st.DrawFn, depth: int = 0) -> Txn:
    """Draw a txn, some of them nested up to three deep; some put a key twice."""
    operations = st.one_of(puts(), puts(), DELETES, ranges())
    if depth < 2:
        operations = st.one_of(operations, operations, txns(depth + 1))
    branches = st.lists(operations, max_size=2 if depth else 4)
    return Txn(
        tuple(draw(st.lists(compares(), max_size=2))),
        tuple(draw(branches)),
        tuple(draw(branches)),
    )
