"""What a component took between two stages, by three witnesses."""

import pytest

from miniet.lab.costs import Cost, cost_of
from miniet.memory.components import Component
from miniet.memory.traced import Traced
from tests.unit.lab.records import MIB, capture, live_heap, variant

KEYS = 10_000


def traced(size: int) -> Traced:
    sizes = {Component.MVCC: size, Component.RAFT: 99}
    return Traced(
        since_s=0.0,
        frame_count=8,
        bytes_by_component=sizes,
        blocks_by_component={},
        other_bytes=0,
        other_blocks=0,
        peak_bytes=0,
        tracer_bytes=0,
        lines={},
    )


def index(**fields: object) -> dict[str, object]:
    return {
        "key_count": KEYS,
        "index_key_count": KEYS,
        "index_generation_count": KEYS,
        "index_revision_count": KEYS,
        "index_key_bytes": 16 * KEYS,
        **fields,
    }


def test_prediction_is_that_of_the_component_alone() -> None:
    log = {"raft_entry_count": 5, "raft_payload_bytes": 5 * MIB}
    grown = variant("v", {"started": capture(), "loaded": capture(**index(), **log)})
    cost = cost_of(grown, "loaded", [Component.MVCC]).per(KEYS)
    assert cost.predicted == pytest.approx(169, abs=5)
    assert (cost.booked, cost.measured) == (None, None)


def test_booked_is_the_growth_of_the_component() -> None:
    stages = {
        "started": capture(traced=traced(500)),
        "loaded": capture(traced=traced(2_500)),
    }
    assert cost_of(variant("v", stages), "loaded", [Component.MVCC]).booked == 2_000


def test_booked_needs_tracing_at_both_ends() -> None:
    stages = {"started": capture(), "loaded": capture(traced=traced(2_500))}
    assert cost_of(variant("v", stages), "loaded", [Component.MVCC]).booked is None


def test_measured_leaves_out_what_is_predicted_for_the_rest() -> None:
    log = {"raft_entry_count": 8, "raft_payload_bytes": 8 * MIB}
    stages = {
        "started": capture(go=live_heap(4)),
        "loaded": capture(**index(**log), go=live_heap(14)),
    }
    grown = variant("v", stages)
    measured = cost_of(grown, "loaded", [Component.MVCC]).measured
    log_bytes = cost_of(grown, "loaded", [Component.RAFT]).predicted
    assert measured is not None
    assert log_bytes is not None
    assert measured == 10 * MIB - log_bytes


def test_cost_of_each_is_a_share_and_what_is_unknown_stays_so() -> None:
    assert Cost(1_000, None, 501).per(10) == Cost(100, None, 50)
    assert Cost(7).per(0) == Cost(7)
