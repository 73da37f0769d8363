"""What is answered over plain HTTP, on the client port and at `--listen-metrics-urls`.

Of what etcd 3.4 has there, `/debug/vars` and `/config/local/log` are missing: the one
shows the heap of Go, the other takes a body. `/debug/memory` is miniet's own.
"""

import asyncio
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING

from miniet.engine import VERSION
from miniet.engine.requests import AlarmType
from miniet.errors import RequestError
from miniet.server.bootstrap import BuiltMember
from miniet.server.driver import Driver
from miniet.server.memory import MemoryReader
from miniet.server.metric_sources import MemberStatistics, MetricSources
from miniet.server.page import Page, Pages, PageSource, json_page
from miniet.server.recorders import Durations, Traffic

if TYPE_CHECKING:
    from miniet.server.metrics_page import MetricsPage

_HEALTH_READ_TIMEOUT_S = 1.0
# Booking the traced blocks of a large server takes long, and has an end of its own.
_CAPTURE_S_MAX = 150.0


class StatusPages:
    """`/health`, `/version`, `/metrics` and `/debug/memory` of one member."""

    def __init__(
        self,
        member: BuiltMember,
        driver: Driver,
        durations: Durations,
        traffic: Traffic,
        memory: MemoryReader,
        *,
        extensive: bool,
    ) -> None:
        """Begin to count health checks.

        Args:
            extensive: also show in `/metrics` how long calls took.
        """
        self._member = member
        self._engine = member.engine
        self._driver = driver
        self._durations = durations
        self._traffic = traffic
        self._memory = memory
        self._extensive = extensive
        self._health_successes_total = 0
        self._health_failures_total = 0
        self._metrics: MetricsPage | None = None
        # Many who ask at once must leave rounds of the loop to others.
        self._scraping = asyncio.Lock()

    def by_path(self) -> Pages:
        """Return what makes each page."""
        return {
            "/health": PageSource(make=self._health),
            "/version": PageSource(make=self._version),
            "/metrics": PageSource(make=self._scrape, methods=("GET", "HEAD")),
            "/debug/memory": PageSource(make=self._capture, seconds_max=_CAPTURE_S_MAX),
        }

    async def _health(self) -> Page:
        if await self._is_healthy():
            self._health_successes_total += 1
            return Page(b'{"health":"true"}')
        self._health_failures_total += 1
        return Page(b'{"health":"false"}\n', status=HTTPStatus.SERVICE_UNAVAILABLE)

    async def _is_healthy(self) -> bool:
        """No alarm, a leader, and a linearizable read within a second."""
        engine = self._engine
        if engine.alarms.matching(AlarmType.NONE) or not engine.leader_id:
            return False
        try:
            await asyncio.wait_for(self._driver.read_point(), _HEALTH_READ_TIMEOUT_S)
        except (TimeoutError, RequestError):
            return False
        return True

    async def _scrape(self) -> Page:
        if self._metrics is None:
            page = import_module("miniet.server.metrics_page").MetricsPage
            self._metrics = page(
                self._sources, self._durations, self._traffic, extensive=self._extensive
            )
        async with self._scraping:
            return self._metrics.make(await self._memory.glance())

    async def _capture(self) -> Page:
        try:
            return json_page((await self._memory.capture()).to_json())
        except RequestError as error:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            return json_page({"error": str(error)}, status)

    async def _version(self) -> Page:
        return json_page(
            {
                "etcdserver": VERSION,
                "etcdcluster": self._engine.membership.cluster_version or "not_decided",
            }
        )

    def _sources(self) -> MetricSources:
        engine = self._engine
        statistics = engine.statistics()
        held = self._member.statistics()
        return MetricSources(
            member=MemberStatistics(
                member_id=engine.config.member.member_id,
                server_version=VERSION,
                cluster_version=engine.membership.cluster_version.rpartition(".")[0],
                has_leader=bool(engine.leader_id),
                is_leader=engine.is_leader,
                leader_changes_total=statistics.leader_changes_total,
                proposals_pending_count=statistics.proposals_pending,
                proposals_failed_total=statistics.proposals_failed_total,
                slow_applies_total=statistics.slow_applies_total,
                health_successes_total=self._health_successes_total,
                health_failures_total=self._health_failures_total,
                quota_bytes=statistics.quota_bytes,
            ),
            raft=held.raft,
            store=held.store,
            backend=held.backend,
            lease=held.lease,
            watch=held.watch,
            wal=held.wal,
        )
