import sys
from dataclasses import replace
from pathlib import Path

import pytest

from miniet.memory.counts import Counts
from miniet.memory.process import ProcessMemory
from miniet.report import plot
from miniet.report.run import Variant
from miniet.report.series import PartOf, component_growth, moments, split
from tests.unit.report.records import MIB, START_S, capture, real_run, run, traced

PNG = b"\x89PNG\r\n\x1a\n"


def test_plots_are_files_as_wide_as_a_page_shows(tmp_path: Path) -> None:
    paths = plot.save(run(), tmp_path)
    assert [path.name for path in paths] == [
        "resident.png",
        "prediction.png",
        "growth.png",
    ]
    for path in paths:
        head = path.read_bytes()[:24]
        assert head[:8] == PNG
        assert int.from_bytes(head[16:20], "big") == 1200


def test_plot_names_its_stages_and_its_units() -> None:
    resident, prediction, growth = plot.figures(real_run())
    assert {">started<", ">loaded<"} <= set(_texts(resident.svg))
    assert ">time, s<" in _texts(resident.svg)
    assert ">etcd, measured<" in _texts(prediction.svg)
    assert ">growth, MiB<" in _texts(growth.svg)


def _texts(svg: str) -> list[str]:
    return [f">{part.partition('<')[0]}<" for part in svg.split(">")]


def test_run_without_figures_has_no_plots() -> None:
    assert plot.figures(replace(run(), variants=())) == []


def test_missing_matplotlib_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(plot.PlotsMissingError, match=r"pip install 'miniet\[plots\]'"):
        plot.save(run(), tmp_path)


@pytest.mark.parametrize("resident_mib", [10, 100, 1120, 5000])
def test_parts_of_a_process_add_up_to_what_is_resident(resident_mib: int) -> None:
    stage = run().variants[0].stages[1]
    process = replace(stage.capture.process, resident_bytes=resident_mib * MIB)  # type: ignore[type-var]
    parts = split(replace(stage.capture, process=process))
    assert sum(parts.values()) == resident_mib * MIB
    assert min(parts.values()) >= 0


def test_freed_heap_of_go_is_a_part_of_its_own() -> None:
    loaded = real_run().variants[0].stages[1].capture
    assert split(loaded)[PartOf.FREED] == 1012 * MIB


def test_moments_are_stages_and_points_in_order_of_time() -> None:
    found = moments(run().variants[0])
    assert [moment.time_s for moment in found[:3]] == [0.0, 1.0, 2.0]
    assert [moment.stage for moment in found if moment.stage] == [
        "started",
        "loaded",
        "compacted",
        "defragmented",
    ]


def test_moment_without_its_process_is_left_out() -> None:
    blind = replace(
        capture("", Counts(), ProcessMemory(resident_bytes=1)), process=None
    )
    stage = replace(run().variants[0].stages[0], capture=blind)
    assert moments(Variant(name="", stages=[stage])) == []


def test_growth_is_what_python_pays_where_both_ends_were_traced() -> None:
    first, *_, last = run().variants[0].stages
    stages = [
        replace(first, capture=replace(first.capture, traced=traced(log_mib=2))),
        replace(last, capture=replace(last.capture, traced=traced(log_mib=302))),
    ]
    grown = component_growth(Variant(name="", stages=stages))
    assert list(grown.values()) == [300 * MIB]


def test_stages_at_one_moment_are_drawn_all_the_same(tmp_path: Path) -> None:
    variant = run().variants[0]
    stages = [
        replace(stage, capture=replace(stage.capture, time_s=START_S))
        for stage in variant.stages
    ]
    made = replace(run(), variants=[Variant(name="at once", stages=stages)])
    assert len(plot.save(made, tmp_path)) == 3
