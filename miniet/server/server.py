"""`AsyncServer` and `Server`: a member in this process."""

import asyncio
import os
import random
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from miniet.clock import SystemClock
from miniet.memory.capture import Capture
from miniet.memory.tracing import CompiledError
from miniet.server.bootstrap import build_member
from miniet.server.cluster import ClusterService
from miniet.server.config import Config
from miniet.server.convert import Headers
from miniet.server.driver import Driver
from miniet.server.errors import NotRunningError, StartError
from miniet.server.health import HealthService
from miniet.server.kv import KvService
from miniet.server.lease import LeaseService
from miniet.server.maintenance import MaintenanceService
from miniet.server.memory import MemoryReader, TracingSwitch
from miniet.server.memory_service import MemoryService
from miniet.server.methods import Method
from miniet.server.page import PageSource
from miniet.server.pages import StatusPages
from miniet.server.port import Port
from miniet.server.recorders import Durations, Traffic
from miniet.server.statistics import ServerStatistics
from miniet.server.tls import Tls, tls_of
from miniet.server.watch import WatchService
from miniet.server.wire_server import WireServer

if TYPE_CHECKING:
    from miniet.server.grpc_server import GrpcServer

try:
    import uvloop
except ImportError:  # not on every platform
    NEW_EVENT_LOOP = asyncio.new_event_loop
else:
    NEW_EVENT_LOOP = uvloop.new_event_loop

_STOP_GRACE_S = 1.0

Result = TypeVar("Result")

_running: "set[Server]" = set()
"""Servers that have a thread now."""


def _stop_all() -> None:
    for server in list(_running):
        server.stop()


# Python ends under the feet of daemon threads, and then C code that they are in may
# crash the process. An `atexit` function would come too late: thread pools, which a
# stop needs, are closed before. They use this same hook; ours, the later one, is
# called before theirs.
threading._register_atexit(_stop_all)  # type: ignore[attr-defined]

DataDir = str | os.PathLike[str]


