"""What is refused by looking at a request alone, before anything is proposed.

The checks, and their order, are those of etcd's API layer: they do not
depend on the state, so a request that fails here leaves no trace in the log.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from miniet.engine.errors import (
    DuplicateKeyError,
    EmptyKeyError,
    KeyNotFoundError,
    LeaseProvidedError,
    TooManyOperationsError,
    ValueProvidedError,
)
from miniet.engine.requests import (
    DeleteRangeRequest,
    PutRequest,
    TxnOp,
    TxnRequest,
)
from miniet.mvcc import RangeQuery


def check_put(request: PutRequest) -> None:
    """Raise what etcd answers to a put that contradicts itself."""
    if not request.key:
        raise EmptyKeyError
    if request.ignore_value and request.value:
        raise ValueProvidedError
    if request.ignore_lease and request.lease:
        raise LeaseProvidedError


def check_range(request: RangeQuery | DeleteRangeRequest) -> None:
    """Raise what etcd answers to a range or delete without a key."""
    if not request.key:
        raise EmptyKeyError


def check_txn(request: TxnRequest, operations_max: int) -> None:
    """Check a txn and everything in it.

    Args:
        operations_max: the most comparisons, success or failure operations; a
            nested txn gets what its parent left over.
    Raises:
        TooManyOperationsError, EmptyKeyError, KeyNotFoundError (an operation of
        no kind), ValueProvidedError, LeaseProvidedError, DuplicateKeyError.
    """
    _check_operations(request, operations_max)
    _check_overlaps(request.success)
    _check_overlaps(request.failure)


def _check_operations(request: TxnRequest, operations_max: int) -> None:
    longest = max(len(request.compare), len(request.success), len(request.failure))
    if longest > operations_max:
        raise TooManyOperationsError(longest, operations_max)
    if not all(compare.key for compare in request.compare):
        raise EmptyKeyError
    for operation in (*request.success, *request.failure):
        if isinstance(operation, PutRequest):
            check_put(operation)
        elif isinstance(operation, RangeQuery | DeleteRangeRequest):
            check_range(operation)
        elif isinstance(operation, TxnRequest):
            _check_operations(operation, operations_max - longest)
        else:
            raise KeyNotFoundError(b"")


class _Deletes:
    """The keys that a list of operations deletes, ranges taken literally.

    A `range_end` of one zero byte holds nothing here, as in etcd: a delete "from
    key on" beside a put of a covered key is not found to overlap.

    Cost: O(log n) to look up a key; nested txns can bring 100,000 of both.
    """

    def __init__(self) -> None:
        # Invariant: both ascend, and no interval [start, end) touches another.
        self._starts: list[bytes] = []
        self._ends: list[bytes] = []

    def add(self, start: bytes, end: bytes) -> None:
        if start >= end:
            return
        first = bisect_left(self._ends, start)
        after = bisect_right(self._starts, end)
        if first < after:
            start = min(start, self._starts[first])
            end = max(end, self._ends[after - 1])
        self._starts[first:after] = [start]
        self._ends[first:after] = [end]

    def update(self, other: "_Deletes") -> None:
        for start, end in zip(other._starts, other._ends, strict=True):
            self.add(start, end)

    def __contains__(self, key: bytes) -> bool:
        position = bisect_right(self._starts, key) - 1
        return position >= 0 and key < self._ends[position]


def _check_overlaps(operations: Sequence[TxnOp]) -> tuple[set[bytes], _Deletes]:
    """Refuse two writes of one key in one branch.

    Returns:
        (keys put, intervals deleted) of these operations and all nested ones.
    """
    deletes = _Deletes()
    for operation in operations:
        if isinstance(operation, DeleteRangeRequest):
            end = operation.range_end or operation.key + b"\x00"
            deletes.add(operation.key, end)
    puts: set[bytes] = set()
    for operation in operations:
        if not isinstance(operation, TxnRequest):
            continue
        success_puts, success_deletes = _check_overlaps(operation.success)
        failure_puts, failure_deletes = _check_overlaps(operation.failure)
        # Only one branch of the nested txn runs, so its two may put one key.
        nested = success_puts | failure_puts
        for key in nested:
            if key in puts or key in deletes:
                raise DuplicateKeyError(key)
        puts |= nested
        deletes.update(success_deletes)
        deletes.update(failure_deletes)
    for operation in operations:
        if isinstance(operation, PutRequest):
            if operation.key in puts or operation.key in deletes:
                raise DuplicateKeyError(operation.key)
            puts.add(operation.key)
    return puts, deletes
