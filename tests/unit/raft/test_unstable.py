"""`Unstable` beyond etcd's own cases: counts, log lines, and a model."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from miniet.raft import Entry, RaftInvariantError, Snapshot
from miniet.raft.log_slice import EntryId
from miniet.raft.unstable import Unstable
from tests.unit.raft.member import RecordingLogger


def _filled() -> tuple[Unstable, RecordingLogger]:
    logger = RecordingLogger()
    unstable = Unstable(5, logger)
    unstable.truncate_and_append([Entry(1, i, data=b"xyz") for i in (5, 6, 7)])
    return unstable, logger


@pytest.mark.parametrize(
    ("entry_id", "line"),
    [
        (EntryId(1, 9), "INFO entry at index 9 missing from unstable log; ignoring"),
        (EntryId(1, 4), "INFO entry at index 4 matched unstable snapshot; ignoring"),
        (
            EntryId(2, 6),
            "INFO entry at (index,term)=(6,2) mismatched with"
            " entry at (6,1) in unstable log; ignoring",
        ),
    ],
)
def test_report_about_other_entries_is_ignored(entry_id: EntryId, line: str) -> None:
    unstable, logger = _filled()
    unstable.snapshot = Snapshot(4, 1)
    unstable.stable_to(entry_id)
    assert logger.lines == [line]
    assert (unstable.offset, len(unstable.entries)) == (5, 3)


def test_overwriting_is_logged() -> None:
    unstable, logger = _filled()
    unstable.truncate_and_append([Entry(2, 6)])
    unstable.truncate_and_append([Entry(3, 4)])
    assert logger.lines == [
        "INFO truncate the unstable entries before index 6",
        "INFO replace the unstable entries from index 4",
    ]


def test_given_list_is_not_kept() -> None:
    unstable = Unstable(5)
    given = [Entry(1, 4)]
    unstable.truncate_and_append(given)
    given.clear()
    assert len(unstable.entries) == 1


def test_handed_out_list_does_not_grow() -> None:
    unstable, _ = _filled()
    handed_out = unstable.next_entries()
    unstable.accept_in_progress()
    unstable.truncate_and_append([Entry(1, 8)])
    assert len(handed_out) == 3
    assert [entry.index for entry in unstable.next_entries()] == [8]


@pytest.mark.parametrize(("lo", "hi"), [(6, 5), (4, 6), (6, 9)])
def test_slice_outside_is_an_error(lo: int, hi: int) -> None:
    with pytest.raises(RaftInvariantError):
        _filled()[0].slice(lo, hi)


def test_snapshot_leaves_when_it_is_stable() -> None:
    unstable = Unstable(1)
    unstable.restore(Snapshot(7, 2))
    unstable.accept_in_progress()
    unstable.stable_snapshot_to(6)
    assert unstable.snapshot is not None
    unstable.stable_snapshot_to(7)
    assert unstable.snapshot is None
    assert not unstable.snapshot_in_progress
    unstable._check()


class AgainstModel(RuleBasedStateMachine):
    """Any run of operations leaves what a plain dict of entries would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.unstable = Unstable(1)
        self.entries: dict[int, Entry] = {}
        self.offset = 1
        self.in_progress: set[int] = set()
        self.term = 1

    @property
    def end(self) -> int:
        return self.offset + len(self.entries)

    @rule(data=st.data(), count=st.integers(1, 5), size=st.integers(0, 9))
    def append(self, data: Any, count: int, size: int) -> None:
        self.term += 1
        # Not over an unstable snapshot: that part of the log is committed.
        lowest = 1 if self.unstable.snapshot is None else self.offset
        first = data.draw(st.integers(max(lowest, self.offset - 2), self.end))
        indexes = range(first, first + count)
        new = {index: Entry(self.term, index, data=b"x" * size) for index in indexes}
        self.unstable.truncate_and_append(list(new.values()))
        self.entries = {i: e for i, e in self.entries.items() if i < first} | new
        self.offset = min(self.offset, first)
        self.in_progress = {i for i in self.in_progress if i < first}

    @rule()
    def hand_out(self) -> None:
        got = self.unstable.next_entries()
        assert [e.index for e in got] == sorted(set(self.entries) - self.in_progress)
        self.unstable.accept_in_progress()
        self.in_progress = set(self.entries)

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), right_term=st.booleans())
    def report_stable(self, data: Any, right_term: bool) -> None:
        index = data.draw(st.sampled_from(sorted(self.entries)))
        term = self.entries[index].term
        self.unstable.stable_to(EntryId(term if right_term else term + 1, index))
        if right_term:
            self.entries = {i: e for i, e in self.entries.items() if i > index}
            self.in_progress = {i for i in self.in_progress if i > index}
            self.offset = index + 1

    @rule(ahead=st.integers(0, 3))
    def restore(self, ahead: int) -> None:
        index = self.end + ahead
        self.unstable.restore(Snapshot(index, self.term))
        self.entries, self.offset, self.in_progress = {}, index + 1, set()

    @rule()
    def snapshot_stable(self) -> None:
        if self.unstable.snapshot is not None:
            self.unstable.stable_snapshot_to(self.unstable.snapshot.index)

    @invariant()
    def agrees(self) -> None:
        self.unstable._check()
        assert self.unstable.entries == list(self.entries.values())
        assert self.unstable.offset == self.offset
        for index, entry in self.entries.items():
            assert self.unstable.maybe_term(index) == entry.term
        assert self.unstable.maybe_term(self.end) is None


AgainstModel.TestCase.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None
)
TestAgainstModel = AgainstModel.TestCase
