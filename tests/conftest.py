"""What holds for all tests.

Profiles of hypothesis, chosen with `--hypothesis-profile`:

- `default`: the same examples in every run, so that a run that failed fails again,
  here and elsewhere. New ones are drawn when a test changes.
- `thorough`: other examples in each run, twenty times as many. For a night, or
  before a release; `--hypothesis-seed` draws those of an earlier run again.

A failure prints the steps that lead to it, made as short as can be, and a line that
repeats it.

`--compiled` is for `make test-compiled`: what `NOT_COMPILED` says is left out, and what
has the marker `compiled` is not.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

from miniet.compiled import INTERPRETED_VARIABLE, is_compiled

# As `miniet.server` says it, but tests import grpcio first: see there.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

NOT_COMPILED = {
    "tests/architecture/": "reads sources and runs nothing of them",
    "tests/mutations/": "breaks sources, which must be what runs then",
    "tests/docs/test_readme.py::test_demo_still_says_what_the_readme_shows": (
        "runs the lab, whose servers run interpreted whatever there is"
    ),
    "tests/simulation/test_planted.py": (
        "puts other methods into the core's classes; compiled callers call the old ones"
    ),
}
"""What is left out with `--compiled`, and why; what is marked `traced` is, too."""

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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--compiled",
        action="store_true",
        help="miniet is compiled: leave out the tests that need its lines of Python",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Else all of them might pass, and nothing that was compiled have run.
    if config.getoption("--compiled") and not is_compiled():
        raise pytest.UsageError("--compiled, but the miniet here is not")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    compiled = config.getoption("--compiled")
    left_out = [item for item in items if _is_left_out(item, compiled)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _is_left_out(item: pytest.Item, compiled: bool) -> bool:
    if not compiled:
        return item.get_closest_marker("compiled") is not None
    is_traced = item.get_closest_marker("traced") is not None
    return is_traced or item.nodeid.startswith(tuple(NOT_COMPILED))


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes that a test starts run interpreted: they are to be traced."""
    monkeypatch.setenv(INTERPRETED_VARIABLE, "1")
