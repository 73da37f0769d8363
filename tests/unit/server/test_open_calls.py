"""How the handler of a unary call is run, and how it ends, on a loop that is ours.

What clients see of it over real sockets is in `embedded/`.
"""

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from miniet.engine.errors import StoppedError
from miniet.pb import rpc_pb2
from miniet.server.calls import MethodCalls
from miniet.server.clients import Clients
from miniet.server.driver import settle
from miniet.server.methods import Kind, Method
from miniet.server.recorders import Traffic
from miniet.server.rpc_errors import Code
from miniet.server.wire_protocol import ClientProtocol, Served
from miniet.wire import Limits
from tests.simulation.loop import VirtualLoop
from tests.support import http2

Handler = Callable[[Any], Coroutine[Any, Any, bytes]]

PATH = "/test.Test/Call"
RESET = http2.frame(http2.RST_STREAM, 0, 1, (8).to_bytes(4, "big"))
CALL = http2.call(1, PATH, b"")


class Line(asyncio.Transport):
    """A transport that keeps what is written and has no other end."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def writelines(
        self, list_of_data: Iterable[bytes | bytearray | memoryview]
    ) -> None:
        self.written += b"".join(list_of_data)


class Rig:
    """A client's connection to a server of one method."""

    def __init__(self, handler: Handler, kind: Kind = Kind.UNARY) -> None:
        self.line = Line()
        self.loop = asyncio.get_running_loop()
        self.complaints: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, what: self.complaints.append(what))
        self.traffic = Traffic()
        method = Method(PATH, rpc_pb2.PutRequest, kind, handler)
        self.served = Served(
            traffic=self.traffic,
            clients=Clients(1),
            limits=Limits(),
            keepalive_interval_s=7200.0,
            keepalive_timeout_s=20.0,
            calls={PATH: MethodCalls(method, self.traffic, 1 << 20)},
        )
        self.protocol = ClientProtocol(self.served)
        self.protocol.connection_made(self.line)
        self.protocol.data_received(http2.PREFACE + http2.frame(http2.SETTINGS))
        self.line.written = b""

    def take(self, *frames: bytes) -> None:
        """Let frames come in together."""
        self.protocol.data_received(b"".join(frames))

    @property
    def codes(self) -> list[str]:
        """How calls have ended, in the words of the metrics."""
        [counters] = self.traffic.methods
        return [code.title for code in Code if counters.handled[code]]


def on_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test, which must leave nothing of its own behind."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(test())


