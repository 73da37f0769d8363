"""watch: who must hear which change, and what slow listeners cost.

::

    mvcc.Store --notify--> WatchableStore
                             |  synced    watchers by key and range: served by notify
                             |  unsynced  watchers in line: served by step_unsynced,
                             |            which reads history back from the store
                             |  victims   watchers with a batch that found no room:
                             |            served by step_victims
                             v
                           Outbox, one per stream: at most 128 responses
                             v
                           WatchStream.take --> the server, and prev_kv, fragments

A *watcher* wants the changes of a key or a range from a revision on. A *stream* is
one Watch call: it carries many watchers and has one *outbox* for all of them. A
watcher is *synced* (told everything so far), *unsynced* (history to read), a
*victim* (the outbox was full when a batch came: it keeps the batch and hears nothing
more until that is out), or *compacted* (its history is gone; it was told so, and
only its id is still taken). `watcher.TRANSITIONS` is the whole of these rules.

Invariants
- Per watcher, revisions ascend, none is missing, none comes twice; all events of one
  revision are in one response, or in fragments of one.
- A response's revision is at least that of its last event. A progress notice of
  revision r comes after every event up to r: ticks go to synced watchers only, and
  the answer to a manual request waits until no watcher of its stream is behind.
- An outbox is one line: created before the events of an id, and those before
  canceled; control answers come in the order of their requests.
- A slow stream never delays a write. It costs memory instead, and that is bounded:
  the outbox, one batch per victim, and as many unread control answers as the server
  lets come in (`WatchStream.accepts_requests`).
- A watcher is in exactly the place that its state names (`WatcherPlaces`).

Memory. Per watcher: a `Watcher`, its copies of key and end, its place, an entry in
the stream's map of ids. Per stream: a `WatchStream`, an `Outbox`, a place in the tick
schedule. Per undelivered event: one `WatchEvent` with the encoded bytes, shared by all
who wait for it; per batch in line a `QueuedResponses` with 8 bytes per watcher, 8
bytes per event in a batch.
Events are encoded here, so that what waits is booked here; `Undelivered` counts it.

Differences from etcd (3.4.23 where versions differ)
- An event is kept as its encoded bytes from the moment somebody wants it.
- One line per stream in place of two channels and parked responses, so no event of
  an id can come after its canceled answer.
- A catch-up pass reads a bounded window that begins where the first in line stands;
  etcd reads from the least revision to the end each time. A response of history has
  up to 1000 revisions as there, fewer where a pass met its bounds first.
- Manual progress is never ahead of events (as etcd does from 3.4.25 on).
- A watcher that was on its way when a compaction reached exactly its next revision
  is told so: a deletion at that revision might be gone. etcd 3.4 goes on without it.
- Every negative start revision is answered as compacted; etcd 3.4 lets -1 pass on a
  store that was never compacted, and then skips history.
- After a leader's snapshot synced watchers go on after the last revision they were
  told; etcd 3.4.9 begins at the one they started from.
"""

from miniet.watch.errors import WatcherStateError, WatchStreamClosedError
from miniet.watch.event_batch import EventBatch, WatchEvent
from miniet.watch.interval_tree import IntervalTree
from miniet.watch.messages import (
    STREAM_WATCH_ID,
    CancelReason,
    WatchCreate,
    WatchResponse,
)
from miniet.watch.statistics import WatchStatistics
from miniet.watch.watch_stream import WatchStream
from miniet.watch.watchable_store import WatchableStore
from miniet.watch.watcher import TRANSITIONS, Watcher, WatcherChange, WatcherState
from miniet.watch.watcher_group import WatcherGroup

__all__ = [
    "STREAM_WATCH_ID",
    "TRANSITIONS",
    "CancelReason",
    "EventBatch",
    "IntervalTree",
    "WatchCreate",
    "WatchEvent",
    "WatchResponse",
    "WatchStatistics",
    "WatchStream",
    "WatchStreamClosedError",
    "WatchableStore",
    "Watcher",
    "WatcherChange",
    "WatcherGroup",
    "WatcherState",
    "WatcherStateError",
]
