"""Time and pressure on a connection of HTTP/1.1, on a loop that does not wait.

What is said over real sockets is in `embedded/test_port.py`.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from miniet.server.clients import Clients
from miniet.server.http_protocol import REQUEST_S_MAX, HttpProtocol
from miniet.server.page import Page, PageSource
from miniet.server.port import BEGIN_S_MAX, PortProtocol, Spoken
from miniet.server.tls import Tls
from tests.simulation.loop import VirtualLoop


class Line(asyncio.Transport):
    """A transport that keeps what is written and has no other end."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__({"sslcontext": None})
        self.protocol = protocol
        self.written = b""
        self.is_reading_now = True
        self.is_full = False
        self.end: str | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data
        if self.is_full:
            self.protocol.pause_writing()

    def pause_reading(self) -> None:
        self.is_reading_now = False

    def resume_reading(self) -> None:
        self.is_reading_now = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.end is not None

    def close(self) -> None:
        self.end = self.end or "closed"

    def abort(self) -> None:
        self.end = "aborted"
        self.protocol.connection_lost(None)

    @property
    def statuses(self) -> list[bytes]:
        """The status of each answer."""
        return [answer[:3] for answer in self.written.split(b"HTTP/1.1 ")[1:]]


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def page() -> Page:
    return Page(b"page")


async def slow_page() -> Page:
    await asyncio.sleep(5)
    return Page(b"late")


async def endless_page() -> Page:
    await asyncio.Event().wait()
    raise AssertionError


async def failing_page() -> Page:
    raise ZeroDivisionError("no such number")


MAKERS: dict[str, Callable[[], Awaitable[Page]]] = {
    "/page": page,
    "/slow": slow_page,
    "/endless": endless_page,
    "/failing": failing_page,
}
PAGES = {path: PageSource(make=make) for path, make in MAKERS.items()}


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()


def connect(clients: Clients) -> Line:
    protocol = HttpProtocol(clients, PAGES)
    line = Line(protocol)
    protocol.connection_made(line)
    return line


def test_client_that_asks_nothing_is_cut_off_in_time() -> None:
    async def scene() -> None:
        line = connect(Clients(1))
        await asyncio.sleep(REQUEST_S_MAX - 1)
        assert line.end is None
        await asyncio.sleep(2)
        assert line.end == "aborted"

    run(scene)


def test_slow_request_is_not_given_more_time_by_each_byte() -> None:
    async def scene() -> None:
        line = connect(Clients(1))
        for byte in get("/page"):
            await asyncio.sleep(2)
            if line.end is None:
                line.protocol.data_received(bytes([byte]))
        assert line.end == "aborted"
        assert line.written == b""

    run(scene)


def test_each_answer_gives_time_for_the_next_request() -> None:
    async def scene() -> None:
        line = connect(Clients(1))
        for _ in range(5):
            await asyncio.sleep(REQUEST_S_MAX - 1)
            line.protocol.data_received(get("/page"))
        await asyncio.sleep(1)
        assert line.statuses == 5 * [b"200"]
        assert line.end is None

    run(scene)


def test_answer_that_nobody_takes_is_given_up() -> None:
    async def scene() -> None:
        line = connect(Clients(1))
        line.protocol.data_received(
            get("/page").replace(b"Host", b"Connection: close\r\nHost")
        )
        await asyncio.sleep(1)
        assert (line.statuses, line.end) == ([b"200"], "closed")
        await asyncio.sleep(REQUEST_S_MAX)
        assert line.end == "aborted"

    run(scene)


def test_nothing_is_read_while_a_request_is_answered() -> None:
    async def scene() -> None:
        line = connect(Clients(1))
        line.protocol.data_received(get("/slow") + get("/page"))
        await asyncio.sleep(1)
        assert (line.is_reading_now, line.written) == (False, b"")
        await asyncio.sleep(5)
        assert line.is_reading_now
        assert line.statuses == [b"200", b"200"]

    run(scene)


def test_next_request_waits_until_the_client_has_taken_the_answer() -> None:
    async def scene() -> None:
        line = connect(Clients(1))
        line.is_full = True
        line.protocol.data_received(3 * get("/page"))
        for count in (1, 2, 3):
            await asyncio.sleep(1)
            assert (len(line.statuses), line.is_reading_now) == (count, False)
            line.protocol.resume_writing()
        assert line.is_reading_now
        line.protocol.eof_received()
        assert line.end == "closed"

    run(scene)


