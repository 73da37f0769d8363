"""Calls that are open on a connection of miniet's own transport, and their tasks."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from google.protobuf.message import Message

from miniet.engine.errors import StoppedError
from miniet.errors import RequestError
from miniet.server.calls import MethodCalls
from miniet.server.methods import Source, StreamHandler, UnaryHandler
from miniet.server.recorders import LARGE_RESPONSE_BYTES
from miniet.server.rpc_errors import Code, status_of
from miniet.wire import CallStarted

if TYPE_CHECKING:
    from miniet.server.wire_protocol import ClientProtocol

_PENDING_BYTES_MAX: Final = 64 * 1024
"""A streaming handler waits while more than this waits for its client."""


class OpenCall:
    """One call of a client that is not over.

    task: the handler's, from when it has what it needs.
    """

    __slots__ = (
        "_begun_s",
        "_calls",
        "_client",
        "_code",
        "_deadline",
        "_is_stopped",
        "_task",
        "stream_id",
    )

    def __init__(
        self, client: "ClientProtocol", calls: MethodCalls, event: CallStarted
    ) -> None:
        self.stream_id = event.stream_id
        self._client = client
        self._calls = calls
        self._task: asyncio.Task[None] | None = None
        self._code = Code.UNKNOWN
        self._is_stopped = False
        self._deadline: asyncio.TimerHandle | None = None
        call = event.call
        self._begun_s = calls.begin(call.metadata)
        if call.timeout_s is not None:
            self._deadline = client.loop.call_later(call.timeout_s, self._too_late)

    def put(self, message: bytes | None) -> None:
        """Take a request for the handler; None: there are no more."""
        raise NotImplementedError

    def stop(self) -> None:
        """The server ends the call."""
        self._is_stopped = True
        self.cancel()

    def cancel(self) -> None:
        """The client has left, or the server ends the call."""
        if self._task is not None:
            self._task.cancel()
        else:
            self._over(Code.CANCELED)

    def _over(self, code: Code) -> None:
        """Count the end; nothing more is sent."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._client.forget(self.stream_id)
        self._calls.end(code, self._begun_s)

    def _fail(self, code: Code, text: str) -> None:
        """End the call with a status that is no handler's."""
        self._client.connection.end(self.stream_id, code, text)
        self._client.flush_soon()
        self._code = code
        if self._task is None:
            self._over(code)

    def _failed(self, error: BaseException) -> None:
        """Say how the handler failed; passes on what is nobody's answer."""
        if isinstance(error, asyncio.CancelledError):
            if self._code is Code.DEADLINE_EXCEEDED:
                return  # the client was told
            if not self._is_stopped:
                self._code = Code.CANCELED
                raise error
            error = StoppedError()
        if isinstance(error, RequestError):
            status = status_of(error)
            self._fail(status.code, status.message)
            return
        self._fail(Code.UNKNOWN, f"Unexpected {type(error).__name__}: {error}")
        raise error

    def _too_late(self) -> None:
        self._fail(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
        if self._task is not None:
            self._task.cancel()


class UnaryCall(OpenCall):
    """A call of one request and one response.

    held_bytes: of a large response that is on its way.
    """

    __slots__ = ("held_bytes",)

    def put(self, message: bytes | None) -> None:
        if self._task is None and message is not None:
            self.held_bytes = 0
            self._task = self._client.loop.create_task(self._answer(message))
        elif self._task is None or message is not None:
            self._fail(Code.INTERNAL, "grpc: a unary call has one request")

    async def _answer(self, request: bytes) -> None:
        calls, client = self._calls, self._client
        handler = cast("UnaryHandler", calls.method.handler)
        try:
            response = await handler(calls.received(request))
            calls.sent(response)
            if len(response) >= LARGE_RESPONSE_BYTES:
                self.held_bytes = len(response)
                client.hold(self)
            client.connection.respond(self.stream_id, response)
            client.flush_soon()
            self._code = Code.OK
        except BaseException as error:
            self._failed(error)
        finally:
            self._over(self._code)


class StreamCall(OpenCall):
    """A call of a streaming kind; its handler sees it as `methods.Stream`."""

    __slots__ = ("_failure", "_has_message", "_has_sent", "_messages", "_source")

    def __init__(
        self, client: "ClientProtocol", calls: MethodCalls, event: CallStarted
    ) -> None:
        super().__init__(client, calls, event)
        # Received and not yet taken by the handler; None in it = no more. Without any
        # there is no deque: an empty one takes 600 bytes.
        self._messages: deque[bytes | None] | None = None
        self._has_message: asyncio.Future[None] | None = None
        self._has_sent: asyncio.Future[None] | None = None
        self._source: Source | None = None
        self._failure: Exception | None = None  # of the source
        self._task = client.loop.create_task(self._converse())

    def put(self, message: bytes | None) -> None:
        if self._messages is None:
            self._messages = deque()
        self._messages.append(message)
        _wake(self._has_message)

    def drained(self) -> None:
        """The client has taken all that waited for it."""
        if self._source is not None:
            self.wake()
        else:
            _wake(self._has_sent)

    async def receive(self) -> Message | None:
        """Return the next request, None when the client sends no more."""
        while self._messages is None:
            self._client.take_on(self.stream_id)
            self._has_message = self._client.loop.create_future()
            await self._has_message
            self._has_message = None
        request = self._messages[0]
        if request is None:
            return None
        self._messages.popleft()
        if not self._messages:
            self._messages = None
        return self._calls.received(request)

    async def send(self, response: bytes) -> None:
        """Send one response; waits while the client is behind."""
        self._send(response)
        while self._is_behind():
            await self.wait_sent()

    def send_from(self, source: Source) -> None:
        """Send what `source` has at each `wake`, as fast as the client takes it."""
        self._source = source

    def wake(self) -> None:
        """Say that the source has something again."""
        self._client.loop.call_soon(self._pump)

    async def wait_sent(self) -> None:
        """Wait until the source has nothing more."""
        self._has_sent = self._client.loop.create_future()
        await self._has_sent
        self._has_sent = None

    def _pump(self) -> None:
        try:
            while self._source is not None and not self._is_behind():
                responses = self._source()
                if not responses:
                    _wake(self._has_sent)
                    return
                self._send(*responses)
        except Exception as error:
            self._source, self._failure = None, error
            self.cancel()

    def _fail(self, code: Code, text: str) -> None:
        self._source = None
        super()._fail(code, text)

    def _send(self, *responses: bytes) -> None:
        self._client.connection.send(self.stream_id, *responses)
        self._calls.sent_all(responses)
        self._client.flush_soon()

    def _is_behind(self) -> bool:
        pending_bytes = self._client.connection.pending_bytes(self.stream_id)
        return pending_bytes > _PENDING_BYTES_MAX

    async def _converse(self) -> None:
        try:
            await cast("StreamHandler", self._calls.method.handler)(self)
            self._client.connection.end(self.stream_id)
            self._client.flush_soon()
            self._code = Code.OK
        except BaseException as error:
            self._failed(self._failure or error)
        finally:
            self._over(self._code)


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
