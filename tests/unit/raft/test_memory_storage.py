"""`MemoryStorage` beyond etcd's own cases: counts, copies, and a model."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from miniet.raft import (
    NO_LIMIT,
    CompactedError,
    ConfState,
    Entry,
    HardState,
    MemoryStorage,
    RaftInvariantError,
    Snapshot,
    SnapshotOutOfDateError,
    UnavailableError,
)


def _filled(count: int, size: int = 10) -> MemoryStorage:
    storage = MemoryStorage()
    storage.append([Entry(1, index, data=b"x" * size) for index in range(1, count + 1)])
    return storage


def test_new_storage_is_empty() -> None:
    storage = MemoryStorage()
    assert storage.initial_state() == (HardState(), ConfState())
    assert (storage.first_index(), storage.last_index()) == (1, 0)
    assert storage.term(0) == 0
    assert storage.snapshot().is_empty
    with pytest.raises(UnavailableError):
        storage.entries(1, 1, NO_LIMIT)


def test_initial_state_tells_membership_of_snapshot() -> None:
    storage = _filled(2)
    storage.set_hard_state(HardState(1, 1, 2))
    storage.create_snapshot(2, ConfState((1,)))
    assert storage.initial_state() == (HardState(1, 1, 2), ConfState((1,)))


def test_statistics_follow_append_overwrite_and_compact() -> None:
    storage = _filled(10)
    assert storage.statistics().entry_payload_bytes == 100
    storage.append([Entry(2, 6, data=b"y")])
    assert storage.statistics().entry_count == 6
    assert storage.statistics().entry_payload_bytes == 51
    storage.compact(4)
    statistics = storage.statistics()
    assert (statistics.entry_count, statistics.entry_payload_bytes) == (2, 11)
    assert (statistics.first_index, statistics.last_index) == (5, 6)
    storage._check()


def test_statistics_count_snapshot_data() -> None:
    storage = _filled(3)
    storage.create_snapshot(2, None, b"12345")
    statistics = storage.statistics()
    assert (statistics.snapshot_index, statistics.snapshot_payload_bytes) == (2, 5)
    assert statistics.entry_count == 3


def test_snapshot_keeps_membership_unless_told_otherwise() -> None:
    storage = _filled(3)
    storage.create_snapshot(1, ConfState((1,)))
    assert storage.create_snapshot(2).conf_state == ConfState((1,))


def test_snapshot_data_is_copied() -> None:
    data = bytearray(b"abc")
    made = _filled(1).create_snapshot(1, None, memoryview(data))
    data[0] = 0
    assert made.data == b"abc"


def test_snapshot_of_the_dummy_is_possible() -> None:
    storage = _filled(5)
    storage.compact(5)
    assert storage.create_snapshot(5).term == 1


def test_apply_snapshot_drops_all_entries() -> None:
    storage = _filled(5)
    storage.apply_snapshot(Snapshot(9, 3, ConfState((1,))))
    assert (storage.first_index(), storage.last_index()) == (10, 9)
    assert storage.statistics().entry_payload_bytes == 0
    storage._check()


def test_handed_out_list_is_not_the_kept_one() -> None:
    storage = _filled(3)
    storage.entries(1, 4, NO_LIMIT).clear()
    assert storage.statistics().entry_count == len(storage.entries(1, 4, NO_LIMIT)) == 3


@pytest.mark.parametrize(
    ("call", "error", "fields"),
    [
        (lambda s: s.term(1), CompactedError, {"index": 1, "first_index": 3}),
        (lambda s: s.term(6), UnavailableError, {"index": 6, "last_index": 5}),
        (lambda s: s.entries(2, 4, 0), CompactedError, {"first_index": 3}),
        (lambda s: s.entries(4, 7, 0), RaftInvariantError, {}),
        (lambda s: s.compact(2), CompactedError, {"index": 2, "first_index": 3}),
        (lambda s: s.compact(6), RaftInvariantError, {}),
        (lambda s: s.create_snapshot(3), SnapshotOutOfDateError, {"stored_index": 3}),
        (lambda s: s.create_snapshot(6), RaftInvariantError, {}),
        (lambda s: s.apply_snapshot(Snapshot(3)), SnapshotOutOfDateError, {"index": 3}),
        (lambda s: s.append([Entry(1, 7)]), RaftInvariantError, {}),
    ],
    ids=[
        "term compacted",
        "term unavailable",
        "entries compacted",
        "entries beyond the end",
        "compact again",
        "compact beyond the end",
        "snapshot again",
        "snapshot beyond the end",
        "apply an old snapshot",
        "append after a gap",
    ],
)
def test_refusal_changes_nothing(
    call: Callable[[MemoryStorage], object],
    error: type[Exception],
    fields: dict[str, int],
) -> None:
    storage = _filled(5)
    storage.create_snapshot(3)
    storage.compact(2)
    before = storage.statistics()
    with pytest.raises(error) as caught:
        call(storage)
    for name, value in fields.items():
        assert getattr(caught.value, name) == value
    assert storage.statistics() == before


class AgainstModel(RuleBasedStateMachine):
    """Any run of operations leaves what a plain dict of entries would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.storage = MemoryStorage()
        self.offset, self.offset_term = 0, 0
        self.entries: dict[int, Entry] = {}
        self.term = 1

    @property
    def last(self) -> int:
        return self.offset + len(self.entries)

    @rule(data=st.data(), count=st.integers(1, 6), size=st.integers(0, 9))
    def append(self, data: Any, count: int, size: int) -> None:
        first = data.draw(st.integers(max(1, self.offset - 3), self.last + 1))
        self.term += data.draw(st.integers(0, 1))
        new = [
            Entry(self.term, index, data=b"x" * size)
            for index in range(first, first + count)
        ]
        self.storage.append(new)
        new = [entry for entry in new if entry.index > self.offset]
        if new:
            kept = {i: e for i, e in self.entries.items() if i < new[0].index}
            self.entries = kept | {entry.index: entry for entry in new}

    @rule(data=st.data())
    def compact(self, data: Any) -> None:
        index = data.draw(st.integers(0, self.last))
        if index <= self.offset:
            with pytest.raises(CompactedError):
                self.storage.compact(index)
            return
        self.storage.compact(index)
        self.offset, self.offset_term = index, self.entries[index].term
        self.entries = {i: e for i, e in self.entries.items() if i > index}

    @rule(data=st.data())
    def apply_snapshot(self, data: Any) -> None:
        index = data.draw(st.integers(1, self.last + 5))
        stored = self.storage.snapshot().index
        if stored >= index:
            with pytest.raises(SnapshotOutOfDateError):
                self.storage.apply_snapshot(Snapshot(index, self.term))
            return
        self.storage.apply_snapshot(Snapshot(index, self.term))
        self.offset, self.offset_term, self.entries = index, self.term, {}

    @invariant()
    def agrees(self) -> None:
        self.storage._check()
        assert self.storage.first_index() == self.offset + 1
        assert self.storage.last_index() == self.last
        assert self.storage.term(self.offset) == self.offset_term
        if self.entries:
            found = self.storage.entries(self.offset + 1, self.last + 1, NO_LIMIT)
            assert found == list(self.entries.values())


AgainstModel.TestCase.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None
)
TestAgainstModel = AgainstModel.TestCase
