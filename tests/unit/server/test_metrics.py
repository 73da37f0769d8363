"""The page behind /metrics, read back with Prometheus' own parser."""

from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from miniet.server.metric_sources import ROWS, MemberStatistics, MetricSources
from miniet.server.metrics import EtcdCollector, Metrics
from miniet.server.recorders import CallCounters, Durations, Traffic
from miniet.server.rpc_errors import Code

# Where the records behind the paths of ROWS are defined.
RECORDS = {
    "member": ("miniet.server.metric_sources", "MemberStatistics"),
    "raft": ("miniet.raft", "RaftStatistics"),
    "store": ("miniet.mvcc", "StoreStatistics"),
    "backend": ("miniet.backend", "BackendStatistics"),
    "lease": ("miniet.lease", "LeaseStatistics"),
    "watch": ("miniet.watch", "WatchStatistics"),
    "wal": ("miniet.wal", "WalStatistics"),
}

NUMBERS = {path: number for number, (_, _, path, _) in enumerate(ROWS)}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Scene:
    """A member whose every component statistic is a number of its own."""

    def __init__(self, *, extensive: bool = False) -> None:
        self.scrape_count = 0
        self.durations = Durations()
        self.traffic = Traffic()
        collector = EtcdCollector(
            self.statistics, self.durations, self.traffic, extensive=extensive
        )
        self.metrics = Metrics(collector)

    def statistics(self) -> MetricSources:
        self.scrape_count += 1
        parts: dict[str, SimpleNamespace] = {
            name: SimpleNamespace() for name in RECORDS
        }
        for path, number in NUMBERS.items():
            component, field = path.split(".")
            setattr(parts[component], field, number)
        member = MemberStatistics(
            member_id=0x8E9E05C52164694D,
            server_version="3.4.23",
            cluster_version="3.4",
            has_leader=True,
            is_leader=True,
            leader_changes_total=1,
            proposals_pending_count=2,
            proposals_failed_total=3,
            slow_applies_total=4,
            health_successes_total=7,
            health_failures_total=8,
            quota_bytes=2147483648,
        )
        return MetricSources(**{**vars(SimpleNamespace(**parts)), "member": member})

    def samples(self) -> Samples:
        text = self.metrics.render().decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


