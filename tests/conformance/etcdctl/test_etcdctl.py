"""etcdctl cannot tell miniet from a real etcd: the same commands, the same words."""

import difflib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conformance.etcdctl import servers
from tests.conformance.etcdctl.script import SCRIPTS, Script, Step
from tests.conformance.etcdctl.servers import Running
from tests.conformance.etcdctl.session import run_steps
from tests.support.binaries import find_binary

ETCD, ETCDCTL = find_binary("etcd", "3.4"), find_binary("etcdctl", "3.4")

pytestmark = [
    pytest.mark.etcd,
    pytest.mark.skipif(
        ETCDCTL is None, reason="etcdctl 3.4 is not on PATH (package etcd-client)"
    ),
]
every_script = pytest.mark.parametrize(
    "path", sorted(SCRIPTS.glob("*.txt")), ids=lambda path: path.stem
)

DIFFERENCES = {
    # There is no replication to another member. It is refused, after etcd's own
    # checks, rather than leaving a cluster that waits for it.
    "$ member add other --peer-urls=http://127.0.0.1:2399 --learner": (
        "rpc error: code = Unimplemented desc = "
        "miniet serves one member and cannot add another"
    ),
}
"""The commands that miniet refuses on purpose, with the error, where etcd does not."""

Server = Callable[[Path, Sequence[str]], AbstractContextManager[Running]]


def run_script(path: Path, server: Server) -> list[Step]:
    """Run a script on a fresh server; return its steps with the output they had."""
    assert ETCDCTL is not None
    script = Script.read(path)
    with TemporaryDirectory(prefix="miniet-") as directory:
        work = Path(directory)
        with server(work / "data", script.flags) as running:
            return run_steps(script.steps, ETCDCTL, running, work / "etcdctl")


@cache
def run_on_etcd(path: Path) -> list[Step]:
    assert ETCD is not None
    return run_script(path, partial(servers.real_etcd, ETCD))


def with_differences(steps: Sequence[Step]) -> list[Step]:
    """Put miniet's answers into a run of etcd's, where they are others."""
    answers = {
        command: [f"! attempt 0: {error}", f"! Error: {error}", "exit 1"]
        for command, error in DIFFERENCES.items()
    }
    return [
        replace(step, output=answers.get(step.command, step.output)) for step in steps
    ]


def diff(wanted: Sequence[Step], got: Sequence[Step]) -> str:
    """Show what is different, with the commands around it."""
    one, other = (
        [line for step in steps for line in step.lines()] for steps in (wanted, got)
    )
    return "\n".join(difflib.unified_diff(one, other, "wanted", "got", lineterm=""))


@every_script
def test_script_waits_for_all_that_a_command_writes(path: Path) -> None:
    for step in Script.read(path).steps:
        if step.sign == "." and step.text:
            assert int(step.text) == len(step.output), step.command


@every_script
def test_etcdctl_gets_the_answers_of_etcd(path: Path) -> None:
    with ThreadPoolExecutor() as pool:  # what both do most is wait
        miniet = pool.submit(run_script, path, servers.miniet)
        etcd = Script.read(path).steps if ETCD is None else run_on_etcd(path)
        difference = diff(wanted=with_differences(etcd), got=miniet.result())
    assert not difference, difference


@pytest.mark.skipif(
    ETCD is None, reason="etcd 3.4 is not on PATH (package etcd-server)"
)
@every_script
def test_record_is_what_etcd_answers(path: Path) -> None:
    difference = diff(wanted=run_on_etcd(path), got=Script.read(path).steps)
    assert not difference, difference
