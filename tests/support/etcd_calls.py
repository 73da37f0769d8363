"""etcd's API as plain calls on one channel, without a client library's opinions."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.message import Message

from miniet.pb import rpc_pb2

SECONDS_MAX = 20.0
_BYTES_MAX = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a call was refused: the code's name, and the text."""

    code: str
    text: str


class EtcdCalls:
    """Calls one server, miniet or etcd; each raises `grpc.RpcError` if refused."""

    def __init__(self, endpoint: str) -> None:
        self.channel = grpc.insecure_channel(endpoint, options=_BYTES_MAX)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.channel.close()

    def raw(self, path: str, request: bytes, seconds_max: float = SECONDS_MAX) -> bytes:
        """Send the bytes of one request to a unary method."""
        call = self.channel.unary_unary(path)
        answer: bytes = call(request, timeout=seconds_max)
        return answer

    def raw_stream(self, path: str, requests: Iterator[bytes]) -> Any:
        """Open a stream; what it returns yields answers and can be cancelled."""
        return self.channel.stream_stream(path)(requests, timeout=SECONDS_MAX)

    def refusal(self, path: str, request: Message | bytes) -> Refusal | None:
        """Send one request and return how it was refused; None: it was not."""
        body = request if isinstance(request, bytes) else request.SerializeToString()
        try:
            self.raw(path, body)
        except grpc.RpcError as error:
            return refusal_of(error)
        return None

    def put(self, key: bytes, value: bytes = b"", lease: int = 0) -> int:
        """Write a key and return the revision."""
        request = rpc_pb2.PutRequest(key=key, value=value, lease=lease)
        answer = self._kv("Put", request, rpc_pb2.PutResponse)
        return int(answer.header.revision)

    def range(self, key: bytes, range_end: bytes = b"", **fields: Any) -> Any:
        """Read keys; returns the RangeResponse."""
        request = rpc_pb2.RangeRequest(key=key, range_end=range_end, **fields)
        return self._kv("Range", request, rpc_pb2.RangeResponse)

    def everything(self) -> Any:
        """Read all keys; returns the RangeResponse."""
        return self.range(b"\0", b"\0")

    def delete(self, key: bytes, range_end: bytes = b"") -> Any:
        """Delete keys; returns the DeleteRangeResponse."""
        request = rpc_pb2.DeleteRangeRequest(key=key, range_end=range_end)
        return self._kv("DeleteRange", request, rpc_pb2.DeleteRangeResponse)

    def txn(self, request: rpc_pb2.TxnRequest) -> Any:
        """Carry out a txn; returns the TxnResponse."""
        return self._kv("Txn", request, rpc_pb2.TxnResponse)

    def compact(self, revision: int, *, physical: bool = False) -> None:
        """Forget what happened before `revision`."""
        request = rpc_pb2.CompactionRequest(revision=revision, physical=physical)
        self._kv("Compact", request, rpc_pb2.CompactionResponse)

    def grant(self, lease_id: int, ttl_s: int) -> int:
        """Make a lease and return its id."""
        request = rpc_pb2.LeaseGrantRequest(ID=lease_id, TTL=ttl_s)
        path = "/etcdserverpb.Lease/LeaseGrant"
        return int(self.call(path, request, rpc_pb2.LeaseGrantResponse).ID)

    def revoke(self, lease_id: int) -> int:
        """End a lease and return the revision after it."""
        request = rpc_pb2.LeaseRevokeRequest(ID=lease_id)
        path = "/etcdserverpb.Lease/LeaseRevoke"
        answer = self.call(path, request, rpc_pb2.LeaseRevokeResponse)
        return int(answer.header.revision)

    def lease_keys(self, lease_id: int) -> set[bytes] | None:
        """Return the keys attached to a lease; None if there is no such lease."""
        request = rpc_pb2.LeaseTimeToLiveRequest(ID=lease_id, keys=True)
        path = "/etcdserverpb.Lease/LeaseTimeToLive"
        answer = self.call(path, request, rpc_pb2.LeaseTimeToLiveResponse)
        return None if answer.TTL == -1 else set(answer.keys)

    def leases(self) -> set[int]:
        """Return the ids of all leases."""
        path = "/etcdserverpb.Lease/LeaseLeases"
        request = rpc_pb2.LeaseLeasesRequest()
        answer = self.call(path, request, rpc_pb2.LeaseLeasesResponse)
        return {lease.ID for lease in answer.leases}

    def hash_kv(self) -> tuple[int, int, int]:
        """Return (hash, current revision, compact revision) of the key space."""
        path = "/etcdserverpb.Maintenance/HashKV"
        answer = self.call(path, rpc_pb2.HashKVRequest(), rpc_pb2.HashKVResponse)
        return answer.hash, answer.header.revision, answer.compact_revision

    def status(self) -> Any:
        """Return the StatusResponse."""
        path = "/etcdserverpb.Maintenance/Status"
        return self.call(path, rpc_pb2.StatusRequest(), rpc_pb2.StatusResponse)

    def defragment(self) -> None:
        """Give free pages back to the file system."""
        path = "/etcdserverpb.Maintenance/Defragment"
        self.call(path, rpc_pb2.DefragmentRequest(), rpc_pb2.DefragmentResponse)

    def events(self, first_revision: int, last_revision: int) -> list[Any]:
        """Watch all keys and return the events of these revisions."""
        create = rpc_pb2.WatchRequest()
        create.create_request.key = create.create_request.range_end = b"\0"
        create.create_request.start_revision = first_revision
        stream = self.raw_stream(
            "/etcdserverpb.Watch/Watch", iter([create.SerializeToString()])
        )
        found: list[Any] = []
        try:
            while not found or found[-1].kv.mod_revision < last_revision:
                answer = rpc_pb2.WatchResponse.FromString(next(stream))
                assert not answer.canceled, answer
                found.extend(answer.events)
        finally:
            stream.cancel()
        return found

    def call(self, path: str, request: Message, answer_type: Any) -> Any:
        """Call any unary method."""
        return answer_type.FromString(self.raw(path, request.SerializeToString()))

    def _kv(self, name: str, request: Message, answer_type: Any) -> Any:
        return self.call(f"/etcdserverpb.KV/{name}", request, answer_type)


def refusal_of(error: grpc.RpcError) -> Refusal:
    """Read the status out of the exception of a call."""
    assert isinstance(error, grpc.Call)
    return Refusal(error.code().name, error.details() or "")
