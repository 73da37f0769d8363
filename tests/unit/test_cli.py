import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from miniet import __version__
from miniet.cli import COMMANDS, main
from miniet.engine import VERSION
from miniet.errors import DataError
from miniet.server import serve
from miniet.server.config import FIELD_OF_FLAG, Config


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that a server was asked to run with; none is started."""
    configs: list[Config] = []
    monkeypatch.setattr(serve, "run", configs.append)
    return configs


def invoke(*words: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, list(words))


def test_version_is_one_line() -> None:
    assert invoke("--version").output == f"miniet {__version__}\n"


@pytest.mark.parametrize(
    "words", [["--version"], ["-version"], ["-name=x", "--version"]]
)
def test_version_of_the_server_is_four_lines(
    words: list[str], served: list[Config]
) -> None:
    result = invoke("serve", *words)
    names = [line.partition(": ")[0] for line in result.output.splitlines()]
    assert result.output.startswith(f"etcd Version: {VERSION}\n")
    assert names == [
        "etcd Version",
        "miniet Version",
        "Python Version",
        "Python OS/Arch",
    ]
    assert result.exit_code == 0
    assert served == []


@pytest.mark.parametrize("word", ["-h", "--help", "-help", "--h"])
def test_help_names_every_flag_within_80_columns(
    word: str, served: list[Config]
) -> None:
    result = invoke("serve", word)
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80
    words = result.output.replace("[=", " ").split()
    for flag in FIELD_OF_FLAG:
        assert f"--{flag.name}" in words
    for section in {flag.section for flag in FIELD_OF_FLAG}:
        assert f"\n{section}:\n" in result.output
    assert served == []


def test_help_of_the_group_names_every_command() -> None:
    result = invoke("--help")
    assert re.search(r"  serve +Run an etcd v3 server.\n", result.output)
    for name in COMMANDS:
        assert f"\n  {name} " in result.output
        assert invoke(name, "--help").exit_code == 0
    assert max(map(len, result.output.splitlines())) <= 80


def test_serve_runs_with_what_was_asked(served: list[Config]) -> None:
    result = invoke("serve", "-name", "m1", "--unsafe-no-fsync", ETCD_DATA_DIR="/d")
    assert (result.exit_code, result.output) == (0, "")
    assert served == [Config(name="m1", unsafe_no_fsync=True, data_dir="/d")]


def test_unknown_variable_is_warned_of(served: list[Config]) -> None:
    result = invoke("serve", ETCD_NOPE="x")
    assert result.exit_code == 0
    assert result.stderr == "miniet: unrecognized environment variable ETCD_NOPE=x\n"
    assert served == [Config()]


@pytest.mark.parametrize(
    ("words", "environment", "exit_code", "text"),
    [
        (["--nope"], {}, 2, "flag provided but not defined: -nope"),
        (["--snapshot-count=a"], {}, 2, 'invalid value "a" for flag -snapshot-count'),
        (["foo"], {}, 1, "'foo' is not a valid flag"),
        (["--enable-v2"], {}, 1, "--enable-v2 is not supported by miniet"),
        (
            [],
            {"ETCD_CLIENT_CRL_FILE": "f"},
            1,
            "ETCD_CLIENT_CRL_FILE is not supported by miniet",
        ),
        (["--name=x"], {"ETCD_NAME": "y"}, 1, "conflicting environment variable"),
        (["--election-timeout=1"], {}, 1, "--election-timeout[1ms] should be at least"),
    ],
)
def test_refusal_exits_as_etcd_does(
    words: list[str],
    environment: dict[str, str],
    exit_code: int,
    text: str,
    served: list[Config],
) -> None:
    result = invoke("serve", *words, **environment)
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert result.stderr.startswith(f"miniet: {text}")
    assert result.stderr.endswith(". See 'miniet serve --help'.\n")
    assert served == []


@pytest.mark.etcd
@pytest.mark.parametrize(
    "words",
    [
        ["--nope"],
        ["---name", "x"],
        ["--data-dir"],
        ["--snapshot-count", "abc"],
        ["--snapshot-count", "99999999999999999999"],
        ["--max-txn-ops", "-4"],
        ["--unsafe-no-fsync=abc"],
        ["--grpc-keepalive-min-time", "5"],
        ["--initial-cluster-state", "foo"],
        ["--listen-client-urls", "ftp://127.0.0.1:9"],
        ["--listen-client-urls", "http://127.0.0.1"],
        ["--listen-client-urls", "http://127.0.0.1:9/x"],
        ["--listen-client-urls", "http://127.0.0.1:9"],
        ["--listen-peer-urls", "http://foo.bar:9"],
        ["foo"],
        ["--unsafe-no-fsync", "false"],
        ["--heartbeat-interval", "0"],
        ["--election-timeout", "0"],
        ["--election-timeout", "400"],
        ["--election-timeout", "60000"],
        ["--auto-compaction-mode", "foo"],
        ["--auto-compaction-retention", "foo"],
        ["--name", ""],
        ["--initial-cluster", "x=http://localhost:2380"],
        ["--initial-cluster", "default=http://localhost:2381"],
        ["--initial-cluster", "default=foo"],
        ["--initial-advertise-peer-urls", "http://127.0.0.1:12380"],
    ],
)
def test_refusal_is_that_of_the_etcd_here(
    words: list[str], served: list[Config], tmp_path: Path
) -> None:
    etcd = shutil.which("etcd")
    if etcd is None:
        pytest.skip("no etcd on this machine")
    theirs = subprocess.run(
        [etcd, *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={},
        timeout=10,
        check=False,
    )
    ours = invoke("serve", *words)
    assert ours.exit_code == theirs.returncode
    text = ours.stderr.removeprefix("miniet: ").partition(". See 'miniet")[0]
    # 3.5 logs the same texts inside JSON.
    assert text in (theirs.stdout + theirs.stderr).replace('\\"', '"')


def test_damaged_file_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(config: Config) -> None:
        raise DataError("checksum differs", path="a.wal", offset=8)

    monkeypatch.setattr(serve, "run", run)
    result = invoke("serve")
    assert result.exit_code == 1
    assert result.stderr == "miniet: a.wal: checksum differs (offset 8)\n"


def test_package_runs_as_a_module() -> None:
    line = [sys.executable, "-m", "miniet", "--version"]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout == f"miniet {__version__}\n"
