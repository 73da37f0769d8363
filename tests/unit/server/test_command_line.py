import re
import shutil
import subprocess

import pytest

from miniet.server.command_line import (
    FLAG_OF_NAME,
    QUESTIONS,
    read_config,
    split_arguments,
)
from miniet.server.config import Config
from miniet.server.errors import ConfigError, UsageError
from miniet.server.flags import environment_name
from miniet.server.unsupported import UNSUPPORTED, UNSUPPORTED_SWITCHES


def read(*words: str, **environment: str) -> Config:
    config, warnings = read_config(split_arguments(words), environment)
    assert warnings == []
    return config


# ---- words


@pytest.mark.parametrize(
    ("words", "pairs"),
    [
        ([], []),
        (["--name", "x"], [("name", "x")]),
        (["-name", "x"], [("name", "x")]),
        (["--name=x"], [("name", "x")]),
        (["-name=x=y"], [("name", "x=y")]),
        (["--name="], [("name", "")]),
        (["--name", ""], [("name", "")]),
        (["--name", "--data-dir"], [("name", "--data-dir")]),
        (["--quota-backend-bytes", "-10"], [("quota-backend-bytes", "-10")]),
        (["--unsafe-no-fsync"], [("unsafe-no-fsync", "true")]),
        (["--unsafe-no-fsync=0"], [("unsafe-no-fsync", "0")]),
        (
            ["--unsafe-no-fsync", "-name", "x"],
            [("unsafe-no-fsync", "true"), ("name", "x")],
        ),
        (["--name", "x", "--name", "y"], [("name", "x"), ("name", "y")]),
        (["--name", "x", "--"], [("name", "x")]),
        (["--enable-v2"], [("enable-v2", "true")]),
        (["--proxy", "off"], [("proxy", "off")]),
        (["-version"], [("version", "true")]),
        (["--name", "x", "-h", "--nope"], [("h", "true")]),
        (["--help"], [("help", "true")]),
    ],
)
def test_words_are_split_as_go_splits_them(
    words: list[str], pairs: list[tuple[str, str]]
) -> None:
    assert split_arguments(words) == pairs


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--nope"], "flag provided but not defined: -nope"),
        (["--nope=1"], "flag provided but not defined: -nope"),
        (["---name", "x"], "bad flag syntax: ---name"),
        (["--=x"], "bad flag syntax: --=x"),
        (["-=x"], "bad flag syntax: -=x"),
        (["--data-dir"], "flag needs an argument: -data-dir"),
        (["--cert-file"], "flag needs an argument: -cert-file"),
    ],
)
def test_line_that_go_cannot_read_is_a_usage_error(words: list[str], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        split_arguments(words)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("words", "positional"),
    [
        (["foo"], "foo"),
        (["-"], "-"),
        ([""], ""),
        (["--", "--name"], "--name"),
        (["--unsafe-no-fsync", "false"], "false"),
    ],
)
def test_argument_that_is_no_flag_is_refused(words: list[str], positional: str) -> None:
    with pytest.raises(ConfigError) as caught:
        split_arguments(words)
    assert str(caught.value) == f"'{positional}' is not a valid flag"
    assert not isinstance(caught.value, UsageError)


# ---- values


def test_flags_and_variables_set_fields() -> None:
    config = read(
        "--name",
        "m1",
        "-heartbeat-interval=50",
        ETCD_DATA_DIR="/d",
        ETCD_UNSAFE_NO_FSYNC="true",
        ETCD_AUTO_COMPACTION_RETENTION="30m",
        ETCD_QUOTA_BACKEND_BYTES="",
        HOME="/root",
    )
    assert config == Config(
        name="m1",
        heartbeat_interval_ms=50,
        data_dir="/d",
        unsafe_no_fsync=True,
        auto_compaction_retention="30m",
    )


def test_last_of_repeated_flags_counts() -> None:
    assert read("--name", "x", "--name", "y").name == "y"


