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


def scenario(module: Scenario, *marks: pytest.MarkDecorator) -> object:
    return pytest.param(module, marks=marks, id=module.NAME)


@pytest.mark.parametrize(
    "scenario",
    [
        scenario(backend),
        scenario(leases, pytest.mark.slow),
        scenario(tree_index, pytest.mark.slow),
        scenario(watchers, pytest.mark.slow),
    ],
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
