"""Property tests end by themselves: hypothesis bounds what it tries, and how long."""

from pathlib import Path

import pytest

_LIMIT_S = 3600.0  # against a loop without end; a thorough run takes minutes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(_LIMIT_S))
