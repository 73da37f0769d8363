"""The reference transport: the handler table on grpcio's asyncio server.

It keeps connections and streams in C, where no tracemalloc sees them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import grpc
import grpc.aio
from google.protobuf.message import Message

from miniet.engine.errors import StoppedError
from miniet.errors import RequestError
from miniet.server.calls import MethodCalls, unknown_method
from miniet.server.descriptors import connections_max
from miniet.server.methods import Kind, Method, StreamHandler, UnaryHandler
from miniet.server.pumped_stream import PumpedStream
from miniet.server.recorders import LARGE_RESPONSE_BYTES, Traffic
from miniet.server.rpc_errors import Code, status_of

_INT32_MAX = 2**31 - 1

_STREAMS_MAX = _PENDING_MAX = 10_000
"""Calls of one connection at once, and of all that wait to be taken up.

grpcio takes up calls that were cancelled meanwhile, too: until then each costs 22 KiB,
and 0.3 ms in the way of others. A client that begins and cancels calls in one breath
would fill the memory.
"""

_IDENTITY_ONLY = 1
"""Bit set of the compressions that are taken. etcd has none installed, either."""

_WRITE_S_MAX = 0.5
"""A write takes longer only where the client does not read."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}

if TYPE_CHECKING:
    # grpcio's own classes take no parameters at run time.
    _Context = grpc.aio.ServicerContext[Any, Any]
    _RpcHandler = grpc.RpcMethodHandler[Any, Any]
    _GenericRpcHandler = grpc.GenericRpcHandler[Any, Any]
else:
    _Context = _RpcHandler = Any
    _GenericRpcHandler = grpc.GenericRpcHandler

_Handler = Callable[..., Any]


class GrpcServer:
    """Serves a table of methods on one or more addresses.

    Args:
        traffic: where calls are counted.
        receive_bytes_max: largest request message.
        keepalive_min_time_s: clients that ping more often than this are cut off.
        keepalive_interval_s, keepalive_timeout_s: the server's own pings.
    """

    def __init__(
        self,
        traffic: Traffic,
        *,
        receive_bytes_max: int,
        max_concurrent_streams: int,
        keepalive_min_time_s: float,
        keepalive_interval_s: float,
        keepalive_timeout_s: float,
    ) -> None:
        self._traffic = traffic
        self._receive_bytes_max = receive_bytes_max
        logging.getLogger("grpc._cython.cygrpc").addFilter(_says_more_than_gone)
        # Calls of the streaming kinds, which end only when they are told to.
        self._streams: set[asyncio.Task[Any]] = set()
        self._starting: asyncio.Task[None] | None = None
        self._server = grpc.aio.server(
            options=[
                # Twice the limit, so that a request just over it is refused here in
                # etcd's words and not by grpcio in its own.
                ("grpc.max_receive_message_length", 2 * receive_bytes_max),
                ("grpc.max_send_message_length", _INT32_MAX),
                ("grpc.max_allowed_incoming_connections", connections_max()),
                (
                    "grpc.max_concurrent_streams",
                    min(max_concurrent_streams, _STREAMS_MAX),
                ),
                ("grpc.compression_enabled_algorithms_bitset", _IDENTITY_ONLY),
                # grpcio's own default of five minutes would cut off Go clients.
                (
                    "grpc.http2.min_ping_interval_without_data_ms",
                    int(keepalive_min_time_s * 1000),
                ),
                ("grpc.keepalive_time_ms", int(keepalive_interval_s * 1000)),
                ("grpc.keepalive_timeout_ms", int(keepalive_timeout_s * 1000)),
                # Two servers on one port would each get some of the connections.
                ("grpc.so_reuseport", 0),
                # By itself grpcio would cancel some, at random, from 1,000 on.
                ("grpc.server.max_pending_requests", _PENDING_MAX),
                ("grpc.server.max_pending_requests_hard_limit", _PENDING_MAX),
            ]
        )

    def bind(self, urls: Sequence[str]) -> list[int]:
        """Take the addresses of URLs; nothing is answered before `start`.

        Returns:
            The port of each URL, for those that asked for port 0.
        Raises:
            OSError: an address cannot be listened on.
        """
        ports = []
        for url in urls:
            address = urlsplit(url).netloc
            try:
                ports.append(self._server.add_insecure_port(address))
            except RuntimeError as error:
                raise OSError(f"cannot listen on {address}: {error}") from error
        return ports

    async def start(self, methods: Sequence[Method]) -> None:
        """Serve from now on."""
        self._server.add_generic_rpc_handlers((_Table(methods, self._rpc_handler),))
        # grpcio cannot be stopped in the middle of its start, so that is let finish.
        self._starting = asyncio.create_task(self._server.start())
        await asyncio.shield(self._starting)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, end streams, give other calls `grace_s` seconds."""
        if self._starting is None:
            # grpcio lets go of the ports of a server only if it was started.
            await self.start(())
        else:
            await self._starting
        await self.end_streams()
        await self._server.stop(grace_s)

    async def end_streams(self) -> None:
        """End the streaming calls that are open; new ones may come."""
        streams = list(self._streams)
        self._streams.clear()
        for task in streams:
            task.cancel()
        await asyncio.gather(*streams, return_exceptions=True)

    def _rpc_handler(self, method: Method) -> _RpcHandler:
        calls = _Calls(
            MethodCalls(method, self._traffic, self._receive_bytes_max),
            self._traffic,
            self._streams,
        )
        if method.kind is Kind.UNARY:
            return grpc.unary_unary_rpc_method_handler(cast(_Handler, calls.unary))
        if method.kind is Kind.BIDI_STREAM:
            return grpc.stream_stream_rpc_method_handler(cast(_Handler, calls.bidi))
        return grpc.unary_stream_rpc_method_handler(cast(_Handler, calls.server_stream))


def _says_more_than_gone(record: logging.LogRecord) -> bool:
    """Leave out grpcio's traceback for each answer whose client has left."""
    return not (
        record.exc_info and isinstance(record.exc_info[1], grpc.aio.InternalError)
    )


