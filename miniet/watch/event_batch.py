"""`WatchEvent`, an event as it waits for its watchers, and `EventBatch`, many of them.

An event is encoded once, when the first watcher wants it; every watcher of it then
holds the same bytes. From that moment nothing of mvcc's own event is kept.
"""

from typing import Final

from miniet.errors import InvariantError
from miniet.mvcc import Event, EventType
from miniet.protowire import read_varint, varint

_TYPE_DELETE: Final = b"\x08\x01"
_KV: Final = b"\x12"
_PREV_KV: Final = b"\x1a"


class WatchEvent:
    """One change of one key in the wire form of `mvccpb.Event`; never changed.

    Memory: these bytes and one small object per change, for as long as any
    stream or victim has not sent it.
    """

    __slots__ = ("create_revision", "encoded", "holder_count", "mod_revision")

    def __init__(self, event: Event) -> None:
        pair = event.kv
        kind = _TYPE_DELETE if event.type == EventType.DELETE else b""
        # Without prev_kv. Put together here, so it is this package that keeps it.
        self.encoded = b"".join((kind, _KV, varint(len(pair)), pair))
        self.mod_revision = event.mod_revision
        # 0 for a deletion; equal to mod_revision: there was no pair before.
        self.create_revision = event.create_revision
        # Batches with this event that wait anywhere; kept by `Undelivered`.
        self.holder_count = 0

    def __repr__(self) -> str:
        return f"WatchEvent(revision {self.mod_revision}, {len(self.encoded)} bytes)"

    @property
    def key(self) -> bytes:
        """The key, read from the encoded pair: it is always its first field.

        Read when a previous pair is looked up, which is rare and costs far more;
        a field of its own would keep a second copy of every waiting key.
        """
        encoded = self.encoded
        position = 1 if encoded.startswith(_KV) else len(_TYPE_DELETE) + 1
        _, position = read_varint(encoded, position)
        length, position = read_varint(encoded, position + 1)
        return encoded[position : position + length]

    def encoded_with(self, previous: bytes) -> bytes:
        """Return the wire form with `previous`, an encoded pair, as prev_kv."""
        return b"".join((self.encoded, _PREV_KV, varint(len(previous)), previous))


class EventBatch:
    """Events for one response, ascending, no revision cut in two.

    Complete once it is queued, and then shared by all watchers that got the same
    events. Memory: 8 bytes per event and about 200 for itself.
    """

    __slots__ = (
        "byte_count",
        "events",
        "holder_count",
        "more_revision",
        "revision_count",
    )

    def __init__(self) -> None:
        self.events: list[WatchEvent] = []
        # Sum of the encoded sizes.
        self.byte_count = 0
        # Distinct revisions in `events`.
        self.revision_count = 0
        # First revision that no longer fitted; 0: all of them did.
        self.more_revision = 0
        # Responses and victims that wait with this batch; kept by `Undelivered`.
        self.holder_count = 0

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        return f"EventBatch({len(self.events)} events, {self.byte_count} bytes)"

    def admits(self, revision: int, revisions_max: int) -> bool:
        """Say whether an event of `revision` belongs here, and note the first not to.

        Args:
            revision: at least that of the last event.
            revisions_max: distinct revisions the batch may have.
        """
        if self.more_revision:
            return False
        if self.revision_count < revisions_max:
            return True
        if self.events[-1].mod_revision == revision:
            return True
        self.more_revision = revision
        return False

    def add(self, event: WatchEvent) -> None:
        """Append an event of the last one's revision or a later one."""
        events = self.events
        if not events or events[-1].mod_revision != event.mod_revision:
            self.revision_count += 1
        events.append(event)
        self.byte_count += len(event.encoded)

    def _check(self) -> None:
        revisions = [event.mod_revision for event in self.events]
        if (
            revisions != sorted(revisions)
            or self.revision_count != len(set(revisions))
            or self.byte_count != sum(len(event.encoded) for event in self.events)
            or (self.more_revision and self.more_revision <= revisions[-1])
        ):
            raise InvariantError(f"{self!r} does not hold together: {revisions}")
