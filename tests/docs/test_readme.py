"""Every example of the README works, and prints what it says."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from miniet.client import EtcdClient
from miniet.compiled import INTERPRETED_VARIABLE
from tests.docs.examples import Block, Command, blocks, commands
from tests.support.served import wait_until

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BLOCKS = blocks(README)
SCRIPTS = [b for b in BLOCKS if b.language == "python" and "def test_" not in b.text]
TESTS = [b for b in BLOCKS if b.language == "python" and "def test_" in b.text]
COMMANDS = [c for b in BLOCKS if b.language == "console" for c in commands(b)]
ETCDCTL = [c for c in COMMANDS if c.line.startswith("etcdctl ")]

START_S_MAX = 20


def only(program: str) -> Command:
    """Return the one command of the README that begins so."""
    (command,) = [c for c in COMMANDS if c.line.startswith(program)]
    return command


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where `miniet` is a command, and a free port stands for etcd's own."""
    programs = tmp_path_factory.mktemp("bin")
    program = programs / "miniet"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m miniet "$@"\n')
    program.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ETCD")}
    return clean | {
        "PATH": os.pathsep.join((str(programs), "/usr/bin", os.environ["PATH"])),
        "PYTHONPATH": str(ROOT),
        "ETCD_LISTEN_CLIENT_URLS": f"http://127.0.0.1:{port}",
        "ETCD_ADVERTISE_CLIENT_URLS": f"http://127.0.0.1:{port}",
        "ETCDCTL_API": "3",
        "ETCDCTL_ENDPOINTS": f"127.0.0.1:{port}",
    }


@pytest.fixture(scope="module")
def served(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The README's server; the directory in which it was started."""
    directory = tmp_path_factory.mktemp("served")
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(
            only("miniet serve").line.split(),
            cwd=directory,
            env=environment,
            stderr=log,
        )
    try:
        host, _, port = environment["ETCDCTL_ENDPOINTS"].partition(":")
        deadline_s = time.monotonic() + START_S_MAX
        while True:
            assert server.poll() is None, (directory / "log").read_text()
            try:
                socket.create_connection((host, int(port))).close()
                break
            except OSError:
                assert time.monotonic() < deadline_s
                time.sleep(0.02)
        yield directory
    finally:
        server.terminate()
        assert server.wait(START_S_MAX) == 0


def run(
    line: list[str], environment: dict[str, str], directory: Path, exit_code: int = 0
) -> str:
    done = subprocess.run(
        line,
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == exit_code, done.stderr
    return done.stdout


def without_figures(text: str) -> str:
    """Leave the words: no number, unit, column width or line break."""
    words = re.sub(r"[-+]?[\d][\d,.:]*( [KMG]?i?B\b|%)?", "#", text)
    return " ".join(re.sub(r"-{3,}|={3,}", "", words).split())


def verdict(report: str) -> str:
    """Leave the words of a report's verdict."""
    return without_figures(report.partition("Verdict")[2].partition("What was held")[0])


def test_readme_has_the_examples_that_are_tested_here() -> None:
    assert (len(SCRIPTS), len(TESTS), len(ETCDCTL)) == (2, 1, 2)
    assert len(COMMANDS) == len(ETCDCTL) + 4


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_script_prints_what_the_readme_says(
    script: Block, environment: dict[str, str], tmp_path: Path
) -> None:
    line = [sys.executable, "-W", "error", "-c", script.text]
    if "set_tracing" in script.text:
        environment = environment | {INTERPRETED_VARIABLE: "1"}
    assert run(line, environment, tmp_path) == script.output != ""


def test_scripts_pass_a_strict_type_check(
    environment: dict[str, str], tmp_path: Path
) -> None:
    for number, script in enumerate(SCRIPTS):
        (tmp_path / f"script_{number}.py").write_text(script.text)
    line = [sys.executable, "-m", "mypy", "--strict", str(tmp_path)]
    line += ["--config-file=", f"--cache-dir={ROOT}/.mypy_cache"]
    assert "Success" in run(line, environment | {"MYPYPATH": str(ROOT)}, ROOT)


def test_tests_pass_with_the_plugin(
    environment: dict[str, str], tmp_path: Path
) -> None:
    for number, block in enumerate(TESTS):
        (tmp_path / f"test_{number}.py").write_text(block.text)
    line = [sys.executable, "-m", "pytest", "-p", "miniet.pytest_plugin", "-q"]
    alone = environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    assert f"{len(TESTS)} passed" in run(line, alone, tmp_path)


def test_demo_is_shown_as_it_was_printed() -> None:
    """From its first line on; the rest is in the file that the README names."""
    shown, cut, _ = only("make demo").output.partition("[...]")
    assert cut
    printed = (ROOT / "benchmarks/results/case-study.txt").read_text()
    assert printed.startswith(shown)
    assert "miniet lab run case-study --out demo" in (ROOT / "Makefile").read_text()


@pytest.mark.timeout(300)
def test_demo_still_says_what_the_readme_shows(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A part of it, so other figures; the verdict has the same words."""
    line = [sys.executable, "-m", "miniet", "lab", "run", "case-study", "--scale=0.15"]
    report = run([*line, "--out=demo"], environment, tmp_path)
    assert verdict(report) == verdict(only("make demo").output)
    assert (tmp_path / "demo" / "report.html").exists()


def test_predict_prints_what_the_readme_says(
    environment: dict[str, str], tmp_path: Path
) -> None:
    command = only("miniet predict")
    assert run(command.line.split(), environment, tmp_path) == command.output


def test_doctor_prints_what_the_readme_says(
    environment: dict[str, str], served: Path
) -> None:
    command, endpoint = only("miniet doctor"), environment["ETCDCTL_ENDPOINTS"]
    with EtcdClient(endpoint) as client:
        client.put_all((b"key", bytes(1 << 20)) for _ in range(100))
    line = command.line.replace("localhost:2379", endpoint).split()
    found = run(line, environment, served, exit_code=1)
    shown = command.output.replace("localhost:2379", endpoint)
    assert without_figures(found) == without_figures(shown)


def test_serve_keeps_its_data_where_it_was_told(served: Path) -> None:
    # The port is taken before the data is opened.
    wait_until((served / "data" / "member" / "wal").is_dir, "a data directory")


@pytest.mark.etcd
@pytest.mark.skipif(not shutil.which("etcdctl"), reason="etcdctl is not on PATH")
def test_etcdctl_prints_what_the_readme_says(
    environment: dict[str, str], served: Path
) -> None:
    for command in ETCDCTL:
        assert run(command.line.split(), environment, served) == command.output


def test_map_names_what_is_there() -> None:
    named = set(re.findall(r"`(miniet/\w+)`", README.read_text()))
    packages = {
        f"miniet/{init.parent.name}" for init in ROOT.glob("miniet/*/__init__.py")
    }
    assert named == packages
