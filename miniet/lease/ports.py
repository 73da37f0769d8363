"""What the lessor needs from others, as protocols."""

from collections.abc import Iterable, Iterator
from typing import Protocol


class LeaseStore(Protocol):
    """Where leases are kept across restarts (bucket `lease` of the backend)."""

    def save(self, lease_id: int, ttl_s: int, remaining_ttl_s: int) -> None:
        """Write or overwrite one lease."""
        ...

    def delete(self, lease_id: int) -> None:
        """Remove one lease."""
        ...

    def load(self) -> Iterator[tuple[int, int, int]]:
        """Walk all kept leases as (id, ttl_s, remaining_ttl_s)."""
        ...


class RangeDeleter(Protocol):
    """The store as the lessor sees it: deletes the keys of a revoked lease."""

    def delete_keys(self, keys: Iterable[bytes]) -> None:
        """Delete `keys` in the given order, all in one main revision.

        Keys that do not exist are skipped; none existing: no new revision. Each
        deletion detaches its key from its lease.
        """
        ...
