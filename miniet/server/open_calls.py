"""Calls that are open on a connection of miniet's own transport."""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

from google.protobuf.message import Message

from miniet.engine.errors import StoppedError
from miniet.errors import RequestError
from miniet.server.calls import MethodCalls
from miniet.server.methods import Source, StreamHandler, UnaryHandler
from miniet.server.recorders import LARGE_RESPONSE_BYTES
from miniet.server.rpc_errors import CallError, Code, status_of
from miniet.wire import CallStarted

if TYPE_CHECKING:
    from miniet.server.wire_protocol import ClientProtocol

logger = logging.getLogger(__name__)

_PENDING_BYTES_MAX: Final = 64 * 1024
"""A streaming handler waits while more than this waits for its client."""


class OpenCall:
    """One call of a client that is not over."""

    __slots__ = (
        "_begun_s",
        "_calls",
        "_client",
        "_code",
        "_deadline",
        "_is_handled",
        "_is_stopped",
        "stream_id",
    )

    def __init__(
        self, client: "ClientProtocol", calls: MethodCalls, event: CallStarted
    ) -> None:
        self.stream_id = event.stream_id
        self._client = client
        self._calls = calls
        self._code = Code.UNKNOWN
        self._is_handled = False  # whoever takes it up ends it, too
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
        if self._is_handled:
            self._cancel_handler()
        else:
            self._over(Code.CANCELED)

    def _cancel_handler(self) -> None:
        """Let what the handler waits for raise `asyncio.CancelledError` in it."""
        raise NotImplementedError

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
        if not self._is_handled:
            self._over(code)

    def _failed(self, error: BaseException) -> None:
        """Say how the handler failed."""
        if isinstance(error, asyncio.CancelledError):
            if self._code is Code.DEADLINE_EXCEEDED:
                return  # the client was told
            if not self._is_stopped:
                self._code = Code.CANCELED
                return
            error = StoppedError()
        if isinstance(error, RequestError):
            status = status_of(error)
            self._fail(status.code, status.message)
            return
        self._fail(Code.UNKNOWN, f"Unexpected {type(error).__name__}: {error}")
        if not isinstance(error, Exception):
            raise error  # the process is to end
        path = self._calls.method.path
        logger.error("a handler failed method=%s", path, exc_info=error)

    def _too_late(self) -> None:
        self._fail(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
        if self._is_handled:
            self._cancel_handler()


class UnaryCall(OpenCall):
    """A call of one request and one response.

    Its handler's coroutine is run here: the first step at once, each other when its
    wait is over. `asyncio.Task` does the same, but with what a put does not need and
    pays a tenth of its time for: a round of the loop before the first step, a name, a
    place among all tasks. So there is no current task, and `asyncio.timeout`, which
    wants one, is not for these handlers.

    held_bytes: of a large response that is on its way.
    """

    __slots__ = ("_handling", "_is_cancelled", "_wait", "held_bytes")

    def __init__(
        self, client: "ClientProtocol", calls: MethodCalls, event: CallStarted
    ) -> None:
        super().__init__(client, calls, event)
        self.held_bytes = 0
        self._wait: asyncio.Future[Any] | None = None
        self._is_cancelled = False

    def put(self, message: bytes | None) -> None:
        if self._is_handled:
            return  # nor does etcd look at more than one
        if message is None:
            self._fail(Code.INTERNAL, "grpc: a unary call has one request")
            return
        self._is_handled = True
        try:
            request = self._calls.received(message)
        except CallError as error:
            self._end(error)
            return
        handler = cast("UnaryHandler", self._calls.method.handler)
        self._handling = handler(request)
        self._step(None)

    def _cancel_handler(self) -> None:
        if self._wait is None or not self._wait.cancel():
            self._is_cancelled = True  # the wait is over, and the next step due

    def _step(self, waited: "asyncio.Future[Any] | None") -> None:
        """Let the handler go on until it waits again, or is done."""
        # Of what a wait raises this frame is a part: a cycle with the future.
        del waited
        self._wait = None
        try:
            if self._is_cancelled:
                self._is_cancelled = False
                wait = self._handling.throw(asyncio.CancelledError())
            else:
                wait = self._handling.send(None)
        except StopIteration as end:
            response = end.value
        except BaseException as error:
            self._end(error)
            return
        else:
            self._step_after(wait)
            return
        try:
            self._respond(response)
        except Exception as error:
            self._end(error)
        else:
            self._over(Code.OK)

    def _end(self, error: BaseException) -> None:
        self._failed(error)
        self._over(self._code)

    def _step_after(self, wait: "asyncio.Future[Any] | None") -> None:
        if wait is None:  # it lets others go first
            self._client.loop.call_soon(self._step, None)
            return
        # As a task does with what is awaited in it.
        wait._asyncio_future_blocking = False
        wait.add_done_callback(self._step)
        self._wait = wait

    def _respond(self, response: bytes) -> None:
        client = self._client
        self._calls.sent(response)
        if len(response) >= LARGE_RESPONSE_BYTES:
            self.held_bytes = len(response)
            client.hold(self)
        client.connection.respond(self.stream_id, response)
        client.flush_soon()


class StreamCall(OpenCall):
    """A call of a streaming kind; its handler sees it as `methods.Stream`."""

    __slots__ = (
        "_failure",
        "_has_message",
        "_has_sent",
        "_messages",
        "_source",
        "_task",
    )

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
        self._is_handled = True
        self._task = client.loop.create_task(self._converse())
        # Not at the end of `_converse`, which never begins if it is cancelled first.
        self._task.add_done_callback(self._ended)

    def put(self, message: bytes | None) -> None:
        if self._messages is None:
            self._messages = deque()
        self._messages.append(message)
        _wake(self._has_message)

    def _cancel_handler(self) -> None:
        self._task.cancel()

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
        message: Message = self._calls.received(request)
        return message

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

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled() and self._code is Code.UNKNOWN:
            self._code = Code.CANCELED
        self._over(self._code)


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