@pytest.mark.parametrize(
    "name", ["experimental-compaction-batch-limit", "compaction-batch-limit"]
)
def test_setting_goes_by_the_names_of_both_releases(name: str) -> None:
    assert read(f"--{name}=7").compaction_batch_limit == 7
    assert read(**{environment_name(name): "7"}).compaction_batch_limit == 7


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["--snapshot-count", "abc"],
            'invalid value "abc" for flag -snapshot-count: parse error',
        ),
        (
            ["--unsafe-no-fsync=abc"],
            'invalid boolean value "abc" for -unsafe-no-fsync: parse error',
        ),
        (
            ["--grpc-keepalive-min-time", "5"],
            'invalid value "5" for flag -grpc-keepalive-min-time: parse error',
        ),
        (
            ["--listen-client-urls", "http://127.0.0.1"],
            'invalid value "http://127.0.0.1" for flag -listen-client-urls: URL '
            'address does not have the form "host:port": http://127.0.0.1',
        ),
        (
            ["--initial-cluster-state", "foo"],
            'invalid value "foo" for flag -initial-cluster-state: invalid value',
        ),
    ],
)
def test_value_of_another_kind_is_a_usage_error(words: list[str], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(*words)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("words", "environment", "text"),
    [
        (
            ["--name", "y"],
            {"ETCD_NAME": "x"},
            'conflicting environment variable "ETCD_NAME" is shadowed by corresponding '
            "command-line flag (either unset environment variable or disable flag)",
        ),
        (
            ["--name", "y"],
            {"ETCD_NAME": ""},
            'conflicting environment variable "ETCD_NAME" is shadowed by corresponding '
            "command-line flag (either unset environment variable or disable flag)",
        ),
        (
            [],
            {"ETCD_SNAPSHOT_COUNT": "abc"},
            'invalid value "abc" for ETCD_SNAPSHOT_COUNT: parse error',
        ),
        (
            ["--listen-client-urls", "http://127.0.0.1:9"],
            {},
            "--advertise-client-urls is required when --listen-client-urls is set "
            "explicitly",
        ),
        (
            [],
            {"ETCD_LISTEN_CLIENT_URLS": "http://127.0.0.1:9"},
            "--advertise-client-urls is required when --listen-client-urls is set "
            "explicitly",
        ),
        (["--enable-v2"], {}, "--enable-v2 is not supported by miniet"),
        (["-config-file", "f"], {}, "--config-file is not supported by miniet"),
        (
            [],
            {"ETCD_CLIENT_CRL_FILE": "f"},
            "ETCD_CLIENT_CRL_FILE is not supported by miniet",
        ),
        (
            ["--heartbeat-interval=0"],
            {},
            "--heartbeat-interval must be >0 (set to 0ms)",
        ),
    ],
)
def test_setting_that_cannot_be_is_refused(
    words: list[str], environment: dict[str, str], text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(*words, **environment)
    assert str(caught.value) == text
    assert not isinstance(caught.value, UsageError)


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_unsupported_flag_is_refused_by_name_in_both_places(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^--{name} is not supported by miniet$"):
        read(f"--{name}") if name in UNSUPPORTED_SWITCHES else read(f"--{name}", "1")
    variable = environment_name(name)
    with pytest.raises(ConfigError, match=f"^{variable} is not supported by miniet$"):
        read(**{variable: "1"})


def test_unsupported_flag_that_asks_for_nothing_is_taken() -> None:
    words = ["--enable-v2=false", "--client-crl-file", "", "--peer-client-cert-auth=0"]
    assert read(*words, ETCD_AUTO_TLS="false", ETCD_PRE_VOTE="") == Config()


def test_unknown_variable_is_only_a_warning() -> None:
    config, warnings = read_config([], {"ETCD_NOPE": "x", "ETCDCTL_API": "3"})
    assert config == Config()
    assert warnings == ["unrecognized environment variable ETCD_NOPE=x"]


@pytest.mark.etcd
def test_every_flag_of_the_etcd_here_is_taken_or_refused_by_name() -> None:
    etcd = shutil.which("etcd")
    if etcd is None:
        pytest.skip("no etcd on this machine")
    answer = subprocess.run(
        [etcd, "--help"], capture_output=True, text=True, check=True
    )
    names = set(re.findall(r"^  --([a-z0-9-]+)", answer.stdout + answer.stderr, re.M))
    assert len(names) >= 80
    assert names - QUESTIONS <= FLAG_OF_NAME.keys() | UNSUPPORTED
