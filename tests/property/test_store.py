"""`Store` against the model: written, read, compacted and crashed at any point."""

from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from miniet.engine.results import DeleteRangeResult, PutResult, TxnResult
from miniet.errors import DataError
from miniet.mvcc import Event, EventType, StorePoisonedError, WriteTxn
from tests.property.machines import effort
from tests.property.strategies import DELETES, LEASE_IDS, LEASED_PUTS, ranges
from tests.support.lease_stub import LeaseStub
from tests.support.memory_backend import MemoryBackend
from tests.support.model import Model
from tests.support.model_api import Change, DeleteRange, Put, Range, Txn
from tests.support.model_bridge import key_value, outcome, plain, query
from tests.support.retained import retained_counts, retained_names
from tests.support.stores import decoded, everything, new_store, stored_revisions

# In a write transaction ranges read the present; the rest is the engine's.
READS = ranges().map(lambda request: replace(request, revision=0))
PLAIN_DELETES = DELETES.map(lambda request: replace(request, prev_kv=False))
CHANGES = st.lists(st.one_of(LEASED_PUTS, LEASED_PUTS, PLAIN_DELETES), max_size=5)
STEPS = st.lists(st.one_of(LEASED_PUTS, LEASED_PUTS, PLAIN_DELETES, READS), max_size=5)

Step = Put | DeleteRange | Range
Heard = tuple[EventType, bytes, int]


