"""`Outbox`: what one stream has yet to send, in one line, bounded in two ways.

Responses (events, progress ticks, compaction notices) are bounded by refusing: the
store then makes the watcher a victim. Control answers (created, canceled, manual
progress) are never refused; their bound is that the caller stops reading requests
while `accepts_requests` is false. etcd has a channel for each kind and holds events
back until their watcher's created answer is out; one line gives that order as it is.
"""

from collections.abc import Callable, Iterator

from miniet.errors import InvariantError
from miniet.watch.event_batch import EventBatch
from miniet.watch.messages import STREAM_WATCH_ID, WatchResponse
from miniet.watch.undelivered import Undelivered


class QueuedResponses:
    """Responses alike before their encoding, to one watcher or to several.

    Previous pairs and fragments are made later.

    watch_ids: the watchers, in the order of their responses; one or more.
    batch: None in progress ticks and compaction notices.
    revision, compact_revision: as in `WatchResponse`.
    """

    __slots__ = (
        "batch",
        "compact_revision",
        "fragment",
        "prev_kv",
        "revision",
        "watch_ids",
    )

    def __init__(
        self,
        watch_ids: list[int],
        revision: int,
        batch: EventBatch | None,
        *,
        compact_revision: int,
        prev_kv: bool,
        fragment: bool,
    ) -> None:
        self.watch_ids = watch_ids
        self.revision = revision
        self.batch = batch
        self.compact_revision = compact_revision
        self.prev_kv = prev_kv
        self.fragment = fragment

    def __repr__(self) -> str:
        return f"QueuedResponses({len(self.watch_ids)} watchers, {self.batch!r})"

    def split(self, count: int) -> "QueuedResponses":
        """Take off the first `count` responses, of more than these."""
        first, self.watch_ids = self.watch_ids[:count], self.watch_ids[count:]
        return QueuedResponses(
            first,
            self.revision,
            self.batch,
            compact_revision=self.compact_revision,
            prev_kv=self.prev_kv,
            fragment=self.fragment,
        )


class Outbox:
    """The queue between the store and one stream.

    Memory: per response 8 bytes, per batch in line an object of 160 and the batch,
    shared where events are. The line is a list: it is short enough to take from its
    front, and takes nothing while it is empty (a deque 600 bytes).
    """

    __slots__ = (
        "_account",
        "_control_count",
        "_controls_max",
        "_on_output",
        "_progress_requested",
        "_queue",
        "_response_count",
        "_responses_max",
        "behind_count",
    )

    def __init__(
        self,
        account: Undelivered,
        on_output: Callable[[], None],
        *,
        responses_max: int,
        controls_max: int,
    ) -> None:
        self._account = account
        self._on_output = on_output
        self._responses_max = responses_max
        self._controls_max = controls_max
        self._queue: list[QueuedResponses | WatchResponse] = []
        # Of the two kinds in the queue. Invariant: _response_count <= _responses_max.
        self._response_count = 0
        self._control_count = 0
        # A progress answer is owed as soon as behind_count is 0.
        self._progress_requested = False
        # Watchers of this stream that are unsynced or victims; kept by the store.
        self.behind_count = 0

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[QueuedResponses | WatchResponse]:
        """Walk what waits, oldest first."""
        return iter(self._queue)

    def __repr__(self) -> str:
        return (
            f"Outbox({self._response_count} responses, {self._control_count} controls)"
        )

    @property
    def room_count(self) -> int:
        """How many responses may be `put`."""
        return self._responses_max - self._response_count

    @property
    def accepts_requests(self) -> bool:
        """Whether the client should be let to ask for more."""
        return self._control_count < self._controls_max

    def put(
        self,
        watch_id: int,
        revision: int,
        batch: EventBatch | None,
        compact_revision: int = 0,
        prev_kv: bool = False,
        fragment: bool = False,
    ) -> bool:
        """Append a response, or say that there is no room.

        Responses with the same batch, one after the other, are kept as one entry:
        a change that many watchers of the stream want is queued for all at the cost
        of an id each.
        """
        if self._response_count >= self._responses_max:
            return False
        self._response_count += 1
        self._account.response_count += 1
        if batch is not None:
            self._account.enter_queue(batch)
            last = self._queue[-1] if self._queue else None
            if (
                isinstance(last, QueuedResponses)
                and last.batch is batch
                and last.revision == revision
                and last.prev_kv is prev_kv
                and last.fragment is fragment
            ):
                last.watch_ids.append(watch_id)
                return True
        self._append(
            QueuedResponses(
                [watch_id],
                revision,
                batch,
                compact_revision=compact_revision,
                prev_kv=prev_kv,
                fragment=fragment,
            )
        )
        return True

    def put_control(self, response: WatchResponse) -> None:
        """Append the answer to a request."""
        self._control_count += 1
        self._account.control_count += 1
        self._append(response)

    def request_progress(self, revision: int) -> None:
        """Answer with `revision` now, or once no watcher of the stream is behind.

        Requests that come while one waits are answered together with it.
        """
        self._progress_requested = True
        self.answer_progress(revision)

    def answer_progress(self, revision: int) -> None:
        """Give the progress answer that is owed, if there is one and it is true."""
        if self._progress_requested and not self.behind_count:
            self._progress_requested = False
            self.put_control(WatchResponse(STREAM_WATCH_ID, revision))

    def pop(
        self, limit: int = 1, bytes_max: int = 0
    ) -> QueuedResponses | WatchResponse | None:
        """Take the oldest, to be sent; None: nothing is there.

        Args:
            limit: responses alike at most.
            bytes_max: of their events; one response may have more. Those with
                previous pairs, whose sizes are not known here, are taken one by one.
        """
        if not self._queue:
            return None
        first = self._queue[0]
        if isinstance(first, WatchResponse):
            self._take_first(sent=True)
            return first
        if first.batch is not None and not first.prev_kv:
            count = min(limit, max(1, bytes_max // first.batch.byte_count))
        else:
            count = 1
        if count >= len(first.watch_ids):
            self._take_first(sent=True)
            return first
        taken = first.split(count)
        self._left(taken, sent=True)
        return taken

    def clear(self) -> None:
        """Drop everything, an owed progress answer too; the stream is gone."""
        self._progress_requested = False
        while self._queue:
            self._take_first(sent=False)

    def _append(self, response: QueuedResponses | WatchResponse) -> None:
        self._queue.append(response)
        if len(self._queue) == 1:
            self._on_output()

    def _take_first(self, *, sent: bool) -> None:
        queued = self._queue.pop(0)
        if isinstance(queued, WatchResponse):
            self._control_count -= 1
            self._account.control_count -= 1
        else:
            self._left(queued, sent=sent)

    def _left(self, queued: QueuedResponses, *, sent: bool) -> None:
        count = len(queued.watch_ids)
        self._response_count -= count
        self._account.response_count -= count
        if queued.batch is not None:
            self._account.leave_queue(queued.batch, count, sent=sent)

    def _check(self) -> None:
        controls = responses = 0
        for queued in self._queue:
            if isinstance(queued, WatchResponse):
                controls += 1
                continue
            responses += len(queued.watch_ids)
            if not queued.watch_ids:
                raise InvariantError(f"{queued!r} is for nobody")
            if queued.batch is not None:
                queued.batch._check()
        if (
            controls != self._control_count
            or responses != self._response_count
            or responses > self._responses_max
        ):
            raise InvariantError(f"{self!r} counted wrong: {controls} controls")
        if self._progress_requested and not self.behind_count:
            raise InvariantError(f"{self!r} owes a progress answer")
