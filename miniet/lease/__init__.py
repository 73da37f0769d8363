"""Leases: keys that go away by themselves when their owner stops renewing.

```
grant, revoke ──► Lessor ──► leases: id -> Lease ──► its keys ◄─┐ the same bytes
attach, detach ─►    │   ──► holder_of_key: key -> Lease ◄──────┘
renew ──────────►    │   ──► LeaseExpiredNotifier: id -> element of the expiry heap
                     │            (earliest first) ──► take_expired()
                     └─────► checkpoint heap ──► take_checkpoints()
```

**Definitions.** *Primary*: the lessor of the raft leader; only there time runs.
*Expired*: the time is over, the lease still exists. *Revoked*: gone with its keys,
on every member, because a revoke was applied from the log. Expiry is therefore a
proposal, not an effect: `take_expired` names the leases, the caller proposes their
revocation, and a lease that is not revoked comes up again after the retry interval.
*Checkpoint*: the rest of a long TTL, written to the log every five minutes so that a
change of leader does not start it anew.

**Invariants** (all tested by `_check`).

- A key is held by at most one lease, and both maps name the same one.
- Primary: every lease has exactly one heap element, at its expiry or, while its
  revocation is awaited, later. Not primary: both heaps are empty, no lease has time.
- No lease has a TTL below the minimum.

**What is kept in memory**, all of it allocated here: per lease a `Lease`, its id and
time, an entry of the map by id, and on the primary a heap element with its slot and
its map entry; per lease with keys a set; per key one copy of the key, a slot in that
set and an entry of the map by key. A revoked lease leaves its heap element until
that is the earliest: `heap_element_count` beyond `lease_count` are those.
CPython's sets and dicts shrink only when they are rebuilt, as Go's maps never do.

**Differences from etcd.** No goroutine and no lock: the caller calls `take_expired`
and `take_checkpoints` twice a second. Waiting for the revocation of an expired lease
is the caller's (etcd keeps a channel per lease, 96 bytes, for it). The set of keys is
made with the first key (etcd: with the lease). A promotion schedules one checkpoint
per lease, where etcd may schedule two for a lease that it pushed back. Time is
the monotonic clock alone; etcd 3.4 orders its heap by the wall clock.
"""

from miniet.lease.errors import (
    LeaseExistsError,
    LeaseExpiredError,
    LeaseNotFoundError,
    LeaseTtlTooLargeError,
    NotPrimaryError,
)
from miniet.lease.lease import FOREVER_REMAINING_S, LEASE_TTL_S_MAX, Lease
from miniet.lease.lessor import Lessor
from miniet.lease.ports import LeaseStore, RangeDeleter
from miniet.lease.statistics import LeaseStatistics

__all__ = [
    "FOREVER_REMAINING_S",
    "LEASE_TTL_S_MAX",
    "Lease",
    "LeaseExistsError",
    "LeaseExpiredError",
    "LeaseNotFoundError",
    "LeaseStatistics",
    "LeaseStore",
    "LeaseTtlTooLargeError",
    "Lessor",
    "NotPrimaryError",
    "RangeDeleter",
]
