"""The service `etcdserverpb.Watch`."""

import asyncio

from miniet.pb import rpc_pb2
from miniet.server import convert
from miniet.server.methods import Kind, Method, Stream
from miniet.server.service import Service
from miniet.watch import WatchCreate, WatchStream


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
        output, room = asyncio.Event(), asyncio.Event()
        watch_stream = self._engine.watch.new_stream(output.set)
        reader = asyncio.ensure_future(self._read(stream, watch_stream, room))
        try:
            while True:
                await output.wait()
                output.clear()
                # One by one: what a slow client is not yet sent stays in the outbox,
                # with its events shared, its previous values unread, all of it counted.
                while responses := watch_stream.take(1):
                    self._driver.kick_watchers()
                    for answer in responses:
                        # A compaction notice has revision 0, and it stays 0.
                        header = self._headers.encode(
                            answer.revision, self._engine.term
                        )
                        await stream.send(convert.watch_response(header, answer))
                room.set()
                if reader.done():
                    reader.result()
        finally:
            reader.cancel()
            watch_stream.close()

    async def _read(
        self, stream: Stream, watch_stream: WatchStream, room: asyncio.Event
    ) -> None:
        """Take requests; after the client's last one events still go out."""
        while (request := await stream.receive()) is not None:
            kind = request.WhichOneof("request_union")
            if kind == "create_request":
                watch_stream.create(_watch_create(request.create_request))
                self._driver.kick_watchers()
            elif kind == "cancel_request":
                watch_stream.cancel(request.cancel_request.watch_id)
            elif kind == "progress_request":
                watch_stream.request_progress()
                self._driver.kick_watchers()
            while not watch_stream.accepts_requests:
                # The client does not read its answers: let it wait, keep no more.
                room.clear()
                await room.wait()


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