def heard(change: Change) -> Heard:
    kind = EventType.DELETE if change.is_deletion else EventType.PUT
    return kind, change.key, change.revision


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        for lease_id in LEASE_IDS:
            self.model.grant(lease_id, 60)
        self.heard: list[Heard] = []
        self.open(MemoryBackend())

    def open(self, backend: MemoryBackend) -> None:
        self.backend = backend
        self.store = new_store(backend, LeaseStub(*LEASE_IDS))
        self.store.on_changes = self.hear
        # What a crash leaves: the state of the last commit.
        self.committed = self.model.copy()
        self.commit_count = backend.commit_count

    def hear(self, revision: int, events: list[Event]) -> None:
        assert {event.mod_revision for event in events} == {revision}
        self.heard += [(event.type, event.key, revision) for event in events]

    # ---- writing and reading

    def step(self, txn: WriteTxn, step: Step) -> object:
        if isinstance(step, Put):
            return PutResult(txn.put(step.key, step.value, step.lease))
        if isinstance(step, DeleteRange):
            deleted, revision = txn.delete_range(step.key, step.range_end)
            return DeleteRangeResult(revision, deleted, [])
        return txn.range(query(step)).own()

    @rule(transactions=st.lists(STEPS, min_size=1, max_size=3))
    def write(self, transactions: list[list[Step]]) -> None:
        for steps in transactions:
            expected = self.model.txn(Txn(success=tuple(steps)))
            with self.store.write() as txn:
                answers = [self.step(txn, step) for step in steps]
            result = TxnResult(self.store.current_revision, True, answers)
            assert plain(result) == plain(expected)

    @rule(requests=st.lists(ranges(), min_size=4, max_size=12))
    def read(self, requests: list[Range]) -> None:
        for request in requests:
            expected = outcome(partial(self.model.range, request))
            result = outcome(partial(self.store.read().range, query(request)))
            assert result == expected

    # ---- compaction

    @rule(
        back=st.sampled_from([-1, 0, 0, 1, 2, 5, 9]),
        batch_limit=st.integers(1, 4),
        steps=st.sampled_from([0, 1, 2, 4, 100, 100]),
    )
    def compact(self, back: int, batch_limit: int, steps: int) -> None:
        """Ask for a compaction, then do some steps of the oldest."""
        revision = self.model.revision - back
        accepted = outcome(lambda: self.model.compact(revision))
        refused = outcome(lambda: self.store.compact(revision))
        assert refused == (None if accepted == self.model.revision else accepted)
        self.commits_are_noted()
        before = self.store.hash_by_revision(0)
        while steps and self.store.compaction_pending:
            steps -= 1
            counts = self.revision_counts()
            self.store.step_compaction(batch_limit)
            self.check_cut(counts)
        if self.model.pairs(self.model.revision):  # else see `miniet.mvcc.hash`
            assert self.store.hash_by_revision(0) == before

    def revision_counts(self) -> dict[bytes, int]:
        return {e.key: e.revision_count for e in self.store.index.entries()}

    def check_cut(self, before: dict[bytes, int]) -> None:
        """The counts of what the index lost are those of this step, if it lost any."""
        after = self.revision_counts()
        if after != before:
            statistics = self.store.statistics()
            cut = sum(before[key] - count for key, count in after.items())
            assert statistics.index_cut_revision_count == cut
            assert statistics.index_compacted_revision_count == sum(after.values())

    # ---- ends

    @rule()
    def restart(self) -> None:
        before = self.store.hash_by_revision(0).hash
        self.backend.commit()
        self.open(self.backend.crashed())
        assert self.store.hash_by_revision(0).hash == before

    @rule(commit=st.booleans(), steps=CHANGES, writes=st.integers(0, 4))
    def crash(self, commit: bool, steps: list[Step], writes: int) -> None:
        """The disk is gone after some writes of a transaction, or just after it."""
        if commit:
            self.backend.commit()
            self.commits_are_noted()
        self.backend.batch_tx.writes_left = writes
        try:
            with self.store.write() as txn:
                for step in steps:
                    self.step(txn, step)
        except DataError:
            for shut in (self.store.read, self.store.write):
                with pytest.raises(StorePoisonedError):
                    shut()
        self.come_back()

    @rule(batch_limit=st.integers(1, 4), writes=st.integers(0, 4))
    def crash_while_compacting(self, batch_limit: int, writes: int) -> None:
        self.backend.batch_tx.writes_left = writes
        with suppress(DataError):
            while self.store.step_compaction(batch_limit):
                pass
        self.come_back()

    def come_back(self) -> None:
        """Start from what a crash left: the state of the last commit."""
        self.commits_are_noted()
        self.model = self.committed
        self.heard = [heard(change) for change in self.model.changes()]
        self.open(self.backend.crashed())

    # ---- what always holds

    @invariant()
    def commits_are_noted(self) -> None:
        if self.backend.commit_count != self.commit_count:
            self.commit_count = self.backend.commit_count
            self.committed = self.model.copy()

    @invariant()
    def every_readable_revision_is_as_it_was(self) -> None:
        self.store._check()
        model, store = self.model, self.store
        assert store.current_revision == model.revision
        assert store.compact_revision == model.compact_revision
        for revision in range(max(model.compact_revision, 1), model.revision + 1):
            kvs = store.read().range(everything(revision)).kvs
            assert decoded(kvs) == [key_value(p) for p in model.pairs(revision)]

    @invariant()
    def history_above_the_compact_revision_is_whole(self) -> None:
        first = self.model.compact_revision + 1
        read = [
            (event.type, event.key, event.mod_revision)
            for event in self.store.read_events(first, 10**9)
        ]
        changes = [heard(change) for change in self.model.changes()]
        assert read == [change for change in changes if change[2] >= first]
        assert self.heard == changes

    @invariant()
    def leases_hold_the_keys_put_with_them(self) -> None:
        assert isinstance(self.store.lessor, LeaseStub)
        assert self.store.lessor.holder_of == {
            pair.key: pair.lease
            for pair in self.model.pairs(self.model.revision)
            if pair.lease
        }

    @invariant()
    def what_is_retained_is_what_the_rule_says(self) -> None:
        if self.store.compaction_pending:
            return
        at = self.model.compact_revision
        statistics = self.store.statistics()
        for name, count in vars(retained_counts(self.model, at)).items():
            assert getattr(statistics, name) == count, name
        assert stored_revisions(self.store) == retained_names(self.model, at)


TestStore = StoreMachine.TestCase
TestStore.settings = effort(80, 12)
