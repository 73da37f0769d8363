from collections.abc import Callable
from itertools import product
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniet.engine.errors import (
    DuplicateKeyError,
    EmptyKeyError,
    KeyNotFoundError,
    LeaseProvidedError,
    TooManyOperationsError,
    ValueProvidedError,
)
from miniet.engine.requests import (
    Compare,
    DeleteRangeRequest,
    EmptyOp,
    PutRequest,
    TxnOp,
    TxnRequest,
)
from miniet.engine.validation import check_put, check_range, check_txn
from miniet.errors import RequestError
from miniet.mvcc import RangeQuery

OPS_MAX = 128
K, EMPTY = PutRequest(b"k"), PutRequest(b"")


def then(*operations: TxnOp) -> TxnRequest:
    return TxnRequest(success=list(operations))


def branches(success: list[TxnOp], failure: list[TxnOp]) -> TxnRequest:
    return TxnRequest([], success, failure)


def puts(count: int) -> list[TxnOp]:
    return [PutRequest(b"%d" % number) for number in range(count)]


# ---- single requests


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (EMPTY, EmptyKeyError),
        (PutRequest(b"", b"v", ignore_value=True), EmptyKeyError),
        (PutRequest(b"k", b"v", ignore_value=True), ValueProvidedError),
        (PutRequest(b"k", lease=1, ignore_lease=True), LeaseProvidedError),
        (
            PutRequest(b"k", b"v", lease=1, ignore_value=True, ignore_lease=True),
            ValueProvidedError,
        ),
    ],
)
def test_a_put_that_contradicts_itself_is_refused(
    request_: PutRequest, error: type[RequestError]
) -> None:
    with pytest.raises(error):
        check_put(request_)


@pytest.mark.parametrize(
    "request_",
    [
        K,
        PutRequest(b"\x00", b""),
        PutRequest(b"k", b"", lease=1, ignore_value=True),
        PutRequest(b"k", b"v", ignore_lease=True),
    ],
)
def test_a_sound_put_passes(request_: PutRequest) -> None:
    check_put(request_)


def test_ranges_and_deletes_need_a_key() -> None:
    for nameless in (RangeQuery(b"", b"\x00"), DeleteRangeRequest(b"", b"\x00")):
        with pytest.raises(EmptyKeyError):
            check_range(nameless)
    check_range(RangeQuery(b"k"))


# ---- txns: api rules in their order


