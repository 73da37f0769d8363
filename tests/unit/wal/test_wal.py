"""The log as its owner uses it: create, append, flush, cut, open again."""

import os
import resource
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.errors import InvariantError
from miniet.raft.messages import ConfState, Entry, EntryType, HardState
from miniet.wal import (
    SnapshotNotFoundError,
    Wal,
    WalExistsError,
    WalFailedError,
    WalLockedError,
    WalMissingError,
    WalSnapshot,
    read_log,
    valid_snapshots,
)
from tests.unit.wal.logs import METADATA, NODE, entries, last_segment, state, write_log

START = WalSnapshot()


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "member" / "wal"


def create(directory, **options):
    return Wal.create(
        directory, METADATA, **{"sync": False, "segment_bytes": 8192, **options}
    )


def reopen(wal, at=START, **options):
    wal._check()
    wal.close()
    wal, contents = Wal.open(wal._directory, at, **{"sync": False, **options})
    wal._check()
    return wal, contents


def test_new_log_is_etcds_byte_for_byte(directory):
    create(directory, segment_bytes=64_000_000).close()
    segment = directory / "0000000000000000-0000000000000000.wal"
    content = segment.read_bytes()
    assert len(content) == 64_000_000
    # CRC, metadata and snapshot record, at the offsets 0, 16 and 56 as in etcd's.
    assert content[:80] == bytes.fromhex(
        "0400000000000084 0804 1000 00000000"
        "2000000000000000 0801 1083cda2a705 1a16"
        + METADATA.hex()
        + "0e00000000000082 0805 10ede48ad207 1a04 08001000 0000"
    )
    assert content[80:] == bytes(64_000_000 - 80)
    assert os.stat(segment).st_mode & 0o777 == 0o600
    assert os.stat(directory).st_mode & 0o777 == 0o700
    assert os.listdir(directory.parent) == ["wal"]


def test_new_log_replaces_what_a_crash_left_of_one(directory):
    leftover = directory.with_name("wal.tmp")
    leftover.mkdir(parents=True)
    (leftover / "0000000000000000-0000000000000000.wal").write_bytes(b"half")
    wal, contents = reopen(create(directory))
    assert contents.metadata == METADATA
    assert not leftover.exists()
    wal.close()


def test_new_log_is_refused_where_files_are(directory):
    create(directory).close()
    with pytest.raises(WalExistsError):
        create(directory)


def test_log_comes_back(directory):
    wal = create(directory)
    wal.append(state(0), entries(1, 3))
    wal.flush(sync=False)
    wal.append(state(3), [])
    wal, contents = reopen(wal)
    assert contents.metadata == METADATA
    assert contents.hard_state == state(3)
    assert contents.entries == entries(1, 3)
    assert contents.torn is None
    wal.close()


def test_reopened_log_goes_on_in_the_same_segment(directory):
    wal = create(directory)
    wal.append(state(0), entries(1, 3))
    wal, _ = reopen(wal)
    wal.append(state(3), entries(4, 2))
    wal, contents = reopen(wal)
    assert contents.entries == entries(1, 5)
    assert wal.statistics().segment_count == 1
    wal.close()


def test_append_touches_no_file(directory):
    wal = create(directory)
    before = last_segment(directory).read_bytes()
    wal.append(state(0), entries(1, 3))
    assert last_segment(directory).read_bytes() == before
    assert wal.statistics().pending_bytes > 0
    wal._check()
    wal.flush(sync=False)
    assert wal.statistics().pending_bytes == 0
    wal.close()


def test_later_entry_displaces_those_from_its_index_on(directory):
    wal = create(directory)
    wal.append(state(0), entries(1, 5))
    wal.append(state(2, term=3), entries(3, 1, term=3))
    assert wal.statistics().last_index == 3
    wal, contents = reopen(wal)
    assert contents.entries == entries(1, 2) + entries(3, 1, term=3)
    wal.close()


def test_entry_before_the_snapshot_displaces_those_after_it(directory):
    wal = create(directory)
    wal.append(state(0), entries(1, 3))
    wal.append(state(0, term=3), entries(2, 1, term=3))
    wal.append(state(2, term=3), [])
    wal.save_snapshot(2, 3)
    wal, contents = reopen(wal, WalSnapshot(2, 3))
    assert contents.entries == []
    wal.close()


def test_empty_hard_state_writes_no_record(directory):
    wal = create(directory)
    wal.append(HardState(), [])
    wal.append(None, [])
    assert wal.statistics().pending_bytes == 0
    wal.close()


def test_full_segment_is_cut_after_the_flush_that_fills_it(directory):
    wal = create(directory, segment_bytes=1000)
    wal.append(state(0), entries(1, 20))
    wal.flush(sync=False)
    wal._check()
    assert sorted(os.listdir(directory)) == [
        "0000000000000000-0000000000000000.wal",
        "0000000000000001-0000000000000015.wal",
    ]
    first = directory / "0000000000000000-0000000000000000.wal"
    # Cut to its records: the last one ends within the last eight bytes.
    assert 1000 < first.stat().st_size < 1300
    assert any(first.read_bytes()[-16:])
    assert last_segment(directory).stat().st_size == 1000
    wal.append(state(20), entries(21, 1))
    wal, contents = reopen(wal, segment_bytes=1000)
    assert contents.entries == entries(1, 21)
    assert wal.statistics().segment_count == 2
    wal.close()


