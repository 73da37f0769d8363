"""A process's life; figures of the case study as measured (MiB)."""

from dataclasses import replace

from miniet.memory.counts import Counts
from miniet.predict import PROFILES, GoModel
from miniet.predict.go_model import WIDTH_MAX

MIB = 2**20
LOADED = Counts(
    raft_entry_count=1_004,
    raft_payload_bytes=1_000 * (MIB + 34),
    raft_first_index=1,
    raft_last_index=1_004,
    key_count=1,
    index_key_count=1,
    index_key_bytes=14,
    index_generation_count=1,
    index_revision_count=1_000,
    current_revision=1_001,
    compact_revision=-1,
    put_total=1_000,
    put_bytes_total=1_000 * MIB,
    backend_size_bytes=1_183 * MIB,
    backend_in_use_bytes=1_005 * MIB,
    backend_opened_bytes=20_480,
    backend_last_commit_count=14,
    backend_last_commit_bytes=14 * MIB,
)
COMPACTED = replace(
    LOADED, compact_revision=1_001, index_revision_count=1, backend_in_use_bytes=MIB
)
DEFRAGMENTED = replace(COMPACTED, backend_size_bytes=MIB, backend_opened_bytes=MIB)


def test_case_study_is_followed_stage_by_stage() -> None:
    model = GoModel(PROFILES["3.4"])
    for counts, idle_s, measured in (
        (Counts(), 0, 24),
        (LOADED, 0, 2_426),
        (COMPACTED, 0, 2_792),
        (DEFRAGMENTED, 0, 1_942),
        (DEFRAGMENTED, 60, 1_942),
        (DEFRAGMENTED, 240, 1_201),
        (DEFRAGMENTED, 180, 1_198),
    ):
        resident = model.step(counts, idle_s=idle_s).resident
        assert resident.low <= measured * MIB <= resident.high


def test_release_with_madv_free_keeps_what_others_give_back() -> None:
    rested = []
    for profile in ("3.4.9", "3.4"):
        model = GoModel(PROFILES[profile])
        model.step(LOADED)
        rested.append(model.step(DEFRAGMENTED, idle_s=480).resident.likely / MIB)
    assert rested[0] > 1_800
    assert rested[1] < 1_300


def test_madvdontneed_overrides_the_release() -> None:
    model = GoModel(PROFILES["3.4.9"], madvdontneed=1)
    model.step(LOADED)
    assert model.step(DEFRAGMENTED, idle_s=480).resident.likely < 1_300 * MIB


def test_one_step_is_useful_and_says_what_is_live() -> None:
    """Measured after a forced collection: 1,012."""
    prediction = GoModel(PROFILES["3.4"]).step(DEFRAGMENTED)
    live, resident = prediction.live_heap, prediction.resident
    assert live.low <= 1_012 * MIB <= live.high
    assert resident.low < resident.likely < resident.high


def test_band_of_rss_is_never_too_wide_to_use() -> None:
    model = GoModel(PROFILES["3.4"])
    for counts in (Counts(), LOADED, COMPACTED, Counts()):
        resident = model.step(counts).resident
        assert resident.low <= resident.likely <= resident.high
        assert resident.high <= (WIDTH_MAX + 0.01) * resident.low


def test_restart_does_not_free_what_the_log_keeps() -> None:
    """Measured: 1,012 live before and after."""
    model = GoModel(PROFILES["3.4"])
    model.step(DEFRAGMENTED)
    model.restart()
    live = model.step(replace(DEFRAGMENTED, put_total=0, put_bytes_total=0)).live_heap
    assert abs(live.likely - 1_012 * MIB) < 20 * MIB


def test_peers_cost_heap_of_their_own() -> None:
    alone, three = (
        GoModel(PROFILES["3.4"], peer_count=n).step(LOADED).live_heap.likely
        for n in (0, 2)
    )
    assert 10 * MIB < three - alone < 30 * MIB


def test_profile_that_was_not_measured_says_so() -> None:
    assert "not measured" in GoModel(PROFILES["3.6"]).step(Counts()).notes[0]
    assert GoModel(PROFILES["3.5"]).step(Counts()).notes == ()


def test_flags_and_variables_of_a_process_are_followed() -> None:
    rested = []
    for flags in ({}, {"GODEBUG": "gctrace=1,madvdontneed=0"}, {"GOGC": "25"}):
        model = GoModel.of_flags(PROFILES["3.4"], flags)
        loaded = model.step(LOADED).resident.likely
        rested.append((loaded, model.step(DEFRAGMENTED, idle_s=480).resident.likely))
    default, keeping, thrifty = rested
    assert keeping[1] > 1_800 * MIB > 1_300 * MIB > default[1]
    assert thrifty[0] < 0.9 * default[0]


def test_flags_that_are_no_numbers_leave_the_defaults() -> None:
    odd = {"GOGC": "off", "GODEBUG": "madvdontneed", "snapshot-count": ""}
    model = GoModel.of_flags(PROFILES["3.5"], odd)
    assert model.step(LOADED) == GoModel(PROFILES["3.5"]).step(LOADED)
