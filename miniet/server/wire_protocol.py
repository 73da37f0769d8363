"""`ClientProtocol`: the socket of one client, between its bytes and its calls."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

from miniet.server.calls import MethodCalls
from miniet.server.clients import Clients
from miniet.server.methods import Kind
from miniet.server.open_calls import OpenCall, StreamCall, UnaryCall
from miniet.server.recorders import Traffic
from miniet.server.rpc_errors import Code
from miniet.wire import (
    CallAborted,
    CallStarted,
    Connection,
    Limits,
    MessageReceived,
    RequestEnded,
)

_PING: Final = b"keepaliv"


@dataclass(slots=True, kw_only=True)
class Served:
    """What all connections of a server share."""

    traffic: Traffic
    clients: Clients
    limits: Limits
    keepalive_interval_s: float
    keepalive_timeout_s: float
    calls: dict[str, MethodCalls] = field(default_factory=dict)
    unknown: Callable[[str], str] = str


class ClientProtocol(asyncio.Protocol):
    """The socket of one client.

    connection: its protocol state.
    """

    def __init__(self, served: Served) -> None:
        self._served = served
        self.loop = asyncio.get_running_loop()
        self.connection = Connection(served.limits)
        self._calls: dict[int, OpenCall] = {}
        self._held: dict[int, UnaryCall] = {}
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
        if not self._served.clients.admit(self):
            self._transport.abort()
            return
        self._watch_over()
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._can_write = False
        self._served.clients.forget(self)
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
        self._is_flush_due = True  # below
        for event in self.connection.receive(data, self.loop.time()):
            if isinstance(event, MessageReceived):
                call = self._calls.get(event.stream_id)
                if call is not None:
                    call.put(event.message)
                    if event.is_last:
                        call.put(None)
            elif isinstance(event, CallStarted):
                self._started(event)
            elif isinstance(event, RequestEnded):
                call = self._calls.get(event.stream_id)
                if call is not None:
                    call.put(None)
            elif isinstance(event, CallAborted):
                call = self._calls.get(event.stream_id)
                if call is not None:
                    call.cancel()
            else:
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
        kind = UnaryCall if calls.method.kind is Kind.UNARY else StreamCall
        self._calls[event.stream_id] = kind(self, calls, event)

    def forget(self, stream_id: int) -> None:
        """A call is over."""
        self._calls.pop(stream_id, None)
        self._served.clients.changed()

    def take_on(self, stream_id: int) -> None:
        """A handler has all messages there are, and waits for more."""
        self.connection.taken(stream_id)
        self.flush_soon()

    def end_streams(self) -> None:
        """End the calls of the streaming kinds."""
        for call in list(self._calls.values()):
            if isinstance(call, StreamCall):
                call.stop()

    # ---- large responses, counted until the client has them

    def hold(self, call: UnaryCall) -> None:
        """Follow a large response."""
        self._held[call.stream_id] = call
        self._served.traffic.hold(call.held_bytes)

    def _let_go(self, call: UnaryCall) -> None:
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
                if isinstance(call, StreamCall):
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
