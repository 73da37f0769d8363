"""Connections left and connections refused; nonsense on the status port."""

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from random import Random

import grpc
import pytest

from miniet.lab.child import free_ports
from miniet.pb import rpc_pb2
from tests.support.etcd_calls import EtcdCalls
from tests.support.served import Served, wait_until

WATCH = "/etcdserverpb.Watch/Watch"
RANDOM = Random(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with status pages."""
    (port,) = free_ports(1)
    url = f"--listen-metrics-urls=http://127.0.0.1:{port}"
    with Served(tmp_path_factory.mktemp("server") / "data", url) as server:
        yield server
        assert "Traceback" not in server.log
        assert server.stop() == 0


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def test_abandoned_watch_streams_are_forgotten(
    server: Served, calls: EtcdCalls
) -> None:
    create = rpc_pb2.WatchRequest()
    create.create_request.key = b"a"
    clients = [EtcdCalls(server.endpoint) for _ in range(5)]
    streams = [
        client.raw_stream(WATCH, iter([create.SerializeToString()]))
        for client in clients * 20
    ]
    for stream in streams:
        next(stream)
    assert metric(server, "etcd_debugging_mvcc_watcher_total") == 100
    for client in clients:
        client.channel.close()
    calls.put(b"a")
    wait_until(
        lambda: metric(server, "etcd_debugging_mvcc_watcher_total") == 0,
        "all watchers are gone",
    )


def metric(server: Served, name: str) -> float:
    with urllib.request.urlopen(f"{server.metrics_url}/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name} "))
    return float(line.split()[1])


def test_connections_leave_descriptors_for_the_files(tmp_path: Path) -> None:
    server = FewDescriptors(tmp_path / "data", "--snapshot-count=10")
    with server, ExitStack() as held:
        clients = [
            held.enter_context(closing(connect(server.port))) for _ in range(250)
        ]
        assert ended(clients[-1])
        for client in clients[:20]:
            client.close()
        with EtcdCalls(server.endpoint) as calls:
            wait_until(lambda: takes_a_put(calls), "room for another client")
            for _ in range(50):
                calls.put(b"a")
            calls.defragment()
        assert server.log.count("saved raft snapshot") >= 4
        assert "Traceback" not in server.log


def ended(client: socket.socket) -> bool:
    """Wait for what the server says first, and tell whether that is the end."""
    try:
        return not client.recv(1)
    except ConnectionError:
        return True


def takes_a_put(calls: EtcdCalls) -> bool:
    try:
        calls.put(b"a")
    except grpc.RpcError:
        return False
    return True


class FewDescriptors(Served):
    """A server that may open 200 files: 50 for clients, and 150 kept from them."""

    program = (
        "-c",
        "import resource, runpy\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n"
        "runpy.run_module('miniet', run_name='__main__')\n",
    )


# The status pages


PAGES_NONSENSE = {
    "random bytes": RANDOM.randbytes(5000) + b"\r\n\r\n",
    "long line": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    "200 headers": b"GET /health HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    "unknown path": b"GET /nope HTTP/1.1\r\nConnection: close\r\n\r\n",
    "path upwards": b"GET /../../etc/passwd HTTP/1.1\r\nConnection: close\r\n\r\n",
    "unknown method": b"FROB /health HTTP/1.1\r\n\r\n",
    "body never sent": b"POST /health HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n",
}


@pytest.mark.parametrize("nonsense", PAGES_NONSENSE.values(), ids=PAGES_NONSENSE)
def test_nonsense_on_the_status_port_is_answered_with_an_error(
    server: Served, calls: EtcdCalls, nonsense: bytes
) -> None:
    port = int(server.metrics_url.rpartition(":")[2])
    answer = b""
    with closing(connect(port)) as connection, suppress(ConnectionError):
        connection.sendall(nonsense)
        while received := connection.recv(65536):
            answer += received
    if answer.startswith(b"HTTP/1.1"):
        assert answer[9:10] == b"4" or answer[9:12] == b"501"
    assert is_healthy(server)


def test_slow_clients_of_the_status_port_hold_up_nobody(
    server: Served, calls: EtcdCalls
) -> None:
    port = int(server.metrics_url.rpartition(":")[2])
    with ExitStack() as open_connections:
        for _ in range(100):
            connection = open_connections.enter_context(closing(connect(port)))
            connection.sendall(b"GET /health")
        assert is_healthy(server)


def is_healthy(server: Served) -> bool:
    with urllib.request.urlopen(f"{server.metrics_url}/health", timeout=10) as reply:
        return b'"true"' in reply.read()
