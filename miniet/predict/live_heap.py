"""Live heap of each component: what Go's heap holds right after a collection.

One function per component; each takes counts and what earlier counts left behind
(`History`), and returns a `Band`. The arithmetic is etcd's data structures in Go's
sizes; what is fitted is named in `calibration.py`.
"""

from miniet.memory.components import GoComponent
from miniet.memory.counts import Counts
from miniet.predict import calibration as fitted
from miniet.predict.go_sizes import (
    PAGE_BYTES,
    channel_bytes,
    grown_capacity,
    map_bytes,
    mean_capacity,
    size_class,
)
from miniet.predict.history import History
from miniet.predict.prediction import Band
from miniet.predict.profiles import Profile

SLOT_BYTES = 48
"""Key and value of a pair in the backend's buffers: two slice headers."""
BUFFER_SLOTS_MIN = 512
BUCKET_COUNT = 2
"""`key` and `meta` are always written; each has a read and a write buffer."""
REVISION_BYTES = 16
GENERATION_BYTES = 48
KEY_INDEX_BYTES = 64
BACKEND_KEY_BYTES = 18
"""Capacity of a revision's encoding."""
PAIR_EXTRA_BYTES = 12
"""Of an encoded key-value: tags, lengths and revisions."""
LEASE_BYTES = 112 + 48 + 96
"""A `Lease`, its map of items and its channel."""


def live_heap(
    counts: Counts, profile: Profile, history: History, *, peer_count: int = 0
) -> dict[str, Band]:
    """Predict every component; `GoComponent` gives the order.

    Args:
        peer_count: other members of the cluster.
    """
    connections = _connections(counts)
    if peer_count:
        connections += _peers(counts, profile, peer_count)
    return {
        GoComponent.RAFT: raft_log(counts, profile, history),
        GoComponent.MVCC: key_index(counts, profile, history),
        GoComponent.BACKEND: backend(counts, profile, history),
        GoComponent.LEASE: leases(counts, profile),
        GoComponent.WATCH: watchers(counts, profile),
        GoComponent.CONNECTIONS: connections,
        GoComponent.REQUESTS: requests(counts, profile),
        GoComponent.WAL: exactly(fitted.WAL_BYTES),
        GoComponent.FIXED: around(fitted.FIXED_BYTES, 0.04) + _closed(counts, history),
    }


def raft_log(counts: Counts, profile: Profile, history: History) -> Band:
    """Entries: their data in size classes, and slots of the array that holds them.

    The mean entry stands for all. Where sizes are mixed, the data takes between its
    payload and a seventh more, and never a page more per entry.
    """
    count = counts.raft_entry_count
    if not count:
        return exactly(0)
    payload = counts.raft_payload_bytes
    data = count * size_class(payload / count, profile.go)
    slots = history.log_slots * profile.entry_bytes
    least = payload + (count + 1) * profile.entry_bytes
    return Band(
        round(least),
        round(max(least, data + slots)),
        round(
            max(data, min(1.15 * payload, payload + PAGE_BYTES * count)) + 1.15 * slots
        ),
    )


def key_index(counts: Counts, profile: Profile, history: History) -> Band:
    """Per key: its bytes, keyIndex, generations, arrays of revisions, B-tree share.

    The mean key stands for all. Compaction re-slices the arrays of keys that live
    on, so they stay as they were until they must grow (`History.arrays`).
    """
    keys = counts.index_key_count
    if not keys:
        return exactly(0)
    go = profile.go
    generations = mean_capacity(
        0, counts.index_generation_count / keys, GENERATION_BYTES, go
    )
    fixed = keys * (
        size_class(counts.index_key_bytes / keys, go)
        + KEY_INDEX_BYTES
        + GENERATION_BYTES * generations
    )
    arrays = REVISION_BYTES * history.array_count * history.array_slots
    low, likely, high = (
        round(keys * profile.tree_item_bytes * share) for share in fitted.TREE_SHARE
    )
    exact = REVISION_BYTES * counts.index_revision_count
    return Band(
        round(fixed + min(arrays, exact) + low),
        round(fixed + arrays + likely),
        round(fixed + 1.1 * arrays + high),
    )


def backend(counts: Counts, profile: Profile, history: History) -> Band:
    """Slots of the buffers, the pairs that they still point to, bbolt's free list.

    After a commit the buffers are reset by setting a counter: keys and values of
    the largest batch stay until they are overwritten (`History.stale_count`).
    """
    go = profile.go
    slots = BUFFER_SLOTS_MIN * (2 * BUCKET_COUNT - 1) + buffer_slots(
        history.buffer_count
    )
    stale = 0.0
    if history.stale_count:
        pair = history.stale_bytes / history.stale_count + PAIR_EXTRA_BYTES
        stale = history.stale_count * (
            size_class(pair, go) + size_class(BACKEND_KEY_BYTES, go)
        )
    free_bytes = counts.backend_size_bytes - counts.backend_in_use_bytes
    free = max(0, free_bytes) / 4096 * fitted.FREE_PAGE_BYTES
    least = slots * SLOT_BYTES + 0.7 * free
    return Band(
        round(least + (0 if history.is_stale_gone else 0.5 * stale)),
        round(slots * SLOT_BYTES + (0 if history.is_stale_gone else stale) + free),
        round(slots * SLOT_BYTES + 2 * stale + 1.4 * free),
    )


