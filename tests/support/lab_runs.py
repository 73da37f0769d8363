"""Experiments of the lab at a small scale, on miniet and on a real etcd."""

import pytest

from miniet.lab import Options, Scenario, run_scenario, target_of
from miniet.report import data
from miniet.report.run import Run
from miniet.report.text import render
from tests.conformance.api.conftest import NEEDS_ETCD
from tests.conformance.api.targets import etcd_binary

MINIET = "embedded"
ETCD = etcd_binary() or ""
TARGETS = pytest.mark.parametrize(
    "target",
    [MINIET, pytest.param(ETCD, marks=[*NEEDS_ETCD, pytest.mark.slow], id="etcd")],
)


def run(scenario: Scenario, target: str, scale: float) -> Run:
    """Do an experiment; its report fits a terminal and survives being saved."""
    result = run_scenario(scenario, Options(target=target_of(target), scale=scale))
    assert max(map(len, render(result).splitlines())) <= 80
    assert data.from_json(data.to_json(result)) == result
    return result
