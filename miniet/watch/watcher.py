"""`Watcher`: who wants which changes from where on, and the table of its life.

            +-------------- CAUGHT_UP --------------+
            v                                       |
    NEW --> SYNCED ------------ NO_ROOM --------> VICTIM
     |      |    ^                                ^    |
     |      |    | CAUGHT_UP            NO_ROOM   |    | BEHIND
     |      |    |                                |    |
     |      |    +----------- UNSYNCED -----------+    |
     |      |                 ^ ^  |  ^                |
     |      +-STORE_REPLACED--+ |  |  +----------------+
     +----------- BEHIND -------+  +--- COMPACTED --> COMPACTED

An unsynced watcher that is still BEHIND stays unsynced. CANCEL leads from every
state but NEW to CANCELED, the end. `TRANSITIONS` is the rule, and what it does not
have is a bug.
"""

from enum import Enum
from types import MappingProxyType
from typing import Final

from miniet.mvcc import Event, EventType
from miniet.watch.errors import WatcherStateError
from miniet.watch.event_batch import EventBatch
from miniet.watch.messages import WatchCreate
from miniet.watch.outbox import Outbox


class WatcherState(Enum):
    """Where a watcher stands."""

    NEW = "new"
    SYNCED = "synced"
    """Has every event up to the store's revision, or waits for a future one."""
    UNSYNCED = "unsynced"
    """Has history to read, from `min_revision` on."""
    VICTIM = "victim"
    """Its stream was full: it keeps a batch that must go out before anything else."""
    COMPACTED = "compacted"
    """Was told that its revision is gone; only its id is still taken."""
    CANCELED = "canceled"


class WatcherChange(Enum):
    """What can happen to a watcher, apart from getting events."""

    CAUGHT_UP = "caught up"
    BEHIND = "behind"
    NO_ROOM = "no room"
    COMPACTED = "compaction"
    STORE_REPLACED = "a new store"
    CANCEL = "cancel"


_STATE, _CHANGE = WatcherState, WatcherChange

TRANSITIONS: Final = MappingProxyType(
    {
        (_STATE.NEW, _CHANGE.CAUGHT_UP): _STATE.SYNCED,
        (_STATE.NEW, _CHANGE.BEHIND): _STATE.UNSYNCED,
        (_STATE.SYNCED, _CHANGE.NO_ROOM): _STATE.VICTIM,
        (_STATE.SYNCED, _CHANGE.STORE_REPLACED): _STATE.UNSYNCED,
        (_STATE.SYNCED, _CHANGE.CANCEL): _STATE.CANCELED,
        (_STATE.UNSYNCED, _CHANGE.CAUGHT_UP): _STATE.SYNCED,
        (_STATE.UNSYNCED, _CHANGE.BEHIND): _STATE.UNSYNCED,
        (_STATE.UNSYNCED, _CHANGE.NO_ROOM): _STATE.VICTIM,
        (_STATE.UNSYNCED, _CHANGE.COMPACTED): _STATE.COMPACTED,
        (_STATE.UNSYNCED, _CHANGE.CANCEL): _STATE.CANCELED,
        (_STATE.VICTIM, _CHANGE.CAUGHT_UP): _STATE.SYNCED,
        (_STATE.VICTIM, _CHANGE.BEHIND): _STATE.UNSYNCED,
        (_STATE.VICTIM, _CHANGE.CANCEL): _STATE.CANCELED,
        (_STATE.COMPACTED, _CHANGE.CANCEL): _STATE.CANCELED,
    }
)
"""(state, change) -> next state; a pair that is missing is a bug of ours."""


class Watcher:
    """One watcher of a stream. Memory: this object and its copies of key and end."""

    __slots__ = (
        "fragment",
        "had_events",
        "key",
        "min_revision",
        "no_delete",
        "no_put",
        "outbox",
        "prev_kv",
        "progress_notify",
        "range_end",
        "start_revision",
        "state",
        "watch_id",
    )

    def __init__(self, request: WatchCreate, watch_id: int, outbox: Outbox) -> None:
        self.key = bytes(memoryview(request.key)) or b"\x00"
        # As in mvcc.KeyRange: b"" is the one key, b"\x00" from the key on.
        self.range_end = bytes(memoryview(request.range_end))
        self.watch_id = watch_id
        # Where its events go; shared by all watchers of the stream.
        self.outbox = outbox
        # First revision asked for, above 0 once the store has taken the watcher in
        # (or negative: refused in the next pass).
        self.start_revision = request.start_revision
        # Least revision still wanted. Invariant: everything wanted below it is in
        # the outbox or beyond. Not raised while synced: all up to the store's
        # revision has been handed over then.
        self.min_revision = request.start_revision
        self.no_put = request.no_put
        self.no_delete = request.no_delete
        self.prev_kv = request.prev_kv
        self.fragment = request.fragment
        self.progress_notify = request.progress_notify
        # Events were queued since the last progress tick, so the next one is skipped.
        self.had_events = False
        self.state = WatcherState.NEW

    def __repr__(self) -> str:
        return (
            f"Watcher(id {self.watch_id}, {self.state.value}"
            f" from revision {self.min_revision})"
        )

    @property
    def range_is_empty(self) -> bool:
        """Whether the range, by its two ends, can hold no key."""
        return self.range_end not in (b"", b"\x00") and self.range_end <= self.key

    @property
    def is_behind(self) -> bool:
        """Whether there are events that it still has to be given."""
        return self.state in (WatcherState.UNSYNCED, WatcherState.VICTIM)

    def wants(self, event: Event) -> bool:
        """Say whether an event of a watched key passes the filters and the start."""
        if event.mod_revision < self.min_revision:
            return False
        return not (self.no_put if event.type == EventType.PUT else self.no_delete)

    def is_compacted(self, compact_revision: int) -> bool:
        """Say whether history it needs is gone.

        At exactly `compact_revision` the puts are still there, but not a deletion of
        that very revision. Who starts there asked for what is left; for who was on
        the way a deletion might be missing, so that one must start anew. (etcd
        lets it go on, and the deletion is lost without a word.)
        """
        if self.min_revision < 0 or self.min_revision < compact_revision:
            return True
        return (
            self.min_revision == compact_revision
            and self.min_revision != self.start_revision
        )

    def send(
        self, revision: int, batch: EventBatch | None, *, compact_revision: int = 0
    ) -> bool:
        """Queue a response for the client, or say that its stream has no room."""
        if not self.outbox.put(
            self.watch_id,
            revision,
            batch,
            compact_revision,
            self.prev_kv,
            self.fragment,
        ):
            return False
        if batch is not None:
            self.had_events = True
        return True

    def change(self, change: WatcherChange) -> None:
        """Go to the next state.

        Raises:
            WatcherStateError: the table has no such transition.
        """
        state = TRANSITIONS.get((self.state, change))
        if state is None:
            raise WatcherStateError(self.state.value, change.value)
        self.state = state
