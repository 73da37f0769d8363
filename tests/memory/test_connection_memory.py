"""Connections and streams: Python's where miniet speaks for itself, C's in grpcio."""

from contextlib import ExitStack

import grpc

import miniet
from miniet.memory.components import Component
from miniet.pb import rpc_pb2

WATCH = "/etcdserverpb.Watch/Watch"
CONNECTIONS = 50


def booked_bytes(transport: str) -> float:
    """Bytes booked to the server per connection with one watch stream."""
    urls = ("http://127.0.0.1:0",)
    config = miniet.Config(listen_client_urls=urls, transport=transport)
    create = rpc_pb2.WatchRequest()
    create.create_request.key = b"k"
    options = [("grpc.use_local_subchannel_pool", 1)]

    def server_bytes(etcd: miniet.Server) -> int:
        traced = etcd.capture().traced
        assert traced is not None
        return traced.bytes_by_component[Component.SERVER]

    with miniet.Server(config=config) as etcd, ExitStack() as held:
        etcd.set_tracing(True)
        before = server_bytes(etcd)
        for _ in range(CONNECTIONS):
            channel = grpc.insecure_channel(etcd.endpoint, options=options)
            held.enter_context(channel)
            open_stream = channel.stream_stream(WATCH)
            next(open_stream(iter([create.SerializeToString()])))
        return (server_bytes(etcd) - before) / CONNECTIONS


def test_connections_are_seen_on_the_transport_of_miniet_alone() -> None:
    # 7.1 KB and 0.4 KB with 100 of them.
    assert booked_bytes("miniet") > 3_000
    assert booked_bytes("grpcio") < 1_500
