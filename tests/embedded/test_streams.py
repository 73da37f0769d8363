"""Streams that the server ends: their clients hear of it."""

import time
from typing import Any

import grpc
import pytest

import miniet
from tests.embedded.client import connect

STOPPED = "etcdserver: server stopped"


def end_of(call: Any) -> tuple[grpc.StatusCode, str]:
    """Wait for the end of a stream that has nothing more to say."""
    with pytest.raises(grpc.RpcError):
        next(call)
    return call.code(), call.details()


def test_stop_is_quick_with_streams_open_and_ends_them() -> None:
    with miniet.Server() as etcd, connect(etcd.endpoint) as client:
        watches = [client.watch(b"k%d" % n) for n in range(20)]
        for watch in watches:
            assert next(watch).created
        begun_s = time.monotonic()
        etcd.stop()
        assert time.monotonic() - begun_s < 1
        for watch in watches:
            assert end_of(watch) == (grpc.StatusCode.UNAVAILABLE, STOPPED)


def test_reset_ends_watches_and_new_ones_hear_of_the_new_history() -> None:
    with miniet.Server() as etcd, connect(etcd.endpoint) as client:
        old = client.watch(b"k")
        assert next(old).created
        etcd.reset()
        assert end_of(old) == (grpc.StatusCode.UNAVAILABLE, STOPPED)
        new = client.watch(b"k")
        assert next(new).created
        client.put(b"k", b"v")
        event = next(new).events[0]
        assert (event.kv.value, event.kv.mod_revision) == (b"v", 2)
