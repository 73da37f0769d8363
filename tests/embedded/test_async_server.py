"""`miniet.AsyncServer`: a member on a loop that others use too."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from pathlib import Path

import grpc
import grpc.aio
import pytest

import miniet
from miniet.pb import rpc_pb2
from tests.embedded.client import connect


async def put(channel: grpc.aio.Channel, key: bytes) -> int:
    call = channel.unary_unary(
        "/etcdserverpb.KV/Put",
        request_serializer=rpc_pb2.PutRequest.SerializeToString,
        response_deserializer=rpc_pb2.PutResponse.FromString,
    )
    return (await call(rpc_pb2.PutRequest(key=key), timeout=10)).header.revision


def run(main: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run it in asyncio's debug mode; no task of ours may be left at its end."""

    async def alone() -> None:
        await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(alone(), debug=True)


def test_server_and_client_share_a_loop() -> None:
    async def main() -> None:
        async with (
            miniet.AsyncServer() as etcd,
            grpc.aio.insecure_channel(etcd.endpoint) as channel,
        ):
            assert await put(channel, b"k") == 2
            assert etcd.statistics().store.key_count == 1
            await etcd.reset()
            assert await put(channel, b"k") == 2

    run(main)


def test_two_servers_share_a_loop() -> None:
    async def main() -> None:
        async with (
            miniet.AsyncServer() as one,
            miniet.AsyncServer() as other,
            grpc.aio.insecure_channel(one.endpoint) as channel,
        ):
            await put(channel, b"k")
            assert one.statistics().store.key_count == 1
            assert other.statistics().store.key_count == 0

    run(main)


def test_server_on_a_thread_is_used_from_a_loop() -> None:
    async def main() -> None:
        with miniet.Server() as etcd:
            async with grpc.aio.insecure_channel(etcd.endpoint) as channel:
                revisions = await asyncio.gather(
                    *(put(channel, b"k%d" % n) for n in range(50))
                )
        assert sorted(revisions) == list(range(2, 52))

    run(main)


def test_blocking_client_on_a_thread_uses_a_server_on_the_loop() -> None:
    def use(endpoint: str) -> int:
        with connect(endpoint) as client:
            return client.put(b"k").header.revision

    async def main() -> None:
        async with miniet.AsyncServer() as etcd:
            assert await asyncio.to_thread(use, etcd.endpoint) == 2

    run(main)


def test_server_can_be_started_again_on_another_loop(tmp_path: Path) -> None:
    etcd = miniet.AsyncServer(tmp_path)

    async def main() -> None:
        async with etcd, grpc.aio.insecure_channel(etcd.endpoint) as channel:
            revisions.append(await put(channel, b"k"))

    revisions: list[int] = []
    for _ in range(3):
        run(main)
    assert revisions == [2, 3, 4]


def test_start_twice_and_stop_twice_do_no_harm() -> None:
    async def main() -> None:
        etcd = miniet.AsyncServer()
        await etcd.stop()
        await etcd.start()
        with pytest.raises(miniet.StartError, match="running already"):
            await etcd.start()
        async with grpc.aio.insecure_channel(etcd.endpoint) as channel:
            await put(channel, b"k")
        await etcd.stop()
        await etcd.stop()
        with pytest.raises(miniet.NotRunningError):
            etcd.statistics()
        with pytest.raises(miniet.NotRunningError):
            await etcd.reset()

    run(main)


def test_start_that_is_cancelled_leaves_nothing() -> None:
    """However far it came when the cancellation arrives."""

    async def main() -> None:
        for turns in count():
            etcd = miniet.AsyncServer()
            starting = asyncio.ensure_future(etcd.start())
            for _ in range(turns):
                await asyncio.sleep(0)
            starting.cancel()
            await asyncio.wait([starting])
            if not starting.cancelled():
                await etcd.stop()
                break
            async with etcd:
                pass
        assert turns > 2

    run(main)


def test_calls_in_flight_at_a_stop_are_answered() -> None:
    async def main() -> None:
        etcd = miniet.AsyncServer()
        await etcd.start()
        async with grpc.aio.insecure_channel(etcd.endpoint) as channel:
            await put(channel, b"k")
            calls = [asyncio.ensure_future(put(channel, b"k")) for _ in range(100)]
            await asyncio.sleep(0)
            await etcd.stop()
            answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                assert isinstance(answer, grpc.aio.AioRpcError)
                assert answer.code() is grpc.StatusCode.UNAVAILABLE

    run(main)
