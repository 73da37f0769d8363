"""`EtcdClient`: etcd's API as plain blocking calls on one connection."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from operator import methodcaller
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.message import Message

from miniet.client.endpoint import Endpoint
from miniet.client.errors import ClientError
from miniet.client.watch import WatchStream
from miniet.pb import rpc_pb2

TIMEOUT_S = 30.0
"""Longest wait for an answer. Compaction and defragmentation wait longer: they take
as long as the file is large."""
LONG_TIMEOUT_S = 600.0
CALLS_IN_FLIGHT = 32
"""Calls under way at once while loading. More of them gain nothing: grpcio's client
is then what limits."""
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Channels to one address share a connection unless told not to, and loads
    # are described by their number of connections.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]

_ATTEMPTS = re.compile(r"failed to connect to all addresses; last error: \w+: \S+: ")
"""What gRPC says of its ways before it says why."""


class EtcdClient:
    """One connection to an etcd v3 server.

    `with EtcdClient("localhost:2379") as client: client.put(b"key", b"value")`.
    Every call raises `ClientError` if it fails or is refused.
    """

    def __init__(self, endpoint: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Prepare the connection; the first call opens it.

        Raises:
            ClientError: `endpoint` is not one.
        """
        self.endpoint = Endpoint.parse(endpoint)
        self._timeout_s = timeout_s
        self._channel = grpc.insecure_channel(self.endpoint.address, options=_OPTIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection and every stream on it."""
        self._channel.close()

    def put(self, key: bytes, value: bytes = b"", *, lease: int = 0) -> int:
        """Write a key and return the revision."""
        request = rpc_pb2.PutRequest(key=key, value=value, lease=lease)
        answer = self.call("KV/Put", request, rpc_pb2.PutResponse)
        return int(answer.header.revision)

    def put_all(
        self,
        pairs: Iterable[tuple[bytes, bytes]],
        *,
        lease: int = 0,
        in_flight: int = CALLS_IN_FLIGHT,
        on_put: Callable[[], None] = lambda: None,
    ) -> int:
        """Write pairs with a put each, several on their way at once.

        Args:
            pairs: key and value; taken one by one, so a generator keeps memory low.
            on_put: called after each answer.
        Returns:
            The highest revision seen, 0 if there were no pairs.
        """
        requests = (
            rpc_pb2.PutRequest(key=key, value=value, lease=lease)
            for key, value in pairs
        )
        answers = self._pipeline("KV/Put", requests, rpc_pb2.PutResponse, in_flight)
        revision = 0
        for answer in answers:
            revision = max(revision, int(answer.header.revision))
            on_put()
        return revision

    def put_together(
        self, pairs: Iterable[tuple[bytes, bytes]], *, lease: int = 0
    ) -> int:
        """Write pairs in one txn, at most --max-txn-ops (128), and return its revision.

        No key may come twice.
        """
        return int(self.txn(_puts(pairs, lease)).header.revision)

    def attach_all(
        self, items: Iterable[tuple[int, Iterable[tuple[bytes, bytes]]]]
    ) -> None:
        """Write pairs with leases, a txn for each lease, several on their way at once.

        Args:
            items: leases and what to attach to each; taken one by one.
        """
        requests = (_puts(pairs, lease) for lease, pairs in items)
        for _ in self._pipeline("KV/Txn", requests, rpc_pb2.TxnResponse):
            pass

    def range(self, key: bytes, range_end: bytes = b"", **options: Any) -> Any:
        """Read; `options` are fields of RangeRequest. Returns the RangeResponse."""
        request = rpc_pb2.RangeRequest(key=key, range_end=range_end, **options)
        return self.call("KV/Range", request, rpc_pb2.RangeResponse)

    def begin_range(self, key: bytes, range_end: bytes = b"", **options: Any) -> Any:
        """Start a range and return its future, which `result` takes."""
        request = rpc_pb2.RangeRequest(key=key, range_end=range_end, **options)
        call = self._unary("KV/Range", rpc_pb2.RangeResponse)
        return call.future(request, timeout=self._timeout_s)

    def result(self, future: Any) -> Any:
        """Wait for what `begin_range` has started and return its answer."""
        return self._answer("KV/Range", future.result)

    def delete(self, key: bytes, range_end: bytes = b"") -> int:
        """Delete keys and return how many there were."""
        request = rpc_pb2.DeleteRangeRequest(key=key, range_end=range_end)
        answer = self.call("KV/DeleteRange", request, rpc_pb2.DeleteRangeResponse)
        return int(answer.deleted)

    def txn(self, request: rpc_pb2.TxnRequest) -> Any:
        """Carry out a txn and return the TxnResponse."""
        return self.call("KV/Txn", request, rpc_pb2.TxnResponse)

    def compact(self, revision: int, *, physical: bool = True) -> None:
        """Forget what was before `revision`; `physical`: return when that is done."""
        request = rpc_pb2.CompactionRequest(revision=revision, physical=physical)
        self.call(
            "KV/Compact", request, rpc_pb2.CompactionResponse, timeout_s=LONG_TIMEOUT_S
        )

    def defragment(self) -> None:
        """Give the free pages of the backend back; the server waits meanwhile."""
        self.call(
            "Maintenance/Defragment",
            rpc_pb2.DefragmentRequest(),
            rpc_pb2.DefragmentResponse,
            timeout_s=LONG_TIMEOUT_S,
        )

    def grant(self, ttl_s: int, *, lease: int = 0) -> int:
        """Make a lease and return its id; with 0 the server chooses one."""
        request = rpc_pb2.LeaseGrantRequest(ID=lease, TTL=ttl_s)
        return int(
            self.call("Lease/LeaseGrant", request, rpc_pb2.LeaseGrantResponse).ID
        )

    def revoke(self, lease: int) -> None:
        """End a lease and delete its keys."""
        request = rpc_pb2.LeaseRevokeRequest(ID=lease)
        self.call("Lease/LeaseRevoke", request, rpc_pb2.LeaseRevokeResponse)

    def grant_all(self, ttl_s: int, leases: Iterable[int]) -> list[int]:
        """Make leases, several on their way at once, and return their ids.

        Args:
            leases: ids, taken one by one; where it is 0 the server chooses one.
        """
        requests = (rpc_pb2.LeaseGrantRequest(ID=lease, TTL=ttl_s) for lease in leases)
        granted = rpc_pb2.LeaseGrantResponse
        answers = self._pipeline("Lease/LeaseGrant", requests, granted)
        return [int(answer.ID) for answer in answers]

    def revoke_all(self, leases: Iterable[int]) -> None:
        """End leases and delete their keys, several on their way at once."""
        requests = (rpc_pb2.LeaseRevokeRequest(ID=lease) for lease in leases)
        revoked = rpc_pb2.LeaseRevokeResponse
        for _ in self._pipeline("Lease/LeaseRevoke", requests, revoked):
            pass

    def leases(self) -> list[int]:
        """Return the ids of all leases."""
        request = rpc_pb2.LeaseLeasesRequest()
        answer = self.call("Lease/LeaseLeases", request, rpc_pb2.LeaseLeasesResponse)
        return [lease.ID for lease in answer.leases]

    def status(self) -> Any:
        """Return the StatusResponse."""
        return self.call(
            "Maintenance/Status", rpc_pb2.StatusRequest(), rpc_pb2.StatusResponse
        )

    def watch(self, creates: Iterable[rpc_pb2.WatchCreateRequest]) -> WatchStream:
        """Open a watch stream with a watcher for each of `creates`."""
        return WatchStream(self._channel, creates, self._error)

    def call(
        self,
        method: str,
        request: Message,
        response_type: type[Message],
        *,
        timeout_s: float | None = None,
    ) -> Any:
        """Call a unary method: `KV/Put` of etcd's, or a whole `/package.Service/X`."""
        call = self._unary(method, response_type)
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        return self._answer(method, lambda: call(request, timeout=timeout_s))

    def _pipeline(
        self,
        method: str,
        requests: Iterable[Message],
        response_type: type[Message],
        in_flight: int = CALLS_IN_FLIGHT,
    ) -> Iterator[Any]:
        """Send requests, at most `in_flight` before the first is answered.

        Yields the answers in the order of the requests, which are taken one by one.
        """
        call = self._unary(method, response_type)
        waiting: deque[Any] = deque()
        for request in requests:
            if len(waiting) >= in_flight:
                yield self._answer(method, waiting.popleft().result)
            waiting.append(call.future(request, timeout=self._timeout_s))
        while waiting:
            yield self._answer(method, waiting.popleft().result)

    def _unary(self, method: str, response_type: type[Message]) -> Any:
        path = method if method.startswith("/") else f"/etcdserverpb.{method}"
        return self._channel.unary_unary(
            path,
            request_serializer=methodcaller("SerializeToString"),
            response_deserializer=response_type.FromString,
        )

    def _answer(self, method: str, take: Callable[[], Any]) -> Any:
        try:
            return take()
        except grpc.RpcError as error:
            raise self._error(method, error) from error

    def _error(self, method: str, error: grpc.RpcError) -> ClientError:
        """Say in a line what became of a call."""
        code = error.code().name
        details = " ".join((error.details() or "no reason given").split())
        name = method.rpartition("/")[2]
        if "Failed parsing HTTP/2" in details:
            message = f"{self.endpoint.address} does not speak gRPC, as etcd does"
        elif code == "UNAVAILABLE":
            reason = _ATTEMPTS.sub("", details)
            message = f"cannot reach {self.endpoint.address}: {reason}"
        elif code == "DEADLINE_EXCEEDED":
            message = f"{self.endpoint.address} did not answer {name} in time"
        else:
            message = f"{self.endpoint.address} refused {name}: {details}"
        return ClientError(message, code)


def _puts(pairs: Iterable[tuple[bytes, bytes]], lease: int) -> rpc_pb2.TxnRequest:
    request = rpc_pb2.TxnRequest()
    for key, value in pairs:
        operation = request.success.add().request_put
        operation.key, operation.value, operation.lease = key, value, lease
    return request