def buffer_slots(pair_count: int) -> int:
    """Return the length of a bucket's buffer that has held so many pairs."""
    slots = BUFFER_SLOTS_MIN
    while slots < pair_count:
        slots = slots * 3 // 2
    return slots


def leases(counts: Counts, profile: Profile) -> Band:
    """Leases, the expiry heap, attached keys, and maps that never shrink."""
    go = profile.go
    element = size_class(profile.lease_element_bytes, go)
    queued = counts.lease_heap_element_count
    heap = queued * element + 8 * grown_capacity(0, queued, 8, go)
    by_id = map_bytes(max(counts.lease_count_max, counts.lease_count), 8, 8, go)
    total = counts.lease_count * LEASE_BYTES + heap + 2 * by_id
    keys = counts.attached_key_count
    by_key = max(counts.attached_key_count_max, keys)
    if by_key:
        total += map_bytes(by_key, 16, 8, go)
    if keys:
        each = keys / max(1, counts.keyed_lease_count)
        items = map_bytes(each, 16, 0, go) - map_bytes(0, 16, 0, go)
        total += counts.keyed_lease_count * items
        total += keys * size_class(counts.attached_key_bytes / keys, go)
    return around(total, 0.1)


def watchers(counts: Counts, profile: Profile) -> Band:
    """Streams with their channels, watchers, and events that wait in channels."""
    go = profile.go
    channel = channel_bytes(profile.watch_channel_slots, 48, go)
    streams = counts.stream_count * (fitted.STREAM_BYTES + channel)
    on_keys = counts.watcher_count - counts.range_watcher_count
    distinct = on_keys
    if counts.watched_key_count:
        distinct = min(on_keys, counts.watched_key_count + counts.slow_watcher_count)
    held = (
        on_keys * fitted.KEY_WATCHER_BYTES
        + distinct * fitted.WATCHED_KEY_BYTES
        + counts.range_watcher_count * fitted.RANGE_WATCHER_BYTES
    )
    events = counts.pending_event_count * profile.event_bytes
    if counts.held_event_count:
        payload = counts.held_event_bytes / counts.held_event_count
        each = profile.key_value_bytes + size_class(payload, go)
        is_shared = counts.pending_event_count > counts.held_event_count
        copies = fitted.EVENT_COPIES if is_shared else 1.0
        events += round(copies * counts.held_event_count * each)
    return around(streams + held, 0.1) + around(events, 0.3)


def requests(counts: Counts, profile: Profile) -> Band:
    """Range responses not yet taken, and what streams have encoded ahead.

    While a response is built, its decoded values exist beside it: twice its size.
    """
    ranges = counts.response_in_flight_bytes
    blocked = min(
        counts.stream_count,
        -(-counts.pending_response_count // profile.watch_channel_slots),
    )
    ahead = 0.0
    if blocked:
        per_response = counts.pending_event_count / counts.pending_response_count
        size = counts.held_event_bytes / max(1, counts.held_event_count)
        ahead = blocked * max(
            fitted.SEND_QUOTA_BYTES, fitted.BLOCKED_RESPONSES * per_response * size
        )
    return Band(ranges, ranges, 2 * ranges) + around(ahead, 0.3)


def exactly(value: float) -> Band:
    """A band without width."""
    return Band(round(value), round(value), round(value))


def around(value: float, share: float) -> Band:
    """A band that reaches `share` of the value to both sides."""
    return Band(round(value * (1 - share)), round(value), round(value * (1 + share)))


def _closed(counts: Counts, history: History) -> Band:
    """What connections, streams and watchers that are gone have left behind."""
    channels = counts.connection_count + counts.stream_count
    closed = history.channel_count_max - channels
    canceled = history.watcher_count_max - counts.watcher_count
    total = closed * fitted.CLOSED_BYTES + canceled * fitted.CANCELED_WATCHER_BYTES
    return around(total, 0.3)


def _connections(counts: Counts) -> Band:
    total = counts.connection_count * fitted.CONNECTION_BYTES
    total += counts.stream_count * fitted.HTTP_STREAM_BYTES
    return around(total, 0.05)


def _peers(counts: Counts, profile: Profile, peer_count: int) -> Band:
    """Channels of messages; buffers that grew to the mean entry for each peer."""
    entry = counts.raft_payload_bytes / max(1, counts.raft_entry_count)
    buffers = 4 * size_class(entry, profile.go)
    return around(peer_count * (fitted.PEER_BYTES * profile.entry_bytes / 72), 0.5) + (
        around(peer_count * buffers, 0.9)
    )
