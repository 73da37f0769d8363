"""What is live for a moment, and what lies beside the heap."""

from dataclasses import replace

from miniet.memory.counts import Counts
from miniet.predict import PROFILES
from miniet.predict.prediction import Band
from miniet.predict.process import NOTHING, burst, churn, dropped, outside_heap

MIB = 2**20
PROFILE = PROFILES["3.4"]


def moment(counts: Counts, before: Counts, *, is_restarted: bool = False) -> Band:
    return burst(counts, before, PROFILE, is_restarted=is_restarted)


def test_range_is_there_twice_while_it_is_built() -> None:
    answered = Counts(response_in_flight_bytes_max=100 * MIB)
    assert moment(answered, Counts()).likely == 200 * MIB
    assert moment(answered, answered) == NOTHING


def test_range_that_nobody_takes_was_there_once_more() -> None:
    held = Counts(
        response_in_flight_bytes=100 * MIB, response_in_flight_bytes_max=100 * MIB
    )
    assert moment(held, Counts()).likely == 100 * MIB


def test_large_transaction_has_a_list_of_its_changes() -> None:
    """Measured: 500,000 deletions at once took RSS from 300 to 621 MiB."""
    deleted = Counts(backend_last_commit_count=500_000)
    assert 60 * MIB < moment(deleted, Counts()).likely < 120 * MIB
    batch = Counts(backend_last_commit_count=10_000)
    assert moment(batch, Counts()) == NOTHING


def test_defragmentation_holds_a_batch_of_pairs() -> None:
    """Measured: 238 MiB more, 50,000 pairs of 587 MiB in all."""
    before = Counts(backend_opened_bytes=20_480, index_revision_count=50_000)
    after = replace(before, backend_opened_bytes=587 * MIB)
    held = moment(after, before)
    assert held.low < 238 * MIB < held.high


def test_start_reads_segments_back_that_lie_before_the_snapshot() -> None:
    cut = Counts(raft_snapshot_index=10_000)
    assert moment(cut, Counts(), is_restarted=True).high == 64 * MIB
    assert moment(Counts(), Counts(), is_restarted=True) == NOTHING


def test_watcher_that_catches_up_decodes_what_is_left() -> None:
    """Measured: RSS of 405 MiB beside 38 MiB live, history of 132 MiB."""
    behind = Counts(
        pending_event_count=94_000,
        pending_response_count=128,
        backend_in_use_bytes=132 * MIB,
    )
    assert moment(behind, Counts()).likely > 132 * MIB
    in_sync = replace(behind, pending_event_count=128)
    assert moment(in_sync, Counts()) == NOTHING


def test_log_was_longer_before_it_was_cut() -> None:
    before = Counts(
        raft_entry_count=100_000,
        raft_payload_bytes=100 * MIB,
        raft_first_index=1,
        raft_last_index=100_000,
    )
    after = Counts(
        raft_entry_count=5_000,
        raft_payload_bytes=5 * MIB,
        raft_first_index=95_002,
        raft_last_index=100_001,
        raft_snapshot_index=100_001,
    )
    longest = 100 * MIB + round(5 * MIB / 5_000)
    assert dropped(after, before, 100_000).likely == longest - 5 * MIB
    assert dropped(after, after, 100_000) == NOTHING


def test_start_allocates_what_the_log_holds() -> None:
    counts = Counts(raft_payload_bytes=1_000 * MIB)
    assert churn(counts, Counts(), is_restarted=True).likely == 2_000 * MIB
    assert churn(counts, Counts(), is_restarted=False) == NOTHING


def test_buffers_of_idle_connections_and_peers_are_not_resident() -> None:
    """Measured: 86 MiB resident where 103 are live."""
    heap = Band(0, 0, 0)
    bare = outside_heap(Counts(), heap, peer_count=0).low
    assert outside_heap(Counts(connection_count=1_000), heap, peer_count=0).low < (
        bare - 40 * MIB
    )
    assert outside_heap(Counts(), heap, peer_count=2).low < bare - 11 * MIB