class AsyncServer:
    """A member on the running event loop.

        async with miniet.AsyncServer() as etcd:
            ...  # connect any client to etcd.endpoint

    Stop it before its loop ends: its sockets and its threads are the loop's.

    Args:
        data_dir: where the data is kept. None: nothing is kept, all of it is gone
            when the server stops.
        config: every other setting. Without one the server listens on a free port
            of 127.0.0.1.
    """

    def __init__(
        self, data_dir: DataDir | None = None, *, config: Config | None = None
    ) -> None:
        self.config = config or Config(listen_client_urls=("http://127.0.0.1:0",))
        self.data_dir = data_dir
        self.client_urls: tuple[str, ...] = ()
        """Where it listens, the real ports in; empty unless it runs."""
        self.metrics_urls: tuple[str, ...] = ()
        """Where the status pages are, the real ports in; empty unless it runs."""
        self._is_started = False
        self._to_stop = AsyncExitStack()

    @property
    def endpoint(self) -> str:
        """`host:port` of the first client URL.

        Raises:
            NotRunningError: it has no port now.
        """
        self._check_running()
        return urlsplit(self.client_urls[0]).netloc

    @property
    def port(self) -> int:
        """The port of the first client URL.

        Raises:
            NotRunningError: it has no port now.
        """
        self._check_running()
        return urlsplit(self.client_urls[0]).port or 0

    async def start(self) -> None:
        """Open the data and serve; returns when the first request may come.

        What has stopped can be started again; data is still there if it was on disk.

        Raises:
            DataError: the data is damaged; says the file and what can be done.
            StartError: an address or file cannot be used, the server runs already, or
                is to trace its memory while miniet runs compiled.
        """
        if self._is_started:
            raise StartError("the server is running already")
        self._is_started = True
        try:
            await self._start()
        except BaseException as error:
            await self.stop()
            if isinstance(error, (OSError, CompiledError)):
                raise StartError(str(error)) from error
            raise

    async def stop(self) -> None:
        """End streams, finish other calls, commit, close the files.

        Nothing, if it does not run.
        """
        try:
            await self._to_stop.aclose()
        finally:
            self.client_urls = self.metrics_urls = ()
            self._is_started = False

    def statistics(self) -> ServerStatistics:
        """Count what each component holds at this moment.

        Raises:
            NotRunningError: it holds nothing.
        """
        self._check_running()
        return self._member.statistics()

    async def capture(self, label: str = "") -> Capture:
        """Read what is held, what Python pays for it, and the process.

        While tracing is on, the traced blocks are booked by a forked process, and
        requests go on for the seconds that millions of them take. In a program that
        imported grpcio before miniet there is no such process, and they wait.

        Args:
            label: what had been done, to be kept with the figures.
        Raises:
            NotRunningError: it holds nothing.
            RequestError: the process that books the blocks failed.
        """
        self._check_running()
        return await self._memory.capture(label)

    async def set_tracing(self, on: bool) -> None:
        """Switch tracemalloc on or off; nothing, if it is so already.

        It belongs to the whole process and makes puts 8 to 10 times slower. A server
        that has switched it on switches it off when it stops.

        Raises:
            NotRunningError: there is nothing to trace.
        """
        self._check_running()
        await self._memory.set_tracing(on)

    async def reset(self) -> None:
        """Empty the server within milliseconds: revision 1, no leases.

        Open streams, watches among them, end.

        Raises:
            NotRunningError: there is nothing to empty.
            StartError: it keeps data on disk, whose log would bring all of it back.
        """
        self._check_running()
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

    def _check_running(self) -> None:
        if not self.client_urls:
            raise NotRunningError("the server is not running")

    async def _start(self) -> None:
        """Take addresses and data one by one, each with what gives it back."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with the error, if the member fails after its start."""
        # Without this, an error that nobody asked for would be reported as lost.
        self.failed.add_done_callback(lambda failed: failed.exception())
        switch = TracingSwitch()
        self._to_stop.callback(switch.close)
        if self.config.memory_trace:
            switch.set(True)
        self._durations = Durations()
        self._traffic = Traffic()
        self._pages: dict[str, PageSource] = {}
        tls = tls_of(self.config)
        self._grpc = self._grpc_server(tls)
        self._to_stop.push_async_callback(self._grpc.stop, _STOP_GRACE_S)
        urls = self.config.listen_client_urls
        ports = self._grpc.bind(urls)
        client_urls = tuple(map(_with_port, urls, ports))
        metrics = Port(self._pages, tls)
        self._to_stop.push_async_callback(metrics.stop, _STOP_GRACE_S)
        urls = self.config.listen_metrics_urls
        metrics_urls = tuple(map(_with_port, urls, metrics.bind(urls)))
        self._start_member(client_urls, ports, switch)
        # Once more, so that in a stop calls end while there is a member to answer.
        self._to_stop.push_async_callback(self._grpc.stop, _STOP_GRACE_S)
        self._to_stop.push_async_callback(metrics.stop, _STOP_GRACE_S)
        await self._driver.wait_serving()
        await self._grpc.start(self._methods())
        metrics.start()
        self._memory.begin()
        self.client_urls, self.metrics_urls = client_urls, metrics_urls

    def _grpc_server(self, tls: Tls | None) -> "WireServer | GrpcServer":
        config = self.config
        transport: Callable[..., WireServer | GrpcServer]
        if config.transport == "grpcio":
            # Its library takes 60 ms to import, which most servers do not need.
            transport = import_module("miniet.server.grpc_server").GrpcServer
        else:
            transport = partial(WireServer, pages=self._pages, tls=tls)
        return transport(
            self._traffic,
            receive_bytes_max=config.receive_bytes_max,
            max_concurrent_streams=config.max_concurrent_streams,
            keepalive_min_time_s=config.grpc_keepalive_min_time_s,
            keepalive_interval_s=config.grpc_keepalive_interval_s,
            keepalive_timeout_s=config.grpc_keepalive_timeout_s,
        )

    def _start_member(
        self, client_urls: tuple[str, ...], ports: list[int], switch: TracingSwitch
    ) -> None:
        config = self.config
        self._member = build_member(
            config,
            self.data_dir,
            config.advertise_client_urls or client_urls,
            SystemClock(),
            random.Random(),
            self._durations,
            self._traffic,
        )
        self._driver = Driver(
            self._member.engine,
            self._member.log,
            self._durations,
            tick_s=config.heartbeat_interval_ms / 1000,
            commit_interval_s=config.backend_batch_interval_s,
            compaction_pause_s=config.compaction_sleep_interval_s,
            on_failure=self.failed.set_exception,
        )
        self._memory = MemoryReader(
            config,
            self._member,
            switch,
            self._driver.in_thread,
            path=self._member.backend.path,
            ports=ports,
            is_durable=self._member.temporary_directory is None,
        )
        pages = StatusPages(
            self._member,
            self._driver,
            self._durations,
            self._traffic,
            self._memory,
            extensive=config.metrics == "extensive",
        )
        self._pages.update(pages.by_path())
        self._driver.start()
        self._to_stop.push_async_callback(self._stop_member)
        if config.initial_election_tick_advance:
            self._member.engine.campaign_soon()

    async def _stop_member(self) -> None:
        driver, member, memory = self._driver, self._member, self._memory
        # A stopped server may be kept for long, but not what it held.
        del self._driver, self._member, self._grpc, self._memory, self._pages
        await memory.close()
        await driver.stop()
        member.close(commit=not driver.failed)

    def _methods(self) -> list[Method]:
        engine, driver = self._member.engine, self._driver
        headers = Headers(engine.config.cluster_id, engine.config.member.member_id)
        is_durable = self._member.temporary_directory is None
        return [
            *KvService(driver, headers, self.config.max_txn_ops).methods(),
            *WatchService(driver, headers).methods(),
            *LeaseService(driver, headers, self._durations).methods(),
            *ClusterService(driver, headers).methods(),
            *MaintenanceService(
                driver,
                headers,
                self._member.backend,
                self._durations,
                is_durable=is_durable,
            ).methods(),
            *HealthService().methods(),
            *MemoryService(self._memory).methods(),
        ]


