"""Requests that come close together share a turn."""

import asyncio
from pathlib import Path

import pytest

from miniet import AsyncServer, Config
from miniet.engine.requests import RequestKind
from miniet.pb import rpc_pb2
from miniet.server import driver as driver_module

PUT = rpc_pb2.PutRequest(key=b"key", value=b"value").SerializeToString()
REQUESTS = 500


def test_requests_that_follow_each_other_closely_share_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "_GATHER_S_MAX", 60.0)
    # Without syncs a write is short, so that it is not what they wait for.
    config = Config(listen_client_urls=("http://127.0.0.1:0",), unsafe_no_fsync=True)

    async def writes_of_requests() -> int:
        async with AsyncServer(str(tmp_path), config=config) as server:
            driver, log = server._driver, server._member.log
            write, writes = log.flush, []

            def count(sync: bool) -> None:
                writes.append(sync)
                write(sync)

            log.flush = count  # type: ignore[method-assign]

            def put() -> "asyncio.Task[object]":
                return asyncio.ensure_future(driver.propose(RequestKind.PUT, PUT))

            puts = [put(), put()]
            for _ in range(REQUESTS):
                for _ in range(4):
                    await asyncio.sleep(0)
                puts.append(put())
            await asyncio.gather(*puts)
            return len(writes)

    assert asyncio.run(writes_of_requests()) < 10
