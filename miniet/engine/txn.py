"""Evaluating a txn: choose the branches, check them, carry them out.

All choices are made against the state before the txn, nested comparisons too;
then everything that can be refused is refused; only then is anything written.
Source: etcd v3.4.9 etcdserver/apply.go, applyV3.Txn.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final

from miniet.engine.errors import KeyNotFoundError
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
from miniet.engine.results import (
    DeleteRangeResult,
    OpResult,
    PutResult,
    TxnResult,
)
from miniet.errors import InvariantError
from miniet.lease import LeaseNotFoundError, Lessor
from miniet.mvcc import (
    CompactedError,
    FutureRevisionError,
    KeyValue,
    RangeQuery,
    ReadTxn,
    Store,
    WriteTxn,
)


@dataclass(slots=True)
class Branch:
    """A txn with its choice made: the operations that will run."""

    succeeded: bool
    operations: "list[PutRequest | DeleteRangeRequest | RangeQuery | Branch]"


def is_read_only(request: TxnRequest) -> bool:
    """Tell whether a txn holds nothing but ranges, so that it needs no log entry."""
    return all(
        isinstance(operation, RangeQuery)
        for operation in (*request.success, *request.failure)
    )


def is_serializable(request: TxnRequest) -> bool:
    """Tell whether a read-only txn may be answered from local state at once."""
    return all(
        operation.serializable
        for operation in (*request.success, *request.failure)
        if isinstance(operation, RangeQuery)
    )


def execute(request: TxnRequest, store: Store, lessor: Lessor) -> TxnResult:
    """Carry out a txn.

    Raises:
        KeyNotFoundError, LeaseNotFoundError: a put of the chosen path is refused.
        CompactedError, FutureRevisionError: a range of it is. Nothing was written.
    """
    view = store.read()
    branch = _choose(view, request)
    _check_puts(view, branch, lessor, deleted_from=[])
    _check_ranges(view, branch)
    if not _writes(branch):
        return _run(view, branch, _refuse_write)
    with store.write() as txn:
        result = _run(txn, branch, lambda operation: _write(txn, operation))
    # Known only now: a txn that changed nothing made no revision.
    result.revision = store.current_revision
    return result


def _choose(view: ReadTxn, request: TxnRequest) -> Branch:
    succeeded = all(_holds(view, compare) for compare in request.compare)
    chosen = request.success if succeeded else request.failure
    return Branch(succeeded, [_chosen(view, operation) for operation in chosen])


def _chosen(
    view: ReadTxn, operation: TxnOp
) -> PutRequest | DeleteRangeRequest | RangeQuery | Branch:
    if isinstance(operation, TxnRequest):
        return _choose(view, operation)
    if isinstance(operation, EmptyOp):
        raise KeyNotFoundError(b"")
    return operation


def _holds(view: ReadTxn, compare: Compare) -> bool:
    actuals = _actuals(view, compare)
    compares = _OPERATORS.get(compare.result)
    if compares is None or not actuals:
        return bool(actuals)
    return all(map(compares, actuals, repeat(compare.operand)))


_OPERATORS: Final[dict[int, Callable[[Any, Any], bool]]] = {
    CompareResult.EQUAL: operator.eq,
    CompareResult.NOT_EQUAL: operator.ne,
    CompareResult.GREATER: operator.gt,
    CompareResult.LESS: operator.lt,
}

# What the index knows, as places in a `Found`.
_PLACES: Final[dict[int, int]] = {
    CompareTarget.MOD: 0,
    CompareTarget.CREATE: 2,
    CompareTarget.VERSION: 3,
}


def _actuals(view: ReadTxn, compare: Compare) -> list[Any]:
    """Return what is compared of each pair; a range without pairs has one of zeros."""
    key, range_end, target = compare.key, compare.range_end, compare.target
    place = _PLACES.get(target)
    if place is not None:
        return [found[place] for found in view.find(key, range_end)] or [0]
    pairs = map(KeyValue.decode, view.range(RangeQuery(key, range_end)).kvs)
    if target == CompareTarget.VALUE:
        # A key that does not exist has no value, not even an empty one.
        return [pair.value for pair in pairs]
    if target == CompareTarget.LEASE:
        return [pair.lease for pair in pairs] or [0]
    return [compare.operand]


def _check_puts(
    view: ReadTxn, branch: Branch, lessor: Lessor, deleted_from: list[bytes]
) -> None:
    """Refuse what cannot be put once the operations before it have run.

    Args:
        deleted_from: where earlier deletes of all keys from one on begin; added to.
            No other delete may cover a key that the txn puts.
    """
    for operation in branch.operations:
        if isinstance(operation, Branch):
            _check_puts(view, operation, lessor, deleted_from)
        elif isinstance(operation, DeleteRangeRequest):
            if operation.range_end == b"\x00":
                deleted_from.append(operation.key)
        elif isinstance(operation, PutRequest):
            check_put_applies(view, operation, lessor)
            keeps = operation.ignore_value or operation.ignore_lease
            if keeps and any(key <= operation.key for key in deleted_from):
                # etcd passes it, finds no pair to keep from, and panics.
                raise KeyNotFoundError(operation.key)


def check_put_applies(view: ReadTxn, request: PutRequest, lessor: Lessor) -> None:
    """Refuse a put that needs a key or a lease which is not there.

    That may be the lease to be kept: a key can outlive its lease in data from
    elsewhere.

    Raises:
        KeyNotFoundError, LeaseNotFoundError.
    """
    lease = request.lease
    if request.ignore_value or request.ignore_lease:
        pairs = view.range(RangeQuery(key=request.key)).kvs
        if not pairs:
            raise KeyNotFoundError(request.key)
        if request.ignore_lease:
            lease = KeyValue.decode(pairs[0]).lease
    if lease and lessor.lookup(lease) is None:
        raise LeaseNotFoundError(lease)


def _check_ranges(view: ReadTxn, branch: Branch) -> None:
    for operation in branch.operations:
        if isinstance(operation, Branch):
            _check_ranges(view, operation)
        elif isinstance(operation, RangeQuery) and operation.revision != 0:
            # Taken literally, unlike in a plain range: negative is compacted.
            if operation.revision > view.revision:
                raise FutureRevisionError(operation.revision, view.revision)
            if operation.revision < view.first_revision:
                raise CompactedError(operation.revision, view.first_revision)


def _writes(branch: Branch) -> bool:
    return any(
        _writes(operation)
        if isinstance(operation, Branch)
        else not isinstance(operation, RangeQuery)
        for operation in branch.operations
    )


def _refuse_write(operation: PutRequest | DeleteRangeRequest) -> OpResult:
    raise InvariantError(f"a read-only txn came to a write: {operation!r}")


def _run(
    txn: ReadTxn,
    branch: Branch,
    write: Callable[[PutRequest | DeleteRangeRequest], OpResult],
) -> TxnResult:
    responses: list[OpResult] = []
    for operation in branch.operations:
        if isinstance(operation, Branch):
            responses.append(_run(txn, operation, write))
        elif isinstance(operation, RangeQuery):
            # The answer may wait for its turn, behind writes of others.
            responses.append(txn.range(operation).own())
        else:
            responses.append(write(operation))
    return TxnResult(txn.revision, branch.succeeded, responses)


def _write(txn: WriteTxn, request: PutRequest | DeleteRangeRequest) -> OpResult:
    if isinstance(request, PutRequest):
        return put(txn, request)
    return delete_range(txn, request)


def put(txn: WriteTxn, request: PutRequest) -> PutResult:
    """Write one key; `check_put_applies` has passed."""
    value, lease = request.value, request.lease
    prev_kv = None
    if request.prev_kv or request.ignore_value or request.ignore_lease:
        pairs = txn.range(RangeQuery(key=request.key)).kvs
        if pairs:
            previous = KeyValue.decode(pairs[0])
            value = previous.value if request.ignore_value else value
            lease = previous.lease if request.ignore_lease else lease
            prev_kv = bytes(pairs[0]) if request.prev_kv else None
    return PutResult(txn.put(request.key, value, lease), prev_kv)


def delete_range(txn: WriteTxn, request: DeleteRangeRequest) -> DeleteRangeResult:
    """Delete keys, reading the pairs first where they are asked for."""
    prev_kvs: Sequence[bytes | memoryview] = []
    if request.prev_kv:
        query = RangeQuery(key=request.key, range_end=request.range_end)
        prev_kvs = txn.range(query).own().kvs
    deleted, revision = txn.delete_range(request.key, request.range_end)
    return DeleteRangeResult(revision, deleted, prev_kvs)
