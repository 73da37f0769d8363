"""`WatchStream`: one Watch call, its watchers by id, and what it sends.

Source: etcd v3.4.23 mvcc/watcher.go, etcdserver/api/v3rpc/watch.go.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol

from miniet.errors import InvariantError
from miniet.watch.errors import WatchStreamClosedError
from miniet.watch.event_batch import WatchEvent
from miniet.watch.messages import (
    STREAM_WATCH_ID,
    CancelReason,
    WatchCreate,
    WatchResponse,
)
from miniet.watch.outbox import Outbox, QueuedResponses
from miniet.watch.watcher import Watcher, WatcherState

_UNBOUNDED: Final = 1 << 62


class StreamHost(Protocol):
    """The store as a stream sees it; `WatchableStore` is one."""

    @property
    def current_revision(self) -> int:
        """Revision of the newest change that watchers have been told."""
        ...

    def add_watcher(self, watcher: Watcher) -> None:
        """Take in a new watcher: synced, or unsynced if it starts in the past."""
        ...

    def remove_watchers(self, watchers: Iterable[Watcher]) -> None:
        """Let go of watchers in any state, and of what victims among them keep."""
        ...

    def previous_pair(self, event: WatchEvent) -> bytes | None:
        """Return the encoded pair as it was before the event; None: none is left."""
        ...

    def remove_stream(self, stream: "WatchStream") -> None:
        """Forget a stream that has no watchers any more."""
        ...


class WatchStream:
    """Requests in, responses out; made by `WatchableStore.new_stream`.

    A bad request is answered (created and canceled, with a reason), it never raises.
    Responses wait in one line and are taken in its order: the created answer of an
    id before its events, its events before its canceled answer.

    Memory: per watcher a `Watcher` and an entry in the map of ids, until it is
    cancelled or the stream closed; the number of watchers has no limit, as in etcd.
    What waits to be sent is bounded by the two limits of `Outbox`.
    """

    __slots__ = (
        "_fragment_bytes",
        "_host",
        "_is_closed",
        "_next_watch_id",
        "_outbox",
        "_watchers",
        "tick_interval_s",
    )

    def __init__(
        self,
        host: StreamHost,
        outbox: Outbox,
        *,
        fragment_bytes: int,
        tick_interval_s: float,
    ) -> None:
        self._host = host
        self._outbox = outbox
        # Responses of this size or more are split for watchers that want it.
        self._fragment_bytes = fragment_bytes
        # Seconds between calls of `tick_progress`.
        self.tick_interval_s = tick_interval_s
        self._watchers: dict[int, Watcher] = {}
        # Where the search for a free id begins; automatic ids are not given again.
        self._next_watch_id = 0
        self._is_closed = False

    def __repr__(self) -> str:
        return f"WatchStream({len(self._watchers)} watchers, {self._outbox!r})"

    @property
    def accepts_requests(self) -> bool:
        """Whether to read the next request; if not, ask again after `take`.

        This is what keeps a client that asks and never reads from filling memory.
        """
        return self._outbox.accepts_requests

    @property
    def has_output(self) -> bool:
        """Whether `take` would return something."""
        return bool(self._outbox)

    def create(self, request: WatchCreate) -> None:
        """Begin a watcher, or say in the answer why not.

        A start that was compacted away (or is negative) is created first and
        cancelled by the next `step_unsynced`, as in etcd 3.4.
        """
        self._refuse_if_closed()
        watcher = Watcher(request, self._free_watch_id(request.watch_id), self._outbox)
        if watcher.range_is_empty:
            self.refuse_create(CancelReason.EMPTY_RANGE)
        elif watcher.watch_id in self._watchers:
            self.refuse_create(CancelReason.DUPLICATE_ID)
        else:
            self._watchers[watcher.watch_id] = watcher
            if request.watch_id == 0:
                self._next_watch_id = watcher.watch_id + 1
            self._answer(watcher.watch_id, created=True)
            self._host.add_watcher(watcher)

    def refuse_create(self, reason: str) -> None:
        """Answer a create request that was found wrong, here or by the caller.

        For the caller it is the way to refuse (no permission, say) in request order.
        """
        self._refuse_if_closed()
        self._answer(STREAM_WATCH_ID, created=True, canceled=True, reason=reason)

    def cancel(self, watch_id: int) -> None:
        """End a watcher and free its id; an unknown id gets no answer.

        Events already in line are still sent, before the answer.
        """
        self._refuse_if_closed()
        watcher = self._watchers.pop(watch_id, None)
        if watcher is not None:
            # The answer first: if this was the last watcher behind, a progress answer
            # follows at once, and the client must know then that it hears no more.
            self._answer(watch_id, canceled=True)
            self._host.remove_watchers((watcher,))

    def request_progress(self) -> None:
        """Ask for the revision up to which all watchers have been given everything.

        Answered now, or as soon as no watcher of the stream is behind.
        """
        self._refuse_if_closed()
        self._outbox.request_progress(self._host.current_revision)

    def tick_progress(self) -> None:
        """Notify the watchers that want it, are synced, and had no events since.

        Without room the notice is left out.
        """
        revision = self._host.current_revision
        for watcher in self._watchers.values():
            if not watcher.progress_notify:
                continue
            if not watcher.had_events and watcher.state is WatcherState.SYNCED:
                watcher.send(revision, None)
            watcher.had_events = False

    def take(self, limit: int, bytes_max: int = _UNBOUNDED) -> list[WatchResponse]:
        """Take the oldest responses, to be sent in this order.

        Args:
            limit: responses at most, the fragments of one counted as one.
            bytes_max: of their events; the last response may go beyond it.
        Cost: with prev_kv one read of the store per event.
        """
        responses: list[WatchResponse] = []
        while limit > 0 and bytes_max > 0:
            queued = self._outbox.pop(limit, bytes_max)
            if queued is None:
                break
            if isinstance(queued, WatchResponse):
                responses.append(queued)
                limit -= 1
            else:
                events = self._events(queued)
                responses += self._finished(queued, events)
                limit -= len(queued.watch_ids)
                bytes_max -= len(queued.watch_ids) * sum(map(len, events))
        return responses

    def close(self) -> None:
        """End all watchers and drop what waits; closing again does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._outbox.clear()
        self._host.remove_watchers(self._watchers.values())
        self._watchers.clear()
        self._host.remove_stream(self)

    def watchers(self) -> Iterator[Watcher]:
        """Walk the watchers whose ids are taken, compacted ones too."""
        yield from self._watchers.values()

    def queued(self) -> Iterator[QueuedResponses | WatchResponse]:
        """Walk what waits to be taken, oldest first."""
        yield from self._outbox

    def _free_watch_id(self, wanted: int) -> int:
        """The id wanted, or for 0 the next that is not taken."""
        if wanted:
            return wanted
        watch_id = self._next_watch_id
        while watch_id in self._watchers:
            watch_id += 1
        return watch_id

    def _answer(
        self,
        watch_id: int,
        *,
        created: bool = False,
        canceled: bool = False,
        reason: str = "",
    ) -> None:
        self._outbox.put_control(
            WatchResponse(
                watch_id,
                self._host.current_revision,
                created=created,
                canceled=canceled,
                cancel_reason=reason,
            )
        )

    def _events(self, queued: QueuedResponses) -> Sequence[bytes]:
        """Return the encoded events, with previous pairs where they are wanted."""
        if queued.batch is None:
            return ()
        if queued.prev_kv:
            return [self._with_previous(event) for event in queued.batch.events]
        return [event.encoded for event in queued.batch.events]

    def _finished(
        self, queued: QueuedResponses, events: Sequence[bytes]
    ) -> Iterator[WatchResponse]:
        """Turn what was queued into messages, and these into fragments."""
        first, *more = queued.watch_ids
        response = WatchResponse(
            first,
            queued.revision,
            # Only the notice of a compaction has no revision.
            canceled=queued.revision == 0,
            compact_revision=queued.compact_revision,
            events=events,
        )
        if not queued.fragment:
            response.more_ids = more
            yield response
            return
        # Clients put a watcher's fragments together only if they come without others.
        for watch_id in queued.watch_ids:
            yield from replace(response, watch_id=watch_id).fragments(
                self._fragment_bytes
            )

    def _with_previous(self, event: WatchEvent) -> bytes:
        previous = self._host.previous_pair(event)
        return event.encoded if previous is None else event.encoded_with(previous)

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise WatchStreamClosedError

    def _check(self) -> None:
        self._outbox._check()
        watchers = list(self.watchers())
        behind_count = sum(watcher.is_behind for watcher in watchers)
        if behind_count != self._outbox.behind_count:
            raise InvariantError(f"{self!r}: {behind_count} watchers are behind")
        for watch_id, watcher in self._watchers.items():
            if watcher.watch_id != watch_id or watcher.outbox is not self._outbox:
                raise InvariantError(f"{watcher!r} is not of {self!r}")
