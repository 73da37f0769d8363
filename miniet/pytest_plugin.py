"""A pytest plugin: the fixture `etcd` is an empty server for each test.

def test_of_mine(etcd):
    client = connect(etcd.endpoint)  # any etcd v3 client
"""

from collections.abc import Iterator

import pytest

from miniet.server.server import Server


@pytest.fixture(scope="session")
def etcd_server() -> Iterator[Server]:
    """One memory-only server for the whole run; what a test leaves stays in it."""
    with Server() as server:
        yield server


@pytest.fixture
def etcd(etcd_server: Server) -> Server:
    """The session's server, emptied for this test in milliseconds."""
    etcd_server.reset()
    return etcd_server
