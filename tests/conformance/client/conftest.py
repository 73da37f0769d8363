"""Fixtures: a fresh server per module, once miniet and once a real etcd."""

from collections.abc import Iterator

import pytest

from tests.conformance.api.conftest import REAL
from tests.conformance.api.targets import MINIET_ON_DISK, running


@pytest.fixture(scope="module", params=[MINIET_ON_DISK, REAL])
def endpoint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of a server."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as target:
        yield target.endpoint
