"""Ids for requests and leases, unique over members and restarts."""

from collections.abc import Callable
from typing import Final

_SUFFIX_BITS: Final = 48
_SUFFIX_MASK: Final = (1 << _SUFFIX_BITS) - 1


class RequestIds:
    """64-bit ids: 16 bits of the member, then a count that starts at the time.

    The count starts at milliseconds x 256, so it runs over into the time part
    by design; ids repeat only if a member made more than 256,000 a second on average
    since its last start. Source: etcd v3.4.9 pkg/idutil/id.go.
    """

    def __init__(self, member_id: int, unix_s: float) -> None:
        self._prefix = (member_id & 0xFFFF) << _SUFFIX_BITS
        self._suffix = int(unix_s * 1000) << 8  # `next` cuts it to its bits

    def next(self) -> int:
        """Return the next id."""
        self._suffix = (self._suffix + 1) & _SUFFIX_MASK
        return self._prefix | self._suffix

    def next_lease_id(self, is_taken: Callable[[int], object]) -> int:
        """Return the next id that fits a positive int64 and that no lease has.

        After a wall clock that was set back, one may; etcd refuses the grant then.
        """
        while True:
            lease_id = self.next() & (1 << 63) - 1
            if lease_id and not is_taken(lease_id):
                return lease_id
