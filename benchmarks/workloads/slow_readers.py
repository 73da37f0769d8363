"""Eight clients ask for 100 MiB each at once and read it slowly: what does it take?

The store has 100 values of 1 MiB. A client takes 256 KiB a millisecond at most and
lets no more than that be sent ahead. What is looked at meanwhile is the memory of the
server that is not of its files: the backend's map is not in it.
"""

import time
from contextlib import ExitStack, closing
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

from workloads.http2 import RECEIVE_BYTES_MAX, Connection
from workloads.servers import Running, first_put, key, running

from miniet.client import EtcdClient
from miniet.pb import rpc_pb2

TARGETS = ("miniet", "etcd")

CLIENTS = 8
VALUES = 100
VALUE_BYTES = 1 << 20
RANGE = rpc_pb2.RangeRequest(key=key(0), range_end=key(VALUES))
IN_FLIGHT_BYTES = CLIENTS * VALUES * VALUE_BYTES
TURN_S = 0.001


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    with running(target, directory) as server:
        first_put(server.endpoint)
        with EtcdClient(server.endpoint) as client:
            client.put_all(
                ((key(number), bytes(VALUE_BYTES)) for number in range(VALUES)),
                in_flight=1,
            )
        before_bytes = server.resident_bytes("RssAnon")
        started_s = time.perf_counter()
        peak_bytes = _read_slowly(server)
        took_s = time.perf_counter() - started_s
        grown_bytes = server.resident_bytes("RssAnon") - before_bytes
    return {
        "peak_of_in_flight": (peak_bytes - before_bytes) / IN_FLIGHT_BYTES,
        "peak_growth_mib": (peak_bytes - before_bytes) / 2**20,
        "growth_afterwards_mib": grown_bytes / 2**20,
        "took_s": took_s,
    }


def _read_slowly(server: Running) -> int:
    """Read all answers and return the most that the server held meanwhile."""
    with ExitStack() as held, DefaultSelector() as selector:
        for _ in range(CLIENTS):
            connection = Connection(server.endpoint, RECEIVE_BYTES_MAX)
            held.enter_context(closing(connection))
            stream = connection.open("KV/Range")
            connection.send(stream, RANGE, end=True)
            selector.register(connection, EVENT_READ, stream)
        peak_bytes = received_bytes = 0
        while selector.get_map():
            for ready, _ in selector.select(TURN_S):
                connection, stream = ready.fileobj, ready.data
                count = len(connection.receive())
                received_bytes += count
                if connection.ended_count:
                    selector.unregister(connection)
                elif count:
                    connection.give(stream, count)
            peak_bytes = max(peak_bytes, server.resident_bytes("RssAnon"))
            time.sleep(TURN_S)
    if received_bytes < IN_FLIGHT_BYTES:
        raise ConnectionError(f"{received_bytes} of {IN_FLIGHT_BYTES} bytes came")
    return peak_bytes
