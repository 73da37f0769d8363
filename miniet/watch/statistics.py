"""What the watch package holds, as numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WatchStatistics:
    """Counts of one moment.

    stream_count: open streams.
    watcher_count: watchers that get events: synced, unsynced and victims.
    range_watcher_count: of those, the ones of a range, not of one key.
    watched_key_count: distinct single keys that up-to-date watchers watch.
    watcher_key_bytes: lengths of their keys and range ends, summed.
    synced_count: watchers that have everything up to the current revision.
    unsynced_count: watchers with history to read.
    victim_count: watchers that keep a batch their stream had no room for.
    slow_watcher_count: unsynced and victims (etcd's metric).
    compacted_count: ids still taken by watchers that were compacted away.
    pending_control_count: answers to requests that wait in streams.
    pending_response_count: other responses that wait in streams.
    pending_event_count: events in those, once per watcher that waits for them.
    pending_event_bytes: their encoded size, summed the same way.
    victim_event_count, victim_event_bytes: the same for the batches of victims.
    held_event_count: distinct events that wait anywhere, shared ones counted once.
    held_event_bytes: their encoded size: the memory that slow clients cost.
    events_total: events taken by streams to be sent, since the start.
    """

    stream_count: int
    watcher_count: int
    range_watcher_count: int
    watched_key_count: int
    watcher_key_bytes: int
    synced_count: int
    unsynced_count: int
    victim_count: int
    slow_watcher_count: int
    compacted_count: int
    pending_control_count: int
    pending_response_count: int
    pending_event_count: int
    pending_event_bytes: int
    victim_event_count: int
    victim_event_bytes: int
    held_event_count: int
    held_event_bytes: int
    events_total: int
