"""A small client over grpcio, with miniet's own messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import Message

from miniet.pb import rpc_pb2

DEADLINE_S = 10.0


class Client:
    """The calls that the tests need, over one channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel

    def call(self, path: str, request: Message, response_type: Any) -> Any:
        """Make a unary call: `call("/etcdserverpb.KV/Put", request, PutResponse)`."""
        return self.channel.unary_unary(
            path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=response_type.FromString,
        )(request, timeout=DEADLINE_S)

    def put(
        self, key: bytes, value: bytes = b"", lease: int = 0
    ) -> rpc_pb2.PutResponse:
        request = rpc_pb2.PutRequest(key=key, value=value, lease=lease)
        return self.call("/etcdserverpb.KV/Put", request, rpc_pb2.PutResponse)

    def range(self, key: bytes, range_end: bytes = b"") -> rpc_pb2.RangeResponse:
        request = rpc_pb2.RangeRequest(key=key, range_end=range_end)
        return self.call("/etcdserverpb.KV/Range", request, rpc_pb2.RangeResponse)

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None where there is no such key."""
        kvs = self.range(key).kvs
        return kvs[0].value if kvs else None

    def grant(self, ttl_s: int) -> int:
        """Grant a lease; return its id."""
        return self.call(
            "/etcdserverpb.Lease/LeaseGrant",
            rpc_pb2.LeaseGrantRequest(TTL=ttl_s),
            rpc_pb2.LeaseGrantResponse,
        ).ID

    def leases(self) -> list[int]:
        return [
            lease.ID
            for lease in self.call(
                "/etcdserverpb.Lease/LeaseLeases",
                rpc_pb2.LeaseLeasesRequest(),
                rpc_pb2.LeaseLeasesResponse,
            ).leases
        ]

    def status(self) -> rpc_pb2.StatusResponse:
        return self.call(
            "/etcdserverpb.Maintenance/Status",
            rpc_pb2.StatusRequest(),
            rpc_pb2.StatusResponse,
        )

    def commit(self) -> None:
        """Have the backend committed, which comes before it is hashed."""
        request = rpc_pb2.HashRequest()
        self.call("/etcdserverpb.Maintenance/Hash", request, rpc_pb2.HashResponse)

    def watch(self, key: bytes) -> Any:
        """Open a watch; iterate the call for its responses, the first says created."""
        create = rpc_pb2.WatchCreateRequest(key=key)
        return self.channel.stream_stream(
            "/etcdserverpb.Watch/Watch",
            request_serializer=rpc_pb2.WatchRequest.SerializeToString,
            response_deserializer=rpc_pb2.WatchResponse.FromString,
        )(iter([rpc_pb2.WatchRequest(create_request=create)]))

    def snapshot(self) -> Any:
        """Ask for the backend; iterate the call for its pieces."""
        return self.channel.unary_stream(
            "/etcdserverpb.Maintenance/Snapshot",
            request_serializer=rpc_pb2.SnapshotRequest.SerializeToString,
            response_deserializer=rpc_pb2.SnapshotResponse.FromString,
        )(rpc_pb2.SnapshotRequest(), timeout=DEADLINE_S)


@contextmanager
def connect(endpoint: str) -> Iterator[Client]:
    """Open a channel for as long as the block lasts."""
    with grpc.insecure_channel(endpoint) as channel:
        yield Client(channel)
