"""The experiments, one module each; `miniet.lab` says how one is written."""

from collections.abc import Mapping

from miniet.lab.runner import Scenario
from miniet.lab.scenarios import backend, case_study, tree_index

_ALL: tuple[Scenario, ...] = (case_study, tree_index, backend)

SCENARIOS: Mapping[str, Scenario] = {scenario.NAME: scenario for scenario in _ALL}
"""By name, in the order in which they are listed."""
