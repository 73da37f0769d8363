"""Whole servers with faults: what clients saw must be what one etcd could answer."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.faults import KINDS
from tests.simulation.run import Outcome, replay_command, run_seed

SEEDS = range(30)
"""Always the same: whoever breaks something here is told so, not the next one.
`python -m tests.simulation --seconds 600` draws new ones."""


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [run_seed(seed) for seed in SEEDS]


def test_no_fault_shows_in_what_clients_see(outcomes: list[Outcome]) -> None:
    assert [str(outcome) for outcome in outcomes if outcome.bugs] == []


def test_seeds_reach_every_kind_of_fault_and_end(outcomes: list[Outcome]) -> None:
    faults, endings = Counter[str](), Counter[str]()
    for outcome in outcomes:
        faults += outcome.faults
        endings += outcome.endings
    lies = {"lost sync", "lost sync, refused", "lost sync, served"}
    assert set(faults) == {*KINDS, *lies}
    assert set(endings) == {"stop", "kill", "power loss", "failure"}
    assert sum(outcome.unanswered for outcome in outcomes) > 20
    assert sum(outcome.operations for outcome in outcomes) > 2000


def test_seed_does_the_same_each_time_and_in_every_process(
    outcomes: list[Outcome],
) -> None:
    busiest = max(outcomes, key=lambda outcome: outcome.starts)
    assert run_seed(busiest.seed).trace == busiest.trace
    told = subprocess.run(
        [sys.executable, *replay_command(busiest.seed).split()[1:]],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    *story, verdict = told.stdout.splitlines()
    assert story == busiest.trace
    assert verdict == f"seed {busiest.seed}: nothing found"


def test_seeds_differ(outcomes: list[Outcome]) -> None:
    assert len({outcome.digest for outcome in outcomes}) == len(SEEDS)
