from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from miniet.server.config import FIELD_OF_FLAG, Config
from miniet.server.errors import ConfigError
from miniet.server.flags import BOOL, TEXT, Flag, environment_name
from miniet.server.unsupported import UNSUPPORTED


def flag_of(field_name: str) -> Flag:
    (flag,) = (flag for flag, name in FIELD_OF_FLAG.items() if name == field_name)
    return flag


# ---- the table


@pytest.mark.parametrize("flag", FIELD_OF_FLAG, ids=lambda flag: flag.name)
def test_flag_has_help_an_environment_name_and_a_field_named_after_it(
    flag: Flag,
) -> None:
    assert flag.help[0].isupper() or flag.help[0] == "`"
    assert flag.help.endswith(".")
    assert len(flag.help) < 80
    variable = environment_name(flag.name)
    assert variable.startswith("ETCD_")
    assert variable.isupper()
    assert variable.replace("_", "").isalnum()
    stem = flag.name.removeprefix("experimental-").replace("-", "_")
    units = {"", "_s", "_ms"}
    assert FIELD_OF_FLAG[flag] in {stem + unit for unit in units}


def test_names_are_used_once_and_none_is_both_taken_and_refused() -> None:
    names = [name for flag in FIELD_OF_FLAG for name in flag.names]
    assert len(names) == len(set(names))
    assert not UNSUPPORTED.intersection(names)


def test_sections_are_not_interrupted() -> None:
    sections = [flag.section for flag in FIELD_OF_FLAG]
    in_order = list(dict.fromkeys(sections))
    assert sections == sorted(sections, key=in_order.index)


@pytest.mark.parametrize("flag", FIELD_OF_FLAG, ids=lambda flag: flag.name)
def test_default_is_what_the_help_says(flag: Flag) -> None:
    value = getattr(Config(), FIELD_OF_FLAG[flag])
    assert value is None or value == flag.kind.parse(flag.default_text)


def test_defaults_derived_from_others_are_what_the_help_says() -> None:
    config = Config()
    assert config.data_path == flag_of("data_dir").default_text.replace(
        "<name>", "default"
    )
    shown = flag_of("initial_cluster").default_text
    assert config.initial_cluster_text == shown
    assert ",".join(config.client_urls) == flag_of("advertise_client_urls").default_text


# ---- defaults and what follows


def test_defaults_are_those_of_etcd() -> None:
    config = Config()
    assert config.member_id == 0x8E9E05C52164694D
    assert config.cluster_id == 0xCDF818194E3A8C32
    assert config.data_path == "default.etcd"
    assert config.client_urls == ("http://localhost:2379",)
    assert config.election_ticks == 10
    assert config.min_lease_ttl_s == 2
    assert config.request_timeout_s == 7
    assert config.receive_bytes_max == 2_097_152
    assert config.quota_bytes == 2_147_483_648
    assert config.auto_compaction_period_s == 0
    assert config.auto_compaction_revisions == 0


def test_config_cannot_be_changed_but_replaced() -> None:
    config = Config()
    with pytest.raises(FrozenInstanceError):
        config.name = "x"  # type: ignore[misc]
    assert replace(config, name="x").data_path == "x.etcd"


@pytest.mark.parametrize(
    ("settings", "data_path"),
    [
        ({"name": "m1"}, "m1.etcd"),
        ({"data_dir": ""}, "default.etcd"),
        ({"data_dir": "/d"}, "/d"),
    ],
)
def test_data_directory(settings: dict[str, Any], data_path: str) -> None:
    assert Config(**settings).data_path == data_path