def test_cut_gives_preallocated_space_back(directory):
    wal = create(directory, segment_bytes=8192)
    wal, _ = reopen(wal, segment_bytes=1000)
    wal.append(state(0), entries(1, 20))
    wal.flush(sync=False)
    assert min(directory.iterdir()).stat().st_size < 1300
    wal.close()


def test_cut_segment_can_be_read_alone(directory):
    wal = create(directory, segment_bytes=1000)
    wal.append(state(0), entries(1, 20))
    wal.flush(sync=False)
    wal.append(None, entries(21, 2))
    wal.save_snapshot(21, 2)
    wal.close()
    (directory / "0000000000000000-0000000000000000.wal").unlink()
    contents = read_log(directory, WalSnapshot(21, 2))
    assert contents.metadata == METADATA
    assert contents.hard_state == state(0)
    assert contents.entries == entries(22, 1)


def test_cut_after_reopening_repeats_the_state_read(directory):
    wal = create(directory, segment_bytes=1000)
    wal.append(state(0), entries(1, 2))
    wal, _ = reopen(wal, segment_bytes=1000)
    wal.append(None, entries(3, 20))
    wal.flush(sync=False)
    wal.save_snapshot(22, 2)
    wal._check()
    wal.close()
    assert read_log(directory, WalSnapshot(22, 2)).hard_state == state(0)


def test_log_opens_at_a_snapshot(directory):
    wal = create(directory)
    wal.append(state(0), entries(1, 10))
    wal.append(state(10), [])
    wal.save_snapshot(5, 2, ConfState((NODE,)))
    wal.append(None, entries(11, 2))
    wal, contents = reopen(wal, WalSnapshot(5, 2))
    assert contents.entries == entries(6, 7)
    wal.append(state(12), entries(13, 1))
    wal.close()


def test_snapshot_of_a_leader_lets_the_log_jump(directory):
    wal = create(directory)
    wal.append(state(0), entries(1, 2))
    wal.save_snapshot(100, 3)
    wal.append(state(100, term=3), entries(101, 2, term=3))
    wal, contents = reopen(wal, WalSnapshot(100, 3))
    assert contents.entries == entries(101, 2, term=3)
    wal.close()


def test_unknown_snapshot_is_refused(directory):
    write_log(directory, [entries(1, 3)])
    with pytest.raises(SnapshotNotFoundError, match="index 2 term 2"):
        Wal.open(directory, WalSnapshot(2, 2))
    Wal.open(directory, START)[0].close()


def test_second_writer_is_refused(directory):
    wal = create(directory)
    with pytest.raises(WalLockedError, match="stop the server"):
        Wal.open(directory, START)
    wal.close()
    Wal.open(directory, START)[0].close()


def test_absent_log_is_refused(directory):
    with pytest.raises(WalMissingError):
        Wal.open(directory, START)


def test_opening_removes_segments_never_finished(directory):
    wal = create(directory)
    for name in ("0.tmp", "1.tmp"):
        (directory / name).write_bytes(b"unfinished")
    wal, _ = reopen(wal)
    assert len(os.listdir(directory)) == 1
    wal.close()


def test_release_keeps_what_a_start_at_the_snapshot_needs(directory):
    wal = create(directory, segment_bytes=500)
    for first in range(1, 41, 10):
        wal.append(state(first - 1), entries(first, 10))
        wal.flush(sync=False)
    assert wal.statistics().segment_count == 5  # from index 0, 11, 21, 31, 41
    wal.release_to(11)
    assert wal.statistics().first_segment.endswith("0000.wal")
    wal.release_to(35)
    assert wal.statistics().first_segment.endswith("001f.wal")
    wal._check()
    wal.release_to(1000)
    assert wal.statistics().segment_count == 1
    wal._check()
    wal.close()


def test_sync_waits_for_the_disk_and_tells_how_long(directory):
    durations = []
    wal = create(directory, sync=True, on_fsync=durations.append)
    assert wal.statistics().fsync_count == len(durations) == 1
    wal.append(state(0), entries(1, 1))
    wal.flush(sync=False)
    assert wal.statistics().fsync_count == 1
    wal.flush(sync=True)
    wal.save_snapshot(0, 0)
    assert wal.statistics().fsync_count == len(durations) == 3
    assert min(durations) > 0
    wal.close()


def test_statistics_count_every_byte_written(directory):
    wal = create(directory, segment_bytes=1000)
    wal.append(state(0), entries(1, 20))
    wal.flush(sync=False)
    wal.append(state(20), [])
    wal.flush(sync=False)
    statistics = wal.statistics()
    first = directory / statistics.first_segment
    assert statistics.written_bytes == first.stat().st_size + statistics.tail_bytes
    assert statistics.cut_count == 1
    assert statistics.last_segment.startswith("0000000000000001-")
    assert statistics.fsync_count == 0
    wal.close()


