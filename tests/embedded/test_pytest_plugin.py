"""The pytest plugin, as a project that has miniet installed meets it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]

USING_TESTS = """
import grpc
import pytest


def put(etcd, key):
    with grpc.insecure_channel(etcd.endpoint) as channel:
        call = channel.unary_unary("/etcdserverpb.KV/Put")
        call(b"\\n" + bytes([len(key)]) + key, timeout=10)


def revision(etcd):
    return etcd.statistics().store.current_revision


@pytest.mark.parametrize("n", range(3))
def test_each_test_finds_an_empty_server(etcd, n):
    assert revision(etcd) == 1
    put(etcd, b"key")
    assert revision(etcd) == 2


def test_the_session_s_server_keeps_what_was_there(etcd_server):
    assert revision(etcd_server) == 2


def test_both_are_the_same_server(etcd, etcd_server):
    assert etcd is etcd_server
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own beside an installed miniet: its entry points are read."""
    installed = pytester.path / "site"
    metadata = installed / "miniet-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: miniet\nVersion: 0\n"
    )
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    points = declared["entry-points"]["pytest11"]
    lines = [f"{name} = {target}\n" for name, target in points.items()]
    (metadata / "entry_points.txt").write_text("[pytest11]\n" + "".join(lines))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(installed), str(ROOT))))
    return pytester.path


def test_fixtures_are_there_without_any_setting(
    project: Path, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(USING_TESTS)
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=5)


def test_fixtures_are_listed_with_what_they_are_for(
    project: Path, pytester: pytest.Pytester
) -> None:
    result = pytester.runpytest_subprocess("--fixtures")
    result.stdout.fnmatch_lines_random(
        [
            "etcd_server [[]session scope[]]*",
            "etcd -- *",
            "*emptied for this test in milliseconds*",
        ]
    )


def test_a_run_that_asks_for_no_server_does_not_import_one(
    project: Path, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_heavy_is_there(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("miniet")
            heavy = {"grpc", "google.protobuf", "lmdb", "asyncio", "uvloop", "click"}
            assert heavy.isdisjoint(sys.modules)
        """
    )
    pytester.runpytest_subprocess("-p", "no:asyncio").assert_outcomes(passed=1)


def test_server_stops_when_a_test_is_interrupted(
    project: Path, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        """
        import pathlib

        def test_of_mine(etcd):
            made = etcd._server._member.temporary_directory.name
            pathlib.Path("made").write_text(made)
            raise KeyboardInterrupt
        """
    )
    pytester.runpytest_subprocess()
    assert not Path((pytester.path / "made").read_text()).exists()


def test_public_names_are_those_that_can_be_imported() -> None:
    code = """
import miniet
assert set(miniet.__all__) <= set(dir(miniet))
values = [getattr(miniet, name) for name in miniet.__all__]
assert all(values)
from miniet import *
assert Server is miniet.Server
try:
    miniet.nothing
except AttributeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        cwd=ROOT,
    )
    assert done.stdout == "module 'miniet' has no attribute 'nothing'\n"