@pytest.mark.parametrize(
    ("path", "status"), [("/endless", b"503"), ("/failing", b"500")]
)
def test_page_that_cannot_be_made_says_so(
    path: str, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        line = connect(Clients(1))
        line.protocol.data_received(get(path) + get("/page"))
        await asyncio.sleep(PAGES[path].seconds_max + 1)
        assert line.statuses == [status, b"200"]

    run(scene)
    levels = [record.levelno for record in caplog.records]
    assert levels == ([logging.ERROR] if status == b"500" else [])


def test_draining_answers_what_was_asked_and_nothing_more() -> None:
    async def scene() -> None:
        clients = Clients(2)
        idle, busy = connect(clients), connect(clients)
        busy.protocol.data_received(get("/slow") + get("/page"))
        await asyncio.sleep(1)
        leaving = asyncio.ensure_future(clients.leave(10))
        await asyncio.sleep(1)
        assert (idle.end, busy.end) == ("closed", None)
        await asyncio.sleep(10)
        assert (busy.statuses, busy.end) == ([b"200"], "closed")
        assert b"Connection: close" in busy.written
        await leaving

    run(scene)


def test_client_that_leaves_is_answered_no_more() -> None:
    async def scene() -> None:
        clients = Clients(1)
        line = connect(clients)
        line.protocol.data_received(get("/endless"))
        await asyncio.sleep(1)
        line.abort()
        await asyncio.sleep(1)
        assert len(asyncio.all_tasks()) == 1
        assert connect(clients).end is None

    run(scene)


def test_one_client_too_many_is_refused_until_another_leaves() -> None:
    async def scene() -> None:
        clients = Clients(1)
        first, second = connect(clients), connect(clients)
        assert (first.end, second.end) == (None, "aborted")
        first.abort()
        assert connect(clients).end is None

    run(scene)


class Listening(asyncio.Protocol):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard = b""

    def data_received(self, data: bytes) -> None:
        self.heard += data


@pytest.mark.parametrize("size", [1, 2, 5, 13, 14, 15, 24])
def test_all_that_came_reaches_the_protocol_that_was_chosen(size: int) -> None:
    """However it comes: in pieces of `size` bytes."""

    async def scene() -> None:
        preface, request = (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"PRI" + get("/page")[3:],
        )
        grpc = Listening()
        spoken = Spoken(clients=Clients(2), pages=PAGES, grpc=lambda: grpc)
        lines = []
        for text in (preface, request):
            port = PortProtocol(spoken)
            lines.append(line := Line(port))
            port.connection_made(line)
            for start in range(0, len(text), size):
                line.protocol.data_received(text[start : start + size])
        await asyncio.sleep(1)
        assert grpc.heard == preface
        assert [line.statuses for line in lines] == [[], [b"405"]]

    run(scene)


class PortLoop(VirtualLoop):
    """A loop that makes a `Line` of a socket, or never has shaken hands with it."""

    line: Line | None = None

    async def connect_accepted_socket(  # type: ignore[override]
        self, factory: Callable[[], asyncio.Protocol], sock: socket.socket, *, ssl: Any
    ) -> None:
        protocol = factory()
        if ssl is not None:
            await asyncio.Event().wait()
        sock.close()
        self.line = Line(protocol)
        protocol.connection_made(self.line)


class EndlessTls(Tls):
    """TLS with a client that says no hello."""

    def context(self) -> ssl.SSLContext:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


@pytest.mark.parametrize("tls", [None, EndlessTls(cert_file="", key_file="")])
def test_client_that_begins_nothing_is_cut_off_in_time(tls: Tls | None) -> None:
    async def scene() -> None:
        clients = Clients(1)
        ours, theirs = socket.socketpair()
        port = PortProtocol(Spoken(clients=clients, pages=PAGES, grpc=asyncio.Protocol))
        port.connect(ours, "client", tls)
        assert connect(clients).end == "aborted"  # it counts from the beginning
        await asyncio.sleep(1)
        if loop.line is not None:
            loop.line.protocol.data_received(b"PRI * HT")
        await asyncio.sleep(BEGIN_S_MAX + 1)
        assert loop.line is None or loop.line.end == "aborted"
        assert theirs.recv(1) == b""
        theirs.close()
        assert connect(clients).end is None

    loop = PortLoop()
    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()
