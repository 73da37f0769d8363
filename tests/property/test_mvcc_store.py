"""`Store` against a list of everything that ever happened."""

from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from miniet.mvcc import (
    CompactedError,
    Event,
    EventType,
    FutureRevisionError,
    KeyRange,
    KeyValue,
    RangeQuery,
    SortOrder,
    SortTarget,
)
from tests.support.lease_stub import LeaseStub
from tests.support.memory_backend import MemoryBackend
from tests.support.stores import decoded, everything, new_store

KEYS = st.sampled_from([b"a", b"ab", b"b", b"c", b"\xff"])
ENDS = st.sampled_from([b"", b"\x00", b"ab", b"b", b"c\x00", b"\xff\xff"])
VALUES = st.binary(max_size=3)
LEASES = st.sampled_from([0, 0, 7, -8])
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, VALUES, LEASES),
        st.tuples(st.just("delete"), KEYS, ENDS),
    ),
    max_size=4,
)

State = dict[bytes, KeyValue]


@dataclass
class Model:
    """All states by revision; nothing is ever forgotten."""

    states: list[State] = field(default_factory=lambda: [{}, {}])
    events: list[tuple[EventType, bytes, int]] = field(default_factory=list)
    compacted: int = -1

    @property
    def revision(self) -> int:
        return len(self.states) - 1

    def apply(self, changes: list[tuple[Any, ...]]) -> None:
        main, state, events = self.revision + 1, dict(self.states[-1]), []
        for kind, key, *rest in changes:
            if kind == "put":
                old = state.get(key)
                created, version = (
                    (old.create_revision, old.version + 1) if old else (main, 1)
                )
                state[key] = KeyValue(key, created, main, version, *rest)
                events.append((EventType.PUT, key, main))
                continue
            doomed = KeyRange(key, *rest)
            for gone in sorted(held for held in state if held in doomed):
                del state[gone]
                events.append((EventType.DELETE, gone, main))
        if events:
            self.states.append(state)
            self.events += events

    def range(self, query: RangeQuery) -> tuple[list[KeyValue], int, bool]:
        keys = KeyRange(query.key, query.range_end)
        state = self.states[query.revision or self.revision]
        found = [state[key] for key in sorted(state) if key in keys]
        count = len(found)
        found = [
            pair
            for pair in found
            if query.min_mod_revision <= pair.mod_revision
            and (pair.create_revision <= (query.max_create_revision or 10**9))
        ]
        if query.sort_order:
            by = {
                SortTarget.KEY: lambda pair: pair.key,
                SortTarget.VERSION: lambda pair: pair.version,
                SortTarget.CREATE: lambda pair: pair.create_revision,
                SortTarget.MOD: lambda pair: pair.mod_revision,
                SortTarget.VALUE: lambda pair: pair.value,
            }[query.sort_target]
            found.sort(key=by, reverse=query.sort_order is SortOrder.DESCEND)
        limit = query.limit or 10**9
        return found[:limit], count, len(found) > limit


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.heard: list[tuple[EventType, bytes, int]] = []
        self.open(MemoryBackend())

    def open(self, backend: MemoryBackend) -> None:
        self.backend = backend
        self.store = new_store(backend, LeaseStub(7, -8))
        self.store.on_changes = self.hear

    def hear(self, revision: int, events: list[Event]) -> None:
        assert {event.mod_revision for event in events} == {revision}
        self.heard += [(event.type, event.key, revision) for event in events]

    @rule(changes=CHANGES)
    def write(self, changes: list[tuple[Any, ...]]) -> None:
        with self.store.write() as txn:
            for kind, *arguments in changes:
                (txn.put if kind == "put" else txn.delete_range)(*arguments)
        self.model.apply(changes)
        assert self.heard == self.model.events

    @rule(data=st.data())
    def compact(self, data: st.DataObject) -> None:
        revision = data.draw(st.integers(-1, self.model.revision + 1))
        if revision <= self.model.compacted:
            with pytest.raises(CompactedError):
                self.store.compact(revision)
        elif revision > self.model.revision:
            with pytest.raises(FutureRevisionError):
                self.store.compact(revision)
        else:
            self.store.compact(revision)
            self.model.compacted = revision

    def revision_counts(self) -> dict[bytes, int]:
        return {e.key: e.revision_count for e in self.store.index.entries()}

    @precondition(lambda self: self.store.compaction_pending)
    @rule(batch_limit=st.integers(1, 4), steps=st.integers(1, 5))
    def step_compaction(self, batch_limit: int, steps: int) -> None:
        before = self.store.hash_by_revision(0)
        for _ in range(steps):
            counts_before = self.revision_counts()
            self.store.step_compaction(batch_limit)
            counts = self.revision_counts()
            if counts != counts_before:
                statistics = self.store.statistics()
                assert statistics.index_cut_revision_count == sum(
                    counts_before[key] - count for key, count in counts.items()
                )
                left = sum(counts.values())
                assert statistics.index_compacted_revision_count == left
        if self.model.states[-1]:  # see the exception in `miniet.mvcc.hash`
            assert self.store.hash_by_revision(0) == before

    @rule()
    def restart(self) -> None:
        before = self.store.hash_by_revision(0).hash
        self.open(self.backend)
        assert self.store.hash_by_revision(0).hash == before

    @rule()
    def crash_after_commit(self) -> None:
        self.backend.commit()
        self.open(self.backend.crashed())

    @rule(
        key=KEYS,
        range_end=ENDS,
        limit=st.integers(0, 3),
        sort_order=st.sampled_from(SortOrder),
        sort_target=st.sampled_from(SortTarget),
        min_mod=st.sampled_from([0, 0, 3, 6]),
        max_create=st.sampled_from([0, 0, 4]),
        data=st.data(),
    )
    def range(
        self,
        key: bytes,
        range_end: bytes,
        limit: int,
        sort_order: SortOrder,
        sort_target: SortTarget,
        min_mod: int,
        max_create: int,
        data: st.DataObject,
    ) -> None:
        query = RangeQuery(
            key,
            range_end,
            limit,
            revision=data.draw(st.integers(0, self.model.revision)),
            sort_order=sort_order,
            sort_target=sort_target if sort_order else SortTarget.KEY,
            min_mod_revision=min_mod,
            max_create_revision=max_create,
        )
        if 0 < query.revision < self.model.compacted:
            with pytest.raises(CompactedError):
                self.store.read().range(query)
            return
        result = self.store.read().range(query)
        answered = (decoded(result.kvs), result.count, result.more)
        assert answered == self.model.range(query)
        assert result.revision == self.model.revision

    @invariant()
    def every_readable_revision_is_as_it_was(self) -> None:
        self.store._check()
        assert self.store.current_revision == self.model.revision
        assert self.store.compact_revision == self.model.compacted
        for revision in range(max(self.model.compacted, 1), self.model.revision + 1):
            kvs = self.store.read().range(everything(revision)).kvs
            state = self.model.states[revision]
            assert decoded(kvs) == [state[key] for key in sorted(state)]

    @invariant()
    def history_above_the_compact_revision_is_whole(self) -> None:
        first = self.model.compacted + 1
        read = [
            (event.type, event.key, event.mod_revision)
            for event in self.store.read_events(first, 10**9)
        ]
        assert read == [event for event in self.model.events if event[2] >= first]

    @invariant()
    def leases_hold_the_keys_put_with_them(self) -> None:
        state = self.model.states[-1]
        assert isinstance(self.store.lessor, LeaseStub)
        assert self.store.lessor.holder_of == {
            key: pair.lease for key, pair in state.items() if pair.lease
        }


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
