"""`miniet lab` as it is typed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import miniet
from miniet.cli import main
from miniet.client import EtcdClient
from miniet.lab.child import free_ports
from miniet.lab.scenarios import SCENARIOS
from miniet.report import data


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that the command runs in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server() -> Iterator[miniet.Server]:
    with miniet.Server() as server:
        yield server


def lab(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(main, ["lab", *words], input=answer)


def test_list_names_every_scenario_with_its_question_and_its_needs() -> None:
    text = " ".join(lab("list").output.split())
    for name, scenario in SCENARIOS.items():
        assert f"{name} " in text
        assert scenario.QUESTION in text
    assert "GiB of memory" in text


def test_list_fits_80_columns() -> None:
    assert max(map(len, lab("list").output.splitlines())) <= 80


def test_run_prints_the_verdict_and_leaves_a_report(
    directory: Path, server: miniet.Server
) -> None:
    result = lab("run", "write-path", f"--target={server.endpoint}", "--yes",
                 "--scale=0.01")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "leaves 1 entry" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    left = directory / "miniet-lab-write-path"
    assert (left / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert list(left.glob("*.png"))
    run = data.load(left / "run.json")
    assert run.scenario == "write-path"
    assert run.command == (
        f"miniet lab run write-path --target={server.endpoint} --scale=0.01 --yes"
    )
    assert f"The report: {left.name}/report.html" in result.stderr


def test_somebody_s_server_is_written_to_only_after_a_yes(
    directory: Path, server: miniet.Server
) -> None:
    result = lab("run", "write-path", f"--target={server.endpoint}", answer="n\n")
    assert result.exit_code == 1
    assert "below a prefix of its own (miniet-lab/...)" in result.stderr
    assert "compacts all history and defragments the backend" in result.stderr
    with EtcdClient(server.endpoint) as client:
        assert client.range(b"\0", b"\0").header.revision == 1
    assert not list(directory.iterdir())


def test_scenario_that_disturbs_nothing_asks_nothing(
    directory: Path, server: miniet.Server
) -> None:
    result = lab("run", "expensive-range", f"--target={server.endpoint}",
                 "--scale=0.01")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "deletes that at the end" in result.stderr


def refusals() -> Iterator[tuple[str, list[str], str]]:
    (port,) = free_ports(1)
    yield "no such scenario", ["nothing"], "'nothing' is not one of"
    yield "no such program", ["raft-log", "--target=/no/etcd"], "is no program"
    yield "too large", ["raft-log", "--scale=1e9"], "GiB of memory"
    yield "no scale", ["raft-log", "--scale=0"], "a scale is a number above 0"
    yield "pid of its own", ["raft-log", "--pid=1"], "--pid goes with"
    yield (
        "nobody there",
        ["raft-log", f"--target=127.0.0.1:{port}"],
        f"cannot reach 127.0.0.1:{port}",
    )


@pytest.mark.parametrize(
    ("words", "said"), [pytest.param(w, s, id=name) for name, w, s in refusals()]
)
def test_mistake_is_told_in_a_line(
    directory: Path, words: list[str], said: str
) -> None:
    result = lab("run", *words)
    assert result.exit_code in (1, 2)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith(("miniet: ", "Error: "))  # ours, click's
    assert said in last
    assert "Traceback" not in result.output
    assert not list(directory.iterdir())