async def rounds(count: int = 5) -> None:
    """Let the loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_handler_that_never_waits_is_answered_with_the_read_that_brought_it() -> None:
    async def handler(request: object) -> bytes:
        return b"at once"

    async def test() -> None:
        rig = Rig(handler)
        rig.take(CALL)
        assert b"at once" in rig.line.written
        assert rig.codes == ["OK"]
        assert rig.protocol.call_count == rig.traffic.calls_in_flight == 0

    on_loop(test)


def test_a_handler_goes_on_after_each_of_its_waits() -> None:
    async def test() -> None:
        waits = [asyncio.get_running_loop().create_future() for _ in range(3)]

        async def handler(request: object) -> bytes:
            await asyncio.sleep(0)
            found = [await wait for wait in waits]
            await asyncio.sleep(3.0)
            return bytes(found)

        rig = Rig(handler)
        rig.take(CALL)
        for number, wait in enumerate(waits):
            await rounds()
            wait.set_result(number)
        await rounds()
        assert not rig.line.written
        await asyncio.sleep(3.5)
        assert b"\x00\x01\x02" in rig.line.written
        assert rig.codes == ["OK"]

    on_loop(test)


def test_what_a_wait_raises_is_raised_in_the_handler() -> None:
    async def test() -> None:
        wait = asyncio.get_running_loop().create_future()

        async def handler(request: object) -> bytes:
            try:
                await wait
            except LookupError as error:
                return str(error).encode()
            return b"nothing"

        rig = Rig(handler)
        rig.take(CALL)
        wait.set_exception(LookupError("not here"))
        await rounds()
        assert b"not here" in rig.line.written

    on_loop(test)


def test_a_request_that_is_none_ends_its_call_once() -> None:
    async def handler(request: object) -> bytes:
        raise AssertionError("called")

    async def test() -> None:
        rig = Rig(handler)
        rig.take(http2.call(1, PATH, b"\x0a\xff"))
        await rounds()
        assert b"grpc: error unmarshalling request" in rig.line.written
        assert rig.codes == ["Internal"]
        assert rig.protocol.call_count == rig.traffic.calls_in_flight == 0

    on_loop(test)


def test_a_call_without_a_request_is_refused() -> None:
    async def handler(request: object) -> bytes:
        raise AssertionError("called")

    async def test() -> None:
        rig = Rig(handler)
        rig.take(http2.header_frames(1, http2.header_block(PATH), end_stream=True))
        await rounds()
        assert b"grpc: a unary call has one request" in rig.line.written
        assert rig.codes == ["Internal"]
        assert rig.traffic.calls_in_flight == 0

    on_loop(test)


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
def test_a_second_request_is_not_looked_at(waits: bool) -> None:
    async def handler(request: rpc_pb2.PutRequest) -> bytes:
        if waits:
            await asyncio.sleep(0)
        return request.key

    async def test() -> None:
        rig = Rig(handler)
        first, second = (
            http2.message(rpc_pb2.PutRequest(key=key).SerializeToString())
            for key in (b"first", b"second")
        )
        headers = http2.header_frames(1, http2.header_block(PATH))
        rig.take(headers, http2.frame(http2.DATA, 1, 1, first + second))
        await rounds()
        assert b"first" in rig.line.written
        assert b"second" not in rig.line.written
        assert rig.codes == ["OK"]
        assert rig.traffic.calls_in_flight == 0

    on_loop(test)


DEADLINE = http2.header_frames(
    1, http2.header_block(PATH, [(b"grpc-timeout", b"2S")])
) + http2.frame(http2.DATA, 1, 1, http2.message(b""))


@pytest.mark.parametrize("wait_s", [3.0, 2.0], ids=["waits", "is about to go on"])
def test_a_deadline_ends_a_call_and_its_handler(wait_s: float) -> None:
    seen: list[str] = []

    async def handler(request: object) -> bytes:
        try:
            await asyncio.sleep(wait_s)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return b"late"

    async def test() -> None:
        rig = Rig(handler)
        rig.take(DEADLINE)
        await asyncio.sleep(4.0)
        assert b"context deadline exceeded" in rig.line.written
        assert b"late" not in rig.line.written
        assert seen == ["cancelled"]
        assert rig.codes == ["DeadlineExceeded"]
        assert rig.protocol.call_count == rig.traffic.calls_in_flight == 0
        assert rig.complaints == []

    on_loop(test)


def test_a_client_that_leaves_after_the_deadline_changes_nothing() -> None:
    async def handler(request: object) -> bytes:
        try:
            await asyncio.sleep(3.0)
        finally:
            await asyncio.sleep(1.0)
        return b"late"

    async def test() -> None:
        rig = Rig(handler)
        rig.take(DEADLINE)
        await asyncio.sleep(2.5)
        rig.take(RESET)
        await asyncio.sleep(2.0)
        assert rig.codes == ["DeadlineExceeded"]
        assert rig.traffic.calls_in_flight == 0

    on_loop(test)


def test_an_answer_that_cannot_be_sent_ends_its_call() -> None:
    async def handler(request: object) -> bytes:
        return None  # type: ignore[return-value]

    async def test() -> None:
        rig = Rig(handler)
        rig.take(CALL)
        assert b"Unexpected TypeError" in rig.line.written
        assert rig.codes == ["Unknown"]
        assert rig.traffic.calls_in_flight == 0

    on_loop(test)


def test_a_stream_that_is_reset_with_the_read_that_began_it_is_over() -> None:
    async def handler(stream: object) -> bytes:
        raise AssertionError("called")

    async def test() -> None:
        rig = Rig(handler, Kind.BIDI_STREAM)
        rig.take(CALL, RESET)
        await rounds()
        assert rig.codes == ["Canceled"]
        assert rig.traffic.calls_in_flight == 0
        assert rig.complaints == []

    on_loop(test)


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
def test_a_handler_with_a_bug_ends_its_call_alone(
    waits: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = 0

    async def handler(request: object) -> bytes:
        nonlocal calls
        calls += 1
        if waits:
            await asyncio.sleep(0)
        if calls == 1:
            raise ValueError("a bug")
        return b"well"

    async def test() -> None:
        rig = Rig(handler)
        rig.take(CALL)
        await rounds()
        assert b"Unexpected ValueError: a bug" in rig.line.written
        rig.take(http2.call(3, PATH, b""))
        await rounds()
        assert b"well" in rig.line.written
        assert rig.codes == ["OK", "Unknown"]
        assert rig.complaints == []

    with caplog.at_level(logging.ERROR):
        on_loop(test)
    [record] = caplog.records
    assert record.getMessage() == f"a handler failed method={PATH}"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)


@pytest.mark.parametrize(
    "settle",
    [
        pytest.param(lambda wait: None, id="waits"),
        pytest.param(lambda wait: wait.set_result(b"late"), id="has its result"),
        pytest.param(lambda wait: wait.set_exception(LookupError()), id="has failed"),
        pytest.param(lambda wait: wait.cancel(), id="is cancelled"),
    ],
)
def test_a_client_that_leaves_cancels_the_handler_once(
    settle: Callable[["asyncio.Future[bytes]"], None],
) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        waits: list[asyncio.Future[bytes]] = [loop.create_future()]
        seen: list[str] = []

        async def handler(request: object) -> bytes:
            try:
                return await waits[0]
            except asyncio.CancelledError:
                seen.append("cancelled")
                await asyncio.sleep(1.0)
                seen.append("tidied")
                raise

        rig = Rig(handler)
        rig.take(CALL)
        await rounds()
        settle(waits[0])
        rig.take(RESET)
        await rounds()
        assert seen == ["cancelled"]
        assert rig.traffic.calls_in_flight == 1
        await asyncio.sleep(1.5)
        assert seen == ["cancelled", "tidied"]
        assert rig.codes == ["Canceled"]
        assert rig.traffic.calls_in_flight == 0
        waits.clear()  # asyncio complains now of what nobody has looked at
        assert rig.complaints == []
        assert b"grpc-status" not in rig.line.written

    on_loop(test)


def test_a_call_that_is_reset_while_others_go_first_is_cancelled() -> None:
    async def test() -> None:
        seen: list[str] = []

        async def handler(request: object) -> bytes:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
            return b"never"

        rig = Rig(handler)
        rig.take(CALL, RESET)
        await rounds()
        assert seen == ["cancelled"]
        assert rig.codes == ["Canceled"]

    on_loop(test)


def test_the_end_of_the_process_is_passed_on() -> None:
    async def handler(request: object) -> bytes:
        raise SystemExit(3)

    async def test() -> None:
        rig = Rig(handler)
        with pytest.raises(SystemExit):
            rig.take(CALL)
        assert rig.protocol.connection.stream_count == 0

    on_loop(test)


@pytest.mark.parametrize("refused", [False, True], ids=["answered", "refused"])
def test_a_call_that_is_over_leaves_nothing_to_the_collector(refused: bool) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()

        def wait() -> "asyncio.Future[bytes]":
            future: asyncio.Future[bytes] = loop.create_future()
            loop.call_soon(settle, future, StoppedError() if refused else b"")
            return future

        async def handler(request: object) -> bytes:
            return await wait()

        rig = Rig(handler)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            rig.take(CALL)
            await rounds()
            gc.collect()
            garbage = [type(each).__name__ for each in gc.garbage]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        assert rig.codes == ["Unavailable" if refused else "OK"]
        assert "UnaryCall" not in garbage

    on_loop(test)
