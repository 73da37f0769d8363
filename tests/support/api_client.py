"""etcd's API over raw gRPC: requests as they are, answers and refusals as they come.

with ApiClient("127.0.0.1:2379") as client:
    client.call("Put", key=b"a", value=b"1").header.revision
    client.refusal("Range", key=b"")  # Refusal("INVALID_ARGUMENT", "etcdserver...")
"""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.message import Message

from miniet.pb import health_pb2, rpc_pb2

ANSWER_SECONDS_MAX = 20.0

_SERVICES = {
    "KV": "Range Put DeleteRange Txn Compact",
    "Lease": "LeaseGrant LeaseRevoke LeaseTimeToLive LeaseLeases",
    "Cluster": "MemberList MemberAdd MemberRemove MemberUpdate MemberPromote",
    "Maintenance": "Alarm Status Defragment Hash HashKV MoveLeader",
}
_TYPE_NAMES = {"Compact": "Compaction"}


@dataclass(frozen=True)
class Refusal:
    """How a call failed: the name of the gRPC code, and the text."""

    code: str
    text: str


class CallRefused(Exception):
    """The server answered a call with an error."""

    def __init__(self, error: grpc.RpcError) -> None:
        super().__init__(f"{error.code()}: {error.details()}")
        self.refusal = Refusal(error.code().name, error.details())


class ApiClient:
    """One connection to a server."""

    def __init__(self, endpoint: str) -> None:
        self._channel = grpc.insecure_channel(
            endpoint,
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                # Channels to one address share a connection unless told not to.
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )
        self._requests: dict[str, type[Message]] = {}
        self._calls: dict[str, Any] = {}
        for service, names in _SERVICES.items():
            for name in names.split():
                kind = _TYPE_NAMES.get(name, name)
                self._requests[name] = getattr(rpc_pb2, f"{kind}Request")
                self._calls[name] = self.unary(
                    f"/etcdserverpb.{service}/{name}",
                    getattr(rpc_pb2, f"{kind}Response"),
                )
        self._requests["Check"] = health_pb2.HealthCheckRequest
        self._calls["Check"] = self.unary(
            "/grpc.health.v1.Health/Check", health_pb2.HealthCheckResponse
        )

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
        """End the connection and every call on it."""
        self._channel.close()

    def unary(self, path: str, response_type: type[Message]) -> Any:
        """Return the raw call of a path, for requests that are messages or bytes."""
        return self._channel.unary_unary(
            path,
            request_serializer=_encoded,
            response_deserializer=response_type.FromString,
        )

    def send(self, name: str, request: Message | bytes) -> Any:
        """Call by name and return the answer.

        Raises:
            CallRefused: it was an error.
        """
        try:
            return self._calls[name](request, timeout=ANSWER_SECONDS_MAX)
        except grpc.RpcError as error:
            raise CallRefused(error) from error

    def request(self, name: str, **fields: Any) -> Message:
        """Make the request of a call."""
        return self._requests[name](**fields)

    def call(self, name: str, **fields: Any) -> Any:
        """Call by name with the request of these fields."""
        return self.send(name, self.request(name, **fields))

    def refusal(self, name: str, **fields: Any) -> Refusal:
        """Make a call that must fail, and return how it did."""
        try:
            answer = self.call(name, **fields)
        except CallRefused as error:
            return error.refusal
        raise AssertionError(f"{name} was answered: {answer}")

    def begin(self, name: str, **fields: Any) -> Any:
        """Start a call and return its future, the answer in `result()`."""
        request = self.request(name, **fields)
        return self._calls[name].future(request, timeout=ANSWER_SECONDS_MAX)

    def watch(self, **create: Any) -> "WatchCall":
        """Open a watch stream; with arguments, create a first watcher on it."""
        stream = WatchCall(self._channel)
        if create:
            stream.create(**create)
        return stream

    def keep_alive(self) -> "StreamCall":
        """Open a stream of lease renewals."""
        return StreamCall(
            self._channel,
            "/etcdserverpb.Lease/LeaseKeepAlive",
            rpc_pb2.LeaseKeepAliveResponse,
        )

    def snapshot(self) -> list[rpc_pb2.SnapshotResponse]:
        """Take a snapshot of the backend, whole."""
        call = self._channel.unary_stream(
            "/etcdserverpb.Maintenance/Snapshot",
            request_serializer=_encoded,
            response_deserializer=rpc_pb2.SnapshotResponse.FromString,
        )
        return list(call(rpc_pb2.SnapshotRequest(), timeout=ANSWER_SECONDS_MAX))


class StreamCall:
    """A call of many messages both ways; a thread collects what comes."""

    def __init__(
        self, channel: grpc.Channel, path: str, response_type: type[Message]
    ) -> None:
        self._requests: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        open_call = channel.stream_stream(
            path,
            request_serializer=_encoded,
            response_deserializer=response_type.FromString,
        )
        self._call = open_call(iter(self._requests.get, None))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, request: Message) -> None:
        """Send one message."""
        self._requests.put(request)

    def half_close(self) -> None:
        """Say that no more requests will come."""
        self._requests.put(None)

    def cancel(self) -> None:
        """End the call from this side."""
        self._call.cancel()

    def receive(self) -> Any:
        """Return the next answer.

        Raises:
            CallRefused: the stream ended with an error.
            EOFError: it ended without one.
            queue.Empty: nothing came in time.
        """
        answer = self._answers.get(timeout=ANSWER_SECONDS_MAX)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _read(self) -> None:
        try:
            for answer in self._call:
                self._answers.put(answer)
        except grpc.RpcError as error:
            self._answers.put(CallRefused(error))
        else:
            self._answers.put(EOFError())


class WatchCall(StreamCall):
    """A watch stream."""

    def __init__(self, channel: grpc.Channel) -> None:
        super().__init__(channel, "/etcdserverpb.Watch/Watch", rpc_pb2.WatchResponse)

    def create(self, **fields: Any) -> None:
        """Ask for a watcher; its answer comes with `receive`."""
        create = rpc_pb2.WatchCreateRequest(**fields)
        self.send(rpc_pb2.WatchRequest(create_request=create))

    def created(self, **fields: Any) -> Any:
        """Ask for a watcher and return the answer."""
        self.create(**fields)
        return self.receive()

    def cancel_watcher(self, watch_id: int) -> None:
        """Ask to end a watcher."""
        cancel = rpc_pb2.WatchCancelRequest(watch_id=watch_id)
        self.send(rpc_pb2.WatchRequest(cancel_request=cancel))

    def request_progress(self) -> None:
        """Ask how far the stream is."""
        progress = rpc_pb2.WatchProgressRequest()
        self.send(rpc_pb2.WatchRequest(progress_request=progress))

    def events(self, count: int) -> list[Any]:
        """Receive until there are `count` events, and return them."""
        found: list[Any] = []
        while len(found) < count:
            found += self.receive().events
        assert len(found) == count
        return found

    def responses_until(self, revision: int) -> Iterator[Any]:
        """Receive until an event of `revision` has come."""
        while True:
            response = self.receive()
            yield response
            if response.events and response.events[-1].kv.mod_revision >= revision:
                return


def _encoded(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()
