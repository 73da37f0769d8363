"""One lease: how long it lives and which keys die with it."""

from math import inf
from typing import Final

LEASE_TTL_S_MAX: Final = 9_000_000_000
"""Longest TTL that may be asked for; in nanoseconds it still fits an int64."""

FOREVER_REMAINING_S: Final = 9_223_372_036
"""Remaining time shown where none runs: etcd's longest duration, whole seconds."""


class Lease:
    """A lease as the lessor keeps it; everyone else only reads.

    The empty set of keys is not allocated: most leases hold no key or one, and an
    empty set costs 216 bytes, more than all the rest of a lease.

    Memory: 72 bytes, its id and its time; a set once it holds a key.
    """

    __slots__ = ("_keys", "expiry_s", "id", "remaining_ttl_s", "ttl_s")

    def __init__(self, lease_id: int, ttl_s: int, remaining_ttl_s: int = 0) -> None:
        # A sum is a new int: kept here, so allocated here, where the caller's would
        # be booked to whoever decoded the request.
        self.id = lease_id + 0  # int64, not 0
        self.ttl_s = ttl_s + 0  # granted, whole seconds, at least the minimum
        self.remaining_ttl_s = remaining_ttl_s  # of the last checkpoint, 0: none
        self.expiry_s = inf  # monotonic clock; inf: no time runs on this member
        self._keys: set[bytes] | None = None  # Invariant: None, never empty

    @property
    def full_ttl_s(self) -> int:
        """What a renewal grants: the checkpointed rest, or the whole TTL."""
        return self.remaining_ttl_s or self.ttl_s

    @property
    def key_count(self) -> int:
        """Number of keys attached."""
        return 0 if self._keys is None else len(self._keys)

    def sorted_keys(self) -> list[bytes]:
        """Return the attached keys in byte order."""
        return sorted(self._keys or ())

    def add_key(self, key: bytes) -> None:
        """Attach `key`, which the caller allocated for keeping."""
        if self._keys is None:
            self._keys = {key}
        else:
            self._keys.add(key)

    def discard_key(self, key: bytes) -> None:
        """Detach `key`, which must be attached."""
        assert self._keys is not None
        self._keys.remove(key)
        if not self._keys:
            self._keys = None

    def refresh(self, now_s: float, extend_s: float = 0.0) -> None:
        """Let it live its full TTL and `extend_s` more from now on."""
        self.expiry_s = now_s + extend_s + self.full_ttl_s

    def stop(self) -> None:
        """Let no time run."""
        self.expiry_s = inf

    def has_expired(self, now_s: float) -> bool:
        """Tell whether its time has run out; it is gone only when revoked."""
        return self.expiry_s <= now_s

    def remaining_s(self, now_s: float) -> int:
        """Return the whole seconds left, cut towards zero; below zero when overdue."""
        if self.expiry_s == inf:
            return FOREVER_REMAINING_S
        return int(self.expiry_s - now_s)

    def __repr__(self) -> str:
        return f"<Lease {self.id:#x} ttl={self.ttl_s}s keys={self.key_count}>"
