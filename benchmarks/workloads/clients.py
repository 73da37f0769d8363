"""Clients as a process of their own; prints what they measured as JSON.

    python clients.py ENDPOINT LOAD CONNECTIONS CLIENTS REQUESTS

Each client waits for its answer before it asks again. Requests are encoded before
the clock starts and answers are not decoded, so that the clients, which share
the machine with the server, cost as little as clients on grpcio can.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

import grpc.aio
import uvloop

from miniet.pb import rpc_pb2

KEY_COUNT = 10_000
KEYS_PER_RANGE = 1_000
VALUE_BYTES = 256

_DRAW = random.Random(1)
_NUMBERS = count()


def _key(number: int) -> bytes:
    return b"key-%012d" % number


def _put(number: int) -> bytes:
    request = rpc_pb2.PutRequest(key=_key(number), value=_DRAW.randbytes(VALUE_BYTES))
    return request.SerializeToString()


def _range(first: int, keys: int) -> bytes:
    end = _key(first + keys) if keys > 1 else b""
    request = rpc_pb2.RangeRequest(key=_key(first), range_end=end)
    return request.SerializeToString()


LOADS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "fill": ("Put", lambda: _put(next(_NUMBERS) % KEY_COUNT)),
    "put": ("Put", lambda: _put(_DRAW.randrange(KEY_COUNT))),
    "get": ("Range", lambda: _range(_DRAW.randrange(KEY_COUNT), 1)),
    "range": (
        "Range",
        lambda: _range(_DRAW.randrange(KEY_COUNT - KEYS_PER_RANGE), KEYS_PER_RANGE),
    ),
}
"""For each load the method and what makes a request."""


async def _run(
    endpoint: str, method: str, connections: int, clients: int, bodies: list[bytes]
) -> dict[str, float]:
    # Without a pool of their own, equal channels would share one connection.
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(endpoint, options) for _ in range(connections)
    ]
    await asyncio.gather(*(channel.channel_ready() for channel in channels))
    latencies_s: list[float] = []
    waiting = iter(bodies)
    started_s = time.perf_counter()
    await asyncio.gather(
        *(
            _client(channels[number % connections], method, waiting, latencies_s)
            for number in range(clients)
        )
    )
    took_s = time.perf_counter() - started_s
    for channel in channels:
        await channel.close()
    latencies_s.sort()
    return {
        "per_s": len(bodies) / took_s,
        "p50_ms": latencies_s[len(bodies) // 2] * 1000,
        "p99_ms": latencies_s[len(bodies) * 99 // 100] * 1000,
    }


async def _client(
    channel: grpc.aio.Channel,
    method: str,
    waiting: Iterator[bytes],
    latencies_s: list[float],
) -> None:
    call = channel.unary_unary(f"/etcdserverpb.KV/{method}")
    for body in waiting:
        asked_s = time.perf_counter()
        await call(body)
        latencies_s.append(time.perf_counter() - asked_s)


def main() -> None:
    """Run the clients that the command line describes."""
    endpoint, load = sys.argv[1:3]
    connections, clients, requests = map(int, sys.argv[3:])
    method, make = LOADS[load]
    bodies = [make() for _ in range(requests)]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(_run(endpoint, method, connections, clients, bodies))
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
