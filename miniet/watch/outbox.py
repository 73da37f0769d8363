"""`Outbox`: what one stream has yet to send, in one line, bounded in two ways.

Responses (events, progress ticks, compaction notices) are bounded by refusing: the
store then makes the watcher a victim. Control answers (created, canceled, manual
progress) are never refused; their bound is that the caller stops reading requests
while `accepts_requests` is false. etcd has a channel for each kind and holds events
back until their watcher's created answer is out; one line gives that order as it is.
"""

from collections import deque
from collections.abc import Callable, Iterator

from miniet.errors import InvariantError
from miniet.watch.event_batch import EventBatch
from miniet.watch.messages import STREAM_WATCH_ID, WatchResponse
from miniet.watch.undelivered import Undelivered


class QueuedResponse:
    """A response before its encoding: previous pairs and fragments are made later.

    batch: None in progress ticks and compaction notices.
    revision, compact_revision: as in `WatchResponse`.
    """

    __slots__ = (
        "batch",
        "compact_revision",
        "fragment",
        "prev_kv",
        "revision",
        "watch_id",
    )

    def __init__(
        self,
        watch_id: int,
        revision: int,
        batch: EventBatch | None,
        compact_revision: int = 0,
        prev_kv: bool = False,
        fragment: bool = False,
    ) -> None:
        self.watch_id = watch_id
        self.revision = revision
        self.batch = batch
        self.compact_revision = compact_revision
        self.prev_kv = prev_kv
        self.fragment = fragment

    def __repr__(self) -> str:
        return f"QueuedResponse(id {self.watch_id}, {self.batch!r})"


class Outbox:
    """The queue between the store and one stream.

    Memory: one slotted object per response and the batches, shared where events are.
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
        self._queue: deque[QueuedResponse | WatchResponse] = deque()
        # Of the two kinds in the queue. Invariant: _response_count <= _responses_max.
        self._response_count = 0
        self._control_count = 0
        # A progress answer is owed as soon as behind_count is 0.
        self._progress_requested = False
        # Watchers of this stream that are unsynced or victims; kept by the store.
        self.behind_count = 0

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[QueuedResponse | WatchResponse]:
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

    def put(self, response: QueuedResponse) -> None:
        """Append a response; only while `room_count` is above 0."""
        self._response_count += 1
        self._account.response_count += 1
        if response.batch is not None:
            self._account.enter_queue(response.batch)
        self._append(response)

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

    def pop(self) -> QueuedResponse | WatchResponse | None:
        """Take the oldest, to be sent; None: nothing is there."""
        if not self._queue:
            return None
        return self._take_first(sent=True)

    def clear(self) -> None:
        """Drop everything, an owed progress answer too; the stream is gone."""
        self._progress_requested = False
        while self._queue:
            self._take_first(sent=False)

    def _append(self, response: QueuedResponse | WatchResponse) -> None:
        self._queue.append(response)
        if len(self._queue) == 1:
            self._on_output()

    def _take_first(self, *, sent: bool) -> QueuedResponse | WatchResponse:
        queued = self._queue.popleft()
        if isinstance(queued, WatchResponse):
            self._control_count -= 1
            self._account.control_count -= 1
        else:
            self._response_count -= 1
            self._account.response_count -= 1
            if queued.batch is not None:
                self._account.leave_queue(queued.batch, sent=sent)
        return queued

    def _check(self) -> None:
        controls = sum(isinstance(queued, WatchResponse) for queued in self._queue)
        if (
            controls != self._control_count
            or len(self._queue) - controls != self._response_count
            or self._response_count > self._responses_max
        ):
            raise InvariantError(f"{self!r} counted wrong: {controls} controls")
        if self._progress_requested and not self.behind_count:
            raise InvariantError(f"{self!r} owes a progress answer")
        for queued in self._queue:
            if isinstance(queued, QueuedResponse) and queued.batch is not None:
                queued.batch._check()
