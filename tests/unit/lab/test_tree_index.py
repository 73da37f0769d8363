"""The verdict of `tree-index` follows its figures."""

from dataclasses import replace
from typing import Any

from miniet.lab.costs import cost_of
from miniet.lab.scenarios import tree_index
from miniet.lab.scenarios.tree_index import HISTORY, MORE, ONE_MORE, REVISIONS
from miniet.memory.capture import Capture
from miniet.memory.components import Component
from miniet.memory.go_memory import GoMemory
from miniet.report.run import Variant
from tests.unit.lab.records import capture, live_heap, variant
from tests.unit.lab.test_costs import traced

KEYS = 10_000


def index(revisions: int, *, keys: int = KEYS, **fields: Any) -> Capture:
    """Make keys of 64 B with so many revisions each."""
    return capture(
        key_count=keys,
        index_key_count=keys,
        index_key_bytes=64 * keys,
        index_generation_count=keys,
        index_revision_count=revisions * keys,
        current_revision=10,
        **fields,
    )


def deleted(keys_left: int = 0) -> Variant:
    loaded = index(1)
    counts = replace(
        loaded.counts,
        key_count=0,
        index_generation_count=2 * KEYS,
        index_revision_count=2 * KEYS,
    )
    stages = {
        "started": capture(),
        "loaded": loaded,
        "deleted": replace(loaded, counts=counts),
        "compacted": index(1, keys=keys_left),
    }
    return variant("short keys", stages)


def history(*, booked: tuple[int, int] | None = None, **fields: Any) -> Variant:
    """Follow keys that are compacted, put again, and read back after a restart."""
    cut = {
        "index_cut_revision_count": (REVISIONS - 1) * KEYS,
        "index_compacted_revision_count": KEYS,
        "compact_revision": 5,
    }
    loaded, compacted = index(REVISIONS, **fields), index(1, **cut, **fields)
    started = capture(**fields)
    if booked is not None:
        started = replace(started, traced=traced(0))
        loaded = replace(loaded, traced=traced(booked[0] * KEYS))
        compacted = replace(compacted, traced=traced(booked[1] * KEYS))
    stages = {
        "started": started,
        "loaded": loaded,
        "compacted": compacted,
        MORE: index(29, **cut, **fields),
        ONE_MORE: index(30, **cut, **fields),
    }
    return variant(HISTORY, stages)


def predicted(found: Variant, name: str) -> str:
    """Return what a key is predicted to take at a stage."""
    size = cost_of(found, name, [Component.MVCC]).per(KEYS).predicted
    return f"{size:,} B in Go"


def verdict(*variants: Variant) -> str:
    return "\n".join(tree_index.explain(variants).verdict)


def test_key_is_said_to_cost_what_is_predicted() -> None:
    found = deleted()
    said = f"A key of 64 B with one revision takes {predicted(found, 'loaded')}."
    assert said in verdict(found)


def test_deleted_keys_go_with_the_compaction() -> None:
    found = deleted()
    text = verdict(found)
    assert f"a tombstone each: {predicted(found, 'deleted')} per key" in text
    assert "takes the keys out: 0 B in Go" in text


def test_keys_that_a_compaction_left_are_counted() -> None:
    text = verdict(deleted(keys_left=7))
    assert "The compaction left 7 keys in it" in text
    assert "takes the keys out" not in text


def test_compaction_does_not_shrink_the_slices_of_a_live_key_in_go() -> None:
    text = verdict(history())
    assert "990,000 of them from 10,000 keys that live on" in text
    assert "compaction does not shrink the slices of a live key in Go" in text
    assert "as measured" not in text


def test_array_goes_with_the_put_that_makes_it_grow() -> None:
    found = history()
    text = verdict(found)
    assert f"it stays {predicted(found, MORE)}; put number 29" in text
    assert f"a new one, {predicted(found, ONE_MORE)}" in text


def test_python_list_that_is_cut_is_said_to_shrink_only_if_it_did() -> None:
    assert "Here it does, from 1,900 to 340 B" in verdict(history(booked=(1900, 340)))
    assert "Here neither" in verdict(history(booked=(1900, 1900)))
    assert "Here" not in verdict(history())


def measured(loaded_mib: float, compacted_mib: float) -> Variant:
    found = history()
    heaps: dict[str, GoMemory] = {
        "started": live_heap(4),
        "loaded": live_heap(loaded_mib),
        "compacted": live_heap(compacted_mib),
    }
    stages = [
        replace(stage, capture=replace(stage.capture, go=heaps.get(stage.name)))
        for stage in found.stages
    ]
    return replace(found, stages=stages)


def test_real_etcd_that_agrees_is_a_witness() -> None:
    assert "the array stays, as measured" in verdict(measured(25, 25))


def test_real_etcd_that_does_not_agree_is_said_so() -> None:
    text = verdict(measured(25, 10))
    assert "as measured" not in text
    assert "1,573 B less were measured" in text  # 15 MiB of 10,000 keys


def test_small_index_is_not_measured_by_a_whole_heap() -> None:
    small = measured(25, 25)
    keys = KEYS // 100
    stages = []
    for stage in small.stages:
        count = {"loaded": REVISIONS, "compacted": 1}.get(stage.name)
        if count is not None:
            found = index(count, keys=keys, go=stage.capture.go)
            stage = replace(stage, capture=found)
        stages.append((stage.name, stage.capture))
    assert "measured" not in verdict(variant(HISTORY, dict(stages)))


def test_table_has_a_column_for_each_witness_that_is_there() -> None:
    (table,) = tree_index.explain([deleted()]).tables
    assert table.columns == ("keys", "stage", "Go, predicted")
    assert [row[1] for row in table.rows] == ["loaded", "deleted", "compacted"]


def test_missing_tracing_is_a_gap() -> None:
    assert tree_index.explain([deleted()]).not_shown == (
        "Python's bytes: the server does not trace.",
    )
