"""The verdict of `case-study` follows its figures."""

from dataclasses import replace
from typing import Any

import pytest

from miniet.lab.scenarios import case_study
from miniet.report.run import Variant
from tests.unit.lab.records import MIB, capture, live_heap, process, variant

PUTS = 1000


def log(entries: int, **more: int) -> dict[str, int]:
    """Make the counts of a log whose entries have 1 MiB of data each."""
    return {
        "raft_entry_count": entries,
        "raft_payload_bytes": entries * MIB,
        "raft_first_index": PUTS - entries + 1,
        "raft_last_index": PUTS,
        "put_total": PUTS,
        "put_bytes_total": PUTS * MIB,
        "index_key_count": 1,
        **more,
    }


def study(
    name: str = "default",
    entries: int = PUTS,
    snapshot: int = 0,
    restarted: int | None = None,
    first: int | None = None,
    **flags: str,
) -> Variant:
    """Make a variant that ends with so many entries in its log."""
    fields: dict[str, Any] = {
        "flags": {key.replace("_", "-"): text for key, text in flags.items()}
    }
    loaded = log(
        PUTS, index_revision_count=PUTS, backend_size_bytes=1100 * MIB, **fields
    )
    end = log(
        entries,
        index_revision_count=1,
        backend_size_bytes=MIB,
        raft_snapshot_index=snapshot,
        **fields,
    )
    if first is not None:
        end["raft_first_index"] = first
    stages = {
        "started": capture(**fields),
        "loaded": capture(**loaded),
        "compacted": capture(**{**end, "backend_size_bytes": 1100 * MIB}),
        "defragmented": capture(**end),
    }
    if restarted is not None:
        stages["restarted"] = capture(**log(restarted))
    return variant(name, stages)


def verdict(*variants: Variant) -> str:
    return "\n".join(case_study.explain(variants).verdict)


def test_log_that_kept_the_puts_is_named_with_its_figures() -> None:
    text = verdict(study())
    assert "The raft log holds it" in text
    assert "the backend is 1.0 MiB" in text
    assert "1,000 entries with 1000.0 MiB" in text
    assert "treeIndex from 1,000 revisions to 1" in text
    assert "1100.0 MiB to 1.0 MiB" in text


def test_log_that_is_empty_is_not_blamed() -> None:
    text = verdict(study(entries=10))
    assert "The raft log does not hold it" in text
    assert "holds it:" not in text


@pytest.mark.parametrize(
    ("flags", "count", "catchup"),
    [
        ({}, "100,000", "5,000"),
        ({"snapshot_count": "777", "snapshot_catchup_entries": "33"}, "777", "33"),
        ({"experimental_snapshot_catchup_entries": "44"}, "100,000", "44"),
    ],
)
def test_reason_names_the_flags_in_force(
    flags: dict[str, str], count: str, catchup: str
) -> None:
    text = verdict(study(**flags))
    assert f"after more than {count} entries (--snapshot-count)" in text
    assert f"the last {catchup} stay" in text


def test_restart_is_said_not_to_help_only_if_the_log_came_back() -> None:
    assert "A restart does not help" in verdict(study(restarted=PUTS))
    assert "restart" not in verdict(study(restarted=3))
    assert "restart" not in verdict(study())


def test_half_of_what_go_shows_is_the_log_and_the_rest_goes_by_itself() -> None:
    (text,) = (part for part in case_study.explain([study()]).verdict if "Go" in part)
    share = int(text.partition("%")[0].rpartition(" ")[2])
    assert 35 < share < 65
    assert "MADV_DONTNEED" in text
    assert "MADV_FREE" in text


def test_left_alone_a_go_of_today_shrinks_and_that_of_the_article_does_not() -> None:
    tables = {table.title: table for table in case_study.explain([study()]).tables}
    table = tables["Predicted RSS of a Go etcd that is left alone then"]
    first, *_, last = table.rows
    assert list(table.columns[1:]) == ["etcd 3.4, MiB", "etcd 3.4.9, MiB"]
    assert float(last[1]) < 0.75 * float(first[1])
    assert float(last[2]) >= 0.95 * float(first[2])


def test_snapshot_that_freed_nothing_is_told_with_what_stays() -> None:
    text = verdict(study(), study("often", snapshot=501))
    assert "With often a snapshot at index 501 freed nothing" in text
    assert "no more entries than the 5,000 that stay" in text


