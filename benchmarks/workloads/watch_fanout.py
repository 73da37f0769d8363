"""One key, 1,000 watchers: from a put until all of them have its event.

Ten clients on a connection and a stream each, as etcd's own client has it, with 100
watchers on the stream. One client more puts: first so that each put waits for all
events of the one before, then as fast as it is answered. Events are counted by a mark
in their values, so that the clients decode none.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

from workloads.http2 import Connection, wait_messages
from workloads.servers import first_put, running

from miniet.pb import rpc_pb2

TARGETS = ("miniet", "miniet_interpreted", "etcd")

STREAMS = 10
WATCHERS_PER_STREAM = 100
WATCHERS = STREAMS * WATCHERS_PER_STREAM
PUTS_ALONE = 30
PUTS = 200
MARK = b"<the mark in a value>"
PUT = rpc_pb2.PutRequest(key=b"key", value=MARK + bytes(256 - len(MARK)))


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    with running(target, directory) as server:
        first_put(server.endpoint)
        resident_bytes = server.resident_bytes()
        with _watched(server.endpoint) as watched:
            waits_s = [watched.put_all(1) for _ in range(PUTS_ALONE)]
            cpu_s, own_s = server.cpu_s(), time.process_time()
            took_s = watched.put_all(PUTS)
            cpu_s, own_s = server.cpu_s() - cpu_s, time.process_time() - own_s
            grown_bytes = server.resident_bytes() - resident_bytes
    return {
        "events_per_s": WATCHERS * PUTS / took_s,
        "put_to_all_p50_ms": statistics.median(waits_s) * 1000,
        "server_cpu_us_per_event": cpu_s / (WATCHERS * PUTS) * 1e6,
        "client_cpu_share": own_s / took_s,
        "resident_growth_mib": grown_bytes / 2**20,
    }


class _Watched:
    """A client that puts, and the streams that must hear of it."""

    def __init__(self, putting: Connection, watching: list[Connection]) -> None:
        self._putting = putting
        self._selector = DefaultSelector()
        self._selector.register(putting, EVENT_READ)
        self._tails = dict.fromkeys(watching, b"")
        for connection in watching:
            self._selector.register(connection, EVENT_READ)

    def put_all(self, count: int) -> float:
        """Put one after the other; return the seconds until all events are there."""
        missing = count * WATCHERS
        last = self._putting.ended_count + count
        started_s = time.perf_counter()
        self._put()
        while missing or self._putting.ended_count < last:
            for ready, _ in self._selector.select():
                connection = ready.fileobj
                if connection is not self._putting:
                    missing -= self._events(connection)
                    continue
                answered = connection.ended_count
                connection.receive()
                if answered < connection.ended_count < last:
                    self._put()
        return time.perf_counter() - started_s

    def _put(self) -> None:
        self._putting.send(self._putting.open("KV/Put"), PUT, end=True)

    def _events(self, connection: Connection) -> int:
        """Return how many events have come; a mark may come in two parts."""
        data = self._tails[connection] + connection.receive()
        self._tails[connection] = data[-(len(MARK) - 1) :]
        return data.count(MARK)


@contextmanager
def _watched(endpoint: str) -> Iterator[_Watched]:
    with ExitStack() as held:
        putting, *watching = (
            held.enter_context(closing(Connection(endpoint)))
            for _ in range(STREAMS + 1)
        )
        create = rpc_pb2.WatchRequest(
            create_request=rpc_pb2.WatchCreateRequest(key=PUT.key)
        )
        for connection in watching:
            stream = connection.open("Watch/Watch")
            connection.send(stream, *[create] * WATCHERS_PER_STREAM)
        for connection in watching:
            wait_messages(connection, WATCHERS_PER_STREAM)
        yield _Watched(putting, watching)
