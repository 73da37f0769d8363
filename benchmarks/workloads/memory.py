"""What a key, a revision, a connection, a stream, a watcher take for good.

Three servers under the same load: miniet, with tracing, which books every byte to a
component and takes memory of its own; miniet without, and etcd, whose growth can be
told by what is resident alone. That holds the raft log and touched pages of the
backend's file, too, where keys are put.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from workloads.http2 import Connection, wait_messages
from workloads.servers import Running, fill, first_put, key, running

from miniet.client import EtcdClient, read_capture
from miniet.memory.components import Component
from miniet.pb import rpc_pb2

TARGETS = ("miniet_traced", "miniet", "etcd")

KEYS = 20_000
CONNECTIONS = 1_000
WATCHERS_PER_STREAM = 10
WATCHERS = CONNECTIONS * WATCHERS_PER_STREAM


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    kind = "booked" if target == "miniet_traced" else "resident"
    with ExitStack() as stack:
        server = stack.enter_context(running(target, directory))
        first_put(server.endpoint)
        client = stack.enter_context(EtcdClient(server.endpoint))
        connections: list[Connection] = []
        steps: dict[str, tuple[Callable[[], None], int]] = {
            "key": (lambda: fill(client, 0, KEYS, 1), KEYS),
            "revision": (lambda: fill(client, 0, KEYS, 1), KEYS),
            "connection": (lambda: _connect(server, stack, connections), CONNECTIONS),
            "stream": (lambda: _open(connections), CONNECTIONS),
            "watcher": (lambda: _watch(connections), WATCHERS),
        }
        fill(client, KEYS, KEYS + 100, 1)  # what only the first puts take
        figures = {}
        before_bytes = _held_bytes(server, kind)
        for name, (step, count) in steps.items():
            step()
            after_bytes = _held_bytes(server, kind)
            figures[f"{kind}_bytes_per_{name}"] = (after_bytes - before_bytes) / count
            before_bytes = after_bytes
    return figures


def _held_bytes(server: Running, kind: str) -> int:
    """Return what is resident; or booked, without the raft log, which forgets."""
    if kind == "resident":
        return server.resident_bytes()
    traced = read_capture(server.endpoint).traced
    if traced is None:
        raise RuntimeError("the server does not trace")
    return traced.total_bytes - traced.bytes_by_component[Component.RAFT]


def _connect(server: Running, stack: ExitStack, connections: list[Connection]) -> None:
    """Open connections, with the settings that every client begins with."""
    for _ in range(CONNECTIONS):
        connection = stack.enter_context(closing(Connection(server.endpoint)))
        connections.append(connection)
        _settle(connection)


def _open(connections: list[Connection]) -> None:
    """Begin a watch stream on each, without a watcher."""
    for connection in connections:
        connection.open("Watch/Watch")
        _settle(connection)


def _watch(connections: list[Connection]) -> None:
    """Create watchers of keys that are there, a key for each watcher."""
    for number, connection in enumerate(connections):
        creates = (
            rpc_pb2.WatchRequest(create_request=rpc_pb2.WatchCreateRequest(key=key(at)))
            for at in range(
                number * WATCHERS_PER_STREAM, (number + 1) * WATCHERS_PER_STREAM
            )
        )
        connection.send(1, *creates)
        wait_messages(connection, WATCHERS_PER_STREAM)


def _settle(connection: Connection) -> None:
    """Wait until the server has taken all that was sent."""
    before = connection.pong_count
    connection.ping()
    while connection.pong_count == before:
        connection.receive()