def test_snapshot_that_took_the_first_entry_alone_freed_nothing() -> None:
    """As etcd does where there are fewer entries than stay."""
    text = verdict(study(entries=25), study("often", 24, snapshot=22, first=2))
    assert "With often a snapshot at index 22 freed nothing" in text


def test_snapshot_that_freed_is_told_with_how_much() -> None:
    few = study(
        "few", 100, snapshot=900, snapshot_count="500", snapshot_catchup_entries="100"
    )
    text = verdict(study(), few)
    assert "With few the log ends with 100 entries with 100.0 MiB, 900.0 MiB less" in (
        text
    )
    assert (
        "What frees it: --snapshot-count=500 with "
        "--experimental-snapshot-catchup-entries=100." in text
    )


@pytest.mark.parametrize(
    ("resident_mib", "told"),
    [
        (150, ""),
        (700, "still has up to 550.0 MiB resident"),
        (2000, "still has up to 900.0 MiB resident"),  # not more than was freed
    ],
)
def test_freed_memory_that_the_process_kept_is_told(
    resident_mib: int, told: str
) -> None:
    few = study("few", 100, snapshot=900)
    (*before, end) = few.stages
    kept = replace(
        end,
        capture=replace(
            end.capture, process=process(resident_mib), baseline=process(50)
        ),
    )
    text = verdict(study(), replace(few, stages=(*before, kept)))
    assert told in text
    assert ("still has up to" in text) == bool(told)


def test_variant_without_a_snapshot_says_so() -> None:
    assert "With same no snapshot was due" in verdict(study(), study("same"))


def test_nothing_is_recommended_that_freed_nothing() -> None:
    text = verdict(study(), study("often", snapshot=501))
    assert "Nothing tried here freed it" in text
    assert "may keep 5000.0 MiB" in text
    assert "What frees it" not in text
    assert "Nothing tried" not in verdict(study())


def test_real_etcd_is_held_against_the_prediction() -> None:
    found = study()
    measured = capture(
        **log(PUTS, index_revision_count=1, backend_size_bytes=MIB),
        product="etcd 3.4.23",
        go=live_heap(1012, raft_mib=1007.8),
    )
    natural = replace(
        measured, go=replace(live_heap(1500), is_collected=False), process=process(2025)
    )
    collected = {
        **{stage.name: stage.capture for stage in found.stages},
        "defragmented": natural,
        "garbage collected": measured,
    }
    text = verdict(variant("default", collected))
    assert "Measured when garbage collected: 1012.0 MiB of live heap" in text
    assert "1007.8 MiB of it the log" in text
    assert "Measured when defragmented: 2025.0 MiB RSS; predicted 1" in text
    assert "1500" not in text


@pytest.mark.parametrize(
    ("resident_mib", "lazy_mib", "gone", "lazy"),
    [(1200, 0, True, False), (1990, 800, False, True), (1990, 10, False, False)],
)
def test_what_a_real_etcd_gave_back_by_itself_is_told_as_measured(
    resident_mib: int, lazy_mib: int, gone: bool, lazy: bool
) -> None:
    counts = log(PUTS, index_revision_count=1, backend_size_bytes=MIB)
    go = replace(live_heap(1500), is_collected=False)
    seen: dict[str, Any] = {**counts, "product": "etcd 3.4.23", "go": go}
    later = replace(process(resident_mib), lazy_free_bytes=lazy_mib * MIB)
    stages = {
        **{stage.name: stage.capture for stage in study().stages},
        "defragmented": capture(**seen, process=process(2000)),
        "left alone": capture(**seen, process=later, time_s=360.0),
    }
    text = verdict(variant("default", stages))
    assert ("800.0 MiB of garbage and freed heap went by themselves" in text) == gone
    assert ("Of the 1990.0 MiB, 800.0 MiB are freed heap" in text) == lazy
    assert ("in 6 min" in text) == gone


def test_size_of_the_run_decides_what_it_needs() -> None:
    assert case_study.need(1.0).memory_bytes < 4 << 30
    assert case_study.need(0.1).memory_bytes < case_study.need(1.0).memory_bytes / 3


@pytest.mark.parametrize(("kept_mib", "told"), [(60, False), (70, True)])
def test_little_that_the_process_kept_is_not_told(kept_mib: int, told: bool) -> None:
    (*_, end) = study("few", 100, snapshot=900).stages
    freed = 200 * MIB  # of which 40 MiB would be worth a sentence
    left = replace(
        end.capture, process=process(50 + 100 + kept_mib), baseline=process(50)
    )
    assert bool(case_study._kept_by_allocator(left, freed)) == told
