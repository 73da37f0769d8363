"""One key, 100 watchers on streams of their own: events until all have them all.

One client puts as fast as it is answered; the watchers share its process and one
connection.
"""

import asyncio
import time
from pathlib import Path

import grpc.aio
from workloads.servers import Running, first_put, running

from miniet.pb import rpc_pb2

TARGETS = ("miniet", "etcd")

WATCHERS = 100
PUTS = 200


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    with running(target, directory) as server:
        first_put(server.endpoint)
        resident_bytes = server.resident_bytes()
        took_s = asyncio.run(_fan_out(server))
        grown_bytes = server.resident_bytes() - resident_bytes
    return {
        "events_per_s": WATCHERS * PUTS / took_s,
        "resident_growth_mib": grown_bytes / 2**20,
    }


async def _fan_out(server: Running) -> float:
    async with grpc.aio.insecure_channel(server.endpoint) as channel:
        streams = [
            channel.stream_stream(
                "/etcdserverpb.Watch/Watch",
                request_serializer=rpc_pb2.WatchRequest.SerializeToString,
                response_deserializer=rpc_pb2.WatchResponse.FromString,
            )()
            for _ in range(WATCHERS)
        ]
        create = rpc_pb2.WatchRequest()
        create.create_request.key = b"key"
        for stream in streams:
            await stream.write(create)
        for stream in streams:
            assert (await stream.read()).created
        put = channel.unary_unary("/etcdserverpb.KV/Put")
        body = rpc_pb2.PutRequest(key=b"key", value=bytes(256)).SerializeToString()
        started_s = time.perf_counter()
        watching = asyncio.gather(*(_receive(stream) for stream in streams))
        for _ in range(PUTS):
            await put(body)
        await watching
        took_s = time.perf_counter() - started_s
        for stream in streams:
            stream.cancel()
        return took_s


async def _receive(stream: grpc.aio.StreamStreamCall) -> None:
    events = 0
    while events < PUTS:
        events += len((await stream.read()).events)