def label(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def test_every_row_is_shown_under_its_name() -> None:
    samples = Scene().samples()
    for name, _, path, _ in ROWS:
        if not path.startswith("member."):
            assert samples[f"etcd_{name}", label()] == NUMBERS[path], name
    assert samples["etcd_server_has_leader", label()] == 1
    assert samples["etcd_server_is_learner", label()] == 0
    assert samples["etcd_server_health_success", label()] == 7
    assert samples["etcd_server_quota_backend_bytes", label()] == 2147483648


@pytest.mark.parametrize("component", RECORDS)
def test_rows_name_fields_that_exist(component: str) -> None:
    module, record = RECORDS[component]
    if find_spec(module) is None or not hasattr(import_module(module), record):
        pytest.skip(f"{module} is not there yet")
    names = {field.name for field in fields(getattr(import_module(module), record))}
    paths = [path.split(".") for _, _, path, _ in ROWS]
    used = {field for owner, field in paths if owner == component}
    assert used - names == set()


def test_no_name_is_used_twice() -> None:
    lines = Scene(extensive=True).metrics.render().decode().splitlines()
    names = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert len(names) == len(set(names))


def test_kinds_are_etcds_even_where_names_say_otherwise() -> None:
    lines = Scene().metrics.render().decode().splitlines()
    assert "# TYPE etcd_server_proposals_committed_total gauge" in lines
    assert "# TYPE etcd_disk_wal_write_bytes_total gauge" in lines
    assert "# TYPE etcd_mvcc_put_total counter" in lines
    # The library can only call a counter what ends in _total.
    assert "# TYPE etcd_server_health_success untyped" in lines


def test_identity_stands_in_labels() -> None:
    samples = Scene().samples()
    assert samples["etcd_server_id", label(server_id="8e9e05c52164694d")] == 1
    assert samples["etcd_server_version", label(server_version="3.4.23")] == 1
    assert samples["etcd_cluster_version", label(cluster_version="3.4")] == 1


def test_buckets_hold_everything_below_their_bound() -> None:
    scene = Scene()
    for seconds in (0.0005, 0.001, 0.003, 100.0):
        scene.durations.wal_fsync_s.observe(seconds)
    samples = scene.samples()
    name = "etcd_disk_wal_fsync_duration_seconds"
    below = {
        bound: samples[f"{name}_bucket", label(le=bound)]
        for bound in ("0.001", "0.002", "0.004", "8.192", "+Inf")
    }
    assert below == {"0.001": 2, "0.002": 2, "0.004": 3, "8.192": 3, "+Inf": 4}
    assert samples[f"{name}_count", label()] == 4
    assert samples[f"{name}_sum", label()] == pytest.approx(100.0045)


def test_bounds_are_written_as_go_writes_them() -> None:
    samples = Scene().samples()
    name = "etcd_debugging_lease_ttl_total_bucket"
    bounds = [dict(labels)["le"] for metric, labels in samples if metric == name]
    assert bounds[:2] == ["1", "2"]
    assert bounds[-3:] == ["4.194304e+06", "8.388608e+06", "+Inf"]


def test_calls_are_shown_by_method_and_code() -> None:
    scene = Scene()
    watch = CallCounters("etcdserverpb.Watch", "Watch", "bidi_stream")
    scene.traffic.methods.append(watch)
    watch.started, watch.received, watch.sent = 3, 4, 5
    watch.end(Code.CANCELED, 9.0)
    samples = scene.samples()
    method = {
        "grpc_type": "bidi_stream",
        "grpc_service": "etcdserverpb.Watch",
        "grpc_method": "Watch",
    }
    assert samples["grpc_server_started_total", label(**method)] == 3
    assert samples["grpc_server_msg_received_total", label(**method)] == 4
    assert samples["grpc_server_msg_sent_total", label(**method)] == 5
    handled = {
        dict(labels)["grpc_code"]: value
        for (name, labels), value in samples.items()
        if name == "grpc_server_handled_total"
    }
    assert len(handled) == 17
    assert {code: n for code, n in handled.items() if n} == {"Canceled": 1}


def test_how_long_calls_took_is_shown_only_when_extensive() -> None:
    for extensive in (False, True):
        scene = Scene(extensive=extensive)
        scene.traffic.methods.append(CallCounters("etcdserverpb.KV", "Put", "unary"))
        names = {name for name, _ in scene.samples()}
        assert ("grpc_server_handling_seconds_bucket" in names) is extensive


def test_traffic_is_shown_in_bytes_and_by_client_version() -> None:
    scene = Scene()
    scene.traffic.received_bytes_total = 10
    scene.traffic.sent_bytes_total = 20
    scene.traffic.requests["unary", "3.5"] += 2
    samples = scene.samples()
    assert samples["etcd_network_client_grpc_received_bytes_total", label()] == 10
    assert samples["etcd_network_client_grpc_sent_bytes_total", label()] == 20
    row = label(type="unary", client_api_version="3.5")
    assert samples["etcd_server_client_requests_total", row] == 2


def test_one_scrape_asks_for_the_statistics_once() -> None:
    scene = Scene()
    assert scene.scrape_count == 0
    scene.metrics.render()
    assert scene.scrape_count == 1


def test_two_members_in_one_process_stay_apart() -> None:
    one, other = Scene(), Scene()
    one.traffic.sent_bytes_total = 1
    name = ("etcd_network_client_grpc_sent_bytes_total", label())
    assert (one.samples()[name], other.samples()[name]) == (1, 0)
