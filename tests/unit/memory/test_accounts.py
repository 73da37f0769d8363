"""The rows add up to what is resident, whatever is known."""

from dataclasses import replace

import pytest

from miniet.memory import tracing
from miniet.memory.accounts import Account, accounts
from miniet.memory.capture import Capture
from miniet.memory.process import ProcessMemory, read_process
from tests.unit.memory.captures import capture, go_memory, traced

CAPTURES = {
    "tracing off": capture(),
    "tracing on": capture(traced=traced(raft=400, mvcc=40, server=100, other=7)),
    "no baseline": capture(baseline=None, traced=traced(wal=8)),
    "no map": capture(process=ProcessMemory(resident_bytes=9_000)),
    "shrunk": capture(process=ProcessMemory(resident_bytes=3_000, mapped_bytes=9)),
    "real etcd": capture(baseline=None, go=go_memory()),
    "real etcd, lazily freed": capture(
        baseline=None,
        go=go_memory(),
        process=ProcessMemory(resident_bytes=9_000, lazy_free_bytes=70),
    ),
}


def by_name(made: Capture) -> dict[str, Account]:
    rows = {row.name: row for row in accounts(made)}
    assert len(rows) == len(accounts(made))
    return rows


@pytest.mark.parametrize("made", CAPTURES.values(), ids=CAPTURES)
def test_rows_add_up_to_what_is_resident(made: Capture) -> None:
    assert made.process is not None
    rows = accounts(made)
    assert sum(row.bytes for row in rows) == made.process.resident_bytes
    assert rows[-1].name == "remainder"
    assert all(row.note for row in rows)


def test_every_component_is_a_row_while_tracing_is_on() -> None:
    rows = by_name(capture(traced=traced(raft=400, server=100, other=7)))
    assert {name: row.bytes for name, row in rows.items()} == {
        "baseline": 3_900,
        "raft log": 400,
        "treeIndex": 0,
        "backend": 0,
        "leases": 0,
        "watchers": 0,
        "WAL buffers": 0,
        "engine": 0,
        "connections, requests": 100,
        "other traced": 7,
        "tracer": 60,
        "mapped backend pages": 500,
        "remainder": 10_000 - 3_900 - 400 - 100 - 7 - 60 - 500,
    }


def test_without_tracing_the_remainder_says_that_components_are_in_it() -> None:
    rows = by_name(capture())
    assert list(rows) == ["baseline", "mapped backend pages", "remainder"]
    assert rows["remainder"].bytes == 10_000 - 3_900 - 500
    assert "tracing is off" in rows["remainder"].note


def test_pages_of_the_file_are_not_counted_in_the_baseline_too() -> None:
    made = capture(
        process=ProcessMemory(resident_bytes=4_000, mapped_bytes=100),
        baseline=ProcessMemory(resident_bytes=4_000, mapped_bytes=100),
    )
    assert by_name(made)["remainder"].bytes == 0


def test_a_negative_remainder_is_shown_with_its_reason() -> None:
    made = capture(process=ProcessMemory(resident_bytes=3_000))
    remainder = by_name(made)["remainder"]
    assert remainder.bytes == -900
    assert "baseline was freed" in remainder.note


def test_a_real_etcd_has_the_parts_of_its_heap() -> None:
    rows = by_name(CAPTURES["real etcd, lazily freed"])
    assert [rows[name].bytes for name in list(rows)[:-1]] == [6, 1, 70, 2]


def test_a_process_on_another_machine_has_no_accounts() -> None:
    assert accounts(capture(process=None)) == ()


@pytest.mark.traced
def test_of_this_process_what_was_allocated_is_found() -> None:
    tracing.start()
    try:
        baseline = read_process()
        kept = bytearray(b"x") * (32 << 20)
        made = replace(
            capture(),
            process=read_process(),
            baseline=baseline,
            traced=tracing.read_traced(),
        )
    finally:
        tracing.stop()
    rows = by_name(made)
    assert rows["other traced"].bytes >= len(kept)
    assert abs(rows["remainder"].bytes) < 8 << 20
