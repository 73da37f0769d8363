"""What the HTTP status pages say."""

import asyncio
from http import HTTPStatus

from miniet.engine import VERSION
from miniet.engine.requests import AlarmType
from miniet.errors import RequestError
from miniet.server.bootstrap import BuiltMember
from miniet.server.driver import Driver
from miniet.server.http_status import Page, Pages, json_page
from miniet.server.memory import MemoryReader
from miniet.server.memory_metrics import MemoryCollector
from miniet.server.metric_sources import MemberStatistics, MetricSources
from miniet.server.metrics import CONTENT_TYPE, EtcdCollector, Metrics
from miniet.server.recorders import Durations, Traffic

_TEXT = "text/plain; charset=utf-8"
_HEALTH_READ_TIMEOUT_S = 1.0


class StatusPages:
    """`/health`, `/version`, `/metrics` and `/debug/memory` of one member."""

    def __init__(
        self,
        member: BuiltMember,
        driver: Driver,
        durations: Durations,
        traffic: Traffic,
        memory: MemoryReader,
    ) -> None:
        self._member = member
        self._engine = member.engine
        self._driver = driver
        self._durations = durations
        self._traffic = traffic
        self._memory = memory
        self._health_successes_total = 0
        self._health_failures_total = 0

    def by_path(self, *, extensive: bool) -> Pages:
        """Return what makes each page.

        Args:
            extensive: also show how long calls took.
        """
        memory = MemoryCollector()
        metrics = Metrics(
            EtcdCollector(
                self._sources, self._durations, self._traffic, extensive=extensive
            ),
            memory,
        )

        async def render() -> Page:
            memory.glance = await self._memory.glance()
            return Page(metrics.render(), CONTENT_TYPE)

        return {
            "/health": self._health,
            "/version": self._version,
            "/metrics": render,
            "/debug/memory": self._capture,
        }

    async def _health(self) -> Page:
        if await self._is_healthy():
            self._health_successes_total += 1
            return Page(b'{"health":"true"}', _TEXT)
        self._health_failures_total += 1
        return Page(b'{"health":"false"}\n', _TEXT, HTTPStatus.SERVICE_UNAVAILABLE)

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
