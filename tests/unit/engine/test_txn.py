"""Evaluating a txn, rule by rule; the overlap and field checks come before it."""

from typing import Any

import pytest

from miniet.clock import ManualClock
from miniet.engine.errors import KeyNotFoundError
from miniet.engine.lease_store import BackendLeaseStore
from miniet.engine.requests import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRangeRequest,
    EmptyOp,
    PutRequest,
    TxnOp,
    TxnRequest,
)
from miniet.engine.results import DeleteRangeResult, PutResult, TxnResult
from miniet.engine.txn import execute, is_read_only, is_serializable
from miniet.errors import RequestError
from miniet.lease import LeaseNotFoundError, Lessor
from miniet.mvcc import (
    CompactedError,
    FutureRevisionError,
    KeyValue,
    RangeQuery,
    RangeResult,
    Store,
)
from tests.support.memory_backend import MemoryBackend
from tests.support.stores import compact, pairs

EQUAL, GREATER, LESS, NOT_EQUAL = CompareResult
VERSION, CREATE, MOD, VALUE, LEASE = CompareTarget
LEASE_ID = 5


class Bench:
    """A store with b@2 (value 1), c@3 and again @4 (value 22, lease 5); revision 4."""

    def __init__(self) -> None:
        backend = MemoryBackend()
        self.lessor = Lessor(ManualClock(), BackendLeaseStore(backend))
        self.store = Store(backend, self.lessor)
        self.store.restore()
        self.lessor.grant(LEASE_ID, 60)
        for request in (
            PutRequest(b"b", b"1"),
            PutRequest(b"c"),
            PutRequest(b"c", b"22", LEASE_ID),
        ):
            self.run(request)

    def run(self, *operations: TxnOp) -> TxnResult:
        return self.execute(TxnRequest(success=list(operations)))

    def execute(self, request: TxnRequest) -> TxnResult:
        try:
            return execute(request, self.store, self.lessor)
        finally:
            self.store._check()
            assert not self.store.is_poisoned

    def refuse(self, error: type[RequestError], *operations: TxnOp) -> None:
        before = (self.store.current_revision, self.store.hash_by_revision(0))
        with pytest.raises(error):
            self.run(*operations)
        assert (self.store.current_revision, self.store.hash_by_revision(0)) == before

    def holds(self, *compares: Compare) -> bool:
        return self.execute(TxnRequest(list(compares))).succeeded


@pytest.fixture
def bench() -> Bench:
    return Bench()


# ---- compares


def orders(actual: Any, below: Any, above: Any) -> list[tuple[int, Any, bool]]:
    """Return every operator against something equal, smaller and greater."""
    return [
        (EQUAL, actual, True),
        (EQUAL, below, False),
        (NOT_EQUAL, actual, False),
        (NOT_EQUAL, above, True),
        (GREATER, below, True),
        (GREATER, actual, False),
        (LESS, above, True),
        (LESS, actual, False),
    ]


ACTUAL = {
    VERSION: (2, 1, 3),
    CREATE: (3, -1, 4),
    MOD: (4, 3, 2**62),
    VALUE: (b"22", b"21\xff", b"3"),
    LEASE: (LEASE_ID, -(2**63), 6),
}


@pytest.mark.parametrize("target", CompareTarget)
def test_a_pair_is_compared_by(bench: Bench, target: CompareTarget) -> None:
    for result, operand, holds in orders(*ACTUAL[target]):
        compare = Compare(b"c", b"", result, target, operand)
        assert bench.holds(compare) == holds, compare


@pytest.mark.parametrize("target", [VERSION, CREATE, MOD, LEASE])
def test_a_missing_key_compares_as_zeros(bench: Bench, target: CompareTarget) -> None:
    for result, operand, holds in orders(0, -1, 1):
        compare = Compare(b"absent", b"", result, target, operand)
        assert bench.holds(compare) == holds, compare


@pytest.mark.parametrize("result", [*CompareResult, 9])
def test_a_missing_key_has_no_value_whatever_the_operator(
    bench: Bench, result: int
) -> None:
    assert not bench.holds(Compare(b"absent", b"", result, VALUE, b""))
    assert not bench.holds(Compare(b"x", b"z", result, VALUE, b"x"))


def test_a_deleted_key_compares_as_missing(bench: Bench) -> None:
    bench.run(DeleteRangeRequest(b"c"))
    assert bench.holds(Compare(b"c", b"", EQUAL, CREATE, 0))
    assert not bench.holds(Compare(b"c", b"", NOT_EQUAL, VALUE, b"22"))


def test_every_pair_of_a_range_must_satisfy(bench: Bench) -> None:
    assert bench.holds(Compare(b"b", b"d", GREATER, CREATE, 1))
    assert not bench.holds(Compare(b"b", b"d", GREATER, CREATE, 2))
    assert bench.holds(Compare(b"a", b"\x00", LESS, MOD, 5))
    assert not bench.holds(Compare(b"a", b"\x00", LESS, MOD, 4))


