"""`RaftLog` beyond etcd's own cases."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.raft import NO_LIMIT, CompactedError, Entry, MemoryStorage, Snapshot
from miniet.raft.errors import RaftInvariantError
from miniet.raft.log import RaftLog
from miniet.raft.log_slice import EntryId, LogSlice
from miniet.raft.sizes import encoded_bytes
from tests.unit.raft.member import RecordingLogger


def _log(stable: list[int], unstable: list[int]) -> RaftLog:
    """Build a log of term 1 whose entries have data of the given lengths."""
    storage = MemoryStorage()
    entries = [
        Entry(1, index, data=b"x" * size)
        for index, size in enumerate([*stable, *unstable], 1)
    ]
    storage.append(entries[: len(stable)])
    log = RaftLog(storage, RecordingLogger())
    log.append(entries[len(stable) :])
    log._check()
    return log


def test_slice_cut_in_the_stable_part_leaves_no_gap() -> None:
    log = _log([1, 100], [1])
    assert [entry.index for entry in log.slice(1, 4, 50)] == [1]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 40), max_size=6),
    st.lists(st.integers(0, 40), max_size=6),
    st.integers(0, 200),
    st.data(),
)
def test_slice_is_the_longest_run_within_the_limit(
    stable: list[int], unstable: list[int], bytes_max: int, data: st.DataObject
) -> None:
    log = _log(stable, unstable)
    last = log.last_index()
    lo = data.draw(st.integers(1, last + 1))
    hi = data.draw(st.integers(lo, last + 1))
    found = log.slice(lo, hi, bytes_max)
    assert [entry.index for entry in found] == list(range(lo, lo + len(found)))
    assert len(found) <= 1 or encoded_bytes(found) <= bytes_max
    if len(found) < hi - lo:
        longer = log.slice(lo, lo + len(found) + 1, NO_LIMIT)
        assert found
        assert encoded_bytes(longer) > bytes_max


def test_commit_of_what_is_committed_is_no_news() -> None:
    log = _log([1, 1], [])
    assert log.maybe_commit(EntryId(1, 2))
    assert not log.maybe_commit(EntryId(1, 2))
    assert not log.maybe_commit(EntryId(1, 1))


@pytest.mark.parametrize("at", [EntryId(0, 1), EntryId(2, 1), EntryId(1, 3)])
def test_commit_needs_the_very_entry(at: EntryId) -> None:
    log = _log([1, 1], [])
    assert not log.maybe_commit(at)
    assert log.committed == 0


def test_next_committed_entries_continue_over_both_parts() -> None:
    log = _log([1, 1], [1, 1])
    log.commit_to(3)
    found = log.next_committed_entries(allow_unstable=True)
    assert [entry.index for entry in found] == [1, 2, 3]
    found = log.next_committed_entries(allow_unstable=False)
    assert [entry.index for entry in found] == [1, 2]


def test_conflict_is_logged_with_both_terms() -> None:
    log = _log([1, 1], [])
    run = LogSlice(2, EntryId(1, 1), [Entry(2, 2)])
    assert log.maybe_append(run, 0) == 2
    logger = log._logger
    assert isinstance(logger, RecordingLogger)
    assert logger.lines[0] == (
        "INFO found conflict at index 2 [existing term: 1, conflicting term: 2]"
    )
    assert log.unstable.offset == 2


def test_restore_is_logged_with_the_marks() -> None:
    log = _log([1], [])
    log.restore(Snapshot(7, 3))
    logger = log._logger
    assert isinstance(logger, RecordingLogger)
    assert logger.lines == [
        "INFO log [committed=0, applied=0, applying=0, unstable.offset=2,"
        " unstable.offsetInProgress=2, len(unstable.Entries)=0] starts to restore"
        " snapshot [index: 7, term: 3]"
    ]
    assert log.snapshot() == Snapshot(7, 3)
    assert (log.first_index(), log.last_index(), log.committed) == (8, 7, 7)


def test_committed_entry_is_never_replaced() -> None:
    log = _log([1, 1], [])
    log.commit_to(2)
    with pytest.raises(RaftInvariantError, match=r"after\(1\) is out of range"):
        log.append([Entry(2, 2)])


@pytest.mark.parametrize("index", [0, 3])
def test_applied_stays_between_its_last_value_and_committed(index: int) -> None:
    log = _log([1, 1, 1], [])
    log.commit_to(2)
    log.applied_to(1, 0)
    with pytest.raises(RaftInvariantError, match="is out of range"):
        log.applied_to(index, 0)


def test_applying_stays_below_committed() -> None:
    log = _log([1, 1], [])
    log.commit_to(1)
    with pytest.raises(RaftInvariantError, match=r"applying\(2\) is out of range"):
        log.accept_applying(2, 0, allow_unstable=True)


def test_unapplied_entries_compacted_away_are_an_error() -> None:
    log = _log([1, 1, 1], [])
    log.commit_to(3)
    assert isinstance(log.storage, MemoryStorage)
    log.storage.compact(2)
    with pytest.raises(RaftInvariantError, match="unapplied entries"):
        log.next_committed_entries(allow_unstable=True)
    with pytest.raises(RaftInvariantError):
        log._check()
    with pytest.raises(CompactedError):
        list(log.scan(1, 3, 10))


def test_what_is_being_applied_counts_against_the_limit() -> None:
    log = _log([10, 10, 10, 10], [])
    size = encoded_bytes(log.entries(1)[:1])
    log.applying_bytes_max = 3 * size
    log.commit_to(2)
    log.accept_applying(2, 2 * size, allow_unstable=True)
    log.commit_to(4)
    found = log.next_committed_entries(allow_unstable=True)
    assert [entry.index for entry in found] == [3]
