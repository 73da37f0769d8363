"""`python -m tests.unit.report.pages`: write the golden pages anew.

Read the diff before it is committed.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from miniet.report import text
from miniet.report.pages import capture_page
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


PAGES: Mapping[str, Callable[[], str]] = {
    "run": lambda: text.render(records.run()),
    "run_of_etcd": lambda: text.render(records.real_run()),
    "capture": _capture,
    "capture_traced": _traced,
    "capture_of_etcd": _capture_of_etcd,
}
"""Name of the golden file, and what writes its text."""


if __name__ == "__main__":
    for name, make in PAGES.items():
        (GOLDEN / f"{name}.txt").write_text(make(), "utf-8")
