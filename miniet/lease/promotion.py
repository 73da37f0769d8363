"""What a new leader does about leases that would all run out at once."""

from collections.abc import Sequence
from typing import Final

from miniet.lease.lease import Lease

REVOKE_RATE: Final = 1000
"""Leases that may expire per second; half of it per 500 ms."""

_WINDOW_EXPIRIES: Final = 3 * REVOKE_RATE // 4
"""Expiries let through per window: a pile must not use up the whole rate."""

_WINDOW_S: Final = 1.0


def spread_pile_ups(leases: Sequence[Lease], now_s: float, extend_s: float) -> None:
    """Push back the expiry of leases that are too many within one second.

    A promotion gives every lease its full TTL from the same moment, so all leases
    of one TTL would end together. Beyond `_WINDOW_EXPIRIES` per window each next
    lease gets a little longer, in proportion to its place in the queue.

    Args:
        leases: just refreshed with the same `now_s` and `extend_s`, sorted by
            expiry. Fewer than `REVOKE_RATE` of them are left as they are.
    Source: etcd v3.4.9 lease/lessor.go, lessor.Promote.
    """
    if len(leases) < REVOKE_RATE:
        return
    base_s = leases[0].expiry_s
    window_end_s = base_s + _WINDOW_S
    expiries = 0
    for lease in leases:
        expiry_s = lease.expiry_s
        if expiry_s > window_end_s:
            base_s, window_end_s, expiries = expiry_s, expiry_s + _WINDOW_S, 1
            continue
        expiries += 1
        if expiries <= _WINDOW_EXPIRIES:
            continue
        delay_s = _WINDOW_S * expiries / _WINDOW_EXPIRIES - (expiry_s - base_s)
        window_end_s = base_s + delay_s
        lease.refresh(now_s, delay_s + extend_s)
