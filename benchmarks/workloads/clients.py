"""Clients on grpcio as a process of their own; prints what they measured as JSON.

    python clients.py ENDPOINT CONNECTIONS CLIENTS PUTS

Each client waits for its answer before it asks again. Requests are encoded before
the clock starts and answers are not decoded, so that the clients, which share
the machine with the server, cost as little as clients on grpcio can.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator

import grpc.aio
import uvloop

from miniet.pb import rpc_pb2

KEY_COUNT = 10_000
VALUE_BYTES = 256


def _put(draw: random.Random) -> bytes:
    number, value = draw.randrange(KEY_COUNT), draw.randbytes(VALUE_BYTES)
    request = rpc_pb2.PutRequest(key=b"key-%012d" % number, value=value)
    return request.SerializeToString()


async def _run(
    endpoint: str, connections: int, clients: int, bodies: list[bytes]
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
            _client(channels[number % connections], waiting, latencies_s)
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
    channel: grpc.aio.Channel, waiting: Iterator[bytes], latencies_s: list[float]
) -> None:
    call = channel.unary_unary("/etcdserverpb.KV/Put")
    for body in waiting:
        asked_s = time.perf_counter()
        await call(body)
        latencies_s.append(time.perf_counter() - asked_s)


def main() -> None:
    """Run the clients that the command line describes."""
    endpoint = sys.argv[1]
    connections, clients, puts = map(int, sys.argv[2:])
    draw = random.Random(1)
    bodies = [_put(draw) for _ in range(puts)]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(_run(endpoint, connections, clients, bodies))
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