def _with_port(url: str, port: int) -> str:
    """Put the real port into a URL that may ask for port 0."""
    return f"{url.rpartition(':')[0]}:{port}"


class Server:
    """A member on a thread of its own, for tests and development.

        with miniet.Server() as etcd:
            ...  # connect any client to etcd.endpoint

    Arguments and attributes are those of `AsyncServer`. A server that is still
    running when the main thread ends is stopped then.
    """

    def __init__(
        self, data_dir: DataDir | None = None, *, config: Config | None = None
    ) -> None:
        self._server = AsyncServer(data_dir, config=config)
        self._thread: threading.Thread | None = None

    @property
    def client_urls(self) -> tuple[str, ...]:
        """Where it listens, the real ports in; empty unless it runs."""
        return self._server.client_urls

    @property
    def endpoint(self) -> str:
        """`host:port` of the first client URL; see `AsyncServer.endpoint`."""
        return self._server.endpoint

    @property
    def port(self) -> int:
        """The port of the first client URL; see `AsyncServer.port`."""
        return self._server.port

    @property
    def metrics_urls(self) -> tuple[str, ...]:
        """Where the status pages are, the real ports in; empty unless it runs."""
        return self._server.metrics_urls

    def start(self) -> None:
        """Start the thread and wait until the first request may come.

        Raises:
            DataError, StartError: as `AsyncServer.start`; the thread has ended.
        """
        if self._thread is not None:
            raise StartError("the server is running already")
        self._started: Future[None] = Future()
        self._stop_asked: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="miniet", daemon=True)
        _running.add(self)
        self._thread.start()
        try:
            self._started.result()
        except BaseException:  # a KeyboardInterrupt too
            self.stop()
            raise

    def stop(self) -> None:
        """Stop, and wait until everything is written and closed.

        Nothing, if it does not run. Raises what could not be written.
        """
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stop_asked.set_result(None)
            thread.join()
            _running.discard(self)
            self._ended.result()

    def statistics(self) -> ServerStatistics:
        """Count what each component holds; see `AsyncServer.statistics`."""

        async def read() -> ServerStatistics:
            return self._server.statistics()

        return self._call(read)

    def capture(self, label: str = "") -> Capture:
        """Read all that can be read of its memory; see `AsyncServer.capture`."""
        return self._call(partial(self._server.capture, label))

    def set_tracing(self, on: bool) -> None:
        """Switch tracemalloc on or off; see `AsyncServer.set_tracing`."""
        self._call(partial(self._server.set_tracing, on))

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
        if self._thread is None:
            raise NotRunningError("the server is not running")
        return asyncio.run_coroutine_threadsafe(function(), self._loop).result()

    def _run(self) -> None:
        """What the thread does; the three futures tell others how far it is."""
        loop = NEW_EVENT_LOOP()
        try:
            with ThreadPoolExecutor() as pool:
                loop.set_default_executor(pool)
                # Its first thread, for a stop while Python ends: 3.12 gives none then.
                pool.submit(int)
                try:
                    loop.run_until_complete(self._main())
                finally:
                    _close(loop)
        except BaseException as error:
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await self._server.start()
        except BaseException as error:
            self._started.set_exception(error)
            return
        self._started.set_result(None)
        await asyncio.wrap_future(self._stop_asked)
        await self._server.stop()


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """End a loop as `asyncio.Runner` does, but for a thread that it starts.

    The Runner waits for the loop's thread pool on a new thread, and while Python
    3.12 ends there are none to be had.
    """
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
