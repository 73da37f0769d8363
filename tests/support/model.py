"""A tiny etcd, written to be read: what the real structures are held against.

It is a dictionary: key -> all changes that were ever made to it. Nothing is
forgotten, nothing is indexed, every answer is found by walking over everything. It
imports nothing of miniet, so a mistake there cannot be made here by the same line.

    model = Model()
    model.put(Put(b"a", b"1"))                  # PutAnswer(revision=2, previous=None)
    model.range(Range(b"a")).pairs              # [Change(revision=2, ...)]
    model.compact(2)                            # from now on reads below 2 are refused

Rules are those of etcd 3.4. Left to the caller: what a server refuses before it
looks at its data (an empty key, a txn that puts a key twice) and when to expire a
lease: `expired` names those whose time is over, `revoke` ends one.

What a compaction may leave is in `tests.support.retained`.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from tests.support.model_api import (
    Answer,
    Change,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteAnswer,
    DeleteRange,
    Put,
    PutAnswer,
    Range,
    RangeAnswer,
    Refusal,
    Refused,
    SortOrder,
    SortTarget,
    Txn,
    TxnAnswer,
    Watch,
)


@dataclass
class Lease:
    """`remaining_ttl_s` 0: all of it. `expiry_s` None: no time runs."""

    ttl_s: int
    remaining_ttl_s: int = 0
    expiry_s: float | None = None


LEASE_TTL_S_MAX = 9_000_000_000


def in_range(key: bytes, start: bytes, end: bytes) -> bool:
    """Tell whether [start, end) holds `key`; end empty: one key; 0: no end."""
    if not end:
        return key == start
    return key >= start and (end == b"\x00" or key < end)


@dataclass
class Model:
    """The whole state. Read any field; change it by the methods alone.

    histories: key -> its changes, oldest first; of a key never put there is none.
    compactions: the revisions of all that were accepted, ascending.
    leases: those granted and not revoked.
    now_s: what the clock says; move it forward as you like.
    is_primary: whether the time of leases runs here.
    """

    min_ttl_s: int = 2
    revision: int = 1
    histories: dict[bytes, list[Change]] = field(default_factory=dict)
    compactions: list[int] = field(default_factory=list)
    leases: dict[int, Lease] = field(default_factory=dict)
    now_s: float = 0.0
    is_primary: bool = False

    def copy(self) -> "Model":
        """Return a state of its own, to be led elsewhere."""
        return copy.deepcopy(self)

    @property
    def compact_revision(self) -> int:
        """The oldest revision that can be read; -1 before the first compaction."""
        return self.compactions[-1] if self.compactions else -1

    # ---- what there is

    def pair(self, key: bytes, at: int) -> Change | None:
        """Return what a reader at revision `at` sees of `key`."""
        seen = [c for c in self.histories.get(key, []) if c.revision <= at]
        return None if not seen or seen[-1].is_deletion else seen[-1]

    def pairs(
        self, at: int, key: bytes = b"\x00", end: bytes = b"\x00"
    ) -> list[Change]:
        """Return what a reader at `at` sees of a range, in key order."""
        keys = sorted(k for k in self.histories if in_range(k, key, end))
        return [pair for k in keys if (pair := self.pair(k, at)) is not None]

    def changes(self) -> list[Change]:
        """Return all changes ever made, in order."""
        every = [c for history in self.histories.values() for c in history]
        return sorted(every, key=lambda c: (c.revision, c.sub))

    # ---- requests

    def range(self, request: Range) -> RangeAnswer:
        """Answer a range outside of a txn."""
        at = request.revision if request.revision > 0 else self.revision
        self._check_readable(at)
        return self._range(request, self.revision)

    def put(self, request: Put) -> PutAnswer:
        """Carry out a put; alone it is asked for its lease before its key."""
        if request.lease and request.lease not in self.leases:
            raise Refused(Refusal.LEASE_NOT_FOUND)
        return self._alone(request)

    def delete_range(self, request: DeleteRange) -> DeleteAnswer:
        """Carry out a deletion."""
        return self._alone(request)

    def _alone(self, request: Put | DeleteRange) -> Any:
        [answer] = self.txn(Txn(success=(request,))).answers
        return answer

    def txn(self, request: Txn) -> TxnAnswer:
        """Choose, check, then carry out; refused means that nothing was written."""
        chosen = self._choose(request)
        steps = list(_flat(chosen))
        self._check_puts(steps)
        self._check_ranges(steps)
        begin, changes = self.revision, list[Change]()
        answer = self._run(chosen, changes)
        if changes:
            self.revision = begin + 1
        return replace(answer, revision=self.revision)

    def compact(self, revision: int) -> int:
        """Give up what is before `revision`; returns the current revision."""
        if revision <= self.compact_revision:
            raise Refused(Refusal.COMPACTED)
        if revision > self.revision:
            raise Refused(Refusal.FUTURE_REVISION)
        self.compactions.append(revision)
        return self.revision

    # ---- txn: all choices and all checks are made on the state before it

    def _choose(self, txn: Txn) -> tuple[bool, list[Any]]:
        holds = all(self._holds(compare) for compare in txn.compare)
        operations = txn.success if holds else txn.failure
        return holds, [self._choose(o) if isinstance(o, Txn) else o for o in operations]

    def _holds(self, compare: Compare) -> bool:
        pairs = self.pairs(self.revision, compare.key, compare.range_end)
        if not pairs:
            # Numbers of a key that is not there are 0; a value it has not.
            nothing = Change(0, 0, compare.key, b"")
            return compare.target != CompareTarget.VALUE and _matches(nothing, compare)
        return all(_matches(pair, compare) for pair in pairs)

    def _check_puts(self, steps: "list[Put | DeleteRange | Range]") -> None:
        for position, step in enumerate(steps):
            if not isinstance(step, Put):
                continue
            lease = step.lease
            if step.ignore_value or step.ignore_lease:
                pair = self.pair(step.key, self.revision)
                if pair is None or any(
                    in_range(step.key, before.key, before.range_end)
                    for before in steps[:position]
                    if isinstance(before, DeleteRange)
                ):
                    raise Refused(Refusal.KEY_NOT_FOUND)
                lease = pair.lease if step.ignore_lease else lease
            if lease and lease not in self.leases:
                raise Refused(Refusal.LEASE_NOT_FOUND)

    def _check_ranges(self, steps: "list[Put | DeleteRange | Range]") -> None:
        for step in steps:
            # Taken literally here: negative is before everything.
            if isinstance(step, Range) and step.revision != 0:
                self._check_readable(step.revision)

    def _check_readable(self, revision: int) -> None:
        if revision > self.revision:
            raise Refused(Refusal.FUTURE_REVISION)
        if revision < self.compact_revision:
            raise Refused(Refusal.COMPACTED)

    def _run(self, chosen: tuple[bool, list[Any]], changes: list[Change]) -> TxnAnswer:
        succeeded, operations = chosen
        answers: list[Answer] = []
        for operation in operations:
            if isinstance(operation, Put):
                answers.append(self._put(operation, changes))
            elif isinstance(operation, DeleteRange):
                answers.append(self._delete(operation, changes))
            elif isinstance(operation, Range):
                now = self.revision + 1 if changes else self.revision
                answers.append(self._range(operation, now))
            else:
                answers.append(self._run(operation, changes))
        return TxnAnswer(0, succeeded, answers)

    def _put(self, put: Put, changes: list[Change]) -> PutAnswer:
        main = self.revision + 1
        before = self.pair(put.key, main)
        keep = before if before is not None else Change(0, 0, put.key, b"")
        change = Change(
            revision=main,
            sub=len(changes),
            key=put.key,
            value=keep.value if put.ignore_value else put.value,
            create_revision=main if before is None else before.create_revision,
            version=keep.version + 1,
            lease=keep.lease if put.ignore_lease else put.lease,
        )
        self._write(change, changes)
        return PutAnswer(main, before if put.prev_kv else None)

    def _delete(self, delete: DeleteRange, changes: list[Change]) -> DeleteAnswer:
        main = self.revision + 1
        found = self.pairs(main, delete.key, delete.range_end)
        for pair in found:
            self._write(Change(main, len(changes), pair.key, None), changes)
        revision = main if changes else self.revision
        return DeleteAnswer(revision, len(found), found if delete.prev_kv else [])

    def _write(self, change: Change, changes: list[Change]) -> None:
        self.histories.setdefault(change.key, []).append(change)
        changes.append(change)

    def _range(self, query: Range, now: int) -> RangeAnswer:
        at = query.revision if query.revision > 0 else now
        pairs = self.pairs(at, query.key, query.range_end)
        count, limit = len(pairs), query.limit
        if query.count_only:
            return RangeAnswer(now, [], count, False)
        filters: list[tuple[int, Callable[[Change], bool]]] = [
            (query.min_mod_revision, lambda p: p.revision >= query.min_mod_revision),
            (query.max_mod_revision, lambda p: p.revision <= query.max_mod_revision),
            (
                query.min_create_revision,
                lambda p: p.create_revision >= query.min_create_revision,
            ),
            (
                query.max_create_revision,
                lambda p: p.create_revision <= query.max_create_revision,
            ),
        ]
        active = [passes for bound, passes in filters if bound]
        if limit > 0 and not query.sort_order and not active:
            pairs = pairs[: limit + 1]
        pairs = [pair for pair in pairs if all(passes(pair) for passes in active)]
        # Ties stay in key order, which etcd leaves open.
        if query.sort_order or query.sort_target:
            down = query.sort_order == SortOrder.DESCEND
            pairs.sort(key=_SORT_KEYS[query.sort_target], reverse=down)
        more = 0 < limit < len(pairs)
        if limit > 0:
            pairs = pairs[:limit]
        if query.keys_only:
            pairs = [replace(pair, value=b"") for pair in pairs]
        return RangeAnswer(now, pairs, count, more)

    # ---- watches

    def events(self, watch: Watch) -> list[Change]:
        """Return what a watcher has to hear up to now, in order.

        Refused if its start is compacted. One that starts at the compact revision
        itself may miss deletions of that revision: `may_be_missed`.
        """
        if watch.start_revision < self.compact_revision:
            raise Refused(Refusal.COMPACTED)
        return self.wanted(watch)

    def wanted(self, watch: Watch) -> list[Change]:
        """Return all that a watcher asked for, compacted or not."""
        return [
            change
            for change in self.changes()
            if change.revision >= watch.start_revision
            and in_range(change.key, watch.key, watch.range_end)
            and not (watch.no_delete if change.is_deletion else watch.no_put)
        ]

    def may_be_missed(self, change: Change) -> bool:
        """Tell whether a compaction may take the change from one who reads there."""
        return change.is_deletion and change.revision in self.compactions

    # ---- leases

    def keys_of(self, lease_id: int) -> list[bytes]:
        """Return the keys that a lease holds: those last put with it."""
        return [
            pair.key for pair in self.pairs(self.revision) if pair.lease == lease_id
        ]

    def grant(self, lease_id: int, ttl_s: int) -> int:
        """Add a lease; returns the TTL that it really gets."""
        if lease_id == 0:
            raise Refused(Refusal.LEASE_NOT_FOUND)
        if ttl_s > LEASE_TTL_S_MAX:
            raise Refused(Refusal.LEASE_TTL_TOO_LARGE)
        if lease_id in self.leases:
            raise Refused(Refusal.LEASE_EXISTS)
        lease = self.leases[lease_id] = Lease(max(ttl_s, self.min_ttl_s))
        if self.is_primary:
            self._refresh(lease, 0.0)
        return lease.ttl_s

    def revoke(self, lease_id: int) -> list[bytes]:
        """End a lease, for whatever reason; returns its keys, all deleted at once."""
        self._lease(lease_id)
        keys = self.keys_of(lease_id)
        self.txn(Txn(success=tuple(DeleteRange(key) for key in keys)))
        del self.leases[lease_id]
        return keys

    def renew(self, lease_id: int) -> int:
        """Let a lease live its TTL, or the rest at its last checkpoint, from now."""
        if not self.is_primary:
            raise Refused(Refusal.NOT_PRIMARY)
        lease = self._lease(lease_id)
        if self._is_over(lease):
            raise Refused(Refusal.LEASE_EXPIRED)
        self._refresh(lease, 0.0)
        return lease.ttl_s

    def checkpoint(self, lease_id: int, remaining_ttl_s: int) -> None:
        """Note what a lease had left at some moment; 0: all."""
        if lease_id in self.leases:
            self.leases[lease_id].remaining_ttl_s = remaining_ttl_s

    def promote(self, extend_s: float) -> None:
        """Let time run: every lease anew from now, and a little longer."""
        self.is_primary = True
        for lease in self.leases.values():
            self._refresh(lease, extend_s)

    def demote(self) -> None:
        """Stop time; also what a restart does."""
        self.is_primary = False
        for lease in self.leases.values():
            lease.expiry_s = None

    def expired(self) -> set[int]:
        """Return the leases whose time is over."""
        return {i for i, lease in self.leases.items() if self._is_over(lease)}

    def remaining_s(self, lease_id: int) -> float:
        """Return what a lease has left, below 0 for one that is over."""
        expiry_s = self._lease(lease_id).expiry_s
        assert expiry_s is not None, "no time runs"
        return expiry_s - self.now_s

    def checkpoint_rest_s(self, lease_id: int) -> int | None:
        """Return the rest that a checkpoint notes now; None: it is not worth one."""
        rest_s = ceil(self.remaining_s(lease_id))
        return rest_s if 0 < rest_s < self.leases[lease_id].ttl_s else None

    def _lease(self, lease_id: int) -> Lease:
        if lease_id not in self.leases:
            raise Refused(Refusal.LEASE_NOT_FOUND)
        return self.leases[lease_id]

    def _is_over(self, lease: Lease) -> bool:
        return lease.expiry_s is not None and lease.expiry_s <= self.now_s

    def _refresh(self, lease: Lease, extend_s: float) -> None:
        lease.expiry_s = self.now_s + (lease.remaining_ttl_s or lease.ttl_s) + extend_s


_SORT_KEYS: dict[int, Callable[[Change], Any]] = {
    SortTarget.KEY: lambda pair: pair.key,
    SortTarget.VERSION: lambda pair: pair.version,
    SortTarget.CREATE: lambda pair: pair.create_revision,
    SortTarget.MOD: lambda pair: pair.revision,
    SortTarget.VALUE: lambda pair: pair.value,
}

_COMPARED: dict[int, Callable[[Change], Any]] = {
    CompareTarget.VERSION: lambda pair: pair.version,
    CompareTarget.CREATE: lambda pair: pair.create_revision,
    CompareTarget.MOD: lambda pair: pair.revision,
    CompareTarget.VALUE: lambda pair: pair.value,
    CompareTarget.LEASE: lambda pair: pair.lease,
}

_HOLDS: dict[int, Callable[[Any, Any], bool]] = {
    CompareResult.EQUAL: lambda actual, operand: actual == operand,
    CompareResult.GREATER: lambda actual, operand: actual > operand,
    CompareResult.LESS: lambda actual, operand: actual < operand,
    CompareResult.NOT_EQUAL: lambda actual, operand: actual != operand,
}


def _matches(pair: Change, compare: Compare) -> bool:
    return _HOLDS[compare.result](_COMPARED[compare.target](pair), compare.operand)


def _flat(chosen: tuple[bool, list[Any]]) -> "Iterator[Put | DeleteRange | Range]":
    """Walk the operations that will run, nested ones in their place."""
    for operation in chosen[1]:
        if isinstance(operation, tuple):
            yield from _flat(operation)
        else:
            yield operation
