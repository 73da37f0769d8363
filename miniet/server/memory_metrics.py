"""Gauges of memory by component, for `/metrics`; etcd has none of them.

The names are miniet's: `miniet_memory_*`, labelled with the component as in captures.
What the components hold is exact at each scrape. What Python pays for it is as of the
last capture, because booking blocks takes seconds; it is shown while tracing is on.

Cost: beside the loop, 15 ms for the system's answers about process and connections.
"""

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from miniet.memory.components import Component
from miniet.memory.traced import Traced
from miniet.server.memory import Glance

ITEMS: tuple[tuple[Component, str, str], ...] = (
    (Component.RAFT, "entries", "raft_entry_count"),
    (Component.RAFT, "unstable_entries", "raft_unstable_count"),
    (Component.MVCC, "keys", "index_key_count"),
    (Component.MVCC, "generations", "index_generation_count"),
    (Component.MVCC, "revisions", "index_revision_count"),
    (Component.MVCC, "compaction_survivors", "compaction_keep_count"),
    (Component.BACKEND, "uncommitted_operations", "backend_uncommitted_count"),
    (Component.LEASE, "leases", "lease_count"),
    (Component.LEASE, "attached_keys", "attached_key_count"),
    (Component.LEASE, "heap_elements", "lease_heap_element_count"),
    (Component.WATCH, "streams", "stream_count"),
    (Component.WATCH, "watchers", "watcher_count"),
    (Component.WATCH, "held_events", "held_event_count"),
    (Component.SERVER, "connections", "connection_count"),
    (Component.SERVER, "calls", "calls_in_flight"),
)
"""Which field of `Counts` counts which items of whom."""


class MemoryCollector(Collector):
    """Derives the families from a glance, which the server takes before a scrape."""

    def __init__(self) -> None:
        self.glance: Glance | None = None
        """None: there was none yet, and nothing is shown."""

    def collect(self) -> Iterator[Metric]:
        """Walk the families of this moment."""
        glance = self.glance
        if glance is None:
            return
        counts = glance.counts
        payload = GaugeMetricFamily(
            "miniet_memory_payload_bytes",
            "Bytes from clients that a component keeps on the heap, no overhead.",
            labels=("component",),
        )
        for component in Component:
            payload.add_metric((component,), counts.payload_bytes(component))
        yield payload
        items = GaugeMetricFamily(
            "miniet_memory_items",
            "Things that a component keeps, by kind.",
            labels=("component", "kind"),
        )
        for component, kind, field in ITEMS:
            items.add_metric((component, kind), getattr(counts, field))
        yield items
        if glance.mapped_bytes is not None:
            yield GaugeMetricFamily(
                "miniet_memory_mapped_bytes",
                "Resident pages of the backend's file, which the kernel may take back.",
                value=glance.mapped_bytes,
            )
        yield GaugeMetricFamily(
            "miniet_memory_tracing",
            "1: tracemalloc is on, and requests take several times as long.",
            value=glance.is_tracing,
        )
        if glance.traced is not None:
            yield from _booked(glance.traced, glance.traced_time_s)


def _booked(traced: Traced, time_s: float) -> Iterator[Metric]:
    booked = GaugeMetricFamily(
        "miniet_memory_booked_bytes",
        "Heap of Python that tracemalloc books to a component, as of the last capture.",
        labels=("component",),
    )
    for component, size in traced.bytes_by_component.items():
        booked.add_metric((component,), size)
    booked.add_metric(("other",), traced.other_bytes)
    yield booked
    yield GaugeMetricFamily(
        "miniet_memory_booked_timestamp_seconds",
        "When the last capture was taken while tracing is on, since 1970.",
        value=time_s,
    )