def test_an_empty_range_compares_as_one_pair_of_zeros(bench: Bench) -> None:
    assert bench.holds(Compare(b"x", b"z", EQUAL, VERSION, 0))
    assert not bench.holds(Compare(b"x", b"z", GREATER, VERSION, 0))
    assert bench.holds(Compare(b"z", b"a", EQUAL, MOD, 0))


def test_an_unknown_target_compares_as_equal(bench: Bench) -> None:
    for key in (b"c", b"absent"):
        for result in CompareResult:
            compare = Compare(key, b"", result, 17, 0)
            assert bench.holds(compare) == (result == EQUAL)


def test_an_unknown_operator_is_true(bench: Bench) -> None:
    assert bench.holds(Compare(b"c", b"", 17, MOD, 99))


def test_compares_are_a_conjunction_and_none_is_true(bench: Bench) -> None:
    true, false = Compare(b"c", b"", EQUAL, MOD, 4), Compare(b"c", b"", EQUAL, MOD, 3)
    assert bench.holds()
    assert bench.holds(true, true)
    assert not bench.holds(true, false)
    assert not bench.holds(false, true)


# ---- choosing


def outline(result: TxnResult) -> tuple[bool, list[Any]]:
    """Return the choices and answers; the header of a nested txn is empty."""
    answers = [
        outline(answer) if isinstance(answer, TxnResult) else answer
        for answer in result.responses
    ]
    return result.succeeded, answers


def test_one_branch_runs_and_the_answer_says_which(bench: Bench) -> None:
    compare = Compare(b"b", b"", EQUAL, VERSION, 1)
    request = TxnRequest([compare], [PutRequest(b"then")], [PutRequest(b"else")])
    assert bench.execute(request) == TxnResult(5, True, [PutResult(5)])
    request.compare = [Compare(b"b", b"", EQUAL, VERSION, 2)]
    assert bench.execute(request) == TxnResult(6, False, [PutResult(6)])
    assert set(pairs(bench.store)) == {b"b", b"c", b"then", b"else"}


def test_nested_txns_choose_from_the_starting_state(bench: Bench) -> None:
    absent = Compare(b"new", b"", EQUAL, VERSION, 0)
    inner = TxnRequest([absent], [PutRequest(b"seen as absent")], [])
    answer = bench.run(PutRequest(b"new"), inner, TxnRequest(success=[inner]))
    assert outline(answer) == (
        True,
        [PutResult(5), (True, [PutResult(5)]), (True, [(True, [PutResult(5)])])],
    )


def test_a_nested_txn_takes_its_own_branch(bench: Bench) -> None:
    false = Compare(b"b", b"", EQUAL, VERSION, 0)
    inner = TxnRequest([false], [PutRequest(b"then")], [DeleteRangeRequest(b"b")])
    deleted = DeleteRangeResult(5, 1, [])
    assert outline(bench.run(inner)) == (True, [(False, [deleted])])


# ---- checks: all before anything is written


def test_a_put_that_cannot_be_refuses_the_whole_txn(bench: Bench) -> None:
    other = PutRequest(b"other")
    bench.refuse(KeyNotFoundError, other, PutRequest(b"absent", ignore_value=True))
    bench.refuse(KeyNotFoundError, other, PutRequest(b"absent", ignore_lease=True))
    bench.refuse(LeaseNotFoundError, other, PutRequest(b"b", lease=77))
    bench.refuse(
        LeaseNotFoundError, other, TxnRequest(success=[PutRequest(b"b", lease=77)])
    )


def test_a_key_that_the_txn_itself_puts_is_still_missing(bench: Bench) -> None:
    bench.refuse(
        KeyNotFoundError,
        TxnRequest(success=[PutRequest(b"new")]),
        PutRequest(b"new", ignore_value=True),
    )


def test_a_missing_key_is_told_before_an_unknown_lease(bench: Bench) -> None:
    put = PutRequest(b"absent", lease=77, ignore_value=True)
    bench.refuse(KeyNotFoundError, put)


def test_puts_are_checked_before_ranges(bench: Bench) -> None:
    bench.refuse(
        LeaseNotFoundError, RangeQuery(b"b", revision=9), PutRequest(b"b", lease=77)
    )


def test_an_operation_of_no_kind_is_refused(bench: Bench) -> None:
    bench.refuse(KeyNotFoundError, PutRequest(b"other"), EmptyOp())


def test_the_branch_that_does_not_run_is_not_checked(bench: Bench) -> None:
    bad = [PutRequest(b"absent", lease=77), RangeQuery(b"b", revision=99), EmptyOp()]
    assert bench.execute(TxnRequest(failure=bad)) == TxnResult(4, True, [])


def test_ranges_are_checked_before_anything_is_written(bench: Bench) -> None:
    compact(bench.store, 3)
    put = PutRequest(b"other")
    bench.refuse(FutureRevisionError, put, RangeQuery(b"b", revision=5))
    bench.refuse(CompactedError, put, RangeQuery(b"b", revision=2))
    bench.refuse(
        CompactedError, put, TxnRequest(success=[RangeQuery(b"b", revision=2)])
    )
    for revision in (0, 3, 4):
        bench.run(RangeQuery(b"b", revision=revision))


