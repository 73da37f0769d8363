"""`/health`, `/version` and `/metrics` over real HTTP, on both kinds of URL."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

import miniet
from miniet.pb import rpc_pb2
from miniet.server.recorders import Durations
from tests.embedded.client import Client, connect

# What etcd's Grafana dashboards (D) and Prometheus alerts (A) read, and what else is
# looked at to size an etcd. Peers are left out: there are none.
DASHBOARDS = {
    "etcd_server_has_leader",
    "etcd_server_leader_changes_seen_total",
    "etcd_server_proposals_committed_total",
    "etcd_server_proposals_applied_total",
    "etcd_server_proposals_pending",
    "etcd_server_proposals_failed_total",
    "etcd_server_quota_backend_bytes",
    "etcd_mvcc_db_total_size_in_bytes",
    "etcd_mvcc_db_total_size_in_use_in_bytes",
    "etcd_disk_wal_fsync_duration_seconds_bucket",
    "etcd_disk_backend_commit_duration_seconds_bucket",
    "etcd_network_client_grpc_received_bytes_total",
    "etcd_network_client_grpc_sent_bytes_total",
    "grpc_server_started_total",
    "grpc_server_handled_total",
    "grpc_server_handling_seconds_bucket",
    "process_resident_memory_bytes",
    "etcd_debugging_mvcc_keys_total",
    "etcd_debugging_mvcc_current_revision",
    "etcd_debugging_mvcc_watcher_total",
    "etcd_debugging_lease_granted_total",
    "etcd_server_is_leader",
    "etcd_server_id",
    "etcd_server_version",
    "etcd_cluster_version",
}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Etcd(NamedTuple):
    server: miniet.Server
    client: Client
    url: str
    """Where the pages are asked for."""

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Answer:
        return ask(self.url, path, method, body)

    def metrics(self) -> dict[str, float]:
        """Scrape; samples that differ in labels are summed up."""
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(
            self.ask("/metrics").body.decode()
        ):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0) + sample.value
        return sums


def ask(url: str, path: str, method: str = "GET", body: bytes | None = None) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers), response.read())
    finally:
        connection.close()


def config(**settings: object) -> miniet.Config:
    return miniet.Config(
        listen_client_urls=("http://127.0.0.1:0",),
        listen_metrics_urls=("http://127.0.0.1:0",),
        metrics="extensive",
        **settings,  # type: ignore[arg-type]
    )


@pytest.fixture(params=["client_urls", "metrics_urls"])
def etcd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Etcd]:
    directory = tmp_path_factory.mktemp("data")
    with (
        miniet.Server(directory, config=config()) as server,
        connect(server.endpoint) as client,
    ):
        yield Etcd(server, client, getattr(server, request.param)[0])


def alarm(client: Client, action: int) -> None:
    member_id = client.status().header.member_id
    request = rpc_pb2.AlarmRequest(
        action=action, memberID=member_id, alarm=rpc_pb2.NOSPACE
    )
    client.call("/etcdserverpb.Maintenance/Alarm", request, rpc_pb2.AlarmResponse)


# ---- health and version


def test_health_is_true_without_alarms(etcd: Etcd) -> None:
    answer = etcd.ask("/health")
    assert (answer.status, answer.body) == (200, b'{"health":"true"}')
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_alarm_makes_the_member_unhealthy_until_it_is_lifted(etcd: Etcd) -> None:
    alarm(etcd.client, rpc_pb2.AlarmRequest.ACTIVATE)
    answer = etcd.ask("/health")
    assert (answer.status, answer.body) == (503, b'{"health":"false"}\n')
    alarm(etcd.client, rpc_pb2.AlarmRequest.DEACTIVATE)
    assert etcd.ask("/health").status == 200
    counts = etcd.metrics()
    assert counts["etcd_server_health_failures"] == 1
    assert counts["etcd_server_health_success"] == 1


def test_version_is_that_of_etcd(etcd: Etcd) -> None:
    answer = etcd.ask("/version")
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body) == {
        "etcdserver": "3.4.23",
        "etcdcluster": "3.4.0",
    }


# ---- what is not a question


def test_other_paths_are_not_found(etcd: Etcd) -> None:
    for path in ("/", "/healthz", "/v2/keys", "/v3/kv/range", "/metrics/x"):
        for method in ("GET", "DELETE"):
            answer = etcd.ask(path, method)
            assert (answer.status, answer.body) == (404, b"404 page not found\n")


def test_only_get_is_allowed(etcd: Etcd) -> None:
    for method, body in (
        ("POST", b"x"),
        ("PUT", b""),
        ("DELETE", None),
        ("HEAD", None),
    ):
        answer = etcd.ask("/health", method, body)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET")
        assert answer.body == (b"" if method == "HEAD" else b"Method Not Allowed\n")


def test_head_of_the_metrics_is_what_get_would_send_first(etcd: Etcd) -> None:
    head, get = etcd.ask("/metrics", "HEAD"), etcd.ask("/metrics")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert abs(int(head.headers["Content-Length"]) - len(get.body)) < 200
    assert etcd.ask("/metrics", "POST").headers["Allow"] == "GET, HEAD"


def test_query_is_not_part_of_the_path(etcd: Etcd) -> None:
    assert etcd.ask("/health?serializable=true").status == 200


def test_one_connection_carries_many_questions(etcd: Etcd) -> None:
    connection = http.client.HTTPConnection(*etcd.address, timeout=10)
    for _ in range(3):
        for path, status in (("/health", 200), ("/nothing", 404), ("/metrics", 200)):
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            assert response.status == status
    connection.close()


def test_nonsense_on_the_line_harms_nobody_else(
    etcd: Etcd, capfd: pytest.CaptureFixture[str]
) -> None:
    for sent in (b"\0\xff\r\n\r\n", b"GET /health", b"G" * 100_000, b""):
        with socket.create_connection(etcd.address) as line:
            line.sendall(sent)
    assert etcd.ask("/health").status == 200
    assert capfd.readouterr().err == ""


# ---- metrics


def test_dashboards_find_the_names_they_read(etcd: Etcd) -> None:
    assert DASHBOARDS - set(etcd.metrics()) == set()


def test_page_is_in_the_text_format_of_prometheus(etcd: Etcd) -> None:
    answer = etcd.ask("/metrics")
    assert answer.status == 200
    content_type = "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Content-Type"] == content_type
    assert int(answer.headers["Content-Length"]) == len(answer.body)


def test_metrics_move_by_exactly_what_was_done(etcd: Etcd) -> None:
    before = etcd.metrics()
    watch = etcd.client.watch(b"k")
    next(watch)
    lease = etcd.client.grant(60)
    for n in range(10):
        etcd.client.put(b"k%d" % n, bytes(1000), lease)
    for _ in range(5):
        etcd.client.range(b"k1")
    after = etcd.metrics()
    moved = {name: after[name] - before.get(name, 0) for name in after}
    expected = {
        "etcd_mvcc_put_total": 10,
        "etcd_debugging_mvcc_put_total": 10,
        "etcd_mvcc_range_total": 5,
        "etcd_debugging_mvcc_keys_total": 10,
        "etcd_debugging_mvcc_current_revision": 10,
        "etcd_debugging_mvcc_total_put_size_in_bytes": 10 * 1002,
        "etcd_debugging_mvcc_watcher_total": 1,
        "etcd_debugging_mvcc_watch_stream_total": 1,
        "etcd_debugging_lease_granted_total": 1,
        "etcd_server_proposals_committed_total": 11,
        "etcd_server_proposals_applied_total": 11,
        "etcd_server_proposals_failed_total": 0,
        "grpc_server_started_total": 17,
        "grpc_server_handled_total": 16,  # the watch is still open
        "etcd_debugging_lease_ttl_total_count": 1,
        "etcd_debugging_lease_ttl_total_sum": 60,
    }
    assert {name: moved[name] for name in expected} == expected
    assert 10_000 < moved["etcd_network_client_grpc_received_bytes_total"] < 11_000
    # Five ranges of one value each, and the headers of all answers.
    assert 5_000 < moved["etcd_network_client_grpc_sent_bytes_total"] < 6_500
    assert moved["etcd_disk_wal_write_bytes_total"] > 10_000
    assert moved["etcd_disk_wal_fsync_duration_seconds_count"] >= 11
    assert after["etcd_server_has_leader"] == after["etcd_server_is_leader"] == 1
    assert after["etcd_server_quota_backend_bytes"] == 2147483648
    in_use = after["etcd_mvcc_db_total_size_in_use_in_bytes"]
    assert 0 < in_use <= after["etcd_mvcc_db_total_size_in_bytes"]
    watch.cancel()


def test_every_duration_is_measured(tmp_path: Path) -> None:
    settings = config(snapshot_count=5)
    with (
        miniet.Server(tmp_path, config=settings) as server,
        connect(server.endpoint) as client,
    ):
        client.grant(60)
        for _ in range(10):
            client.put(b"k")
        maintenance = "/etcdserverpb.Maintenance/"
        for path, request, response_type in (
            (
                "/etcdserverpb.KV/Compact",
                rpc_pb2.CompactionRequest(revision=11, physical=True),
                rpc_pb2.CompactionResponse,
            ),
            (
                maintenance + "Defragment",
                rpc_pb2.DefragmentRequest(),
                rpc_pb2.DefragmentResponse,
            ),
            (maintenance + "Hash", rpc_pb2.HashRequest(), rpc_pb2.HashResponse),
            (maintenance + "HashKV", rpc_pb2.HashKVRequest(), rpc_pb2.HashKVResponse),
        ):
            client.call(path, request, response_type)
        assert len(list(client.snapshot())) > 1
        counts = Etcd(server, client, server.metrics_urls[0]).metrics()
    histograms = [getattr(Durations(), field.name) for field in fields(Durations)]
    silent = [h.name for h in histograms if not counts[f"{h.name}_count"]]
    assert silent == []


def test_sizes_agree_with_what_status_says(etcd: Etcd) -> None:
    request = rpc_pb2.DefragmentRequest()
    etcd.client.put(b"k", bytes(100_000))
    etcd.client.call(
        "/etcdserverpb.Maintenance/Defragment", request, rpc_pb2.DefragmentResponse
    )
    status, counts = etcd.client.status(), etcd.metrics()
    assert counts["etcd_mvcc_db_total_size_in_bytes"] == status.dbSize > 100_000
    assert counts["etcd_mvcc_db_total_size_in_use_in_bytes"] == status.dbSizeInUse


# ---- life


def test_pages_go_with_the_server(etcd: Etcd) -> None:
    """Connections that stay open too, and the threads that serve them."""
    idle = [socket.create_connection(etcd.address) for _ in range(3)]
    for line in idle:
        line.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 200")
    begun_s = time.monotonic()
    etcd.server.stop()
    assert time.monotonic() - begun_s < 1
    names = {thread.name for thread in threading.enumerate()}
    assert not {name for name in names if name.startswith("miniet")}
    for line in idle:
        with line:
            while line.recv(10_000):
                pass
    with pytest.raises(ConnectionError):
        socket.create_connection(etcd.address)