REFUSED: dict[str, tuple[TxnRequest, type[RequestError]]] = {
    "129 compares": (TxnRequest([Compare(b"k")] * 129), TooManyOperationsError),
    "129 operations": (then(*puts(129)), TooManyOperationsError),
    "129 operations in the other branch": (
        branches([], puts(129)),
        TooManyOperationsError,
    ),
    "too many is told before an empty key": (
        TxnRequest([Compare(b"")] * 129),
        TooManyOperationsError,
    ),
    "a nested txn gets what its parent left": (
        then(then(*puts(128))),
        TooManyOperationsError,
    ),
    "the parent's longest list counts": (
        TxnRequest([Compare(b"k")] * 2, [then(*puts(127))]),
        TooManyOperationsError,
    ),
    "a compare without key": (TxnRequest([Compare(b"")]), EmptyKeyError),
    "a compare without key is told before an operation of no kind": (
        TxnRequest([Compare(b"k"), Compare(b"")], [EmptyOp()]),
        EmptyKeyError,
    ),
    "a put without key": (then(EMPTY), EmptyKeyError),
    "a range without key": (then(RangeQuery(b"")), EmptyKeyError),
    "a delete without key": (then(DeleteRangeRequest(b"")), EmptyKeyError),
    "a put with value and ignore_value": (
        then(PutRequest(b"k", b"v", ignore_value=True)),
        ValueProvidedError,
    ),
    "an operation of no kind": (then(EmptyOp()), KeyNotFoundError),
    "success is looked at before failure": (
        branches([EmptyOp()], [EMPTY]),
        KeyNotFoundError,
    ),
    "the branch that will not run is checked too": (
        branches([], [EMPTY]),
        EmptyKeyError,
    ),
    "nested operations are checked": (then(then(then(EMPTY))), EmptyKeyError),
    "fields are told before overlaps": (branches([K, K], [EMPTY]), EmptyKeyError),
    "two puts of a key": (then(K, K), DuplicateKeyError),
    "two puts of a key in the other branch": (
        branches([], [K, K]),
        DuplicateKeyError,
    ),
    "a put of a deleted key": (then(DeleteRangeRequest(b"k"), K), DuplicateKeyError),
    "a put before its delete": (then(K, DeleteRangeRequest(b"k")), DuplicateKeyError),
    "a put within a deleted range": (
        then(K, DeleteRangeRequest(b"a", b"z")),
        DuplicateKeyError,
    ),
    "a put at the start of a deleted range": (
        then(K, DeleteRangeRequest(b"k", b"l")),
        DuplicateKeyError,
    ),
    "a nested put and one beside it": (then(K, then(K)), DuplicateKeyError),
    "a nested put of the other branch and one beside it": (
        then(K, branches([], [K])),
        DuplicateKeyError,
    ),
    "puts of two nested txns": (then(then(K), then(K)), DuplicateKeyError),
    "a nested put and a delete beside it": (
        then(then(K), DeleteRangeRequest(b"k")),
        DuplicateKeyError,
    ),
    "a nested delete and a put beside it": (
        then(then(DeleteRangeRequest(b"k")), K),
        DuplicateKeyError,
    ),
    "a nested delete of the other branch and a put beside it": (
        then(branches([], [DeleteRangeRequest(b"k")]), K),
        DuplicateKeyError,
    ),
    "a put in the longer of two overlapping deletes": (
        then(DeleteRangeRequest(b"a", b"z"), DeleteRangeRequest(b"b", b"c"), K),
        DuplicateKeyError,
    ),
    "a put in the first of two deletes that touch": (
        then(DeleteRangeRequest(b"j", b"l"), DeleteRangeRequest(b"l", b"m"), K),
        DuplicateKeyError,
    ),
    "a nested delete and a put of a later nested txn": (
        then(then(DeleteRangeRequest(b"a", b"z")), then(K)),
        DuplicateKeyError,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_txn_is_refused_for(name: str) -> None:
    request, error = REFUSED[name]
    with pytest.raises(error):
        check_txn(request, OPS_MAX)


PASSES: dict[str, TxnRequest] = {
    "nothing at all": TxnRequest(),
    "128 of each list": TxnRequest([Compare(b"k")] * 128, puts(128), puts(128)),
    "127 operations nested in one": then(then(*puts(127))),
    "the two branches put one key": branches([K], [K]),
    "the two branches of a nested txn put one key": then(branches([K], [K])),
    "overlapping deletes": then(
        DeleteRangeRequest(b"a", b"m"), DeleteRangeRequest(b"k", b"z")
    ),
    "a range over a put": then(RangeQuery(b"a", b"z"), K),
    "a put at the end of a deleted range": then(DeleteRangeRequest(b"a", b"k"), K),
    "a put just after a deleted key": then(
        DeleteRangeRequest(b"k"), PutRequest(b"k\x00")
    ),
    "a delete from a key on, taken literally": then(
        DeleteRangeRequest(b"a", b"\x00"), K
    ),
    "a put in an earlier nested txn than the delete": then(
        then(K), then(DeleteRangeRequest(b"k"))
    ),
}


@pytest.mark.parametrize("name", PASSES)
def test_a_txn_passes_with(name: str) -> None:
    check_txn(PASSES[name], OPS_MAX)


def test_the_error_names_the_key_and_the_counts() -> None:
    with pytest.raises(DuplicateKeyError) as duplicate:
        check_txn(then(K, then(K)), OPS_MAX)
    assert duplicate.value.key == b"k"
    with pytest.raises(TooManyOperationsError) as too_many:
        check_txn(then(then(*puts(3))), 3)
    error = too_many.value
    assert (error.operation_count, error.operation_count_max) == (3, 2)


# ---- overlaps, against their definition


KEYS = st.sampled_from([bytes(k) for n in (1, 2) for k in product(range(3), repeat=n)])
ENDS = st.one_of(st.just(b""), KEYS)
DELETES = st.builds(DeleteRangeRequest, KEYS, ENDS)
LEAVES: st.SearchStrategy[TxnOp] = st.one_of(st.builds(PutRequest, KEYS), DELETES)
OPERATIONS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        branches, st.lists(inner, max_size=3), st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)


def naive(operations: list[TxnOp]) -> tuple[set[bytes], list[Callable[[bytes], bool]]]:
    """Check overlaps as section 5.1 words them; raise or return puts and deletes."""

    def deletes_of(delete: DeleteRangeRequest) -> Callable[[bytes], bool]:
        if delete.range_end:
            return lambda key: delete.key <= key < delete.range_end
        return lambda key: key == delete.key

    deletes = [
        deletes_of(op) for op in operations if isinstance(op, DeleteRangeRequest)
    ]
    seen: set[bytes] = set()

    def claim(keys: set[bytes]) -> None:
        for key in keys:
            if key in seen or any(covers(key) for covers in deletes):
                raise DuplicateKeyError(key)
        seen.update(keys)

    for nested in (op for op in operations if isinstance(op, TxnRequest)):
        success_puts, success_deletes = naive(nested.success)
        failure_puts, failure_deletes = naive(nested.failure)
        claim(success_puts | failure_puts)
        deletes += success_deletes + failure_deletes
    for put in (op for op in operations if isinstance(op, PutRequest)):
        claim({put.key})
    return seen, deletes


@given(
    st.one_of(
        st.lists(OPERATIONS, max_size=4),
        st.tuples(st.lists(DELETES, max_size=8), st.builds(PutRequest, KEYS)).map(
            lambda drawn: [*drawn[0], drawn[1]]
        ),
    )
)
def test_overlaps_are_those_of_the_definition(operations: list[TxnOp]) -> None:
    try:
        naive(operations)
    except DuplicateKeyError:
        with pytest.raises(DuplicateKeyError):
            check_txn(then(*operations), OPS_MAX)
    else:
        check_txn(then(*operations), OPS_MAX)


def test_a_wide_nest_is_checked_in_a_moment() -> None:
    def leaf(number: int) -> TxnRequest:
        keys = [b"%d.%d" % (number, key) for key in range(21)]
        deletes = [DeleteRangeRequest(b"d" + key) for key in keys]
        return then(*(PutRequest(b"p" + key) for key in keys), *deletes)

    wide = then(
        *(then(*(leaf(42 * outer + i) for i in range(42))) for outer in range(42))
    )
    begun_s = process_time()
    check_txn(wide, OPS_MAX)
    # Each put against each delete took half a minute.
    assert process_time() - begun_s < 5
