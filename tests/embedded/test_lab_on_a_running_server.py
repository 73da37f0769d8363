"""Experiments on a server that somebody runs leave nothing of their own there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import miniet
from miniet.client import EtcdClient
from miniet.lab import Scenario
from miniet.lab.scenarios import backend, leases, tree_index, watchers
from tests.support.lab_runs import run


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory: Path = tmp_path_factory.mktemp("data")
    with miniet.Server(directory) as server:
        yield server.endpoint


@pytest.mark.parametrize(
    "scenario", [tree_index, backend, watchers, leases], ids=lambda found: found.NAME
)
def test_only_what_was_there_is_left(endpoint: str, scenario: Scenario) -> None:
    with EtcdClient(endpoint) as client:
        client.put(b"somebody's", b"value")
        result = run(scenario, endpoint, 0.01)
        keys = [kv.key for kv in client.range(b"\0", b"\0").kvs]
        assert keys == [b"somebody's"]
        assert client.leases() == []
    assert all(
        not stage.name.startswith("restarted")
        for variant in result.variants
        for stage in variant.stages
    )
