"""lease: TTLs, the expiry heap, renewal, promotion, revocation, checkpoints."""

from functools import partial

from tests.mutations.mutation import Mutation

_UNIT = "tests/unit/lease/"

_lessor = partial(
    Mutation, file="miniet/lease/lessor.py", tests=(_UNIT + "test_lessor.py",)
)
_queue = partial(
    Mutation, file="miniet/lease/lease_queue.py", tests=(_UNIT + "test_lease_queue.py",)
)
_lease = partial(
    Mutation,
    file="miniet/lease/lease.py",
    tests=(_UNIT + "test_lease.py", _UNIT + "test_lessor.py"),
)

MUTATIONS = (
    _lessor(
        name="lease/min-ttl",
        breaks="a TTL below the minimum is granted",
        old="lease = Lease(lease_id, max(ttl_s, self._min_ttl_s))\n",
        new="lease = Lease(lease_id, max(ttl_s, 1))\n",
    ),
    _lessor(
        name="lease/min-ttl-at-restore",
        breaks="a TTL below the minimum comes back from the store",
        old="max(ttl_s, self._min_ttl_s), remaining_ttl_s)",
        new="ttl_s, remaining_ttl_s)",
    ),
    _lessor(
        name="lease/renew-nothing",
        breaks="a renewal is answered and not done",
        old="        self._refresh(lease, now_s)\n        self._renewed_total",
        new="        self._renewed_total",
    ),
    _lessor(
        name="lease/renew-leaves-heap",
        breaks="a renewed lease is handed out at its old time",
        old="        self._refresh(lease, now_s)\n        self._renewed_total",
        new="        lease.refresh(now_s)\n        self._renewed_total",
    ),
    _lessor(
        name="lease/renew-expired",
        breaks="a lease that ran out can be renewed",
        old="        if lease.has_expired(now_s):\n            raise LeaseExpiredError",
        new="        if lease.has_expired(now_s - 1):\n"
        "            raise LeaseExpiredError",
    ),
    _lessor(
        name="lease/promote-extension",
        breaks="a new leader gives no time for the election",
        old="            lease.refresh(now_s, extend_s)\n        spread",
        new="            lease.refresh(now_s)\n        spread",
    ),
    _lessor(
        name="lease/promote-heap",
        breaks="a new leader does not look at the leases it takes over",
        old="(lease.id, lease.expiry_s) for lease in",
        new="(lease.id, lease.expiry_s + 60) for lease in",
    ),
    _lessor(
        name="lease/demote-keeps-time",
        breaks="time runs on after a demotion",
        old="            lease.stop()\n",
        new="            pass\n",
    ),
    _lessor(
        name="lease/revoke-leaves-record",
        breaks="a revoked lease is there again after a start",
        old="        self._store.delete(lease_id)\n",
        new="",
    ),
    _lessor(
        name="lease/revoke-leaves-keys",
        breaks="keys outlive their revoked lease",
        old="            self.range_deleter.delete_keys(keys)\n",
        new="",
    ),
    _lessor(
        name="lease/attach-twice",
        breaks="a key that changes its lease stays with the old one, too",
        old="            self.detach(holder.id, key)\n",
        new="            pass\n",
    ),
    _lessor(
        name="lease/detach-from-another",
        breaks="a key is detached from a lease that does not hold it",
        old="if lease is None or lease.id != lease_id:\n            return\n"
        "        del self._holder",
        new="if lease is None:\n            return\n        del self._holder",
    ),
    _lessor(
        name="lease/expired-again-at-once",
        breaks="a lease handed out comes up again without a pause",
        old="            self._notifier.register_or_update(lease_id, retry_s)\n",
        new="            self._notifier.register_or_update(lease_id, now_s + 0.001)\n",
    ),
    _lessor(
        name="lease/checkpoint-of-full-ttl",
        breaks="a lease just renewed is checkpointed",
        old="            if remaining_s < lease.ttl_s:\n",
        new="            if remaining_s <= lease.ttl_s:\n",
    ),
    _lessor(
        name="lease/count-expired",
        breaks="leases that ran out are not counted",
        old="            self._expired_total += 1\n",
        new="            pass\n",
    ),
    _lessor(
        name="lease/count-keyed",
        breaks="a lease that lost its last key still counts as keyed",
        old="        if not lease.key_count:\n"
        "            self._keyed_lease_count -= 1\n",
        new="",
    ),
    _queue(
        name="lease/heap-down",
        breaks="the heap follows the later of two children",
        old="heap[below + 1].time_s < child.time_s:",
        new="heap[below + 1].time_s > child.time_s:",
    ),
    _queue(
        name="lease/heap-up",
        breaks="an earlier element does not rise",
        old="            if parent.time_s <= time_s:\n",
        new="            if parent.time_s >= time_s:\n",
    ),
    _queue(
        name="lease/heap-move-up",
        breaks="an element that becomes earlier stays where it is",
        old="            self._sift_up(element)\n\n    def fill",
        new="            pass\n\n    def fill",
    ),
    _lease(
        name="lease/expiry-boundary",
        breaks="a lease lives on at the very moment of its expiry",
        old="return self.expiry_s <= now_s",
        new="return self.expiry_s < now_s",
    ),
    _lease(
        name="lease/checkpoint-ignored",
        breaks="a new leader grants the whole TTL instead of the rest",
        old="return self.remaining_ttl_s or self.ttl_s",
        new="return self.ttl_s",
    ),
    _lease(
        name="lease/revoke-order",
        breaks="keys of a lease are deleted from the last to the first",
        old="return sorted(self._keys or ())",
        new="return sorted(self._keys or (), reverse=True)",
    ),
)
