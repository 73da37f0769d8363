"""One port for gRPC and HTTP/1.1: told apart by the first bytes, however they come."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

import miniet
from tests.embedded.client import connect
from tests.support.http2 import PREFACE, SETTINGS, Wire, frame

GET = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
VERSION = b'{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}'
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\n"


@pytest.fixture(scope="module")
def etcd() -> Iterator[miniet.Server]:
    with miniet.Server() as etcd:
        yield etcd


@pytest.fixture
def line(etcd: miniet.Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", etcd.port), timeout=10) as line:
        # Each `sendall` a packet of its own.
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield line


def read_all(line: socket.socket) -> bytes:
    """Read until the server closes."""
    answer = b""
    with suppress(ConnectionError):
        while received := line.recv(65536):
            answer += received
    return answer


def test_both_kinds_of_client_are_served_at_once(
    etcd: miniet.Server, line: socket.socket
) -> None:
    with connect(etcd.endpoint) as client:
        client.put(b"k", b"v")
        line.sendall(GET)
        assert line.recv(1000).endswith(VERSION)
        assert client.get(b"k") == b"v"
        line.sendall(GET)
        assert line.recv(1000).endswith(VERSION)


def test_request_is_understood_byte_by_byte(line: socket.socket) -> None:
    for byte in GET:
        line.sendall(bytes([byte]))
    assert line.recv(1000).endswith(VERSION)


def test_preface_is_understood_byte_by_byte(etcd: miniet.Server) -> None:
    with Wire(etcd.port) as wire:
        for byte in PREFACE + frame(SETTINGS):
            wire.send(bytes([byte]))
        assert wire.wait_frame(SETTINGS, 0) is not None
        assert wire.is_open


@pytest.mark.parametrize(
    "begin",
    [b"PRI", b"PRI / HTTP/1.1\r\n", b"P", b"G", b"\0", b"\x16\x03\x01", b"\r\n"],
)
def test_what_differs_from_the_preface_is_taken_as_http1(
    line: socket.socket, begin: bytes
) -> None:
    line.sendall(begin)
    line.sendall(b"?\r\n\r\n")
    assert read_all(line).startswith(BAD_REQUEST)


def test_connection_that_ends_before_a_choice_is_forgotten(
    etcd: miniet.Server, line: socket.socket
) -> None:
    line.sendall(PREFACE[:10])
    line.shutdown(socket.SHUT_WR)
    assert read_all(line) == b""
    with connect(etcd.endpoint) as client:
        client.put(b"k")


def test_half_a_request_is_a_bad_one(line: socket.socket) -> None:
    line.sendall(b"GET /version HTTP/1.1\r\nHost:")
    line.shutdown(socket.SHUT_WR)
    assert read_all(line).startswith(BAD_REQUEST)


def test_requests_sent_together_are_answered_in_turn(line: socket.socket) -> None:
    line.sendall(3 * (GET + GET.replace(b"/version", b"/nope")))
    line.shutdown(socket.SHUT_WR)
    answers = read_all(line).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == 3 * [b"200", b"404"]


def test_half_closed_connection_still_gets_its_answer(line: socket.socket) -> None:
    line.sendall(GET.replace(b"/version", b"/health"))
    line.shutdown(socket.SHUT_WR)
    assert read_all(line).endswith(b'{"health":"true"}')


@pytest.mark.parametrize(
    "request_text",
    [
        b"POST /version HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + GET,
        b"GET /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + GET,
        b"GET /version HTTP/1.0\r\n\r\n" + GET,
        b"GET /version HTTP/3.0\r\nHost: x\r\n\r\n" + GET,
    ],
)
def test_last_request_is_answered_and_the_connection_closed(
    line: socket.socket, request_text: bytes
) -> None:
    line.sendall(request_text)
    answer = read_all(line)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize(
    "text",
    [b"GET /" + b"a" * 20_000, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 4000],
    ids=["line", "headers"],
)
def test_headers_have_an_end(line: socket.socket, text: bytes) -> None:
    line.sendall(text)
    assert read_all(line).startswith(b"HTTP/1.1 431 ")


def test_stop_ends_connections_that_have_said_nothing(etcd: miniet.Server) -> None:
    with miniet.Server() as other:
        lines = [socket.create_connection(("127.0.0.1", other.port)) for _ in range(3)]
        lines[1].sendall(PREFACE[:3])
        lines[2].sendall(GET[:3])
    for line in lines:
        with line:
            assert read_all(line) == b""


def test_with_grpcio_the_client_port_speaks_grpc_alone() -> None:
    config = miniet.Config(
        listen_client_urls=("http://127.0.0.1:0",),
        listen_metrics_urls=("http://127.0.0.1:0",),
        transport="grpcio",
    )
    with miniet.Server(config=config) as other:
        metrics_port = int(other.metrics_urls[0].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", other.port), timeout=10) as line:
            line.sendall(GET)
            assert VERSION not in read_all(line)
        with socket.create_connection(("127.0.0.1", metrics_port)) as line:
            line.sendall(GET)
            assert line.recv(1000).endswith(VERSION)
        with connect(other.endpoint) as client:
            client.put(b"k")


def test_libraries_of_pages_are_imported_when_they_are_asked_for() -> None:
    code = """
import sys, urllib.request
import miniet

def loaded():
    return [name for name in ("h11", "prometheus_client") if name in sys.modules]

with miniet.Server() as etcd:
    print(loaded())
    for path in ("/version", "/metrics"):
        urllib.request.urlopen(f"http://{etcd.endpoint}{path}").read()
        print(loaded())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "[]",
        "['h11']",
        "['h11', 'prometheus_client']",
    ]
