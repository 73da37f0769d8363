"""`Undelivered`: the account of all events that wait, in streams or with victims."""

from collections import Counter

from miniet.errors import InvariantError
from miniet.watch.event_batch import EventBatch


class Undelivered:
    """Running sums over all queues; the queues themselves are elsewhere.

    An event that waits for many watchers is counted once per watcher in the
    `pending_` and `victim_` sums, which say what is still to be sent, and once in
    all in the `held_` sums, which say what memory it costs.
    """

    __slots__ = (
        "control_count",
        "events_total",
        "held_event_bytes",
        "held_event_count",
        "pending_event_bytes",
        "pending_event_count",
        "response_count",
        "victim_event_bytes",
        "victim_event_count",
    )

    def __init__(self) -> None:
        # Kept by the outboxes: what waits in them, answers to requests and the rest.
        self.control_count = 0
        self.response_count = 0
        self.pending_event_count = 0
        self.pending_event_bytes = 0
        self.victim_event_count = 0
        self.victim_event_bytes = 0
        self.held_event_count = 0
        self.held_event_bytes = 0
        self.events_total = 0

    def enter_queue(self, batch: EventBatch) -> None:
        """Book a batch that was put into a stream's outbox."""
        self.pending_event_count += len(batch.events)
        self.pending_event_bytes += batch.byte_count
        batch.holder_count += 1
        if batch.holder_count == 1:  # of many that watch one key, the first
            self._hold(batch)

    def leave_queue(self, batch: EventBatch, count: int, *, sent: bool) -> None:
        """Book a batch that was taken out to be sent, or dropped with its stream.

        Args:
            count: responses with this batch that left.
        """
        event_count = count * len(batch.events)
        self.pending_event_count -= event_count
        self.pending_event_bytes -= count * batch.byte_count
        if sent:
            self.events_total += event_count
        self._release(batch, count)

    def enter_victims(self, batch: EventBatch) -> None:
        """Book a batch that found no room and stays with its watcher."""
        self.victim_event_count += len(batch.events)
        self.victim_event_bytes += batch.byte_count
        batch.holder_count += 1
        if batch.holder_count == 1:  # of many that watch one key, the first
            self._hold(batch)

    def leave_victims(self, batch: EventBatch) -> None:
        """Book a batch that a victim gave up: queued at last, or cancelled."""
        self.victim_event_count -= len(batch.events)
        self.victim_event_bytes -= batch.byte_count
        self._release(batch, 1)

    def _hold(self, batch: EventBatch) -> None:
        for event in batch.events:
            if not event.holder_count:
                self.held_event_count += 1
                self.held_event_bytes += len(event.encoded)
            event.holder_count += 1

    def _release(self, batch: EventBatch, count: int) -> None:
        batch.holder_count -= count
        if batch.holder_count:
            return
        for event in batch.events:
            event.holder_count -= 1
            if not event.holder_count:
                self.held_event_count -= 1
                self.held_event_bytes -= len(event.encoded)

    def _check(
        self,
        *,
        control_count: int,
        response_count: int,
        pending: list[EventBatch],
        kept: list[EventBatch],
    ) -> None:
        """Compare with what is really there.

        Every batch of the package is given, once for each time that it waits.
        """
        holders = Counter((*pending, *kept))
        events = [event for batch in holders for event in batch.events]
        held = {id(event): event for event in events}.values()
        expected = {
            "control_count": control_count,
            "response_count": response_count,
            "pending_event_count": sum(len(batch) for batch in pending),
            "pending_event_bytes": sum(batch.byte_count for batch in pending),
            "victim_event_count": sum(len(batch) for batch in kept),
            "victim_event_bytes": sum(batch.byte_count for batch in kept),
            "held_event_count": len(held),
            "held_event_bytes": sum(len(event.encoded) for event in held),
        }
        for name, value in expected.items():
            if getattr(self, name) != value:
                raise InvariantError(f"{name} is {value}, not {getattr(self, name)}")
        if any(batch.holder_count != count for batch, count in holders.items()):
            raise InvariantError("batches are held more or less often than they wait")
        if sum(event.holder_count for event in held) != len(events):
            raise InvariantError("events are held by more or less batches than wait")
