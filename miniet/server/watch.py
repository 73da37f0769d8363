"""The service `etcdserverpb.Watch`."""

import asyncio
from functools import partial

from miniet.pb import rpc_pb2
from miniet.server.convert import watch_responses
from miniet.server.methods import Kind, Method, Stream
from miniet.server.service import Service
from miniet.watch import WatchCreate, WatchStream

# What is encoded in one go: small responses that go into one frame together.
_RESPONSES_MAX = 128
_EVENT_BYTES_MAX = 12 * 1024


class WatchService(Service):
    """One call carries many watchers: requests in, responses out, at once."""

    def methods(self) -> list[Method]:
        """Return the rows of this service."""
        return [
            Method(
                "/etcdserverpb.Watch/Watch",
                rpc_pb2.WatchRequest,
                Kind.BIDI_STREAM,
                self.watch,
            )
        ]

    async def watch(self, stream: Stream) -> None:
        """Serve one watch stream until its client is gone."""
        watch_stream = self._engine.watch.new_stream(stream.wake)
        stream.send_from(partial(self._responses, watch_stream))
        try:
            while (request := await stream.receive()) is not None:
                self._take(request, watch_stream)
                if not watch_stream.accepts_requests:
                    # The client does not read its answers: let it wait, keep no more.
                    await stream.wait_sent()
            # After the client's last request events still go out.
            await asyncio.get_running_loop().create_future()
        finally:
            watch_stream.close()

    def _responses(self, watch_stream: WatchStream) -> list[bytes]:
        """Encode what is to be sent next.

        No more than a slow client has room for: what it is not yet sent stays in the
        outbox, with its events shared, its previous values unread, all of it counted.
        """
        answers = watch_stream.take(_RESPONSES_MAX, _EVENT_BYTES_MAX)
        if answers:
            self._driver.kick_watchers()
        encoded: list[bytes] = []
        for answer in answers:
            # A compaction notice has revision 0, and it stays 0.
            header = self._headers.encode(answer.revision, self._engine.term)
            encoded += watch_responses(header, answer)
        return encoded

    def _take(self, request: rpc_pb2.WatchRequest, watch_stream: WatchStream) -> None:
        kind = request.WhichOneof("request_union")
        if kind == "create_request":
            watch_stream.create(_watch_create(request.create_request))
            self._driver.kick_watchers()
        elif kind == "cancel_request":
            watch_stream.cancel(request.cancel_request.watch_id)
        elif kind == "progress_request":
            watch_stream.request_progress()
            self._driver.kick_watchers()


def _watch_create(request: rpc_pb2.WatchCreateRequest) -> WatchCreate:
    filters = rpc_pb2.WatchCreateRequest
    return WatchCreate(
        key=request.key,
        range_end=request.range_end,
        start_revision=request.start_revision,
        watch_id=request.watch_id,
        progress_notify=request.progress_notify,
        no_put=filters.NOPUT in request.filters,
        no_delete=filters.NODELETE in request.filters,
        prev_kv=request.prev_kv,
        fragment=request.fragment,
    )
