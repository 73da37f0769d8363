"""What a compaction promises, each promise by its name, for any history."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniet.mvcc import CompactedError, Store
from tests.property.machines import effort
from tests.property.strategies import CHANGES
from tests.support.memory_backend import MemoryBackend
from tests.support.model import Model
from tests.support.model_api import DeleteRange, Put, Txn
from tests.support.model_bridge import key_value
from tests.support.retained import retained_by_key, retained_counts, retained_names
from tests.support.stores import (
    decoded,
    everything,
    finish_compactions,
    new_store,
    stored_revisions,
)

BATCH_LIMITS = st.integers(1, 5)


@dataclass
class Case:
    """A store and its model with a history, and a revision to compact it at."""

    store: Store
    model: Model
    revision: int

    def write(self, changes: list[Put | DeleteRange]) -> None:
        self.model.txn(Txn(success=tuple(changes)))
        with self.store.write() as txn:
            for change in changes:
                if isinstance(change, Put):
                    txn.put(change.key, change.value)
                else:
                    txn.delete_range(change.key, change.range_end)

    def compact(self) -> None:
        """Have the compaction accepted; nothing is done yet."""
        self.model.compact(self.revision)
        self.store.compact(self.revision)

    @property
    def readable_revisions(self) -> range:
        return range(max(self.revision, 1), self.model.revision + 1)

    def readable(self) -> list[Any]:
        """Return what every reader at the compaction's revision or above sees."""
        view = self.store.read()
        return [
            decoded(view.range(everything(at)).kvs) for at in self.readable_revisions
        ]

    def expected(self) -> list[Any]:
        return [
            [key_value(pair) for pair in self.model.pairs(at)]
            for at in self.readable_revisions
        ]

    def reopened(self) -> "Case":
        """Return the case after a crash that loses what was not committed."""
        assert isinstance(self.store.backend, MemoryBackend)
        store = new_store(self.store.backend.crashed())
        return Case(store, self.model, self.revision)

    def left(self) -> dict[str, Any]:
        """Return everything that a compaction leaves, in comparable form."""
        store = self.store
        return {
            "index": {
                entry.key: [
                    (life.created_main, life.dropped_count, life.pairs())
                    for life in entry.generations()
                ]
                for entry in store.index.entries()
            },
            "bucket": stored_revisions(store),
            "records": [
                (bytes(key), bytes(value))
                for key, value in store.batch_tx.range(b"meta", b"")
            ],
            "revisions": (
                store.current_revision,
                store.compact_revision,
                store.finished_compact_revision,
            ),
            "hash": store.hash_by_revision(0),
        }


@st.composite
def cases(draw: st.DrawFn) -> Case:
    case = Case(new_store(), Model(), 0)
    for changes in draw(st.lists(CHANGES, min_size=2, max_size=10)):
        case.write(changes)
    now = case.model.revision
    case.revision = draw(st.one_of(st.just(now), st.integers(0, now)))
    case.store.backend.commit()
    return case


def steps(store: Store, batch_limit: int) -> Iterator[int]:
    """Number the states between the steps of the compactions, the first included."""
    number = 0
    yield number
    while store.step_compaction(batch_limit):
        number += 1
        yield number
    yield number + 1


@effort(50)
@given(cases(), BATCH_LIMITS)
def test_what_a_reader_at_or_above_the_compact_revision_sees_never_changes(
    case: Case, batch_limit: int
) -> None:
    assert case.readable() == case.expected()
    case.compact()
    for _ in steps(case.store, batch_limit):
        assert case.readable() == case.expected()


@effort(50)
@given(cases(), BATCH_LIMITS)
def test_readers_below_the_compact_revision_are_refused_from_its_acceptance_on(
    case: Case, batch_limit: int
) -> None:
    case.compact()
    for _ in steps(case.store, batch_limit):
        for below in range(1, case.revision):
            with pytest.raises(CompactedError) as refused:
                case.store.read().range(everything(below))
            assert refused.value.compact_revision == case.revision


@effort(50)
@given(cases())
def test_generations_shrink_exactly_by_the_rule(case: Case) -> None:
    case.compact()
    finish_compactions(case.store)
    generations = {
        entry.key: [life.pairs() for life in entry.generations()]
        for entry in case.store.index.entries()
    }
    expected: dict[bytes, list[list[tuple[int, int]]]] = {}
    for key, history in retained_by_key(case.model, case.revision).items():
        lives: list[list[tuple[int, int]]] = [[]]
        for change in history:
            lives[-1].append((change.revision, change.sub))
            if change.is_deletion:
                lives.append([])
        expected[key] = lives
    assert generations == expected


@effort(50)
@given(cases(), BATCH_LIMITS)
def test_retained_counts_are_those_that_the_model_predicts(
    case: Case, batch_limit: int
) -> None:
    case.compact()
    deleted_before = len(stored_revisions(case.store))
    finish_compactions(case.store, batch_limit)
    statistics = case.store.statistics()
    for name, count in vars(retained_counts(case.model, case.revision)).items():
        assert getattr(statistics, name) == count, name
    left = retained_names(case.model, case.revision)
    assert stored_revisions(case.store) == left
    assert statistics.compaction_deleted_total == deleted_before - len(left)
    assert statistics.index_compacted_revision_count == len(left)
    assert (statistics.compaction_count, statistics.compaction_keep_count) == (0, 0)


@effort(50)
@given(cases(), BATCH_LIMITS, st.integers(0, 12))
def test_compaction_interrupted_anywhere_and_resumed_leaves_the_same(
    case: Case, batch_limit: int, interrupted_at: int
) -> None:
    case.compact()
    through = case.reopened()
    finish_compactions(through.store, 1000)
    for number in steps(case.store, batch_limit):
        if number == interrupted_at:
            break
    case = case.reopened()
    assert case.readable() == case.expected()
    finish_compactions(case.store, batch_limit)
    assert case.left() == through.left()
    assert case.readable() == case.expected()


@effort(40)
@given(cases(), BATCH_LIMITS)
def test_finished_compaction_leaves_the_same_after_a_restart(
    case: Case, batch_limit: int
) -> None:
    case.compact()
    finish_compactions(case.store, batch_limit)
    before = case.left()
    case.store.backend.commit()
    case = case.reopened()
    assert case.left() == before
    assert not case.store.compaction_pending


@effort(40)
@given(cases(), BATCH_LIMITS, st.lists(CHANGES, min_size=1, max_size=4))
def test_writes_between_the_steps_are_spared(
    case: Case, batch_limit: int, writes: list[list[Put | DeleteRange]]
) -> None:
    case.compact()
    for changes in writes:
        case.write(changes)
        case.store.step_compaction(batch_limit)
        case.store._check()
    finish_compactions(case.store, batch_limit)
    assert case.readable() == case.expected()
    assert stored_revisions(case.store) == retained_names(case.model, case.revision)