@pytest.mark.parametrize(
    ("hard_state", "batch"),
    [
        pytest.param(None, entries(5, 1), id="hole"),
        pytest.param(None, [*entries(4, 1), *entries(6, 1)], id="hole inside"),
        pytest.param(None, [Entry(2, 4, EntryType.CONF_CHANGE)], id="no conf change"),
        pytest.param(HardState(0, 1, 1), [], id="term 0"),
    ],
)
def test_what_could_not_be_read_again_is_not_appended(directory, hard_state, batch):
    wal = create(directory)
    wal.append(state(0), entries(1, 3))
    before = wal.statistics()
    with pytest.raises(InvariantError):
        wal.append(hard_state, batch)
    assert wal.statistics() == before
    wal._check()
    wal.close()


def test_closed_log_takes_nothing(directory):
    wal = create(directory)
    wal.close()
    wal.close()
    with pytest.raises(InvariantError, match="closed"):
        wal.append(None, entries(1, 1))


@pytest.fixture
def file_size_limit():
    """Makes every write beyond an offset fail, for real."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_failed_write_fails_every_later_call(directory, file_size_limit):
    wal = create(directory, segment_bytes=4096)
    wal.append(state(0), entries(1, 3))
    wal.flush(sync=False)
    wal.append(state(3), entries(4, 100))
    file_size_limit(4100)
    with pytest.raises(WalFailedError, match="File too large") as failure:
        wal.flush(sync=True)
    file_size_limit(resource.RLIM_INFINITY)
    for call in (
        lambda: wal.append(None, entries(104, 1)),
        lambda: wal.flush(sync=True),
        lambda: wal.save_snapshot(3, 2),
        lambda: wal.release_to(3),
    ):
        with pytest.raises(WalFailedError) as again:
            call()
        assert again.value is failure.value
    wal.close()
    contents = read_log(directory, START)
    assert contents.torn is not None
    assert contents.entries[:3] == entries(1, 3)


def test_repr_shows_sizes(directory):
    wal = create(directory)
    assert repr(wal) == "<Wal 1 segments, last index 0, 80 + 0 bytes>"
    wal.close()


# One step of a log's life: what to append, or to do with the log.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 4), st.integers(1, 6)),
        st.tuples(st.just("state"), st.just(0), st.integers(0, 2)),
        st.tuples(st.just("snapshot"), st.integers(0, 6), st.just(0)),
        st.tuples(st.just("flush"), st.just(0), st.just(0)),
        st.tuples(st.just("open"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(steps=STEPS, size=st.sampled_from([0, 1, 40, 300]))
def test_any_sequence_of_saves_comes_back(tmp_path_factory, steps, size):
    wal = create(tmp_path_factory.mktemp("log") / "wal", segment_bytes=600)
    log, current, term, snapshots = [], HardState(), 1, {START}
    for step, back, amount in steps:
        if step == "append":
            # What a snapshot holds is committed: raft never overwrites it.
            snapshot_index = max(known.index for known in snapshots)
            first = max(len(log) + 1 - back, snapshot_index + 1)
            new = entries(first, amount, term=term, size=size)
            wal.append(None, new)
            log[first - 1 :] = new
        elif step == "state":
            term += amount
            current = state(len(log), term)
            wal.append(current, [])
        elif step == "snapshot" and log:
            entry = log[max(len(log) - 1 - back, 0)]
            if all(known.index != entry.index for known in snapshots):
                wal.save_snapshot(entry.index, entry.term)
                snapshots.add(WalSnapshot(entry.index, entry.term))
        elif step == "flush":
            wal.flush(sync=False)
        elif step == "open":
            wal, contents = reopen(wal, segment_bytes=600)
            assert (contents.hard_state, contents.entries) == (current, log)
        wal._check()
    wal.close()
    assert set(valid_snapshots(wal._directory)) == {
        known for known in snapshots if known.index <= current.commit
    }
    for at in snapshots:
        contents = read_log(wal._directory, at)
        assert (contents.hard_state, contents.entries) == (current, log[at.index :])
        assert contents.torn is None


@pytest.mark.parametrize("spare", [-1, 0, 1])
def test_segment_is_cut_as_soon_as_its_size_is_reached(directory, spare):
    wal = create(directory)
    wal.append(state(0), entries(1, 3))
    wal.flush(sync=False)
    size = wal.statistics().tail_bytes
    wal.close()
    shutil.rmtree(directory)
    wal = create(directory, segment_bytes=size + spare)
    wal.append(state(0), entries(1, 3))
    wal.flush(sync=False)
    wal._check()
    assert wal.statistics().cut_count == (1 if spare <= 0 else 0)
    wal.close()


def test_cut_waits_for_the_old_tail_and_for_the_new_head(directory):
    wal = create(directory, sync=True, segment_bytes=1000)
    before = wal.statistics().fsync_count
    wal.append(state(0), entries(1, 20))
    # Not asked to wait: but nothing behind a cut may be durable before it.
    wal.flush(sync=False)
    statistics = wal.statistics()
    assert (statistics.cut_count, statistics.fsync_count) == (1, before + 2)
    wal.close()
