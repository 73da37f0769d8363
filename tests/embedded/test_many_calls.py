"""Many calls at once on one connection."""

import asyncio

import grpc
import grpc.aio

import miniet
from miniet.pb import rpc_pb2

CALLS = 3_000


async def codes_of_puts(endpoint: str) -> list[grpc.StatusCode]:
    async with grpc.aio.insecure_channel(endpoint) as channel:
        put = channel.unary_unary(
            "/etcdserverpb.KV/Put",
            request_serializer=rpc_pb2.PutRequest.SerializeToString,
        )
        calls = [put(rpc_pb2.PutRequest(key=b"k%d" % n)) for n in range(CALLS)]
        return list(await asyncio.gather(*[call.code() for call in calls]))


def test_none_of_many_calls_at_once_is_cancelled() -> None:
    with miniet.Server() as etcd:
        codes = asyncio.run(codes_of_puts(etcd.endpoint))
    assert codes == [grpc.StatusCode.OK] * CALLS
