"""`Config`: the settings of a server, checked, and what follows from them."""

from dataclasses import dataclass, fields

from miniet.releases import RELEASES
from miniet.server import identity
from miniet.server.durations import NS_PER_S, parse_retention
from miniet.server.errors import ConfigError
from miniet.server.flags import Flag
from miniet.server.settings import Settings
from miniet.server.urls import check_binding, parse_initial_cluster

ELECTION_TIMEOUT_MS_MAX = 50_000
"""Longest election timeout that etcd takes."""

REQUEST_OVERHEAD_BYTES_MAX = 512 * 1024
"""What a gRPC message may be larger than the largest request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """What a server is told when it starts; every value is checked when it is made.

    The fields are in `Settings`; the properties say what follows from them. A
    `profile` changes how the raft log lives in memory and nothing else: what clients
    see, the version included, is etcd 3.4's under all of them.

    Raises:
        ConfigError: a value, or two together, cannot be.
    """

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            if value is None and spec.default is None:
                continue
            try:
                spec.metadata["flag"].kind.check(value)
            except ValueError as error:
                raise ConfigError(f"{spec.name}: {error}") from None
            if value == 0 and spec.name in _ZERO_IS_DEFAULT:
                object.__setattr__(self, spec.name, spec.default)
        self._check_urls()
        self._check_times()
        self._check_combinations()
        self._check_initial_cluster()

    def _check_urls(self) -> None:
        for flag_name, urls, schemes in (
            ("listen-peer-urls", self.listen_peer_urls, ("http",)),
            ("listen-client-urls", self.listen_client_urls, ("http", "https")),
            ("listen-metrics-urls", self.listen_metrics_urls, ("http", "https")),
        ):
            if not urls and flag_name != "listen-metrics-urls":
                raise ConfigError(f"--{flag_name} must name at least one URL")
            for url in urls:
                scheme = url.partition(":")[0]
                if scheme not in schemes:
                    raise ConfigError(
                        f"--{flag_name}: {scheme} is not supported by miniet ({url})"
                    )
                try:
                    check_binding(url)
                except ValueError as error:
                    raise ConfigError(str(error)) from None
        self._check_tls()

    def _check_tls(self) -> None:
        """Source: etcd v3.4.23 embed/etcd.go, pkg/transport/listener.go."""
        cert, key = self.cert_file, self.key_file
        clients = [*filter(_is_https, self.listen_client_urls)]
        metrics = [*filter(_is_https, self.listen_metrics_urls)]
        if clients and not cert and not key:
            raise ConfigError(
                "TLS key/cert (--cert-file, --key-file) must be provided for client "
                f"url {clients[0]} with HTTPS scheme"
            )
        if metrics and not cert and not key:
            raise ConfigError(
                f"cannot listen on TLS for {metrics[0].partition('//')[2]}: KeyFile "
                "and CertFile are not presented"
            )
        if self.https_urls and not (cert and key):
            raise ConfigError(
                f"KeyFile and CertFile must both be present[key: {key}, cert: {cert}]"
            )
        if clients and self.transport == "grpcio":
            raise ConfigError(
                f"--transport=grpcio: https is not supported by miniet ({clients[0]})"
            )

    def _check_times(self) -> None:
        heartbeat_ms, election_ms = self.heartbeat_interval_ms, self.election_timeout_ms
        if heartbeat_ms == 0:
            raise ConfigError("--heartbeat-interval must be >0 (set to 0ms)")
        if election_ms == 0:
            raise ConfigError("--election-timeout must be >0 (set to 0ms)")
        if 5 * heartbeat_ms > election_ms:
            raise ConfigError(
                f"--election-timeout[{election_ms}ms] should be at least as 5 times "
                f"as --heartbeat-interval[{heartbeat_ms}ms]"
            )
        if election_ms > ELECTION_TIMEOUT_MS_MAX:
            raise ConfigError(
                f"--election-timeout[{election_ms}ms] is too long, and should be set "
                f"less than {ELECTION_TIMEOUT_MS_MAX}ms"
            )

    def _check_combinations(self) -> None:
        mode, retention = self.auto_compaction_mode, self.auto_compaction_retention
        if mode not in ("periodic", "revision"):
            raise ConfigError(f'unknown auto-compaction-mode "{mode}"')
        try:
            parse_retention(mode, retention)
        except ValueError as error:
            raise ConfigError(
                f"error parsing CompactionRetention: time: {error}"
            ) from None
        if self.enable_lease_checkpoint_persist and not self.enable_lease_checkpoint:
            raise ConfigError(
                "setting experimental-enable-lease-checkpoint-persist requires "
                "experimental-enable-lease-checkpoint"
            )

    def _check_initial_cluster(self) -> None:
        text = self.initial_cluster_text
        try:
            members = parse_initial_cluster(text)
        except ValueError as error:
            raise ConfigError(f"error setting up initial cluster: {error}") from None
        if self.name not in members:
            raise ConfigError(
                f'couldn\'t find local name "{self.name}" in the initial cluster '
                "configuration"
            )
        if len(members) > 1:
            raise ConfigError(
                f"--initial-cluster of {len(members)} members is not supported by "
                f"miniet ({text})"
            )
        advertised = self.initial_advertise_peer_urls
        if _resolved(members[self.name]) != _resolved(advertised):
            raise ConfigError(
                f"--initial-cluster has {text} but missing from "
                f"--initial-advertise-peer-urls={','.join(advertised)}"
            )

    # ---- what follows

    @property
    def data_path(self) -> str:
        """Directory of everything the member keeps."""
        return self.data_dir or f"{self.name}.etcd"

    @property
    def raft_snapshot_count(self) -> int:
        """Entries applied between two snapshots: those set, else the profile's."""
        return self.snapshot_count or RELEASES[self.profile].snapshot_count

    @property
    def memory_snapshot_count(self) -> int:
        """Entries between two snapshots that only stay in memory; 0: there are none."""
        return RELEASES[self.profile].memory_snapshot_count

    @property
    def client_urls(self) -> tuple[str, ...]:
        """URLs told to clients: those set, else those listened on."""
        if self.advertise_client_urls is None:
            return self.listen_client_urls
        return self.advertise_client_urls

    @property
    def https_urls(self) -> list[str]:
        """Those to listen on with TLS."""
        return [*filter(_is_https, self.listen_client_urls + self.listen_metrics_urls)]

    @property
    def initial_cluster_text(self) -> str:
        """The initial cluster as set, else this member alone.

        As in etcd, the default follows the peer URLs only for a member with a name.
        """
        if self.initial_cluster is not None:
            return self.initial_cluster
        if self.name == "default":
            return "default=http://localhost:2380"
        name = self.name or "default"
        return ",".join(f"{name}={url}" for url in self.initial_advertise_peer_urls)

    @property
    def member_id(self) -> int:
        """Id of this member when its cluster begins; later the data directory's."""
        peer_urls = parse_initial_cluster(self.initial_cluster_text)[self.name]
        return identity.member_id(peer_urls, self.initial_cluster_token)

    @property
    def cluster_id(self) -> int:
        """Id of the cluster when it begins; later the data directory's."""
        return identity.cluster_id([self.member_id])

    @property
    def election_ticks(self) -> int:
        """The election timeout in heartbeats, rounded down."""
        return self.election_timeout_ms // self.heartbeat_interval_ms

    @property
    def min_lease_ttl_s(self) -> int:
        """Shortest lease: one and a half election timeouts, rounded up."""
        return -(-(3 * self.election_ticks // 2 * self.heartbeat_interval_ms) // 1000)

    @property
    def request_timeout_s(self) -> float:
        """How long a request may wait: 5 s of work and two elections."""
        return 5 + 2 * self.election_timeout_ms / 1000

    @property
    def receive_bytes_max(self) -> int:
        """Largest gRPC message taken from a client."""
        return self.max_request_bytes + REQUEST_OVERHEAD_BYTES_MAX

    @property
    def quota_bytes(self) -> int | None:
        """Size of the data file at which writes stop; None: never."""
        return self.quota_backend_bytes if self.quota_backend_bytes > 0 else None

    @property
    def auto_compaction_period_s(self) -> float:
        """Age of the history that is left; 0: not compacted by time."""
        if self.auto_compaction_mode != "periodic":
            return 0
        return parse_retention("periodic", self.auto_compaction_retention) / NS_PER_S

    @property
    def auto_compaction_revisions(self) -> int:
        """Revisions of history that are left; 0: not compacted by revision."""
        if self.auto_compaction_mode != "revision":
            return 0
        return parse_retention("revision", self.auto_compaction_retention)


_ZERO_IS_DEFAULT = frozenset(
    (
        "snapshot_catchup_entries",
        "quota_backend_bytes",
        "backend_batch_interval_s",
        "backend_batch_limit",
        "compaction_batch_limit",
    )
)


def _is_https(url: str) -> bool:
    return url.startswith("https:")


def _resolved(urls: tuple[str, ...]) -> list[str]:
    """Make URLs comparable without asking a name server, which etcd does."""
    return sorted(url.replace("//localhost:", "//127.0.0.1:") for url in urls)


FIELD_OF_FLAG: dict[Flag, str] = {
    spec.metadata["flag"]: spec.name for spec in fields(Config)
}
"""Every flag in the order of the help, with the field of `Config` it sets."""
