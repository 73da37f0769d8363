"""`WatchableStore`: takes each change to its watchers, at once or when there is room.

Source: etcd v3.4.9 mvcc/watchable_store.go.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from random import Random
from typing import Final

from miniet.clock import Clock
from miniet.errors import InvariantError
from miniet.mvcc import CompactedError, Event, FutureRevisionError, RangeQuery, Store
from miniet.watch.catch_up import CatchUp
from miniet.watch.event_batch import EventBatch, WatchEvent
from miniet.watch.outbox import Outbox, QueuedResponses
from miniet.watch.statistics import WatchStatistics
from miniet.watch.tick_schedule import TickSchedule
from miniet.watch.undelivered import Undelivered
from miniet.watch.watch_stream import WatchStream
from miniet.watch.watcher import Watcher, WatcherChange, WatcherState
from miniet.watch.watcher_group import WatcherGroup
from miniet.watch.watcher_places import WatcherPlaces

# Control answers in line above which a stream asks for no more requests (etcd's
# control channel holds as many).
_CONTROLS_MAX: Final = 16

# Bounds of one pass over history. 2,000 events are about 15 ms of the loop, and
# still two full batches; the bytes are what a pass may add to memory, whatever the
# size of values.
_PASS_EVENTS_MAX: Final = 2_000
_PASS_BYTES_MAX: Final = 16 * 1024 * 1024


class WatchableStore:
    """All watchers of a store, by how far they are, and the streams they belong to.

    It does nothing by itself: `notify` is called by the store at the end of each
    changing transaction, the three `step_` methods by a driver. None of them waits
    or fails because of a slow stream. Callbacks (`on_output`) must not call back.

    Args:
        store: history is read from it; its `on_changes` becomes `notify`.
        rng: for the jitter of progress ticks and the balance of interval trees.
        buffer_responses_max: responses one stream may have waiting.
        watch_batch_revisions_max: distinct revisions in one response of history.
        watchers_per_sync_max: unsynced watchers served in one pass.
        fragment_bytes: size from which a response is split, where that is wanted.
        progress_interval_s: shortest time between two progress ticks of a stream.
        pass_events_max, pass_bytes_max: bounds of one pass over history.

    Memory: watchers and their places; streams; every event that a stream or a
    victim still has to send (`statistics().held_event_bytes`).
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rng: Random,
        *,
        buffer_responses_max: int = 128,
        watch_batch_revisions_max: int = 1000,
        watchers_per_sync_max: int = 512,
        fragment_bytes: int = 2_097_152,
        progress_interval_s: float = 600.0,
        pass_events_max: int = _PASS_EVENTS_MAX,
        pass_bytes_max: int = _PASS_BYTES_MAX,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._buffer_responses_max = buffer_responses_max
        self._watch_batch_revisions_max = watch_batch_revisions_max
        self._watchers_per_sync_max = watchers_per_sync_max
        self._fragment_bytes = fragment_bytes
        self._progress_interval_s = progress_interval_s
        self._pass_events_max = pass_events_max
        self._pass_bytes_max = pass_bytes_max
        self._undelivered = Undelivered()
        self._places = WatcherPlaces(rng, self._undelivered)
        self._ticks = TickSchedule()
        # Newest change that the synced watchers were handed, 0 for none; whoever
        # joined them later has a `min_revision` above it.
        self._told_revision = 0
        store.on_changes = self.notify

    def __repr__(self) -> str:
        return (
            f"WatchableStore({len(self._ticks)} streams, {len(self._places.synced)}"
            f" synced, {len(self._places.unsynced)} unsynced,"
            f" {self._places.victim_count} victims)"
        )

    @property
    def current_revision(self) -> int:
        """Revision of the store, as response headers show it."""
        return self._store.current_revision

    @property
    def has_unsynced(self) -> bool:
        """Whether `step_unsynced` has work."""
        return bool(self._places.unsynced)

    @property
    def has_victims(self) -> bool:
        """Whether `step_victims` has something to try."""
        return bool(self._places.victims)

    # Streams

    def new_stream(self, on_output: Callable[[], None]) -> WatchStream:
        """Open a stream.

        Args:
            on_output: called each time that something to send comes into an empty
                stream; `take` until nothing is left, then wait for the next call.
        """
        outbox = Outbox(
            self._undelivered,
            on_output,
            responses_max=self._buffer_responses_max,
            controls_max=_CONTROLS_MAX,
        )
        # Drawn once, so that streams opened together do not tick together for good.
        jitter_s = self._rng.uniform(0, self._progress_interval_s / 10)
        stream = WatchStream(
            self,
            outbox,
            fragment_bytes=self._fragment_bytes,
            tick_interval_s=self._progress_interval_s + jitter_s,
        )
        self._ticks.add(stream, self._clock.monotonic_s())
        return stream

    def remove_stream(self, stream: WatchStream) -> None:
        """Forget a closed stream; called by its `close`."""
        self._ticks.remove(stream)

    def add_watcher(self, watcher: Watcher) -> None:
        """Take in a new watcher; called by its stream."""
        if watcher.start_revision == 0:
            watcher.start_revision = self.current_revision + 1
        watcher.min_revision = watcher.start_revision
        self._settle(watcher)

    def remove_watchers(self, watchers: Iterable[Watcher]) -> None:
        """Let go of watchers in any state; called by their stream."""
        for watcher in watchers:
            self._move(watcher, WatcherChange.CANCEL)

    # Changes as they happen

    def notify(self, revision: int, events: list[Event]) -> None:
        """Hand the changes of one transaction to the synced watchers of their keys.

        A watcher whose stream is full becomes a victim and keeps its batch.

        Args:
            revision: main revision of the transaction, the store's current one.
            events: in the order of the changes; not kept, each is encoded once.
        """
        self._told_revision = revision
        synced = self._places.synced
        if not synced:
            return
        if len(events) == 1:
            self._notify_one(revision, events[0])
            return
        batches: dict[Watcher, EventBatch] = {}
        for event in events:
            shared: WatchEvent | None = None
            for watcher in synced.watchers_of(event.key):
                if watcher.wants(event):
                    if shared is None:
                        shared = WatchEvent(event)
                    batch = batches.get(watcher)
                    if batch is None:
                        batch = batches[watcher] = EventBatch()
                    batch.add(shared)
        for watcher, batch in batches.items():
            if not watcher.send(revision, batch):
                self._make_victim(watcher, revision, batch)

    def _notify_one(self, revision: int, event: Event) -> None:
        """The usual transaction: one batch serves all its watchers."""
        watchers = self._places.synced.watchers_of(event.key)
        if not watchers:
            return
        wanting = [watcher for watcher in watchers if watcher.wants(event)]
        if not wanting:
            return
        batch = EventBatch()
        batch.add(WatchEvent(event))
        for watcher in wanting:
            if not watcher.send(revision, batch):
                self._make_victim(watcher, revision, batch)

    def _make_victim(self, watcher: Watcher, revision: int, batch: EventBatch) -> None:
        watcher.min_revision = revision + 1
        self._move(watcher, WatcherChange.NO_ROOM, batch)

    # Steps

    def step_unsynced(self) -> bool:
        """Read history once for some of the watchers that are behind.

        To be called every 100 ms while there are any.

        Returns:
            True if some remain and this pass helped: call again soon.
        """
        unsynced = self._places.unsynced
        if not unsynced:
            return False
        count = len(unsynced)
        chosen = list(islice(unsynced, self._watchers_per_sync_max))
        reading = self._dismiss(chosen)
        if reading:
            self._catch_up(reading)
        return bool(reading or len(unsynced) < count) and self.has_unsynced

    def _dismiss(self, chosen: list[Watcher]) -> list[Watcher]:
        """Send off those who have nothing to read any more; return the others."""
        compact_revision = self._store.compact_revision
        others: list[Watcher] = []
        for watcher in chosen:
            if watcher.is_compacted(compact_revision):
                told = watcher.send(0, None, compact_revision=compact_revision)
                # No room: to the end of the line, so that others get their turn.
                change = WatcherChange.COMPACTED if told else WatcherChange.BEHIND
                self._move(watcher, change)
            elif watcher.min_revision > self.current_revision:
                self._settle(watcher)
            else:
                others.append(watcher)
        return others

    def _catch_up(self, chosen: list[Watcher]) -> None:
        """Read one window of history, and move on the watchers that stand in it.

        The window begins where the first of the line stands, and who stands outside
        of it keeps the place in line: so every watcher gets its turn, however many
        others come. (etcd begins at the least revision and always reads to the end.)
        """
        current = self.current_revision
        begin = chosen[0].min_revision
        ahead = [watcher for watcher in chosen if watcher.min_revision >= begin]
        group = WatcherGroup(self._rng)
        for watcher in ahead:
            group.add(watcher)
        catch_up = CatchUp(
            group,
            batch_revisions_max=self._watch_batch_revisions_max,
            events_max=self._pass_events_max,
            bytes_max=self._pass_bytes_max,
        )
        unread = catch_up.read(self._store.read_events(begin, current), current)
        for watcher in ahead:
            if watcher.min_revision >= unread:
                continue
            batch = catch_up.batch_of(watcher)
            watcher.min_revision = (batch and batch.more_revision) or unread
            if batch and not watcher.send(current, batch):
                self._move(watcher, WatcherChange.NO_ROOM, batch)
            else:
                self._settle(watcher)

    def step_victims(self) -> bool:
        """Try again to queue the batches of victims.

        To be called every 10 ms while there are any.

        Returns:
            True if some remain and this pass helped: call again at once.
        """
        moved = False
        for outbox, batches in list(self._places.victims.items()):
            for watcher, batch in list(islice(batches.items(), outbox.room_count)):
                watcher.send(watcher.min_revision - 1, batch)
                self._settle(watcher)
                moved = True
        return moved and self.has_victims

    def step_progress(self) -> None:
        """Do the progress ticks that are due. Cost: O(1) if none is."""
        for stream in self._ticks.take_due(self._clock.monotonic_s()):
            stream.tick_progress()

    def reset(self) -> None:
        """Take note that the store's content was replaced by a leader's snapshot.

        To be called just before or just after `Store.restore`. Every synced watcher
        goes on after the last revision it was told; the others just go on.
        """
        for watcher in list(self._places.synced):
            watcher.min_revision = max(watcher.min_revision, self._told_revision + 1)
            self._move(watcher, WatcherChange.STORE_REPLACED)
        self._told_revision = 0

    # For streams, when they send

    def previous_pair(self, event: WatchEvent) -> bytes | None:
        """Read the pair before the event; None: none, or gone since."""
        if event.create_revision == event.mod_revision or event.mod_revision < 2:
            return None
        query = RangeQuery(key=event.key, revision=event.mod_revision - 1)
        try:
            pairs = self._store.read().range(query).kvs
        except (CompactedError, FutureRevisionError):
            # The second: the store was emptied for a leader's snapshot.
            return None
        return bytes(pairs[0]) if pairs else None

    # Places of watchers

    def _settle(self, watcher: Watcher) -> None:
        """Put a watcher among the synced or the unsynced, by what it needs next."""
        if watcher.min_revision > self.current_revision:
            self._move(watcher, WatcherChange.CAUGHT_UP)
        else:
            self._move(watcher, WatcherChange.BEHIND)

    def _move(
        self, watcher: Watcher, change: WatcherChange, batch: EventBatch | None = None
    ) -> None:
        """Change a watcher's place; if it was the last one behind, say so."""
        self._places.move(watcher, change, batch)
        watcher.outbox.answer_progress(self.current_revision)

    # Accounts

    def statistics(self) -> WatchStatistics:
        """Return the counts of now. Cost: O(1)."""
        places, waiting = self._places, self._undelivered
        synced, unsynced = len(places.synced), len(places.unsynced)
        slow = unsynced + places.victim_count
        return WatchStatistics(
            stream_count=len(self._ticks),
            watcher_count=synced + slow,
            range_watcher_count=places.range_watcher_count,
            watched_key_count=places.synced.key_count,
            watcher_key_bytes=places.key_bytes,
            synced_count=synced,
            unsynced_count=unsynced,
            victim_count=places.victim_count,
            slow_watcher_count=slow,
            compacted_count=places.compacted_count,
            pending_control_count=waiting.control_count,
            pending_response_count=waiting.response_count,
            pending_event_count=waiting.pending_event_count,
            pending_event_bytes=waiting.pending_event_bytes,
            victim_event_count=waiting.victim_event_count,
            victim_event_bytes=waiting.victim_event_bytes,
            held_event_count=waiting.held_event_count,
            held_event_bytes=waiting.held_event_bytes,
            events_total=waiting.events_total,
        )

    def _check(self) -> None:
        """Recompute every place and every count from the streams and their queues."""
        watchers = [w for stream in self._ticks for w in stream.watchers()]
        for stream in self._ticks:
            stream._check()
        self._ticks._check()
        self._places._check(watchers)
        compacted = sum(w.state is WatcherState.COMPACTED for w in watchers)
        if compacted != self._places.compacted_count:
            raise InvariantError(f"{compacted} watchers are compacted")
        if self._told_revision > self.current_revision:
            raise InvariantError(f"watchers were told {self._told_revision}")
        queued = [queued for stream in self._ticks for queued in stream.queued()]
        alike = [q for q in queued if isinstance(q, QueuedResponses)]
        batches = [q.batch for q in alike for _ in q.watch_ids]
        self._undelivered._check(
            control_count=len(queued) - len(alike),
            response_count=len(batches),
            pending=[batch for batch in batches if batch is not None],
            kept=[b for kept in self._places.victims.values() for b in kept.values()],
        )