@pytest.mark.parametrize(
    ("heartbeat_ms", "election_ms", "ticks", "ttl_s"),
    [
        (100, 1000, 10, 2),
        (100, 500, 5, 1),
        (100, 1099, 10, 2),
        (500, 5000, 10, 8),
        (10, 50, 5, 1),
        (1000, 50_000, 50, 75),
        (125, 1375, 11, 2),  # 16 heartbeats, not 16.5
    ],
)
def test_shortest_lease_is_one_and_a_half_elections_rounded_up(
    heartbeat_ms: int, election_ms: int, ticks: int, ttl_s: int
) -> None:
    config = Config(heartbeat_interval_ms=heartbeat_ms, election_timeout_ms=election_ms)
    assert (config.election_ticks, config.min_lease_ttl_s) == (ticks, ttl_s)


@pytest.mark.parametrize(
    "field_name",
    [
        "snapshot_catchup_entries",
        "quota_backend_bytes",
        "backend_batch_interval_s",
        "backend_batch_limit",
        "compaction_batch_limit",
    ],
)
def test_zero_means_the_default(field_name: str) -> None:
    values: dict[str, Any] = {field_name: 0}
    assert getattr(Config(**values), field_name) == getattr(Config(), field_name) > 0


@pytest.mark.parametrize(
    ("profile", "snapshot_count", "memory_snapshot_count"),
    [("3.4", 100_000, 0), ("3.5", 100_000, 0), ("3.6", 10_000, 100)],
)
def test_profile_says_when_the_log_is_cut(
    profile: str, snapshot_count: int, memory_snapshot_count: int
) -> None:
    config = replace(Config(), profile=profile)
    assert config.raft_snapshot_count == snapshot_count
    assert config.memory_snapshot_count == memory_snapshot_count
    assert replace(config, snapshot_count=0).raft_snapshot_count == snapshot_count
    assert replace(config, snapshot_count=7).raft_snapshot_count == 7


def test_unknown_profile_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"profile: expected 3.4 or 3.5 or 3.6"):
        Config(profile="3.3")


@pytest.mark.parametrize(("set_bytes", "quota_bytes"), [(-1, None), (5, 5), (0, 2**31)])
def test_negative_quota_is_none(set_bytes: int, quota_bytes: int | None) -> None:
    assert Config(quota_backend_bytes=set_bytes).quota_bytes == quota_bytes


@pytest.mark.parametrize(
    ("mode", "retention", "period_s", "revisions"),
    [
        ("periodic", "", 0, 0),
        ("periodic", "1", 3600, 0),
        ("periodic", "90s", 90, 0),
        ("revision", "1000", 0, 1000),
        ("revision", "0", 0, 0),
    ],
)
def test_auto_compaction_counts_time_or_revisions(
    mode: str, retention: str, period_s: float, revisions: int
) -> None:
    config = Config(auto_compaction_mode=mode, auto_compaction_retention=retention)
    assert config.auto_compaction_period_s == period_s
    assert config.auto_compaction_revisions == revisions


def test_client_urls_are_those_listened_on_unless_told_otherwise() -> None:
    listen = ("http://127.0.0.1:1",)
    assert Config(listen_client_urls=listen).client_urls == listen
    advertised = Config(
        listen_client_urls=listen, advertise_client_urls=("https://etcd.example:443",)
    )
    assert advertised.client_urls == ("https://etcd.example:443",)


# ---- the initial cluster


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "m1"},
        {"initial_cluster": "default=http://127.0.0.1:2380"},
        {"initial_cluster": "default=http://localhost:2380"},
        {"name": "m1", "initial_advertise_peer_urls": ("http://10.0.0.1:7001",)},
        {
            "initial_advertise_peer_urls": ("http://a:2", "http://a:1"),
            "initial_cluster": "default=http://a:1,default=http://a:2",
        },
        {"initial_cluster_state": "existing"},
    ],
)
def test_cluster_of_this_member_alone_is_taken(settings: dict[str, Any]) -> None:
    Config(**settings)


def test_ids_come_from_the_initial_cluster_and_its_token() -> None:
    config = Config(
        name="y",
        initial_cluster_token="tok",
        initial_advertise_peer_urls=("http://127.0.0.1:13380", "http://10.0.0.9:1"),
    )
    assert config.member_id == 0xF96BA659045FFFB7
    assert config.cluster_id == 0xAE0E4A0166A0BCD9


