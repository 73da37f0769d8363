"""`miniet memory` on a running server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from miniet.cli import main
from miniet.client import EtcdClient
from tests.support.served import Served

MIB = 1 << 20


def memory(*words: str) -> Result:
    result = CliRunner().invoke(main, ["memory", *words])
    assert result.exit_code == 0, result.output
    return result


def put(endpoint: str, count: int) -> None:
    with EtcdClient(endpoint) as client:
        client.put_all((b"%d" % number, bytes(MIB)) for number in range(count))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "data", "--unsafe-no-fsync") as served:
        yield served


def test_prediction_is_made_from_what_a_server_holds(served: Served) -> None:
    put(served.endpoint, 30)
    words = ["predict", "--server", served.endpoint, "--profile", "3.6"]
    page = CliRunner().invoke(main, words)
    assert page.exit_code == 0, page.output
    assert f"A Go etcd 3.6.14 with the counts of {served.endpoint}" in page.stdout
    assert "most of the live heap is raft log, 30." in page.stdout


def test_page_has_all_three_witnesses_in_80_columns(served: Served) -> None:
    put(served.endpoint, 3)
    page = memory(served.endpoint).stdout
    for title in (
        "What it holds",
        "What it costs by component",
        "What the process has resident",
        "What the process of a Go etcd 3.4 holds",
    ):
        assert title in page
    assert max(map(len, page.splitlines())) <= 80


def test_json_is_a_capture_with_its_prediction(served: Served) -> None:
    put(served.endpoint, 3)
    document = json.loads(memory(served.endpoint, "--json").stdout)
    assert document["counts"]["put_total"] == 3
    assert document["prediction"]["components"]["raft"]["likely"] > 3 * MIB


@pytest.mark.usefixtures("interpreted")
def test_tracing_is_switched_on_and_off_again(served: Served) -> None:
    page = memory(served.endpoint, "--trace", "on").stdout
    assert "Traced with" in page
    page = memory(served.endpoint, "--trace", "off").stdout
    assert "are not traced" in page


@pytest.mark.usefixtures("interpreted")
def test_growth_is_told_by_component_and_line(served: Served, tmp_path: Path) -> None:
    a, b = str(tmp_path / "a.json"), str(tmp_path / "b.json")
    memory(served.endpoint, "--trace", "on")
    memory("capture", served.endpoint, a, "--label", "empty")
    put(served.endpoint, 8)
    memory("capture", served.endpoint, b, "--label", "loaded")
    page = memory("diff", a, b).stdout
    assert "from  miniet" in page
    assert ", loaded, " in page
    lines = page.partition("Lines of raft log")[2]
    assert "miniet/raft/" in lines
    assert "+8.0 MiB" in lines
