"""The one table of settings: fields, flags, kinds, defaults and help.

Command line, environment, defaults, help and `Config` are all read from here.
"""

from dataclasses import dataclass
from functools import partial

from miniet.releases import DEFAULT_RELEASE, SERVED
from miniet.server.flags import (
    BOOL,
    DURATION,
    INT,
    TEXT,
    UINT,
    UINT32,
    URLS,
    choice,
    setting,
)

_member = partial(setting, "Member")
_cluster = partial(setting, "Clustering")
_security = partial(setting, "Security")
_observation = partial(setting, "Observation and logs")
_experimental = partial(setting, "Experimental")
_unsafe = partial(setting, "Unsafe")
_own = partial(setting, "Not in etcd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The fields of `Config`, unchecked.

    Each is a flag of etcd with etcd's meaning and default, named as the flag with its
    unit at the end; the last section is miniet's own.
    """

    name: str = _member("name", TEXT, "default", "Name of this member, for people.")
    data_dir: str | None = _member(
        "data-dir",
        TEXT,
        "<name>.etcd",
        "Directory of everything the member keeps.",
        derived=True,
    )
    wal_dir: str = _member(
        "wal-dir", TEXT, "", "Directory of the write-ahead log, if not in data-dir."
    )
    snapshot_count: int | None = _member(
        "snapshot-count",
        UINT,
        "100000, or 10000 with profile 3.6",
        "Entries applied between two raft snapshots; each frees the log before it.",
        derived=True,
    )
    snapshot_catchup_entries: int = _member(
        "experimental-snapshot-catchup-entries snapshot-catchup-entries",
        UINT,
        "5000",
        "Entries kept in memory behind a raft snapshot, for slow followers.",
    )
    heartbeat_interval_ms: int = _member(
        "heartbeat-interval", UINT, "100", "Milliseconds of one raft tick."
    )
    election_timeout_ms: int = _member(
        "election-timeout", UINT, "1000", "Milliseconds without a leader to wait."
    )
    initial_election_tick_advance: bool = _member(
        "initial-election-tick-advance",
        BOOL,
        "true",
        "Begin an election timeout almost elapsed, so that a leader is there sooner.",
    )
    listen_peer_urls: tuple[str, ...] = _member(
        "listen-peer-urls",
        URLS,
        "http://localhost:2380",
        "URLs for peers. Checked, not opened: a single member has no peers.",
    )
    listen_client_urls: tuple[str, ...] = _member(
        "listen-client-urls",
        URLS,
        "http://localhost:2379",
        "URLs to serve clients on, gRPC and HTTP alike; https needs a cert-file.",
    )
    max_snapshots: int = _member(
        "max-snapshots", UINT, "5", "Snapshot files to keep; 0 = all."
    )
    max_wals: int = _member("max-wals", UINT, "5", "Log files to keep; 0 = all.")
    quota_backend_bytes: int = _member(
        "quota-backend-bytes",
        INT,
        "2147483648",
        "Size of the data file at which writes stop; 0 = default, negative = none.",
    )
    backend_batch_interval_s: float = _member(
        "backend-batch-interval",
        DURATION,
        "100ms",
        "Longest time between two commits of the data file; 0 = default.",
    )
    backend_batch_limit: int = _member(
        "backend-batch-limit",
        INT,
        "10000",
        "Most operations between two commits of the data file; 0 = default.",
    )
    max_txn_ops: int = _member(
        "max-txn-ops", UINT, "128", "Most operations in one list of a transaction."
    )
    max_request_bytes: int = _member(
        "max-request-bytes", UINT, "1572864", "Largest request taken from a client."
    )
    max_concurrent_streams: int = _member(
        "max-concurrent-streams",
        UINT32,
        "4294967295",
        "Most streams that one connection may have open.",
    )
    grpc_keepalive_min_time_s: float = _member(
        "grpc-keepalive-min-time",
        DURATION,
        "5s",
        "Shortest time between two pings of a client; 0 = any.",
    )
    grpc_keepalive_interval_s: float = _member(
        "grpc-keepalive-interval",
        DURATION,
        "2h",
        "Silence after which the server pings a client; 0 = never.",
    )
    grpc_keepalive_timeout_s: float = _member(
        "grpc-keepalive-timeout",
        DURATION,
        "20s",
        "Wait for the answer to a ping before the connection is closed; 0 = never.",
    )

    initial_advertise_peer_urls: tuple[str, ...] = _cluster(
        "initial-advertise-peer-urls",
        URLS,
        "http://localhost:2380",
        "URLs under which peers would find this member; part of its id.",
    )
    initial_cluster: str | None = _cluster(
        "initial-cluster",
        TEXT,
        "default=http://localhost:2380",
        "The members a new cluster begins with, name=URL; just this one here.",
        derived=True,
    )
    initial_cluster_state: str = _cluster(
        "initial-cluster-state",
        choice("new", "existing"),
        "new",
        "Whether the cluster is to be made; `existing` needs a data directory.",
    )
    initial_cluster_token: str = _cluster(
        "initial-cluster-token",
        TEXT,
        "etcd-cluster",
        "Text that tells clusters apart; part of the ids of member and cluster.",
    )
    advertise_client_urls: tuple[str, ...] | None = _cluster(
        "advertise-client-urls",
        URLS,
        "http://localhost:2379",
        "URLs told to clients; needed whenever listen-client-urls is set.",
        derived=True,
    )
    auto_compaction_mode: str = _cluster(
        "auto-compaction-mode",
        TEXT,
        "periodic",
        "What auto-compaction-retention counts: `periodic` time, `revision` changes.",
    )
    auto_compaction_retention: str = _cluster(
        "auto-compaction-retention",
        TEXT,
        "0",
        "History to leave: hours or a duration, or revisions; 0 = compact nothing.",
    )

    cert_file: str = _security(
        "cert-file", TEXT, "", "Certificate (PEM) shown to clients, with its chain."
    )
    key_file: str = _security(
        "key-file", TEXT, "", "Its key (PEM), without a password."
    )
    client_cert_auth: bool = _security(
        "client-cert-auth",
        BOOL,
        "false",
        "Serve only clients that show a certificate of a CA that is trusted.",
    )
    trusted_ca_file: str = _security(
        "trusted-ca-file",
        TEXT,
        "",
        "That CA (PEM), instead of the system's; implies client-cert-auth.",
    )

    metrics: str = _observation(
        "metrics",
        choice("basic", "extensive"),
        "basic",
        "`extensive` adds a histogram of the time that calls take.",
    )
    listen_metrics_urls: tuple[str, ...] = _observation(
        "listen-metrics-urls", URLS, "", "More URLs that serve /metrics and /health."
    )
    log_level: str = _observation(
        "log-level",
        choice("debug", "info", "warn", "error", "panic", "fatal"),
        "info",
        "Least important message to log.",
    )

    compaction_batch_limit: int = _experimental(
        "experimental-compaction-batch-limit compaction-batch-limit",
        INT,
        "1000",
        "Revisions deleted in one step of a compaction; 0 = default.",
    )
    compaction_sleep_interval_s: float = _experimental(
        "experimental-compaction-sleep-interval compaction-sleep-interval",
        DURATION,
        "10ms",
        "Pause between two steps of a compaction.",
    )
    watch_progress_notify_interval_s: float = _experimental(
        "experimental-watch-progress-notify-interval watch-progress-notify-interval",
        DURATION,
        "10m",
        "Silence after which a watcher that asked for it hears of progress.",
    )
    warning_apply_duration_s: float = _experimental(
        "experimental-warning-apply-duration warning-apply-duration",
        DURATION,
        "100ms",
        "Time of applying one request beyond which a warning is logged.",
    )
    enable_lease_checkpoint: bool = _experimental(
        "experimental-enable-lease-checkpoint",
        BOOL,
        "false",
        "Tell all members every 5 minutes what long leases have left.",
    )
    enable_lease_checkpoint_persist: bool = _experimental(
        "experimental-enable-lease-checkpoint-persist",
        BOOL,
        "false",
        "Keep what leases have left through a restart too.",
    )

    unsafe_no_fsync: bool = _unsafe(
        "unsafe-no-fsync",
        BOOL,
        "false",
        "Do not wait for the disk: a power loss then loses acknowledged writes.",
    )

    memory_only: bool = _own(
        "memory-only",
        BOOL,
        "false",
        "Keep nothing on disk: all of it is gone when the server stops.",
    )
    profile: str = _own(
        "profile",
        choice(*SERVED),
        DEFAULT_RELEASE,
        "Release to keep the raft log in memory like; API and version stay 3.4's.",
    )
    transport: str = _own(
        "transport",
        choice("miniet", "grpcio"),
        "miniet",
        "What speaks gRPC with clients: miniet's own, or grpcio for comparison.",
    )
    memory_trace: bool = _own(
        "memory-trace",
        BOOL,
        "false",
        "Trace memory from the start: puts take 8 to 10 times as long.",
    )
