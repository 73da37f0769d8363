"""What follows from a real etcd's figures, and what is only worked out."""

import pytest

from miniet.client.etcd_counts import SeenCounts, read_counts
from miniet.client.metrics import Metrics
from miniet.pb import rpc_pb2

SNAPSHOTS = "etcd_debugging_snap_save_total_duration_seconds_count"
KEYS = "etcd_debugging_mvcc_keys_total"
REVISION = "etcd_debugging_mvcc_current_revision"
COMPACTED = "etcd_debugging_mvcc_compact_revision"
COMPACTED_KEYS = "etcd_debugging_mvcc_db_compaction_keys_total"
PUT_BYTES = "etcd_debugging_mvcc_total_put_size_in_bytes"
PUTS = "etcd_mvcc_put_total"


def seen(
    index: int = 0,
    profile: str = "3.4",
    flags: dict[str, str] | None = None,
    connections: int | None = None,
    **metrics: int,
) -> SeenCounts:
    status = rpc_pb2.StatusResponse(raftIndex=index, raftAppliedIndex=index)
    text = "".join(f"{name} {value}\n" for name, value in metrics.items())
    return read_counts(
        status,
        Metrics(text),
        profile=profile,
        flags=flags or {},
        lease_count=0,
        connection_count=connections,
    )


# (name, applied index, profile, flags, snapshots since the start, first index)
LOGS = [
    ("before the first snapshot all is kept", 90_000, "3.4", {}, 0, 1),
    ("the first snapshot at 5,000 cuts next to nothing",
     5_500, "3.4", {"snapshot-count": "5000"}, 1, 2),
    ("the second leaves the catch-up entries",
     12_000, "3.4", {"snapshot-count": "5000"}, 2, 5_003),
    ("fewer catch-up entries by their flag", 12_000, "3.5",
     {"snapshot-count": "5000", "snapshot-catchup-entries": "100"}, 2, 9_903),
    ("a process that began with a snapshot has nothing before it",
     12_000, "3.4", {"snapshot-count": "5000"}, 0, 10_003),
    ("a snapshot just due is not taken before the batch is over",
     10_010, "3.4", {"snapshot-count": "5000"}, 1, 2),
    ("3.6 cuts every 100 entries", 7_050, "3.6", {}, 0, 2_001),
    ("3.6 cuts nothing of few", 99, "3.6", {}, 0, 1),
]  # fmt: skip


@pytest.mark.parametrize("case", LOGS, ids=lambda case: case[0])
def test_log_is_worked_out_from_the_applied_index(case: tuple) -> None:
    _, index, profile, flags, snapshots, first = case
    counts = seen(index, profile, flags, **{SNAPSHOTS: snapshots}).counts
    assert counts.raft_first_index == first
    assert counts.raft_entry_count == index - first + 1


def test_single_puts_give_the_size_of_an_entry() -> None:
    metrics = {PUTS: 1000, PUT_BYTES: 1000 * 1_048_579, REVISION: 1001}
    counts = seen(1004, **metrics).counts
    assert counts.raft_payload_bytes == pytest.approx(1000 * 1_048_601, rel=0.001)


def test_txn_of_many_puts_is_one_entry() -> None:
    metrics = {PUTS: 10_000, PUT_BYTES: 10_000 * 100, REVISION: 101}
    counts = seen(104, **metrics).counts
    assert counts.raft_payload_bytes == pytest.approx(100 * 10_022, rel=0.01)


def test_entries_without_puts_are_small() -> None:
    assert seen(2000).counts.raft_payload_bytes == 2000 * 30


def test_size_of_entries_from_before_the_start_is_unseen() -> None:
    result = seen(2000, **{REVISION: 1900})
    assert "raft_payload_bytes" in result.unseen
    assert "raft_payload_bytes" not in result.estimated


def test_estimates_say_what_they_rest_on() -> None:
    estimated = seen(flags={"snapshot-count": "777"}, **{KEYS: 1}).estimated
    assert "--snapshot-count=777 (777)" in estimated["raft_entry_count"]
    assert "the default" in seen(profile="3.6").estimated["raft_entry_count"]
    assert "raft_last_index" not in estimated


def test_revisions_of_a_whole_life_are_exact() -> None:
    metrics = {KEYS: 10, PUTS: 500, REVISION: 501, COMPACTED: 400, COMPACTED_KEYS: 390}
    assert seen(**metrics).counts.index_revision_count == 110


def test_revisions_after_a_restart_are_a_bound() -> None:
    metrics = {KEYS: 10, PUTS: 5, REVISION: 501, COMPACTED: 400}
    assert seen(**metrics).counts.index_revision_count == 111


def test_what_is_not_known_is_unseen_and_zero() -> None:
    result = seen()
    for name in ("index_key_bytes", "connection_count", "key_count"):
        assert name in result.unseen
        assert getattr(result.counts, name) == 0
    assert "connection_count" not in seen(connections=3).unseen
