"""`/metrics`: etcd's metric names over miniet's own statistics.

Nothing is counted twice: at each scrape the collector asks once for all statistics
and reads fields off them; `metric_sources.ROWS` says which field is which metric.
No registry of the process is touched, so members in one process stay apart.

Left out, because nothing in miniet stands for them: bbolt's commit phases, the pause
of a compaction for the index alone (a batch may be of index and records), the v2
store, what only several members do together (peers, heartbeats, learners, received
snapshots), the Go runtime and its HTTP handler.

Cost: a scrape with the 46 methods of the API takes about 15 ms, most of it text.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from math import inf
from operator import attrgetter

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from miniet.server.metric_sources import (
    COUNTER,
    ROWS,
    MemberStatistics,
    MetricSources,
)
from miniet.server.recorders import Durations, Histogram, Traffic
from miniet.server.rpc_errors import Code

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The form of `Metrics.render`, for the HTTP header."""


class EtcdCollector(Collector):
    """Derives all metric families when it is scraped.

    Args:
        statistics: called once per scrape.
        durations, traffic: read at each scrape, owned and written by the server.
        extensive: also show how long calls took (`--metrics extensive`).
    """

    def __init__(
        self,
        statistics: Callable[[], MetricSources],
        durations: Durations,
        traffic: Traffic,
        *,
        extensive: bool = False,
    ) -> None:
        self._statistics = statistics
        self._durations = durations
        self._traffic = traffic
        self._extensive = extensive

    def describe(self) -> Iterable[Metric]:
        """Name nothing, so that registering does not ask for statistics."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Walk the families of this moment."""
        sources = self._statistics()
        for name, kind, path, text in ROWS:
            yield _scalar(f"etcd_{name}", kind, text, attrgetter(path)(sources))
        yield from _identity(sources.member)
        for field in fields(self._durations):
            histogram = getattr(self._durations, field.name)
            family = HistogramMetricFamily(histogram.name, histogram.help)
            family.add_metric((), _buckets(histogram), histogram.sum)
            yield family
        yield from self._calls()

    def _calls(self) -> Iterator[Metric]:
        labels = ("grpc_type", "grpc_service", "grpc_method")
        started = CounterMetricFamily(
            "grpc_server_started", "Calls begun.", labels=labels
        )
        received = CounterMetricFamily(
            "grpc_server_msg_received", "Messages from clients.", labels=labels
        )
        sent = CounterMetricFamily(
            "grpc_server_msg_sent", "Messages to clients.", labels=labels
        )
        handled = CounterMetricFamily(
            "grpc_server_handled", "Calls ended.", labels=(*labels, "grpc_code")
        )
        for method in self._traffic.methods:
            values = (method.kind, method.service, method.method)
            started.add_metric(values, method.started)
            received.add_metric(values, method.received)
            sent.add_metric(values, method.sent)
            for code, count in zip(Code, method.handled, strict=True):
                handled.add_metric((*values, code.title), count)
        yield from (started, handled, received, sent)
        if self._extensive:
            yield self._handling(labels)
        yield from self._network()

    def _handling(self, labels: tuple[str, ...]) -> Metric:
        family = HistogramMetricFamily(
            "grpc_server_handling_seconds", "Time of whole calls.", labels=labels
        )
        for method in self._traffic.methods:
            histogram = method.handling_s
            family.add_metric(
                (method.kind, method.service, method.method),
                _buckets(histogram),
                histogram.sum,
            )
        return family

    def _network(self) -> Iterator[Metric]:
        traffic = self._traffic
        yield _scalar(
            "etcd_network_client_grpc_received_bytes_total",
            COUNTER,
            "Bytes of the messages from clients.",
            traffic.received_bytes_total,
        )
        yield _scalar(
            "etcd_network_client_grpc_sent_bytes_total",
            COUNTER,
            "Bytes of the messages to clients.",
            traffic.sent_bytes_total,
        )
        requests = CounterMetricFamily(
            "etcd_server_client_requests",
            "Calls by the version that the client speaks.",
            labels=("type", "client_api_version"),
        )
        for values, count in traffic.requests.items():
            requests.add_metric(values, count)
        yield requests


class Metrics:
    """The page behind `/metrics` of one member."""

    def __init__(self, *collectors: Collector) -> None:
        self._registry = CollectorRegistry()
        for collector in collectors:
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """Return the page, in the form that `CONTENT_TYPE` names."""
        return generate_latest(self._registry)


def _scalar(name: str, kind: str, text: str, value: float) -> Metric:
    if kind == COUNTER and not name.endswith("_total"):
        # The library would add `_total` to the name of a counter.
        metric = Metric(name, text, "unknown")
        metric.add_sample(name, {}, value)
        return metric
    if kind == COUNTER:
        return CounterMetricFamily(name, text, value=value)
    return GaugeMetricFamily(name, text, value=value)


def _identity(member: MemberStatistics) -> Iterator[Metric]:
    """Facts as labels of a gauge that is always 1."""
    for name, label, value, text in (
        (
            "etcd_server_version",
            "server_version",
            member.server_version,
            "The version that runs.",
        ),
        (
            "etcd_cluster_version",
            "cluster_version",
            member.cluster_version,
            "The version that all members speak.",
        ),
        ("etcd_server_id", "server_id", f"{member.member_id:x}", "The member's id."),
    ):
        family = GaugeMetricFamily(name, text, labels=(label,))
        family.add_metric((value,), 1)
        yield family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Add up the counts; a bucket of Prometheus holds all values below its end."""
    below = 0
    out: list[tuple[str, float]] = []
    for bound, count in zip((*histogram.bounds, inf), histogram.counts, strict=True):
        below += count
        out.append((_bound_text(bound), below))
    return out


def _bound_text(bound: float) -> str:
    """Write a bound as Go does: a series is named by it, and must stay the same."""
    if bound == inf:
        return "+Inf"
    return f"{bound:.7g}" if bound < 1e6 else f"{bound / 1e6:.7g}e+06"
