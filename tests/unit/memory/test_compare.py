"""What has grown, from counts down to lines."""

from dataclasses import replace

from miniet.memory.compare import Change, compare
from miniet.memory.components import Component
from miniet.memory.counts import Counts
from miniet.memory.process import ProcessMemory
from miniet.memory.traced import Line
from tests.unit.memory.captures import capture, go_memory, traced


def test_nothing_has_grown_between_a_capture_and_itself() -> None:
    made = capture(traced=traced(raft=400, other=7))
    found = compare(made, made)
    assert found.counts == found.process == found.components == found.notes == ()
    assert found.seconds == found.other_growth_bytes == 0


def test_only_figures_that_changed_are_there() -> None:
    before = capture()
    after = capture(
        time_s=before.time_s + 5,
        counts=Counts(raft_entry_count=10, raft_payload_bytes=4096),
        process=ProcessMemory(
            resident_bytes=12_000, mapped_bytes=500, proportional_bytes=3
        ),
    )
    found = compare(before, after)
    assert found.seconds == 5
    assert found.counts == (Change("raft_entry_count", 1000, 10),)
    assert found.counts[0].growth == -990
    assert found.process == (Change("resident_bytes", 10_000, 12_000),)


def test_components_come_by_growth_either_way() -> None:
    found = compare(
        capture(traced=traced(raft=4_000, mvcc=400, wal=80)),
        capture(traced=traced(raft=400, mvcc=1_200, wal=80, other=5)),
    )
    assert [(each.component, each.growth_bytes) for each in found.components] == [
        (Component.RAFT, -3_600),
        (Component.MVCC, 800),
    ]
    assert found.other_growth_bytes == 5


def test_lines_of_a_component_add_up_to_its_growth() -> None:
    before = traced(raft=400)
    lines = {
        **before.lines,
        Component.RAFT: (
            Line("miniet/raft/a.py", 10, 900, 7),
            Line("miniet/raft/c.py", 5, 50, 2),
        ),
    }
    after = replace(
        before,
        lines=lines,
        bytes_by_component={**before.bytes_by_component, "raft": 950},
    )
    (found,) = compare(capture(traced=before), capture(traced=after)).components
    assert found.lines == (
        Line("miniet/raft/a.py", 10, 600, 4),
        Line("miniet/raft/b.py", 20, -100, -1),
        Line("miniet/raft/c.py", 5, 50, 2),
    )
    assert found.growth_bytes == sum(line.bytes for line in found.lines) == 550


def test_a_tracing_that_began_later_counts_from_its_beginning() -> None:
    after = traced(raft=400)
    for before in (None, replace(traced(raft=300), since_s=1.0)):
        found = compare(capture(traced=before), capture(traced=after))
        assert [each.growth_bytes for each in found.components] == [400]
        assert found.notes == (
            "tracing began after the first capture: growth since then",
        )


def test_without_tracing_there_is_no_growth_by_component_and_it_says_so() -> None:
    found = compare(capture(traced=traced(raft=400)), capture())
    assert found.components == ()
    assert found.notes == (
        "tracing was off in the second capture: no growth by component",
    )


def test_nobody_misses_the_tracing_of_a_real_etcd() -> None:
    etcd = capture(go=go_memory())
    assert compare(etcd, etcd).notes == ()


def test_different_products_are_compared_and_it_says_so() -> None:
    found = compare(capture(product="etcd 3.4.23"), capture())
    assert "different products: etcd 3.4.23, miniet 0.1.0" in found.notes


def test_processes_on_other_machines_are_left_out() -> None:
    assert compare(capture(process=None), capture()).process == ()
