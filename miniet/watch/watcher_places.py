"""`WatcherPlaces`: every watcher in the one place that its state names."""

from collections.abc import Iterable
from random import Random

from miniet.errors import InvariantError
from miniet.watch.event_batch import EventBatch
from miniet.watch.outbox import Outbox
from miniet.watch.undelivered import Undelivered
from miniet.watch.watcher import Watcher, WatcherChange, WatcherState
from miniet.watch.watcher_group import WatcherGroup, Watchers


class WatcherPlaces:
    """The synced, the unsynced and the victims; `move` is the only way between them.

    synced: by what they watch, to be found by an event's key.
    unsynced: in the order of their turns; who has waited longest is first.
    victims: the batch that each keeps, by outbox, because one look at an outbox
        tells for all its watchers whether they can go on.
    Read from outside, changed here alone.
    """

    __slots__ = (
        "_undelivered",
        "compacted_count",
        "key_bytes",
        "range_watcher_count",
        "synced",
        "unsynced",
        "victim_count",
        "victims",
    )

    def __init__(self, rng: Random, undelivered: Undelivered) -> None:
        self._undelivered = undelivered
        self.synced = WatcherGroup(rng)
        self.unsynced: Watchers = {}
        self.victims: dict[Outbox, dict[Watcher, EventBatch]] = {}
        self.victim_count = 0
        # Watchers whose history is gone, not yet cancelled by their clients.
        self.compacted_count = 0
        # Of all watchers but the compacted: those of a range, and the lengths of
        # their keys and ends.
        self.range_watcher_count = 0
        self.key_bytes = 0

    def __repr__(self) -> str:
        return (
            f"WatcherPlaces({len(self.synced)} synced, {len(self.unsynced)} unsynced,"
            f" {self.victim_count} victims)"
        )

    def move(
        self, watcher: Watcher, change: WatcherChange, batch: EventBatch | None = None
    ) -> None:
        """Take a watcher from state to state, and from place to place with it.

        An unsynced watcher that stays unsynced goes to the end of the line.

        Args:
            batch: what the watcher keeps, if it becomes a victim.
        Raises:
            WatcherStateError: the state table has no such transition.
        """
        self._leave(watcher)
        watcher.change(change)
        self._enter(watcher, batch)

    def _leave(self, watcher: Watcher) -> None:
        state = watcher.state
        if state is WatcherState.NEW:
            return
        if state is WatcherState.COMPACTED:
            self.compacted_count -= 1
            return
        self._count(watcher, -1)
        if state is WatcherState.SYNCED:
            self.synced.remove(watcher)
            return
        watcher.outbox.behind_count -= 1
        if state is WatcherState.UNSYNCED:
            del self.unsynced[watcher]
        else:
            self._take_victim(watcher)

    def _enter(self, watcher: Watcher, batch: EventBatch | None) -> None:
        state = watcher.state
        if state is WatcherState.CANCELED:
            return
        if state is WatcherState.COMPACTED:
            self.compacted_count += 1
            return
        self._count(watcher, 1)
        if state is WatcherState.SYNCED:
            self.synced.add(watcher)
            return
        watcher.outbox.behind_count += 1
        if state is WatcherState.UNSYNCED:
            self.unsynced[watcher] = None
        else:
            self._add_victim(watcher, batch)

    def _add_victim(self, watcher: Watcher, batch: EventBatch | None) -> None:
        if batch is None:
            raise InvariantError(f"{watcher!r} has no batch to keep")
        self.victims.setdefault(watcher.outbox, {})[watcher] = batch
        self.victim_count += 1
        self._undelivered.enter_victims(batch)

    def _take_victim(self, watcher: Watcher) -> None:
        batches = self.victims[watcher.outbox]
        self._undelivered.leave_victims(batches.pop(watcher))
        self.victim_count -= 1
        if not batches:
            del self.victims[watcher.outbox]

    def _count(self, watcher: Watcher, step: int) -> None:
        self.key_bytes += step * (len(watcher.key) + len(watcher.range_end))
        if watcher.range_end:
            self.range_watcher_count += step

    def _check(self, watchers: Iterable[Watcher]) -> None:
        """Compare places and counts with `watchers`, all that streams know."""
        self.synced._check()
        live = [w for w in watchers if w.state is not WatcherState.COMPACTED]
        places = {
            WatcherState.SYNCED: list(self.synced),
            WatcherState.UNSYNCED: list(self.unsynced),
            WatcherState.VICTIM: [w for kept in self.victims.values() for w in kept],
        }
        if sum(map(len, places.values())) != len(live):
            raise InvariantError(f"{self!r} for {len(live)} watchers")
        for state, found in places.items():
            if set(found) != {w for w in live if w.state is state}:
                raise InvariantError(f"{len(found)} watchers among the {state.value}")
        if self.range_watcher_count != sum(1 for w in live if w.range_end):
            raise InvariantError(f"{self.range_watcher_count} watchers of ranges")
        if self.key_bytes != sum(len(w.key) + len(w.range_end) for w in live):
            raise InvariantError(f"{self.key_bytes} bytes of keys")
        self._check_victims()

    def _check_victims(self) -> None:
        if self.victim_count != sum(len(kept) for kept in self.victims.values()):
            raise InvariantError(f"{self.victim_count} victims")
        for outbox, kept in self.victims.items():
            for watcher, batch in kept.items():
                batch._check()
                if watcher.outbox is not outbox or not batch:
                    raise InvariantError(f"{watcher!r} keeps {batch!r}")
                if watcher.min_revision <= batch.events[-1].mod_revision:
                    raise InvariantError(f"{watcher!r} would get {batch!r} twice")