# ---- refusals, texts as etcd's where etcd refuses too

REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"heartbeat_interval_ms": 0}, "--heartbeat-interval must be >0 (set to 0ms)"),
    ({"election_timeout_ms": 0}, "--election-timeout must be >0 (set to 0ms)"),
    (
        {"election_timeout_ms": 499},
        "--election-timeout[499ms] should be at least as 5 times as "
        "--heartbeat-interval[100ms]",
    ),
    (
        {"election_timeout_ms": 50_001},
        "--election-timeout[50001ms] is too long, and should be set less than 50000ms",
    ),
    ({"auto_compaction_mode": "foo"}, 'unknown auto-compaction-mode "foo"'),
    ({"auto_compaction_mode": ""}, 'unknown auto-compaction-mode ""'),
    (
        {"auto_compaction_retention": "foo"},
        'error parsing CompactionRetention: time: invalid duration "foo"',
    ),
    (
        {"enable_lease_checkpoint_persist": True},
        "setting experimental-enable-lease-checkpoint-persist requires "
        "experimental-enable-lease-checkpoint",
    ),
    (
        {"listen_client_urls": ("http://foo.bar:9",)},
        "expected IP in URL for binding (http://foo.bar:9)",
    ),
    (
        {"listen_metrics_urls": ("http://foo.bar:9",)},
        "expected IP in URL for binding (http://foo.bar:9)",
    ),
    (
        {"listen_peer_urls": ("http://foo.bar:9",)},
        "expected IP in URL for binding (http://foo.bar:9)",
    ),
    ({"listen_client_urls": ()}, "--listen-client-urls must name at least one URL"),
    (
        {"listen_peer_urls": ("https://127.0.0.1:9",)},
        "--listen-peer-urls: https is not supported by miniet (https://127.0.0.1:9)",
    ),
    (
        {"listen_client_urls": ("http://127.0.0.1:8", "https://127.0.0.1:9")},
        "TLS key/cert (--cert-file, --key-file) must be provided for client url "
        "https://127.0.0.1:9 with HTTPS scheme",
    ),
    (
        {"listen_metrics_urls": ("https://127.0.0.1:9",)},
        "cannot listen on TLS for 127.0.0.1:9: KeyFile and CertFile are not presented",
    ),
    (
        {"listen_client_urls": ("https://127.0.0.1:9",), "cert_file": "s.pem"},
        "KeyFile and CertFile must both be present[key: , cert: s.pem]",
    ),
    (
        {"listen_metrics_urls": ("https://127.0.0.1:9",), "key_file": "s.key"},
        "KeyFile and CertFile must both be present[key: s.key, cert: ]",
    ),
    (
        {
            "listen_client_urls": ("https://127.0.0.1:9",),
            "cert_file": "s.pem",
            "key_file": "s.key",
            "transport": "grpcio",
        },
        "--transport=grpcio: https is not supported by miniet (https://127.0.0.1:9)",
    ),
    (
        {"listen_client_urls": ("unix://sock:9",)},
        "--listen-client-urls: unix is not supported by miniet (unix://sock:9)",
    ),
    (
        {"name": ""},
        'couldn\'t find local name "" in the initial cluster configuration',
    ),
    (
        {"initial_cluster": "x=http://localhost:2380"},
        'couldn\'t find local name "default" in the initial cluster configuration',
    ),
    (
        {"initial_cluster": ""},
        'couldn\'t find local name "default" in the initial cluster configuration',
    ),
    (
        {"initial_cluster": "default=foo"},
        "error setting up initial cluster: URL scheme must be http, https, unix, or "
        "unixs: foo",
    ),
    (
        {"initial_cluster": "default=http://localhost:2380,b=http://localhost:2381"},
        "--initial-cluster of 2 members is not supported by miniet "
        "(default=http://localhost:2380,b=http://localhost:2381)",
    ),
    (
        {"initial_cluster": "default=http://localhost:2381"},
        "--initial-cluster has default=http://localhost:2381 but missing from "
        "--initial-advertise-peer-urls=http://localhost:2380",
    ),
    (
        {"initial_advertise_peer_urls": ("http://127.0.0.1:12380",)},
        "--initial-cluster has default=http://localhost:2380 but missing from "
        "--initial-advertise-peer-urls=http://127.0.0.1:12380",
    ),
]


