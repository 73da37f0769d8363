"""What is left in capacities; figures of compaction as measured on 3.4.23."""

import pytest

from miniet.memory.counts import Counts
from miniet.predict import PROFILES
from miniet.predict.history import History

KEYS = 1_000


def counts(
    revisions: int, *, cut: int = 0, left: int = 0, compacted: bool = False
) -> Counts:
    """Keys that all have `revisions`; `cut` and `left` are of each key."""
    return Counts(
        key_count=KEYS,
        index_key_count=KEYS,
        index_generation_count=KEYS,
        index_revision_count=KEYS * revisions,
        index_cut_revision_count=KEYS * cut,
        index_compacted_revision_count=KEYS * left,
        compact_revision=100 if compacted else -1,
    )


def slots(*steps: Counts) -> float:
    history = History(PROFILES["3.4"])
    for step in steps:
        history.see(step, is_restarted=False, rested_s=0.0)
    return history.array_slots


def test_compaction_leaves_the_array_of_a_living_key() -> None:
    compacted = counts(1, cut=63, left=1, compacted=True)
    assert slots(counts(64), compacted) == 64


def test_growth_after_compaction_copies_only_what_lives() -> None:
    one_more = counts(2, cut=63, left=1, compacted=True)
    assert slots(counts(64), one_more) == 2


def test_array_with_room_is_kept_until_it_is_full() -> None:
    """100 revisions have room for 128: 28 more puts fit, the 29th does not."""
    still = counts(1 + 28, cut=99, left=1, compacted=True)
    grown = counts(1 + 29, cut=99, left=1, compacted=True)
    assert [slots(counts(100), now) for now in (still, grown)] == [128, 64]


def test_one_reading_finds_the_same_array_as_many() -> None:
    late = counts(1 + 28, cut=99, left=1, compacted=True)
    assert slots(late) == slots(counts(40), counts(100), late)


def test_restart_reads_arrays_back_as_long_as_they_are_needed() -> None:
    history = History(PROFILES["3.4"])
    history.see(counts(64), is_restarted=False, rested_s=0.0)
    history.restart()
    history.see(counts(1, compacted=True), is_restarted=True, rested_s=0.0)
    assert history.array_slots == 1


def log(first: int, last: int, snapshot: int) -> Counts:
    return Counts(
        raft_entry_count=last - first + 1,
        raft_first_index=first,
        raft_last_index=last,
        raft_snapshot_index=snapshot,
    )


def test_log_is_cut_to_just_what_it_holds() -> None:
    history = History(PROFILES["3.4"])
    history.see(log(5_003, 10_002, 10_002), is_restarted=False, rested_s=0.0)
    assert history.log_slots == 5_001  # and the dummy


def test_log_grows_by_a_quarter_from_its_cut() -> None:
    history = History(PROFILES["3.4"])
    history.see(log(5_003, 10_003, 10_002), is_restarted=False, rested_s=0.0)
    assert 6_250 <= history.log_slots <= 6_600


def test_start_reads_the_log_back_in_one_piece() -> None:
    history = History(PROFILES["3.4"])
    history.restart()
    history.see(log(1, 1_004, 0), is_restarted=True, rested_s=0.0)
    assert history.log_slots == 1_005


def test_stale_pairs_go_with_a_commit_that_writes_none() -> None:
    history = History(PROFILES["3.4"])
    put = Counts(
        put_total=10, backend_last_commit_count=10, backend_last_commit_bytes=10_000
    )
    history.see(put, is_restarted=False, rested_s=0.0)
    assert history.stale_count == 10
    after = Counts(
        put_total=10,
        backend_last_commit_count=10,
        backend_last_commit_bytes=10_000,
        compact_revision=11,
    )
    history.see(after, is_restarted=False, rested_s=0.0)
    assert history.stale_count == 0


def batch(total: int, count: int, size: int) -> Counts:
    return Counts(
        put_total=total, backend_last_commit_count=count, backend_last_commit_bytes=size
    )


@pytest.mark.parametrize(
    ("count", "size", "stale_bytes"), [(20, 200, 200), (5, 50, 5_050), (10, 100, 100)]
)
def test_batch_overwrites_the_slots_that_it_reaches(
    count: int, size: int, stale_bytes: int
) -> None:
    history = History(PROFILES["3.4"])
    history.see(batch(10, 10, 10_000), is_restarted=False, rested_s=0.0)
    history.see(batch(99, count, size), is_restarted=False, rested_s=0.0)
    assert history.stale_bytes == stale_bytes
