"""`Lessor`: grants, renews and revokes leases, and says which ran out."""

from collections.abc import Callable
from heapq import heappop, heappush
from math import ceil, inf
from typing import Final

from miniet.clock import Clock
from miniet.errors import InvariantError
from miniet.lease.errors import (
    LeaseExistsError,
    LeaseExpiredError,
    LeaseNotFoundError,
    LeaseTtlTooLargeError,
    NotPrimaryError,
)
from miniet.lease.lease import LEASE_TTL_S_MAX, Lease
from miniet.lease.lease_queue import LeaseExpiredNotifier
from miniet.lease.ports import LeaseStore, RangeDeleter
from miniet.lease.promotion import REVOKE_RATE, spread_pile_ups
from miniet.lease.statistics import LeaseStatistics

CHECKPOINT_BATCH: Final = 1000
"""Leases per checkpoint proposal."""


class Lessor:
    """All leases of one member, and which keys they hold.

    What changes leases on every member (`grant`, `revoke`, `checkpoint`, `attach`,
    `detach`) is called while applying the log. Time runs on the primary alone:
    `promote` starts it, `demote` stops it.

    Args:
        clock: only its monotonic reading is used.
        store: where granted leases survive a restart; written, never read again
            after `restore`.
        min_ttl_s: shorter TTLs are raised to it.
        checkpoint_interval_s: a lease with more time left than this is due for a
            checkpoint that much later.
        checkpoints: schedule checkpoints at all.
        persist_checkpoints: write a checkpointed rest to the store.
        expired_retry_interval_s: when an expired lease that was handed out and not
            revoked is handed out again.
    Source: etcd v3.4.9 lease/lessor.go; checkpoints as in v3.4.20 and later.
    """

    def __init__(
        self,
        clock: Clock,
        store: LeaseStore,
        *,
        min_ttl_s: int = 2,
        checkpoint_interval_s: float = 300.0,
        checkpoints: bool = False,
        persist_checkpoints: bool = False,
        expired_retry_interval_s: float = 7.0,
    ) -> None:
        self._now_s: Callable[[], float] = clock.monotonic_s
        self._store = store
        self._min_ttl_s = min_ttl_s
        self._checkpoint_interval_s = checkpoint_interval_s
        self._checkpoints = checkpoints
        self._persist_checkpoints = persist_checkpoints
        self._expired_retry_interval_s = expired_retry_interval_s

        self.range_deleter: RangeDeleter | None = None
        """The store of keys; set once both exist, before the first `revoke`."""

        self._granted_total = 0
        self._revoked_total = 0
        self._renewed_total = 0
        self._expired_total = 0
        self._is_primary = False
        self._clear()

    def _clear(self) -> None:
        self._leases: dict[int, Lease] = {}
        self._holder_of_key: dict[bytes, Lease] = {}
        # Invariant: primary: one element for each lease, at its expiry, or later
        # while its revocation is awaited. Not primary: empty.
        self._notifier = LeaseExpiredNotifier()
        # A heapq of (when, lease id). Not primary: empty.
        self._checkpoint_heap: list[tuple[float, int]] = []
        self._keyed_lease_count = 0
        self._attached_key_bytes = 0
        # Invariant: the largest sizes that the two maps have had.
        self._lease_count_max = 0
        self._attached_key_count_max = 0

    def restore(self) -> None:
        """Forget everything, then take over what the store holds.

        No time runs until `promote`. Keys are attached later, by the store of keys
        while it restores itself.
        """
        self.reset()
        for lease_id, ttl_s, remaining_ttl_s in self._store.load():
            lease = Lease(lease_id, max(ttl_s, self._min_ttl_s), remaining_ttl_s)
            self._leases[lease.id] = lease
        self._lease_count_max = len(self._leases)

    def reset(self) -> None:
        """Forget all leases and keys and stop being primary; the store stays."""
        self._is_primary = False
        self._clear()

    # ---- applied from the log, on every member

    def grant(self, lease_id: int, ttl_s: int) -> Lease:
        """Add a lease and write it to the store.

        Args:
            lease_id: int64, not 0; negative ids are ids like others.
            ttl_s: whole seconds; raised to the minimum, so 0 and below are fine.
        Returns:
            The lease, with the TTL it really got. Read it, do not change it.
        Raises:
            LeaseNotFoundError: the id is 0.
            LeaseTtlTooLargeError: more than `LEASE_TTL_S_MAX`.
            LeaseExistsError: the id is in use.
        Cost: O(log leases).
        """
        if lease_id == 0:
            raise LeaseNotFoundError(lease_id)
        if ttl_s > LEASE_TTL_S_MAX:
            raise LeaseTtlTooLargeError(ttl_s)
        if lease_id in self._leases:
            raise LeaseExistsError(lease_id)
        lease = Lease(lease_id, max(ttl_s, self._min_ttl_s))
        self._store.save(lease.id, lease.ttl_s, 0)
        self._leases[lease.id] = lease
        self._lease_count_max = max(self._lease_count_max, len(self._leases))
        self._granted_total += 1
        if self._is_primary:
            now_s = self._now_s()
            self._refresh(lease, now_s)
            self._schedule_checkpoint(lease, now_s)
        return lease

    def revoke(self, lease_id: int) -> None:
        """Delete the keys of a lease, then the lease and its record.

        The keys go to `range_deleter` in byte order, in one call, so in one main
        revision. Its element in the expiry heap stays until its time comes.

        Raises:
            LeaseNotFoundError: no such lease; nothing was deleted.
        """
        lease = self._leases.get(lease_id)
        if lease is None:
            raise LeaseNotFoundError(lease_id)
        if keys := lease.sorted_keys():
            if self.range_deleter is None:
                raise InvariantError("revoke before the range deleter was set")
            self.range_deleter.delete_keys(keys)
            # Each deletion detached its key; left are keys that did not exist.
            for key in lease.sorted_keys():
                self.detach(lease_id, key)
        del self._leases[lease_id]
        self._store.delete(lease_id)
        self._revoked_total += 1
        if lease.has_expired(self._now_s()):
            self._expired_total += 1

    def checkpoint(self, lease_id: int, remaining_ttl_s: int) -> None:
        """Note how much of its TTL a lease has left, 0 for all; unknown ids pass."""
        lease = self._leases.get(lease_id)
        if lease is None:
            return
        lease.remaining_ttl_s = remaining_ttl_s
        if self._persist_checkpoints:
            self._store.save(lease.id, lease.ttl_s, remaining_ttl_s)
        if self._is_primary:
            self._schedule_checkpoint(lease, self._now_s())

    def attach(self, lease_id: int, key: bytes) -> None:
        """Bind `key` to a lease, taking it from another that holds it.

        Raises:
            LeaseNotFoundError: no such lease; the key stays where it was.
        Memory: one copy of the key, shared by both maps. Cost: O(1).
        """
        lease = self._leases.get(lease_id)
        if lease is None:
            raise LeaseNotFoundError(lease_id)
        holder = self._holder_of_key.get(key)
        if holder is lease:
            return
        if holder is not None:
            self.detach(holder.id, key)
        kept = bytes(memoryview(key))
        if not lease.key_count:
            self._keyed_lease_count += 1
        lease.add_key(kept)
        self._holder_of_key[kept] = lease
        self._attached_key_bytes += len(kept)
        if len(self._holder_of_key) > self._attached_key_count_max:
            self._attached_key_count_max = len(self._holder_of_key)

    def detach(self, lease_id: int, key: bytes) -> None:
        """Unbind `key`; nothing happens if that lease does not hold it."""
        lease = self._holder_of_key.get(key)
        if lease is None or lease.id != lease_id:
            return
        del self._holder_of_key[key]
        lease.discard_key(key)
        self._attached_key_bytes -= len(key)
        if not lease.key_count:
            self._keyed_lease_count -= 1

    # ---- questions

    def lease_of(self, key: bytes) -> int:
        """Return the lease that holds `key`, 0 for none."""
        lease = self._holder_of_key.get(key)
        return 0 if lease is None else lease.id

    def lookup(self, lease_id: int) -> Lease | None:
        """Return a lease, expired or not; read it, do not change it."""
        return self._leases.get(lease_id)

    def leases(self) -> list[Lease]:
        """Return all leases, least remaining time first; not primary: as granted."""
        return sorted(self._leases.values(), key=lambda lease: lease.expiry_s)

    def time_to_live(
        self, lease_id: int, keys: bool
    ) -> tuple[int, int, list[bytes]] | None:
        """Tell what a lease has left.

        Args:
            keys: list the attached keys too, in byte order.
        Returns:
            (remaining, granted, keys): whole seconds, remaining cut towards zero, so
            0 or below for a lease that awaits its revocation. None: no such lease.
        """
        lease = self._leases.get(lease_id)
        if lease is None:
            return None
        remaining_s = lease.remaining_s(self._now_s())
        return remaining_s, lease.ttl_s, lease.sorted_keys() if keys else []

    # ---- time, on the primary

    @property
    def is_primary(self) -> bool:
        """Whether the time of leases runs here."""
        return self._is_primary

    def promote(self, extend_s: float) -> None:
        """Let time run: every lease gets its full TTL and `extend_s` more from now.

        Args:
            extend_s: one election timeout, for clients that could not renew while
                there was no leader.
        Cost: O(n log n) for n leases, the sorting in C; 0.7 s for 300,000.
        """
        self._is_primary = True
        now_s = self._now_s()
        for lease in self._leases.values():
            lease.refresh(now_s, extend_s)
        spread_pile_ups(self.leases(), now_s, extend_s)
        self._checkpoint_heap.clear()
        for lease in self._leases.values():
            self._schedule_checkpoint(lease, now_s)
        self._notifier.fill(
            (lease.id, lease.expiry_s) for lease in self._leases.values()
        )

    def demote(self) -> None:
        """Stop time: nothing expires here any more, nothing can be renewed."""
        self._is_primary = False
        for lease in self._leases.values():
            lease.stop()
        self._notifier = LeaseExpiredNotifier()
        self._checkpoint_heap.clear()

    def needs_checkpoint_reset(self, lease_id: int) -> bool:
        """Tell whether `checkpoint(lease_id, 0)` must be applied before `renew`.

        If not, a renewal would grant the checkpointed rest instead of the TTL.
        """
        lease = self._leases.get(lease_id)
        return self._checkpoints and lease is not None and lease.remaining_ttl_s > 0

    def renew(self, lease_id: int) -> int:
        """Let a lease live its full TTL from now on.

        Returns:
            The TTL granted, in seconds.
        Raises:
            NotPrimaryError: time does not run on this member.
            LeaseNotFoundError: no such lease.
            LeaseExpiredError: too late; wait for its `revoke`, or for `demote`.
        Cost: O(log leases).
        """
        if not self._is_primary:
            raise NotPrimaryError
        lease = self._leases.get(lease_id)
        if lease is None:
            raise LeaseNotFoundError(lease_id)
        now_s = self._now_s()
        if lease.has_expired(now_s):
            raise LeaseExpiredError(lease_id)
        self._refresh(lease, now_s)
        self._renewed_total += 1
        return lease.ttl_s

    def take_expired(self, limit: int = REVOKE_RATE // 2) -> list[int]:
        """Return the leases to revoke now, earliest first; call it each 500 ms.

        A lease comes up again after the retry interval until it is revoked. Elements
        of revoked leases that come to the top of the heap are dropped on the way.

        Cost: O(log n) for each lease returned or element dropped.
        """
        now_s = self._now_s()
        retry_s = now_s + self._expired_retry_interval_s
        expired: list[int] = []
        while len(expired) < limit and (first := self._notifier.peek()) is not None:
            lease_id, time_s = first
            lease = self._leases.get(lease_id)
            if lease is None:
                self._notifier.unregister()
                continue
            if time_s > now_s:
                break
            self._notifier.register_or_update(lease_id, retry_s)
            expired.append(lease_id)
        return expired

    def take_checkpoints(self, limit: int = CHECKPOINT_BATCH) -> list[tuple[int, int]]:
        """Return the checkpoints to propose now, as (lease id, remaining seconds).

        Call it every 500 ms, and again as long as it returns `limit` of them. The
        next checkpoint of a lease is scheduled when this one is applied; one renewed
        so lately that its rest rounds up to the whole TTL is left out, and (as in
        etcd) has no next checkpoint before the next promotion.
        """
        now_s = self._now_s()
        due: list[tuple[int, int]] = []
        heap = self._checkpoint_heap
        while heap and len(due) < limit and heap[0][0] <= now_s:
            _, lease_id = heappop(heap)
            lease = self._leases.get(lease_id)
            if lease is None or lease.has_expired(now_s):
                continue
            remaining_s = ceil(lease.expiry_s - now_s)
            if remaining_s < lease.ttl_s:
                due.append((lease_id, remaining_s))
        return due

    def _refresh(self, lease: Lease, now_s: float) -> None:
        lease.refresh(now_s)
        self._notifier.register_or_update(lease.id, lease.expiry_s)

    def _schedule_checkpoint(self, lease: Lease, now_s: float) -> None:
        if self._checkpoints and lease.full_ttl_s > self._checkpoint_interval_s:
            due_s = now_s + self._checkpoint_interval_s
            heappush(self._checkpoint_heap, (due_s, lease.id))

    # ---- what is here

    def statistics(self) -> LeaseStatistics:
        """Return counts and totals. Cost: O(1)."""
        return LeaseStatistics(
            is_primary=self._is_primary,
            lease_count=len(self._leases),
            lease_count_max=self._lease_count_max,
            keyed_lease_count=self._keyed_lease_count,
            attached_key_count=len(self._holder_of_key),
            attached_key_count_max=self._attached_key_count_max,
            attached_key_bytes=self._attached_key_bytes,
            heap_element_count=len(self._notifier),
            checkpoint_element_count=len(self._checkpoint_heap),
            granted_total=self._granted_total,
            revoked_total=self._revoked_total,
            renewed_total=self._renewed_total,
            expired_total=self._expired_total,
        )

    def _check(self) -> None:
        """Recompute everything; raise InvariantError where it does not agree."""
        self._notifier._check()
        held: dict[bytes, Lease] = {}
        for lease_id, lease in self._leases.items():
            if lease.id != lease_id or lease.ttl_s < self._min_ttl_s:
                raise InvariantError(f"{lease!r} under id {lease_id:#x}")
            if lease._keys == set():
                raise InvariantError(f"{lease!r} keeps an empty set")
            for key in lease.sorted_keys():
                if held.setdefault(key, lease) is not lease:
                    raise InvariantError(f"{key!r} is held by two leases")
            self._check_time(lease)
        if held != self._holder_of_key:
            raise InvariantError("the two maps of keys differ")
        if self._keyed_lease_count != len({lease.id for lease in held.values()}):
            raise InvariantError(f"{self._keyed_lease_count} leases with keys")
        if self._attached_key_bytes != sum(map(len, held)):
            raise InvariantError(f"{self._attached_key_bytes} bytes of keys")
        if self._lease_count_max < len(self._leases):
            raise InvariantError(f"{self._lease_count_max} leases at the most")
        if self._attached_key_count_max < len(held):
            raise InvariantError(f"{self._attached_key_count_max} keys at the most")
        if not self._is_primary and (self._notifier or self._checkpoint_heap):
            raise InvariantError("a heap is in use, but this is not the primary")

    def _check_time(self, lease: Lease) -> None:
        time_s = self._notifier.time_of(lease.id)
        if self._is_primary:
            if time_s is None or time_s < lease.expiry_s or lease.expiry_s == inf:
                raise InvariantError(f"{lease!r} is looked at {time_s}")
        elif lease.expiry_s != inf:
            raise InvariantError(f"{lease!r} has time, but this is not the primary")

    def __repr__(self) -> str:
        primary = "primary " if self._is_primary else ""
        return (
            f"<Lessor {primary}leases={len(self._leases)} "
            f"keys={len(self._holder_of_key)} heap={len(self._notifier)}>"
        )
