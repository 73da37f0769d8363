"""`AsyncServer` and `Server`: a member in this process."""

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from miniet.clock import SystemClock
from miniet.server.bootstrap import build_member
from miniet.server.cluster import ClusterService
from miniet.server.config import Config
from miniet.server.convert import Headers
from miniet.server.driver import Driver
from miniet.server.errors import StartError
from miniet.server.grpc_server import GrpcServer
from miniet.server.health import HealthService
from miniet.server.http_status import HttpStatusServer
from miniet.server.kv import KvService
from miniet.server.lease import LeaseService
from miniet.server.maintenance import MaintenanceService
from miniet.server.methods import Method
from miniet.server.pages import StatusPages
from miniet.server.recorders import Durations, Traffic
from miniet.server.watch import WatchService

try:
    import uvloop
except ImportError:  # not on every platform
    NEW_EVENT_LOOP = asyncio.new_event_loop
else:
    NEW_EVENT_LOOP = uvloop.new_event_loop

_STOP_GRACE_S = 1.0

Result = TypeVar("Result")


class AsyncServer:
    """A member on the running event loop.

        async with miniet.AsyncServer() as etcd:
            ...  # connect any client to etcd.endpoint

    Args:
        data_dir: where the data is kept. None: nothing is kept, all of it is gone
            when the server stops.
        config: every other setting. Without one the server listens on a free port
            of 127.0.0.1.
    """

    def __init__(
        self, data_dir: str | None = None, *, config: Config | None = None
    ) -> None:
        self.config = config or Config(listen_client_urls=("http://127.0.0.1:0",))
        self.data_dir = data_dir
        self.client_urls: tuple[str, ...] = ()
        """Where it listens, the real ports in; empty before the start."""
        self._metrics_servers: list[HttpStatusServer] = []

    @property
    def endpoint(self) -> str:
        """`host:port` of the first client URL."""
        return urlsplit(self.client_urls[0]).netloc

    @property
    def port(self) -> int:
        """The port of the first client URL."""
        return urlsplit(self.client_urls[0]).port or 0

    @property
    def metrics_urls(self) -> tuple[str, ...]:
        """Where the status pages are, the real ports in."""
        return tuple(
            f"http://{urlsplit(url).hostname}:{server.port}"
            for url, server in zip(
                self.config.listen_metrics_urls, self._metrics_servers, strict=True
            )
        )

    async def start(self) -> None:
        """Open the data and serve; returns when the first request may come.

        Raises:
            DataError: the data is damaged; says the file and what can be done.
            StartError: an address or file cannot be used.
        """
        config = self.config
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with the error, if the member fails after its start."""
        self._durations = Durations()
        self._traffic = Traffic()
        self._grpc = GrpcServer(
            self._traffic,
            receive_bytes_max=config.receive_bytes_max,
            max_concurrent_streams=config.max_concurrent_streams,
            keepalive_min_time_s=config.grpc_keepalive_min_time_s,
            keepalive_interval_s=config.grpc_keepalive_interval_s,
            keepalive_timeout_s=config.grpc_keepalive_timeout_s,
        )
        try:
            self._bind()
            self._start_member()
        except OSError as error:
            raise StartError(str(error)) from error
        await self._driver.wait_serving()
        await self._grpc.start(self._methods())
        for server in self._metrics_servers:
            server.start()

    async def stop(self) -> None:
        """End streams, finish other calls, commit, close the files."""
        for server in self._metrics_servers:
            await asyncio.to_thread(server.stop)
        await self._grpc.stop(_STOP_GRACE_S)
        await self._driver.stop()
        self._member.close(commit=not self._driver.failed)

    async def reset(self) -> None:
        """Empty the server within milliseconds: revision 1, no leases.

        Open streams, watches among them, end.

        Raises:
            StartError: it keeps data on disk, whose log would bring all of it back.
        """
        if self._member.temporary_directory is None:
            raise StartError("only a memory-only server can be reset")
        await self._grpc.end_streams()
        self._member.engine.reset()
        self._driver.wake()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _bind(self) -> None:
        urls = self.config.listen_client_urls
        ports = self._grpc.bind([urlsplit(url).netloc for url in urls])
        self.client_urls = tuple(
            f"http://{urlsplit(url).hostname}:{port}"
            for url, port in zip(urls, ports, strict=True)
        )

    def _start_member(self) -> None:
        config = self.config
        self._member = build_member(
            config,
            self.data_dir,
            config.advertise_client_urls or self.client_urls,
            SystemClock(),
            random.Random(),
            self._durations,
        )
        self._driver = Driver(
            self._member.engine,
            self._member.log,
            tick_s=config.heartbeat_interval_ms / 1000,
            commit_interval_s=config.backend_batch_interval_s,
            compaction_pause_s=config.compaction_sleep_interval_s,
            on_failure=self._fail,
        )
        self._driver.start()
        if config.initial_election_tick_advance:
            self._member.engine.campaign_soon()
        pages = StatusPages(self._member, self._driver, self._durations, self._traffic)
        for url in config.listen_metrics_urls:
            parts = urlsplit(url)
            self._metrics_servers.append(
                HttpStatusServer(
                    parts.hostname or "",
                    parts.port or 0,
                    pages.by_path(extensive=config.metrics == "extensive"),
                )
            )

    def _methods(self) -> list[Method]:
        engine, driver = self._member.engine, self._driver
        headers = Headers(engine.config.cluster_id, engine.config.member.member_id)
        is_durable = self._member.temporary_directory is None
        return [
            *KvService(driver, headers, self.config.max_txn_ops).methods(),
            *WatchService(driver, headers).methods(),
            *LeaseService(driver, headers).methods(),
            *ClusterService(driver, headers).methods(),
            *MaintenanceService(
                driver,
                headers,
                self._member.backend,
                self._durations,
                is_durable=is_durable,
            ).methods(),
            *HealthService().methods(),
        ]

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)


class Server:
    """A member on a thread of its own, for tests and development.

        with miniet.Server() as etcd:
            ...  # connect any client to etcd.endpoint

    Arguments and attributes are those of `AsyncServer`.
    """

    def __init__(
        self, data_dir: str | None = None, *, config: Config | None = None
    ) -> None:
        self._server = AsyncServer(data_dir, config=config)

    @property
    def client_urls(self) -> tuple[str, ...]:
        """Where it listens, the real ports in; empty before the start."""
        return self._server.client_urls

    @property
    def endpoint(self) -> str:
        """`host:port` of the first client URL."""
        return self._server.endpoint

    @property
    def port(self) -> int:
        """The port of the first client URL."""
        return self._server.port

    @property
    def metrics_urls(self) -> tuple[str, ...]:
        """Where the status pages are, the real ports in."""
        return self._server.metrics_urls

    def start(self) -> None:
        """Start the thread and wait until the first request may come.

        Raises:
            DataError, StartError: as `AsyncServer.start`; the thread has ended.
        """
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(started,), name="miniet", daemon=True
        )
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Stop, and wait until everything is written and closed."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def reset(self) -> None:
        """Empty the server within milliseconds; see `AsyncServer.reset`."""
        self._call(self._server.reset)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _call(self, function: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        return asyncio.run_coroutine_threadsafe(function(), self._loop).result()

    def _run(self, started: "Future[None]") -> None:
        with asyncio.Runner(loop_factory=NEW_EVENT_LOOP) as runner:
            runner.run(self._main(started))

    async def _main(self, started: "Future[None]") -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await self._server.start()
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(None)
        await self._stop.wait()
        await self._server.stop()
