"""The demo shows what it says: the log keeps what compaction does not reach."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PUTS = 40
STAGES = ("started", f"{PUTS} puts", "compacted", "defragmented")


@pytest.fixture(scope="module")
def report() -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "miniet.demo", f"--puts={PUTS}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ROOT,
    ).stdout


def columns(report: str, run: int) -> dict[str, list[float]]:
    """Return the figures of each stage of run 1 or 2."""
    part = report.split("Run ")[run]
    return {
        stage: [float(cell) for cell in line.removeprefix(stage).split()]
        for line in part.splitlines()
        for stage in STAGES
        if line.startswith(stage + " ")
    }


def test_report_fits_80_columns(report: str) -> None:
    assert max(map(len, report.splitlines())) <= 80


def test_every_stage_of_both_runs_is_shown(report: str) -> None:
    for run in (1, 2):
        assert tuple(columns(report, run)) == STAGES


def test_compaction_frees_revisions_and_pages_but_not_the_log(report: str) -> None:
    stages = columns(report, 1)
    _, loaded_mib, keys, _, revisions, file_mib = stages[f"{PUTS} puts"][:6]
    assert (loaded_mib, keys, revisions) == (PUTS, 1, PUTS)
    assert file_mib > PUTS * 0.7  # the last puts may still be uncommitted
    _, log_mib, keys, _, revisions, file_mib, in_use_mib = stages["defragmented"][:7]
    assert (log_mib, keys, revisions) == (PUTS, 1, 1)
    assert 1 <= in_use_mib <= file_mib < 1.5


def test_small_snapshot_count_frees_the_log(report: str) -> None:
    stages = columns(report, 2)
    entries, log_mib = stages["defragmented"][:2]
    assert 5 <= entries <= 26
    assert log_mib <= entries


def test_verdict_names_the_figures_and_the_flags(report: str) -> None:
    verdict = " ".join(report.split("watchers")[-1].split())
    assert f"Compaction left 1 of {PUTS} revisions" in verdict
    assert re.search(rf"still holds {PUTS + 5} entries, {PUTS}\.0 MiB", verdict)
    for flag in ("--snapshot-count", "--experimental-snapshot-catchup-entries"):
        assert flag in verdict
