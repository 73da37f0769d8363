"""A pytest plugin: the fixture `etcd` is an empty server for each test.

def test_of_mine(etcd):
    client = connect(etcd.endpoint)  # any etcd v3 client

pytest imports this module at every start, wherever miniet is installed, so it must
stay light: the server is imported when the first test asks for it.
"""

from collections.abc import Iterator

import pytest

import miniet


@pytest.fixture(scope="session")
def etcd_server() -> "Iterator[miniet.Server]":
    """One memory-only server for the whole run; what a test leaves stays in it."""
    with miniet.Server() as server:
        yield server


@pytest.fixture
def etcd(etcd_server: "miniet.Server") -> "miniet.Server":
    """The session's server, emptied for this test in milliseconds."""
    etcd_server.reset()
    return etcd_server
