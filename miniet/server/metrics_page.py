"""`MetricsPage`: etcd's metrics and the memory gauges as one page.

The only importer of what needs `prometheus_client`, and imported itself when somebody
first asks: that takes 20 ms, which most servers do not need.
"""

from collections.abc import Callable

from miniet.server.memory import Glance
from miniet.server.memory_metrics import MemoryCollector
from miniet.server.metric_sources import MetricSources
from miniet.server.metrics import CONTENT_TYPE, EtcdCollector, Metrics
from miniet.server.page import Page
from miniet.server.recorders import Durations, Traffic


class MetricsPage:
    """Makes the page; arguments are those of `EtcdCollector`."""

    def __init__(
        self,
        statistics: Callable[[], MetricSources],
        durations: Durations,
        traffic: Traffic,
        *,
        extensive: bool,
    ) -> None:
        self._memory = MemoryCollector()
        self._metrics = Metrics(
            EtcdCollector(statistics, durations, traffic, extensive=extensive),
            self._memory,
        )

    def make(self, glance: Glance) -> Page:
        """Scrape; `glance` was taken before, since that needs a thread."""
        self._memory.glance = glance
        return Page(self._metrics.render(), CONTENT_TYPE)
