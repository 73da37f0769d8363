"""Reading history once for many watchers that are behind."""

from collections.abc import Iterable

from miniet.mvcc import Event
from miniet.watch.event_batch import EventBatch, WatchEvent
from miniet.watch.watcher import Watcher
from miniet.watch.watcher_group import WatcherGroup


class CatchUp:
    """One pass over a window of history, and what each watcher gets from it.

    The window ends where the store ends, where every watcher's batch is full, or
    at the first revision after one of the two limits is passed, so a pass takes
    bounded time and memory however long the history is. (etcd reads all of it in
    every pass.) A revision is never cut.

    Args:
        group: watchers to read for; unchanged meanwhile.
        batch_revisions_max: distinct revisions in one watcher's batch.
        events_max: events to read, wanted or not; bounds the time of a pass.
        bytes_max: encoded bytes of wanted events; bounds what a pass may keep.
    """

    __slots__ = (
        "_batch_revisions_max",
        "_batches",
        "_bytes_max",
        "_events_max",
        "_group",
        "_unfilled_count",
    )

    def __init__(
        self,
        group: WatcherGroup,
        *,
        batch_revisions_max: int,
        events_max: int,
        bytes_max: int,
    ) -> None:
        self._group = group
        self._batch_revisions_max = batch_revisions_max
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._batches: dict[Watcher, EventBatch] = {}
        self._unfilled_count = len(group)

    def read(self, history: Iterable[Event], current_revision: int) -> int:
        """Hand out the events of `history`, ascending and ending at the current one.

        Returns:
            The first revision that was not read: `current_revision` + 1 at the end.
        """
        revision = byte_count = 0
        for read_count, event in enumerate(history):
            if event.mod_revision != revision:
                revision = event.mod_revision
                if (
                    not self._unfilled_count
                    or read_count >= self._events_max
                    or byte_count >= self._bytes_max
                ):
                    return revision
            byte_count += self._hand_out(event)
        return current_revision + 1

    def batch_of(self, watcher: Watcher) -> EventBatch | None:
        """Return what was found for the watcher; None: nothing."""
        return self._batches.get(watcher)

    def _hand_out(self, event: Event) -> int:
        """Add one event to the batches of its watchers; return the bytes it takes."""
        shared: WatchEvent | None = None
        for watcher in self._group.watchers_of(event.key):
            if not watcher.wants(event):
                continue
            batch = self._batches.get(watcher)
            if batch is None:
                batch = self._batches[watcher] = EventBatch()
            if batch.more_revision:
                continue
            if batch.admits(event.mod_revision, self._batch_revisions_max):
                if shared is None:
                    shared = WatchEvent(event)
                batch.add(shared)
            else:
                self._unfilled_count -= 1
        return 0 if shared is None else len(shared.encoded)