@pytest.mark.parametrize(("settings", "text"), REFUSALS)
def test_setting_that_cannot_be_is_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(**settings)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("field_name", "value"),
    [
        ("name", None),
        ("name", b"x"),
        ("data_dir", 5),
        ("snapshot_count", -1),
        ("snapshot_count", 2**64),
        ("snapshot_count", True),
        ("snapshot_count", 1.5),
        ("max_concurrent_streams", 2**32),
        ("quota_backend_bytes", 2**63),
        ("backend_batch_interval_s", -0.1),
        ("backend_batch_interval_s", float("nan")),
        ("backend_batch_interval_s", float("inf")),
        ("backend_batch_interval_s", "100ms"),
        ("backend_batch_interval_s", True),
        ("unsafe_no_fsync", 1),
        ("unsafe_no_fsync", "false"),
        ("listen_client_urls", "http://127.0.0.1:1"),
        ("listen_client_urls", (1,)),
        ("listen_client_urls", ("http://127.0.0.1",)),
        ("listen_client_urls", None),
        ("initial_cluster_state", "old"),
        ("log_level", "loud"),
        ("metrics", ["basic"]),
    ],
)
def test_value_of_another_kind_is_refused_by_field_name(
    field_name: str, value: object
) -> None:
    values: dict[str, Any] = {field_name: value}
    with pytest.raises(ConfigError, match=f"^{field_name}: "):
        Config(**values)


def test_every_kind_refuses_a_value_that_no_text_means() -> None:
    for spec in fields(Config):
        values: dict[str, Any] = {spec.name: object()}
        with pytest.raises(ConfigError, match=f"^{spec.name}: "):
            Config(**values)


# ---- kinds


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("T", True), ("True", True), ("f", False)]
)
def test_switch_reads_what_go_reads(text: str, value: bool) -> None:
    assert BOOL.parse(text) is value


@pytest.mark.parametrize("text", ["", "yes", "tRUE", "2"])
def test_switch_refuses_what_go_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="parse error"):
        BOOL.parse(text)


@pytest.mark.parametrize(
    ("field_name", "text", "value"),
    [
        ("snapshot_count", "0x10", 16),
        ("snapshot_count", "1_000", 1000),
        ("quota_backend_bytes", "-1", -1),
        ("grpc_keepalive_interval_s", "1h30m", 5400.0),
        ("listen_metrics_urls", "", ()),
        ("listen_metrics_urls", "http://b:1,http://a:1", ("http://a:1", "http://b:1")),
    ],
)
def test_text_is_read(field_name: str, text: str, value: object) -> None:
    assert flag_of(field_name).kind.parse(text) == value


@pytest.mark.parametrize(
    ("field_name", "text", "reason"),
    [
        ("snapshot_count", "abc", "parse error"),
        ("snapshot_count", "-4", "parse error"),
        ("snapshot_count", "99999999999999999999", "value out of range"),
        ("max_concurrent_streams", "4294967296", "value out of range"),
        ("quota_backend_bytes", "-9223372036854775809", "value out of range"),
        ("grpc_keepalive_interval_s", "5", "parse error"),
        ("grpc_keepalive_interval_s", "-5s", "negative duration"),
        ("initial_cluster_state", "foo", "invalid value"),
    ],
)
def test_text_of_another_kind_is_refused(
    field_name: str, text: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        flag_of(field_name).kind.parse(text)


def test_text_stays_as_it_is() -> None:
    assert TEXT.parse(" a b ") == " a b "