def test_a_negative_revision_is_taken_literally(bench: Bench) -> None:
    bench.run(RangeQuery(b"b", revision=-1))
    compact(bench.store, 3)
    bench.refuse(CompactedError, RangeQuery(b"b", revision=-1))


# ---- carrying out


def test_later_operations_see_earlier_writes(bench: Bench) -> None:
    answer = bench.run(
        RangeQuery(b"n"), PutRequest(b"n", b"new"), RangeQuery(b"n"), RangeQuery(b"c")
    )
    before, put, after, other = answer.responses
    assert put == PutResult(5)
    assert isinstance(before, RangeResult)
    assert isinstance(after, RangeResult)
    assert isinstance(other, RangeResult)
    assert (before.revision, before.kvs) == (4, [])
    assert after.revision == other.revision == 5
    [pair] = after.kvs
    assert KeyValue.decode(pair) == KeyValue(b"n", 5, 5, 1, b"new")


def test_pairs_of_the_answer_outlive_later_writes(bench: Bench) -> None:
    stored = KeyValue(b"b", 2, 2, 1, b"1").encode()
    read, put, deleted = bench.run(
        RangeQuery(b"b"),
        PutRequest(b"b", b"new", prev_kv=True),
        DeleteRangeRequest(b"b", prev_kv=True),
        PutRequest(b"n"),
    ).responses[:3]
    assert isinstance(read, RangeResult)
    assert isinstance(put, PutResult)
    assert isinstance(deleted, DeleteRangeResult)
    assert (read.kvs, put.prev_kv) == ([stored], stored)
    assert deleted.prev_kvs == [KeyValue(b"b", 2, 5, 2, b"new").encode()]


def test_a_range_at_an_older_revision_does_not_see_them(bench: Bench) -> None:
    answer = bench.run(PutRequest(b"b", b"new"), RangeQuery(b"b", revision=4))
    found = answer.responses[1]
    assert isinstance(found, RangeResult)
    [pair] = found.kvs
    assert KeyValue.decode(pair).value == b"1"


def test_all_writes_are_one_revision(bench: Bench) -> None:
    answer = bench.run(
        PutRequest(b"x"),
        DeleteRangeRequest(b"b", b"d"),
        TxnRequest(success=[PutRequest(b"y")]),
    )
    deleted = DeleteRangeResult(5, 2, [])
    assert outline(answer) == (True, [PutResult(5), deleted, (True, [PutResult(5)])])
    assert answer.revision == 5
    assert bench.store.current_revision == 5


def test_a_delete_of_nothing_makes_no_revision_of_its_own(bench: Bench) -> None:
    nothing = DeleteRangeRequest(b"absent")
    assert bench.run(nothing) == TxnResult(4, True, [DeleteRangeResult(4, 0, [])])
    answer = bench.run(nothing, PutRequest(b"x"), nothing)
    assert [each.revision for each in answer.responses] == [4, 5, 5]


def test_put_flags_work_inside_a_txn(bench: Bench) -> None:
    before = bytes(bench.store.read().range(RangeQuery(b"c")).kvs[0])
    answer = bench.run(PutRequest(b"c", prev_kv=True, ignore_value=True))
    assert answer.responses == [PutResult(5, before)]
    [pair] = bench.store.read().range(RangeQuery(b"c")).kvs
    assert KeyValue.decode(pair) == KeyValue(b"c", 3, 5, 3, b"22")


def test_ranges_alone_open_no_write(bench: Bench) -> None:
    answer = bench.run(RangeQuery(b"b"), TxnRequest(success=[RangeQuery(b"c")]))
    assert answer.revision == 4
    with bench.store.write():
        # A second write would be refused here.
        assert execute(TxnRequest(), bench.store, bench.lessor).revision == 4


# ---- which way a txn goes


RANGE, LOCAL = RangeQuery(b"k"), RangeQuery(b"k", serializable=True)
WAYS = {
    "empty": (TxnRequest(), True, True),
    "compares only": (TxnRequest([Compare(b"k")]), True, True),
    "a range": (TxnRequest(success=[RANGE]), True, False),
    "local ranges": (TxnRequest([], [LOCAL], [LOCAL]), True, True),
    "one of both": (TxnRequest([], [LOCAL], [RANGE]), True, False),
    "a put": (TxnRequest(success=[RANGE, PutRequest(b"k")]), False, False),
    "a delete in failure": (
        TxnRequest(failure=[DeleteRangeRequest(b"k")]),
        False,
        True,
    ),
    "a nested txn of ranges": (TxnRequest(success=[TxnRequest()]), False, True),
}


@pytest.mark.parametrize("name", WAYS)
def test_only_ranges_need_no_log(name: str) -> None:
    request, read_only, serializable = WAYS[name]
    assert is_read_only(request) == read_only
    assert is_serializable(request) == serializable
