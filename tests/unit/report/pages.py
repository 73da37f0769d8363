"""`python -m tests.unit.report.pages`: write the golden pages anew.

Read the diff before it is committed.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from miniet.report import text
from miniet.report.findings import diagnose, not_judged
from miniet.report.pages import capture_page, doctor_page, growth_page
from tests.unit.report import records

GOLDEN = Path(__file__).parent / "golden"


def _capture() -> str:
    stage = records.run().variants[0].stages[1]
    return text.write(capture_page(stage.capture, stage.prediction))


def _traced() -> str:
    stage = records.run().variants[0].stages[1]
    capture = replace(stage.capture, traced=records.traced())
    return text.write(capture_page(capture, stage.prediction))


def _capture_of_etcd() -> str:
    stage = records.real_run().variants[0].stages[1]
    return text.write(capture_page(stage.capture, stage.prediction))


def _growth() -> str:
    loaded, compacted = records.run().variants[0].stages[1:3]
    before = replace(loaded.capture, traced=records.traced())
    after = replace(compacted.capture, traced=records.traced(log_mib=300))
    return text.write(growth_page(before, after))


def _growth_of_etcd() -> str:
    started, loaded = records.real_run().variants[0].stages
    return text.write(growth_page(started.capture, loaded.capture))


def _no_growth() -> str:
    loaded = records.run().variants[0].stages[1].capture
    return text.write(growth_page(loaded, loaded))


def _doctor() -> str:
    stage = records.run().variants[0].stages[2]
    found = diagnose(stage.capture, stage.prediction)
    return text.write(doctor_page(stage.capture, found, []))


def _doctor_of_etcd() -> str:
    stage = records.real_run().variants[0].stages[1]
    found = diagnose(stage.capture, stage.prediction, endpoint="10.0.0.7:2379")
    return text.write(doctor_page(stage.capture, found, not_judged(stage.capture)))


def _doctor_without_findings() -> str:
    stage = records.run().variants[0].stages[0]
    return text.write(doctor_page(stage.capture, diagnose(stage.capture), []))


PAGES: Mapping[str, Callable[[], str]] = {
    "run": lambda: text.render(records.run()),
    "run_of_etcd": lambda: text.render(records.real_run()),
    "capture": _capture,
    "capture_traced": _traced,
    "capture_of_etcd": _capture_of_etcd,
    "growth": _growth,
    "growth_of_etcd": _growth_of_etcd,
    "growth_none": _no_growth,
    "doctor": _doctor,
    "doctor_of_etcd": _doctor_of_etcd,
    "doctor_without_findings": _doctor_without_findings,
}
"""Name of the golden file, and what writes its text."""


if __name__ == "__main__":
    for name, make in PAGES.items():
        (GOLDEN / f"{name}.txt").write_text(make(), "utf-8")
