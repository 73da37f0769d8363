"""Components against figures that were measured on etcd 3.4.23 and 3.5.1."""

from dataclasses import replace

import pytest

from miniet.memory.components import GoComponent
from miniet.memory.counts import Counts
from miniet.predict import PROFILES, GoModel
from miniet.predict.prediction import Band

MIB = 2**20


def component(key: GoComponent, counts: Counts, profile: str = "3.4") -> Band:
    return GoModel(PROFILES[profile]).step(counts).components[key]


def index(keys: int, length: int, revisions: int) -> Counts:
    return Counts(
        key_count=keys,
        index_key_count=keys,
        index_key_bytes=keys * length,
        index_generation_count=keys,
        index_revision_count=keys * revisions,
        current_revision=keys * revisions + 1,
        compact_revision=-1,
    )


def test_entry_of_a_mebibyte_takes_whole_pages() -> None:
    counts = Counts(
        raft_entry_count=1_000,
        raft_payload_bytes=1_000 * (MIB + 34),
        raft_first_index=1,
        raft_last_index=1_000,
    )
    raft = component(GoComponent.RAFT, counts)
    assert raft.likely == pytest.approx(1_007.8 * MIB, rel=0.001)


@pytest.mark.parametrize(("profile", "slot"), [("3.4", 72), ("3.5", 48)])
def test_slot_of_the_log_is_smaller_from_3_5_on(profile: str, slot: int) -> None:
    """Cut to 5,000 entries, the array is exactly as long."""
    counts = Counts(
        raft_entry_count=5_000,
        raft_payload_bytes=5_000 * 144,
        raft_first_index=95_001,
        raft_last_index=100_000,
        raft_snapshot_index=100_000,
    )
    assert component(GoComponent.RAFT, counts, profile).likely == pytest.approx(
        5_000 * 144 + 5_001 * slot, rel=0.001
    )


@pytest.mark.parametrize(
    ("profile", "keys", "length", "revisions", "measured"),
    [
        ("3.4", 100_000, 64, 1, 154 + 63),
        ("3.4", 500_000, 256, 1, 147 + 255),
        ("3.4", 100_000, 64, 3, 199 + 67),
        ("3.4", 1_000, 32, 10, 404 + 32),
        ("3.4", 10_000, 64, 17, 645 + 63),
        ("3.4", 1_000, 32, 1_000, 20_616 + 29),
        ("3.5", 1_000, 32, 1_000, 16_470 + 20),
    ],
)
def test_index_costs_per_key_what_was_measured(
    profile: str, keys: int, length: int, revisions: int, measured: int
) -> None:
    mvcc = component(GoComponent.MVCC, index(keys, length, revisions), profile)
    assert mvcc.likely / keys == pytest.approx(measured, rel=0.05)


def test_index_of_keys_in_order_lies_in_the_band() -> None:
    """Measured: 179.5 bytes, 50,000 keys of 16 bytes put in ascending order."""
    mvcc = component(GoComponent.MVCC, index(50_000, 16, 1))
    assert mvcc.low < 50_000 * 179.5 <= mvcc.high


def test_deleted_key_pays_for_a_generation_and_a_tombstone() -> None:
    """Measured: 212 to 229 bytes beside the key."""
    counts = replace(index(10_000, 16, 2), key_count=0, index_generation_count=20_000)
    mvcc = component(GoComponent.MVCC, counts)
    assert 212 <= mvcc.likely / 10_000 - 16 <= 240


def test_leases_cost_what_was_measured() -> None:
    counts = Counts(
        lease_count=100_000, lease_count_max=100_000, lease_heap_element_count=100_000
    )
    assert component(GoComponent.LEASE, counts).likely / 100_000 == pytest.approx(
        346, rel=0.03
    )


@pytest.mark.parametrize(
    ("leases", "keys", "measured"),
    [(100_000, 100_000, 183 + 24), (100_000, 1_000_000, 87 + 24)],
)
def test_attached_key_costs_what_was_measured(
    leases: int, keys: int, measured: int
) -> None:
    counts = Counts(
        lease_count=leases,
        keyed_lease_count=leases,
        attached_key_count=keys,
        attached_key_bytes=24 * keys,
    )
    bare = replace(
        counts, attached_key_count=0, attached_key_bytes=0, keyed_lease_count=0
    )
    added = (
        component(GoComponent.LEASE, counts).likely
        - component(GoComponent.LEASE, bare).likely
    )
    assert added / keys == pytest.approx(measured, rel=0.05)


def test_maps_of_revoked_leases_stay() -> None:
    """Measured: 98 bytes per lease that was revoked and not yet due."""
    counts = Counts(lease_count_max=10_000, lease_heap_element_count=10_000)
    assert component(GoComponent.LEASE, counts).likely / 10_000 == pytest.approx(
        98, rel=0.03
    )


def test_stream_of_3_4_9_has_a_channel_of_1024_responses() -> None:
    counts = Counts(stream_count=1_000)
    early, late = (
        component(GoComponent.WATCH, counts, profile).likely
        for profile in ("3.4.9", "3.4")
    )
    assert (early - late) / 1_000 == 43_008


def test_watchers_of_one_key_share_what_the_key_costs() -> None:
    """Measured: 467 bytes with a key of its own, 294 with one for all."""
    own = Counts(watcher_count=10_000, watched_key_count=10_000)
    same = Counts(watcher_count=10_000, watched_key_count=1)
    each = [component(GoComponent.WATCH, c).likely / 10_000 for c in (own, same)]
    assert each == pytest.approx([467, 294], rel=0.02)


def test_answer_nobody_takes_is_held_once() -> None:
    counts = Counts(response_in_flight_bytes=100 * MIB)
    requests = component(GoComponent.REQUESTS, counts)
    assert (requests.likely, requests.high) == (100 * MIB, 200 * MIB)


def test_deleting_in_one_request_fills_the_buffers() -> None:
    """Measured: slots 23 and tombstones 23 MiB, 500,000 keys of 16 bytes."""
    counts = Counts(
        backend_last_commit_count=500_000, backend_last_commit_bytes=8_000_000
    )
    backend = component(GoComponent.BACKEND, counts).likely / MIB
    assert backend == pytest.approx(46 + 7, rel=0.2)  # slots grow by half


def test_free_pages_of_the_file_cost_heap() -> None:
    """Measured: 3 to 4 MiB of free list for 600 MiB of free pages."""
    full = Counts(backend_size_bytes=600 * MIB, backend_in_use_bytes=600 * MIB)
    free = replace(full, backend_in_use_bytes=0)
    added = (
        component(GoComponent.BACKEND, free).likely
        - component(GoComponent.BACKEND, full).likely
    )
    assert 3 * MIB < added < 4.5 * MIB


def test_empty_server_is_what_was_measured() -> None:
    live = GoModel(PROFILES["3.4"]).step(Counts()).live_heap
    assert live.likely == pytest.approx(4.17 * MIB, rel=0.03)


def test_components_add_up_to_the_live_heap() -> None:
    prediction = GoModel(PROFILES["3.6"]).step(index(1_000, 16, 3))
    assert sum(prediction.components.values(), Band(0, 0, 0)) == prediction.live_heap
    assert list(prediction.components) == list(GoComponent)


def test_closed_streams_leave_something_behind() -> None:
    """Measured: 14 MiB more than an empty server after 10,000 streams."""
    model = GoModel(PROFILES["3.4"])
    empty = model.step(Counts()).live_heap.likely
    model.step(Counts(connection_count=1_000, stream_count=10_000))
    after = model.step(Counts()).live_heap.likely
    assert (after - empty) / MIB == pytest.approx(14, rel=0.1)
