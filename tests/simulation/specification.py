"""The tiny etcd of `tests.support.model` as a specification for linearizability."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from tests.simulation.calls import (
    Call,
    Compact,
    Expire,
    Grant,
    Reached,
    Read,
    Renew,
    Revoke,
    TimeToLive,
    shown,
)
from tests.support.linearizability import Operation, Specification
from tests.support.model import Lease, Model
from tests.support.model_api import (
    Change,
    DeleteRange,
    Put,
    Refusal,
    Refused,
    Txn,
)

Told: TypeAlias = Mapping[int, list[Change]]
"""Revision -> all its changes in order, as somebody heard them from the server."""


class State(Model):
    """A model that is never changed once it was made, with a mark of its history."""

    history_mark: int = 0
    """The same for two states with the same changes behind them."""

    def branch(self) -> "State":
        """Return a state of its own, to be led elsewhere; changes are shared."""
        state = State(
            self.min_ttl_s,
            self.revision,
            {key: list(changes) for key, changes in self.histories.items()},
            list(self.compactions),
            dict(self.leases),
        )
        state.history_mark = self.history_mark
        return state

    @property
    def key(self) -> Any:
        return self.history_mark, self.compact_revision, frozenset(self.leases)

    def changes_of(self, revision: int) -> list[Change]:
        """Return the changes that one revision made, in order."""
        made = [
            changes[position]
            for changes in self.histories.values()
            for position in range(len(changes) - 1, -1, -1)
            if changes[position].revision == revision
        ]
        return sorted(made, key=lambda change: change.sub)


def told_form(changes: list[Change]) -> list[Change]:
    """Leave out what an event does not tell."""
    return [replace(change, sub=0) for change in changes]


class Etcd:
    """Steps of a sequential etcd that fit what was answered, and what was told.

    Args:
        told: changes heard by watchers: they decide which of the calls without an
            answer had an effect, so that there is little to be searched.
        revision_max: the last one that there can be.
        is_compacted_by_itself: whether nobody has to ask for a compaction.
    """

    def __init__(
        self, told: Told, revision_max: float, *, is_compacted_by_itself: bool = False
    ) -> None:
        self._told = told
        self._revision_max = revision_max
        self._is_compacted_by_itself = is_compacted_by_itself

    def specification(self) -> Specification[State]:
        return Specification(State(), self.step, lambda state: state.key)

    def step(self, state: State, operation: Operation) -> State | None:
        """See `Specification.step`."""
        call, answer = operation.call, operation.answer
        if not self._can_fit(state, call, answer):
            return None
        if isinstance(call, Reached):
            return state if state.revision >= call.revision else None
        if isinstance(call, Read):
            return state if self._reads(state, call, answer) else None
        if isinstance(call, Renew):
            return state if (answer > 0) == (call.lease_id in state.leases) else None
        if isinstance(call, TimeToLive):
            return state if answer == _time_to_live(state, call.lease_id) else None
        return self._write(state, operation)

    def _can_fit(self, state: State, call: Call, answer: Any) -> bool:
        """Look at the revision first: it says where in the order a call belongs."""
        if answer is None or isinstance(answer, Refusal | int):
            return True
        now = state.revision
        if isinstance(call, Put):
            return bool(answer[0] == now + 1)
        if isinstance(call, Read) and call.is_serializable:
            return bool(answer[0] <= now)
        if isinstance(call, Reached):
            return True
        if isinstance(call, DeleteRange | Txn):
            return answer[0] in (now, now + 1)
        return bool(answer[0] == now)

    def _reads(self, state: State, read: Read, answer: Any) -> bool:
        query = read.range
        if answer is Refusal.COMPACTED and self._may_be_compacted(
            state, query.revision + 1
        ):
            return True
        if read.is_serializable and not isinstance(answer, Refusal):
            # Any state of before will do, but it must be one, and say which.
            query = replace(query, revision=query.revision or answer[0])
            found = shown(state._range(query, answer[0]))
            return bool(found == answer)
        try:
            return bool(shown(state.range(query)) == answer)
        except Refused as refused:
            return refused.refusal is answer

    def _may_be_compacted(self, state: State, revision: int) -> bool:
        """Whether an automatic compaction may have gone there, and nobody was told."""
        return self._is_compacted_by_itself and revision <= state.revision

    def _write(self, before: State, operation: Operation) -> State | None:
        call = operation.call
        if (
            isinstance(call, Compact)
            and operation.answer is Refusal.COMPACTED
            and self._may_be_compacted(before, call.revision)
        ):
            return before
        state = before.branch()
        answer: Any
        try:
            answer = _carry_out(state, call)
        except Refused as refused:
            return before if refused.refusal is operation.answer else None
        if operation.is_answered and answer != operation.answer:
            return None
        if state.revision > before.revision:
            if state.revision > self._revision_max:
                return None
            changes = told_form(state.changes_of(state.revision))
            if changes != self._told.get(state.revision, changes):
                return None
            state.history_mark = hash((state.history_mark, tuple(changes)))
        elif not operation.is_answered and state.key == before.key:
            return None
        return state


def _carry_out(state: State, call: Call) -> Any:
    if isinstance(call, Put):
        return shown(state.put(call))
    if isinstance(call, DeleteRange):
        return shown(state.delete_range(call))
    if isinstance(call, Txn):
        return shown(state.txn(call))
    if isinstance(call, Compact):
        return state.compact(call.revision)
    if isinstance(call, Grant):
        ttl_s = state.grant(call.lease_id, call.ttl_s)
        return (state.revision, call.lease_id, ttl_s)
    assert isinstance(call, Revoke | Expire), call
    state.revoke(call.lease_id)
    return state.revision


def _time_to_live(state: State, lease_id: int) -> Any:
    lease: Lease | None = state.leases.get(lease_id)
    if lease is None:
        return (state.revision, 0, [])
    return (state.revision, lease.ttl_s, state.keys_of(lease_id))