class _Table(_GenericRpcHandler):
    """Finds the handler of a path, and what to say where there is none."""

    def __init__(
        self,
        methods: Sequence[Method],
        handler_of: Callable[[Method], _RpcHandler],
    ) -> None:
        self._handlers = {method.path: handler_of(method) for method in methods}
        self._services = {path.split("/")[1] for path in self._handlers}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> _RpcHandler:
        path = handler_call_details.method
        return self._handlers.get(path) or self._unknown(path)

    def _unknown(self, path: str) -> _RpcHandler:
        text = unknown_method(path, self._services)

        async def refuse(requests: AsyncIterator[bytes], context: _Context) -> None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)

        return grpc.stream_stream_rpc_method_handler(cast(_Handler, refuse))


class _Calls:
    """The calls of one method: run the handler, say how it ended."""

    def __init__(
        self, calls: MethodCalls, traffic: Traffic, streams: "set[asyncio.Task[Any]]"
    ) -> None:
        self._calls = calls
        self._handler = calls.method.handler
        self._traffic = traffic
        self._streams = streams

    async def unary(self, request: bytes, context: _Context) -> bytes:
        begun_s = self._calls.begin(_metadata(context))
        code = Code.UNKNOWN
        try:
            response = await cast(UnaryHandler, self._handler)(
                self._calls.received(request)
            )
            self._calls.sent(response)
            if len(response) >= LARGE_RESPONSE_BYTES:
                self._hold(len(response), context)
            code = Code.OK
            return response
        except RequestError as error:
            code = status_of(error).code
            return await _abort(context, error)
        except asyncio.CancelledError:
            code = Code.CANCELED
            raise
        finally:
            self._calls.end(code, begun_s)

    async def bidi(self, requests: AsyncIterator[bytes], context: _Context) -> None:
        begun_s = self._calls.begin(_metadata(context))
        code = Code.UNKNOWN
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        stream = _GrpcStream(requests, context, self._calls)
        try:
            await stream.serve(cast(StreamHandler, self._handler))
            code = Code.OK
        except RequestError as error:
            code = status_of(error).code
            await _abort(context, error)
        except asyncio.CancelledError:
            if task in self._streams:
                code = Code.CANCELED
                raise
            # The server ends the call. grpcio tells the client nothing of a task
            # that is cancelled, so it would wait on.
            code = Code.UNAVAILABLE
            await stream.wait_written()
            await _abort(context, StoppedError())
        finally:
            self._streams.discard(task)
            self._calls.end(code, begun_s)

    async def server_stream(self, request: bytes, context: _Context) -> None:
        await self.bidi(_once(request), context)

    def _hold(self, response_bytes: int, context: _Context) -> None:
        """Follow a large response, which grpcio keeps until the client took it."""
        self._traffic.hold(response_bytes)

        def let_go(_: object) -> None:
            self._traffic.let_go(response_bytes)

        context.add_done_callback(cast(Any, let_go))


async def _once(request: bytes) -> AsyncIterator[bytes]:
    yield request


class _GrpcStream(PumpedStream):
    """A streaming call of grpcio behind `methods.Stream`."""

    def __init__(
        self, requests: AsyncIterator[bytes], context: _Context, calls: MethodCalls
    ) -> None:
        super().__init__()
        self._requests = requests
        self._calls = calls
        self._write: Callable[[bytes], Awaitable[None]] = context.write
        self._writing: asyncio.Future[None] | None = None

    async def receive(self) -> Message | None:
        request = await anext(self._requests, None)
        return None if request is None else self._calls.received(request)

    async def send(self, response: bytes) -> None:
        # Not cancelled with the handler: of a call that is aborted after a write was
        # cancelled, grpcio may never tell its client the end.
        self._writing = asyncio.ensure_future(self._write(response))
        self._writing.add_done_callback(_look_at)
        try:
            await asyncio.shield(self._writing)
        except grpc.aio.InternalError as error:
            # The client is gone, and grpcio has not cancelled the call yet.
            raise asyncio.CancelledError from error
        self._calls.sent(response)

    async def wait_written(self) -> None:
        """Wait until what is being written is with grpcio, for a time."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=_WRITE_S_MAX)


def _look_at(writing: "asyncio.Future[None]") -> None:
    """Take note of how a write ended, whose handler may be gone."""
    if not writing.cancelled():
        writing.exception()


async def _abort(context: _Context, error: RequestError) -> bytes:
    status = status_of(error)
    await context.abort(_CODES[status.code], status.message)
    raise error  # abort has raised


def _metadata(context: _Context) -> dict[str, str]:
    return {key: str(value) for key, value in context.invocation_metadata() or ()}
