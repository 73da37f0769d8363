"""`ClientProtocol`: the socket of one client, and the tasks of its calls."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from google.protobuf.message import Message

from miniet.engine.errors import StoppedError
from miniet.errors import RequestError
from miniet.server.calls import MethodCalls
from miniet.server.methods import Kind, StreamHandler, UnaryHandler
from miniet.server.recorders import LARGE_RESPONSE_BYTES, Traffic
from miniet.server.rpc_errors import Code, status_of
from miniet.wire import (
    CallAborted,
    CallStarted,
    Connection,
    ConnectionEnded,
    Limits,
    MessageReceived,
    RequestEnded,
)

_PENDING_BYTES_MAX = 64 * 1024
"""A streaming handler waits while more than this waits for its client."""
_PING = b"keepaliv"


@dataclass(slots=True, kw_only=True)
class Served:
    """What all connections of a server share."""

    traffic: Traffic
    limits: Limits
    keepalive_interval_s: float
    keepalive_timeout_s: float
    connections_max: int
    calls: dict[str, MethodCalls] = field(default_factory=dict)
    unknown: Callable[[str], str] = str
    clients: "set[ClientProtocol]" = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever a call is over or a client gone."""


class OpenCall:
    """One call of a client that is not over.

    messages: received and not yet taken by a streaming handler; None = no more.
    held_bytes: of a large response that is on its way.
    """

    __slots__ = (
        "_begun_s",
        "_deadline",
        "_has_message",
        "_is_drained",
        "calls",
        "client",
        "code",
        "held_bytes",
        "is_stopped",
        "messages",
        "stream_id",
        "task",
    )

    def __init__(
        self, client: "ClientProtocol", calls: MethodCalls, event: CallStarted
    ) -> None:
        self.client = client
        self.calls = calls
        self.stream_id = event.stream_id
        self.messages: deque[bytes | None] = deque()
        self.task: asyncio.Task[None] | None = None
        self.held_bytes = 0
        self.code = Code.UNKNOWN
        self.is_stopped = False
        self._has_message: asyncio.Future[None] | None = None
        self._is_drained: asyncio.Future[None] | None = None
        self._begun_s = calls.begin(event.call.metadata)
        self._deadline: asyncio.TimerHandle | None = None
        timeout_s = event.call.timeout_s
        if timeout_s is not None:
            self._deadline = client.loop.call_later(timeout_s, self._too_late)

    # ---- as `methods.Stream`

    async def receive(self) -> Message | None:
        """Return the next request, None when the client sends no more."""
        while not self.messages:
            self.client.take_on(self.stream_id)
            self._has_message = self.client.loop.create_future()
            await self._has_message
        request = self.messages[0]
        if request is None:
            return None
        self.messages.popleft()
        return self.calls.received(request)

    async def send(self, response: bytes) -> None:
        """Send one response; waits while the client is behind."""
        client, stream_id = self.client, self.stream_id
        client.connection.send(stream_id, response)
        self.calls.sent(response)
        client.flush_soon()
        while client.connection.pending_bytes(stream_id) > _PENDING_BYTES_MAX:
            self._is_drained = client.loop.create_future()
            await self._is_drained

    # ---- what the protocol tells

    def put(self, message: bytes | None) -> None:
        """Take a message for the handler; None: there are no more."""
        self.messages.append(message)
        _wake(self._has_message)

    def drained(self) -> None:
        """The client has taken all that waited for it."""
        _wake(self._is_drained)

    def start_unary(self, request: bytes) -> None:
        """Answer a call whose one request is here."""
        self.task = self.client.loop.create_task(self._unary(request))

    def start_stream(self) -> None:
        """Let the handler talk to the client."""
        self.task = self.client.loop.create_task(self._stream())

    def stop(self) -> None:
        """The server ends the call."""
        self.is_stopped = True
        self.cancel()

    def cancel(self) -> None:
        """The client has left, or the server ends the call."""
        if self.task is not None:
            self.task.cancel()
        else:
            self.over(Code.CANCELED)

    def over(self, code: Code) -> None:
        """Count the end; nothing more is sent."""
        if self._deadline is not None:
            self._deadline.cancel()
        self.client.forget(self.stream_id)
        self.calls.end(code, self._begun_s)

    def fail(self, code: Code, text: str) -> None:
        """End the call with a status that is no handler's."""
        self.client.connection.end(self.stream_id, code, text)
        self.client.flush_soon()
        self.code = code
        if self.task is None:
            self.over(code)

    # ---- the handler's task

    async def _unary(self, request: bytes) -> None:
        calls, client = self.calls, self.client
        handler = cast(UnaryHandler, calls.method.handler)
        try:
            response = await handler(calls.received(request))
            calls.sent(response)
            if len(response) >= LARGE_RESPONSE_BYTES:
                self.held_bytes = len(response)
                client.hold(self)
            client.connection.respond(self.stream_id, response)
            client.flush_soon()
            self.code = Code.OK
        except BaseException as error:
            self._failed(error)
        finally:
            self.over(self.code)

    async def _stream(self) -> None:
        try:
            await cast(StreamHandler, self.calls.method.handler)(self)
            self.client.connection.end(self.stream_id)
            self.client.flush_soon()
            self.code = Code.OK
        except BaseException as error:
            self._failed(error)
        finally:
            self.over(self.code)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            if self.code is Code.DEADLINE_EXCEEDED:
                return  # the client was told
            if not self.is_stopped:
                self.code = Code.CANCELED
                raise error
            error = StoppedError()
        if isinstance(error, RequestError):
            status = status_of(error)
            self.fail(status.code, status.message)
            return
        self.fail(Code.UNKNOWN, f"Unexpected {type(error).__name__}: {error}")
        raise error

    def _too_late(self) -> None:
        self.fail(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
        if self.task is not None:
            self.task.cancel()


class ClientProtocol(asyncio.Protocol):
    """The socket of one client.

    connection: its protocol state.
    """

    def __init__(self, served: Served) -> None:
        self._served = served
        self.loop = asyncio.get_running_loop()
        self.connection = Connection(served.limits)
        self._calls: dict[int, OpenCall] = {}
        self._held: dict[int, OpenCall] = {}
        self._can_write = True
        self._is_flush_due = False
        self._keepalive: asyncio.TimerHandle | None = None

    @property
    def call_count(self) -> int:
        """Calls that are not over, and responses on their way."""
        return self.connection.stream_count

    # ---- the loop's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._served.clients) >= self._served.connections_max:
            self._transport.abort()
            return
        self._served.clients.add(self)
        self._watch_over()
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._can_write = False
        self._served.clients.discard(self)
        self._served.changed.set()
        if self._keepalive is not None:
            self._keepalive.cancel()
        for call in list(self._calls.values()):
            call.cancel()
        for call in list(self._held.values()):
            self._let_go(call)

    def eof_received(self) -> bool:
        return False  # a client that sends no more is gone

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        self._flush()

    def data_received(self, data: bytes) -> None:
        for event in self.connection.receive(data, self.loop.time()):
            kind = type(event)
            if kind is MessageReceived:
                self._message(cast(MessageReceived, event))
            elif kind is CallStarted:
                self._started(cast(CallStarted, event))
            elif kind is RequestEnded:
                self._ended(cast(RequestEnded, event))
            elif kind is CallAborted:
                call = self._calls.get(cast(CallAborted, event).stream_id)
                if call is not None:
                    call.cancel()
            elif kind is ConnectionEnded:
                self._flush()
                self._transport.close()
                return
        if self._held:
            self._check_held()
        self._flush()

    # ---- calls

    def _started(self, event: CallStarted) -> None:
        calls = self._served.calls.get(event.call.path)
        if calls is None:
            text = self._served.unknown(event.call.path)
            self.connection.end(event.stream_id, Code.UNIMPLEMENTED, text)
            return
        call = self._calls[event.stream_id] = OpenCall(self, calls, event)
        if calls.method.kind is not Kind.UNARY:
            call.start_stream()

    def _message(self, event: MessageReceived) -> None:
        call = self._calls.get(event.stream_id)
        if call is None:
            return
        if call.calls.method.kind is not Kind.UNARY:
            call.put(event.message)
            if event.is_last:
                call.put(None)
        elif call.task is None:
            call.start_unary(event.message)
        else:
            call.fail(Code.INTERNAL, "grpc: a unary call has one request")

    def _ended(self, event: RequestEnded) -> None:
        call = self._calls.get(event.stream_id)
        if call is None:
            return
        if call.calls.method.kind is not Kind.UNARY:
            call.put(None)
        elif call.task is None:
            call.fail(Code.INTERNAL, "grpc: a unary call has one request")

    def forget(self, stream_id: int) -> None:
        """A call is over."""
        self._calls.pop(stream_id, None)
        self._served.changed.set()

    def take_on(self, stream_id: int) -> None:
        """A handler has all messages there are, and waits for more."""
        self.connection.taken(stream_id)
        self.flush_soon()

    def end_streams(self) -> None:
        """End the calls of the streaming kinds."""
        for call in list(self._calls.values()):
            if call.calls.method.kind is not Kind.UNARY:
                call.stop()

    # ---- large responses, counted until the client has them

    def hold(self, call: OpenCall) -> None:
        """Follow a large response."""
        self._held[call.stream_id] = call
        self._served.traffic.hold(call.held_bytes)

    def _let_go(self, call: OpenCall) -> None:
        del self._held[call.stream_id]
        self._served.traffic.let_go(call.held_bytes)

    def _check_held(self) -> None:
        """Let go of those that the client has reset."""
        for call in list(self._held.values()):
            if not self.connection.pending_bytes(call.stream_id):
                self._let_go(call)

    # ---- writing

    def flush_soon(self) -> None:
        """Write what there is at the end of this round of the loop."""
        if not self._is_flush_due:
            self._is_flush_due = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        while self._can_write and self.connection.has_output:
            chunks, drained = self.connection.take_output()
            self._transport.writelines(chunks)
            for stream_id in drained:
                call = self._calls.get(stream_id)
                if call is not None:
                    call.drained()
                held = self._held.get(stream_id)
                if held is not None:
                    self._let_go(held)

    # ---- life

    def _watch_over(self) -> None:
        """Ping a client that has been silent for long, part from one that stays so."""
        served = self._served
        silent_s = self.loop.time() - self.connection.last_received_s
        if not self.connection.last_received_s:
            silent_s = 0.0
        if silent_s >= served.keepalive_interval_s + served.keepalive_timeout_s:
            self.abort()
            return
        wait_s = served.keepalive_interval_s - silent_s
        if wait_s <= 0:
            self.connection.ping(_PING)
            self._flush()
            wait_s = served.keepalive_timeout_s
        self._keepalive = self.loop.call_later(max(wait_s, 0.001), self._watch_over)

    def drain(self) -> None:
        """Tell the client to take its calls elsewhere."""
        self.connection.drain()
        self._flush()

    def close(self) -> None:
        """Close when all that was written has left."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
