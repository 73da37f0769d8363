"""The experiments, one module each; `miniet.lab` says how one is written."""

from collections.abc import Mapping

from miniet.lab.runner import Scenario
from miniet.lab.scenarios import (
    backend,
    case_study,
    expensive_range,
    leases,
    raft_log,
    tree_index,
    watchers,
    write_path,
)

_ALL: tuple[Scenario, ...] = (
    case_study,
    raft_log,
    tree_index,
    backend,
    watchers,
    leases,
    expensive_range,
    write_path,
)

SCENARIOS: Mapping[str, Scenario] = {scenario.NAME: scenario for scenario in _ALL}
"""By name, in the order in which they are listed."""
