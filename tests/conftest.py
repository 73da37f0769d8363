"""What holds for all tests.

Profiles of hypothesis, chosen with `--hypothesis-profile`:

- `default`: the same examples in every run, so that a run that failed fails again,
  here and elsewhere. New ones are drawn when a test changes.
- `thorough`: other examples in each run, twenty times as many. For a night, or
  before a release; `--hypothesis-seed` draws those of an earlier run again.

A failure prints the steps that lead to it, made as short as can be, and a line that
repeats it.
"""

import os

from hypothesis import HealthCheck, settings

# As `miniet.server` says it, but tests import grpcio first: see there.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# Machines under test differ in speed: no deadline, and no complaint of slowness.
_UNHURRIED = settings(
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("default", _UNHURRIED, derandomize=True, database=None)
settings.register_profile(
    "thorough", _UNHURRIED, max_examples=20 * settings.default.max_examples
)
settings.load_profile("default")
