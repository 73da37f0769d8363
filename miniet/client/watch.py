"""`WatchStream`: one watch call with any number of watchers."""

from collections.abc import Callable, Iterable
from typing import Any

import grpc

from miniet.client.errors import ClientError
from miniet.pb import rpc_pb2


def watcher_of(
    key: bytes, range_end: bytes = b"", *, start_revision: int = 0
) -> rpc_pb2.WatchCreateRequest:
    """Describe a watcher, for `EtcdClient.watch`.

    Args:
        start_revision: the first that it is to hear of; 0: the next one.
    """
    return rpc_pb2.WatchCreateRequest(
        key=key, range_end=range_end, start_revision=start_revision
    )


class WatchStream:
    """A watch stream, open until it is cancelled; nothing is read before asked for.

    What is not read stays with gRPC until its window (64 KiB) is full, and then with
    the server: a stream left alone is a slow watcher.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        creates: Iterable[rpc_pb2.WatchCreateRequest],
        error_of: Callable[[str, grpc.RpcError], ClientError],
    ) -> None:
        """Open the stream and ask for the watchers; `EtcdClient.watch` does it."""
        requests = [rpc_pb2.WatchRequest(create_request=create) for create in creates]
        self._error_of = error_of
        self.watcher_count = len(requests)
        # The requests end, and with them the thread that grpcio sends them on: half
        # closed, a watch stream goes on. So 1,000 streams are not 1,000 threads.
        self._call: Any = channel.stream_stream(
            "/etcdserverpb.Watch/Watch",
            request_serializer=rpc_pb2.WatchRequest.SerializeToString,
            response_deserializer=rpc_pb2.WatchResponse.FromString,
        )(iter(requests))

    def wait_created(self) -> None:
        """Read until every watcher is there.

        Raises:
            ClientError: one was refused, or the stream has ended.
        """
        created = 0
        while created < self.watcher_count:
            response = self.receive()
            if response.canceled:
                raise ClientError(f"a watcher was refused: {response.cancel_reason}")
            created += response.created

    def receive(self) -> Any:
        """Wait for the next WatchResponse and return it."""
        try:
            return next(self._call)
        except grpc.RpcError as error:
            raise self._error_of("Watch/Watch", error) from error
        except StopIteration:
            raise ClientError("the watch stream has ended") from None

    def cancel(self) -> None:
        """End the stream."""
        self._call.cancel()
