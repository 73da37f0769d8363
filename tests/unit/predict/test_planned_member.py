"""Counts of loads, against those that real members had."""

import pytest

from miniet.predict import PROFILES, PlannedMember
from miniet.predict.planned_member import BOOT_ENTRIES, pair_bytes

MIB = 2**20


def member(profile: str = "3.4", snapshot_count: int | None = None) -> PlannedMember:
    return PlannedMember(PROFILES[profile], snapshot_count=snapshot_count)


def put(plan: PlannedMember, count: int, value_bytes: int = 100, keys: int = 1) -> None:
    plan.put(count, keys=keys, key_bytes=16, value_bytes=value_bytes, in_flight=16)


@pytest.mark.parametrize(
    ("puts", "kept"),
    [
        (2_000, 2_000),
        (8_000, 8_000),
        (12_000, 7_000),
        (14_000, 9_000),
        (16_000, 6_000),
        (18_000, 8_000),
    ],
)
def test_log_is_a_sawtooth(puts: int, kept: int) -> None:
    """Measured with --snapshot-count=5000, in both releases."""
    plan = member(snapshot_count=5_000)
    put(plan, puts)
    assert plan.counts().raft_entry_count == pytest.approx(kept, abs=40)


@pytest.mark.parametrize("profile", ["3.4", "3.6"])
def test_a_billion_puts_end_where_a_few_do(profile: str) -> None:
    """Whole cycles of the log are skipped: the rest is what remains of the last."""
    few, many = member(profile), member(profile)
    cycle = PROFILES[profile].log.snapshot_count + 1 + 8
    put(few, 4 * cycle)
    put(many, 10_000 * cycle)
    assert few.counts().raft_entry_count == many.counts().raft_entry_count
    assert few.counts().raft_payload_bytes == many.counts().raft_payload_bytes


def test_3_6_keeps_the_catch_up_entries_and_a_hundred() -> None:
    plan = member("3.6")
    put(plan, 50_000)
    assert 5_000 <= plan.counts().raft_entry_count <= 5_100


def test_big_entries_leave_the_log_when_it_is_cut() -> None:
    plan = member()
    put(plan, 1_000, MIB)
    put(plan, 98_000, 128)
    assert plan.counts().raft_payload_bytes > 1_000 * MIB
    put(plan, 2_000, 128)
    assert plan.counts().raft_payload_bytes < 2 * MIB


def test_cut_within_a_batch_of_the_end_is_open() -> None:
    plan = member(snapshot_count=5_000)
    put(plan, 8_000)
    assert not plan.is_cut_open
    put(plan, 2_010 - BOOT_ENTRIES)
    assert plan.is_cut_open


def test_restart_keeps_what_came_after_the_snapshot() -> None:
    plan = member(snapshot_count=5_000)
    put(plan, 8_000)
    plan.restart()
    counts = plan.counts()
    assert counts.raft_first_index == counts.raft_snapshot_index + 1
    assert counts.put_total == 0


def test_compaction_keeps_one_revision_per_key() -> None:
    plan = member()
    put(plan, 1_000, keys=10)
    plan.compact()
    counts = plan.counts()
    assert counts.index_revision_count == counts.key_count == 10
    assert counts.index_cut_revision_count == 990
    assert counts.compact_revision == counts.current_revision == 1_001


def test_deleted_keys_stay_until_compaction() -> None:
    plan = member()
    put(plan, 100, keys=100)
    plan.delete(40)
    before = plan.counts()
    assert (before.key_count, before.index_key_count) == (60, 100)
    assert before.index_generation_count == 140
    plan.compact()
    after = plan.counts()
    assert (after.index_key_count, after.index_revision_count) == (60, 60)
    assert after.index_cut_revision_count == 0


@pytest.mark.parametrize(
    ("value_bytes", "share"), [(1_024, 1.35), (10_240, 1.20), (MIB, 1.0)]
)
def test_file_is_as_much_larger_than_its_values_as_measured(
    value_bytes: int, share: float
) -> None:
    assert pair_bytes(32 + value_bytes) / value_bytes == pytest.approx(share, rel=0.02)


def test_file_shrinks_only_when_defragmented() -> None:
    plan = member()
    put(plan, 1_000, MIB)
    plan.compact()
    assert plan.counts().backend_size_bytes > 1_000 * MIB
    assert plan.counts().backend_in_use_bytes < 2 * MIB
    plan.defragment()
    counts = plan.counts()
    assert counts.backend_size_bytes == counts.backend_opened_bytes < 2 * MIB


def test_leases_and_their_keys_go_together() -> None:
    plan = member()
    plan.grant(10)
    plan.put(30, keys=30, key_bytes=8, value_bytes=8, is_leased=True)
    held = plan.counts()
    assert (held.lease_count, held.keyed_lease_count) == (10, 10)
    assert (held.attached_key_count, held.attached_key_bytes) == (30, 240)
    plan.revoke_all()
    gone = plan.counts()
    assert (gone.lease_count, gone.attached_key_count, gone.key_count) == (0, 0, 0)
    assert (gone.lease_count_max, gone.lease_heap_element_count) == (10, 10)
