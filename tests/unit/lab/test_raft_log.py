"""The verdict of `raft-log` follows its figures."""

from collections.abc import Sequence

from miniet.lab.scenarios import raft_log
from miniet.memory.capture import Capture
from miniet.report.run import Variant
from tests.unit.lab.records import capture, variant


def held(first: int, last: int, entry_bytes: int = 100, **flags: str) -> Capture:
    """Make the reading of a log from `first` to `last`."""
    entries = last - first + 1
    return capture(
        raft_entry_count=entries,
        raft_payload_bytes=entries * entry_bytes,
        raft_first_index=first,
        raft_last_index=last,
        flags={name.replace("_", "-"): text for name, text in flags.items()},
    )


def life(name: str, captures: Sequence[Capture]) -> Variant:
    return variant(name, {f"{n}": found for n, found in enumerate(captures)})


def test_cut_is_found_and_told_with_the_most_and_the_least() -> None:
    logs = [held(1, n, snapshot_count="50") for n in (40, 80)]
    logs += [held(61, 90, snapshot_count="50"), held(71, 140, snapshot_count="50")]
    (text, *_) = raft_log.explain([life("small", logs)]).verdict
    assert text.startswith("small: snapshots are due every 50 entries, and leave")
    assert "held up to 80 entries (7.8 KiB)" in text
    assert "least seen after a cut was 30 entries" in text


def test_log_that_only_grew_was_not_cut() -> None:
    (text, *_) = raft_log.explain([life("big", [held(1, 10), held(1, 20)])]).verdict
    assert "big: nothing was cut" in text
    assert "all 20 entries" in text


def test_first_snapshot_that_cuts_one_entry_is_no_cut() -> None:
    (text, *_) = raft_log.explain([life("big", [held(1, 10), held(2, 20)])]).verdict
    assert "nothing was cut" in text


def test_entry_costs_go_more_than_its_data_and_small_ones_most() -> None:
    small = life("small", [held(1, 10_000, entry_bytes=150)])
    large = life("large", [held(1, 10_000, entry_bytes=16_400)])
    findings = raft_log.explain([small, large])
    (table,) = findings.tables
    taken = {row[0]: (row[1], row[2]) for row in table.rows}
    assert taken["small"][0] == 150
    # A class of 160 bytes, and 72 of header in an array with room to spare.
    assert 232 <= float(taken["small"][1]) <= 290
    assert 18_504 <= float(taken["large"][1]) <= 18_600
    assert "An entry with 150 bytes of data takes 2" in findings.verdict[-1]


def test_entry_of_a_single_size_is_told_once() -> None:
    text = raft_log.explain([life("one", [held(1, 100)])]).verdict[-1]
    assert "in a Go etcd: the size class" in text


def test_without_predictions_nothing_is_said_of_go() -> None:
    bare = variant("bare", {"0": held(1, 10)}, predicted=False)
    findings = raft_log.explain([bare])
    assert not any("Go" in text for text in findings.verdict)
    assert not findings.tables[0].rows
