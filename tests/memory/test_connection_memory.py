"""Connections and streams: Python's where miniet speaks for itself, C's in grpcio."""

from collections.abc import Callable
from contextlib import ExitStack
from queue import SimpleQueue

import grpc
import pytest

import miniet
from miniet.memory.components import Component
from miniet.pb import rpc_pb2
from tests.support.served import wait_until

pytestmark = pytest.mark.traced

WATCH = "/etcdserverpb.Watch/Watch"
CONNECTIONS = 50
WATCHERS_EACH = 20


def config(transport: str = "miniet") -> miniet.Config:
    return miniet.Config(
        listen_client_urls=("http://127.0.0.1:0",), transport=transport
    )


def connect(etcd: miniet.Server) -> grpc.Channel:
    options = [("grpc.use_local_subchannel_pool", 1)]
    channel = grpc.insecure_channel(etcd.endpoint, options=options)
    grpc.channel_ready_future(channel).result()
    return channel


def wait_streams(etcd: miniet.Server, count: int) -> None:
    wait_until(
        lambda: etcd.statistics().watch.stream_count == count, f"{count} watch streams"
    )


def create_request(key: bytes) -> bytes:
    create = rpc_pb2.WatchCreateRequest(key=key)
    return rpc_pb2.WatchRequest(create_request=create).SerializeToString()


def booked_bytes(etcd: miniet.Server, *components: Component) -> int:
    """Bytes booked to these components now."""
    traced = etcd.capture().traced
    assert traced is not None
    return sum(traced.bytes_by_component[component] for component in components)


def stream_bytes(transport: str) -> float:
    """Bytes booked to the server per connection with one watch stream."""
    with miniet.Server(config=config(transport)) as etcd, ExitStack() as held:
        etcd.set_tracing(True)
        before = booked_bytes(etcd, Component.SERVER)
        for _ in range(CONNECTIONS):
            open_stream = held.enter_context(connect(etcd)).stream_stream(WATCH)
            next(open_stream(iter([create_request(b"k")])))
        return (booked_bytes(etcd, Component.SERVER) - before) / CONNECTIONS


def test_connections_are_seen_on_the_transport_of_miniet_alone() -> None:
    assert stream_bytes("miniet") > 3_000
    assert stream_bytes("grpcio") < 1_500


def test_bytes_of_a_connection_a_stream_and_a_watcher() -> None:
    with miniet.Server(config=config()) as etcd, ExitStack() as held:
        with connect(etcd) as first:  # what is loaded and made once
            next(first.stream_stream(WATCH)(iter([create_request(b"k")])))
        wait_streams(etcd, 0)
        channels: list[grpc.Channel] = []
        streams: list[tuple[SimpleQueue[bytes], grpc.Call]] = []

        def add_connections() -> None:
            new = (held.enter_context(connect(etcd)) for _ in range(CONNECTIONS))
            channels.extend(new)

        def add_streams() -> None:
            for channel in channels:
                requests: SimpleQueue[bytes] = SimpleQueue()
                call = channel.stream_stream(WATCH)(iter(requests.get, b""))
                held.callback(requests.put, b"")
                streams.append((requests, call))
            wait_streams(etcd, CONNECTIONS)

        def add_watchers() -> None:
            for number, (requests, call) in enumerate(streams):
                for key in range(WATCHERS_EACH):
                    requests.put(create_request(b"key/%05d/%05d" % (number, key)))
                    next(call)

        def bytes_each(add: Callable[[], None], count: int) -> float:
            before = booked_bytes(etcd, Component.SERVER, Component.WATCH)
            add()
            after = booked_bytes(etcd, Component.SERVER, Component.WATCH)
            return (after - before) / count

        etcd.set_tracing(True)
        assert bytes_each(add_connections, CONNECTIONS) < 17_000
        assert 2_000 < bytes_each(add_streams, CONNECTIONS) < 6_000
        assert 200 < bytes_each(add_watchers, CONNECTIONS * WATCHERS_EACH) < 350
