"""The space quota: how much a write may cost, and when there is none left."""

from typing import Final

from miniet.engine.requests import PutRequest, TxnOp, TxnRequest

DEFAULT_QUOTA_BYTES: Final = 2 * 1024**3
LEASE_GRANT_COST_BYTES: Final = 64
_PUT_OVERHEAD_BYTES: Final = 256


def put_cost_bytes(request: PutRequest) -> int:
    """Return what a put is taken to add to the backend file."""
    return _PUT_OVERHEAD_BYTES + len(request.key) + len(request.value)


def txn_cost_bytes(request: TxnRequest) -> int:
    """Return the cost of the dearer branch; nested txns count nothing, as in 3.4."""
    return max(_puts_cost_bytes(request.success), _puts_cost_bytes(request.failure))


def _puts_cost_bytes(operations: list[TxnOp]) -> int:
    return sum(
        put_cost_bytes(operation)
        for operation in operations
        if isinstance(operation, PutRequest)
    )


class Quota:
    """A bound on the allocated size of the backend file.

    Args:
        quota_bytes: 0 for etcd's default of 2 GiB, negative for none.
    """

    def __init__(self, quota_bytes: int = 0) -> None:
        self.quota_bytes = quota_bytes or DEFAULT_QUOTA_BYTES

    def allows(self, size_bytes: int, cost_bytes: int) -> bool:
        """Tell whether a write of `cost_bytes` fits on top of `size_bytes`."""
        return self.quota_bytes < 0 or size_bytes + cost_bytes < self.quota_bytes
