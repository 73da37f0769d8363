"""What a transport does by itself: ends, deadlines, calls that cannot be."""

import threading
import time
from contextlib import suppress
from typing import Any

import grpc
import pytest

import miniet
from miniet.errors import InvariantError
from miniet.pb import rpc_pb2
from miniet.server.watch import WatchService
from miniet.watch import WatchStream
from tests.embedded.client import connect
from tests.support.served import TRANSPORTS, wait_until

STOPPED = "etcdserver: server stopped"
PUT = "/etcdserverpb.KV/Put"


@pytest.fixture(params=TRANSPORTS)
def server(request: pytest.FixtureRequest) -> miniet.Server:
    """A server that is not started, on each transport."""
    urls = ("http://127.0.0.1:0",)
    return miniet.Server(
        config=miniet.Config(listen_client_urls=urls, transport=request.param)
    )


def end_of(call: Any) -> tuple[grpc.StatusCode, str]:
    """Wait for the end of a stream that has nothing more to say."""
    with pytest.raises(grpc.RpcError):
        next(call)
    return call.code(), call.details()


def test_stop_is_quick_with_streams_open_and_ends_them(server: miniet.Server) -> None:
    with server as etcd, connect(etcd.endpoint) as client:
        watches = [client.watch(b"k%d" % n) for n in range(20)]
        for watch in watches:
            assert next(watch).created
        begun_s = time.monotonic()
        etcd.stop()
        assert time.monotonic() - begun_s < 1
        for watch in watches:
            assert end_of(watch) == (grpc.StatusCode.UNAVAILABLE, STOPPED)


def test_reset_ends_watches_and_new_ones_hear_of_the_new_history(
    server: miniet.Server,
) -> None:
    with server as etcd, connect(etcd.endpoint) as client:
        old = client.watch(b"k")
        assert next(old).created
        etcd.reset()
        assert end_of(old) == (grpc.StatusCode.UNAVAILABLE, STOPPED)
        new = client.watch(b"k")
        assert next(new).created
        client.put(b"k", b"v")
        event = next(new).events[0]
        assert (event.kv.value, event.kv.mod_revision) == (b"v", 2)


def test_reset_ends_each_watch_whatever_is_being_written(
    server: miniet.Server,
) -> None:
    # On grpcio one of a hundred was told nothing when the machine was busy: the write
    # of "created" was cancelled under way.
    with server as etcd, connect(etcd.endpoint) as client:
        for _ in range(50):
            watch = client.watch(b"k")
            assert next(watch).created
            etcd.reset()
            assert end_of(watch) == (grpc.StatusCode.UNAVAILABLE, STOPPED)


def test_stop_lets_running_calls_finish_and_refuses_new_ones(
    server: miniet.Server,
) -> None:
    with server as etcd, connect(etcd.endpoint) as client:
        revision = client.put(b"k").header.revision
        etcd.stop()
        with pytest.raises(grpc.RpcError) as refusal:
            client.put(b"k")
        assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
        etcd.start()
        with connect(etcd.endpoint) as again:
            assert again.put(b"k").header.revision == revision


def test_deadline_ends_the_call_at_the_server(server: miniet.Server) -> None:
    with server as etcd, grpc.insecure_channel(etcd.endpoint) as channel:
        watch = channel.stream_stream("/etcdserverpb.Watch/Watch")
        begun_s = time.monotonic()
        with pytest.raises(grpc.RpcError) as end:
            next(watch(iter(()), timeout=0.3))
        assert end.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - begun_s > 0.25
        wait_until(
            lambda: etcd.statistics().requests.calls_in_flight == 0, "the call is over"
        )
        assert etcd.statistics().watch.stream_count == 0


def test_bug_while_events_are_encoded_ends_the_stream(
    server: miniet.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    responses = WatchService._responses
    planted = threading.Event()

    def encode(service: WatchService, stream: WatchStream) -> list[bytes]:
        if planted.is_set():
            raise InvariantError("planted")
        return responses(service, stream)

    monkeypatch.setattr(WatchService, "_responses", encode)
    with server as etcd, connect(etcd.endpoint) as client:
        watch = client.watch(b"k")
        assert next(watch).created
        planted.set()
        client.put(b"k")
        code, text = end_of(watch)
        assert code is grpc.StatusCode.UNKNOWN
        assert "InvariantError" in text
        wait_until(
            lambda: etcd.statistics().requests.calls_in_flight == 0, "the call is over"
        )
        assert etcd.statistics().watch.stream_count == 0


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etcdserverpb.KV/Fly", "unknown method Fly for service etcdserverpb.KV"),
        ("/some.Other/Thing", "unknown service some.Other"),
    ],
)
def test_method_that_is_not_served_is_unimplemented(
    server: miniet.Server, path: str, text: str
) -> None:
    with server as etcd, grpc.insecure_channel(etcd.endpoint) as channel:
        with pytest.raises(grpc.RpcError) as refusal:
            channel.unary_unary(path)(b"", timeout=10)
        assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert refusal.value.details() == text


def test_large_answer_is_counted_until_its_client_has_it(
    server: miniet.Server,
) -> None:
    with server as etcd, connect(etcd.endpoint) as client:
        client.put(b"large", bytes(1 << 20))
        assert client.get(b"large") == bytes(1 << 20)
        wait_until(
            lambda: etcd.statistics().requests.response_in_flight_bytes == 0,
            "the client has it",
        )
        assert etcd.statistics().requests.response_in_flight_bytes_max > 1 << 20


def test_call_of_two_requests_where_one_is_due_is_refused_or_answered_once(
    server: miniet.Server,
) -> None:
    request = rpc_pb2.PutRequest(key=b"k").SerializeToString()
    with server as etcd, grpc.insecure_channel(etcd.endpoint) as channel:
        call = channel.stream_stream(PUT)(iter([request, request]), timeout=10)
        with suppress(grpc.RpcError):
            assert len(list(call)) == 1
        assert etcd.statistics().store.current_revision <= 2
