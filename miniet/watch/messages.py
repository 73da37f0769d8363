"""What a stream is asked and what it answers; field names are etcd's `rpc.proto`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

STREAM_WATCH_ID: Final = -1
"""The id of an answer that belongs to no watcher, or to all of the stream."""

# Everything of an encoded response but its events: header (four varints of ten
# bytes at most, with tags), watch id, compact revision, three booleans.
_ENVELOPE_BYTES_MAX: Final = 80


class CancelReason(StrEnum):
    """Why a creation was refused, in the words that clients of etcd know."""

    EMPTY_RANGE = "mvcc: watcher range is empty"
    DUPLICATE_ID = "mvcc: duplicate watch ID provided on the WatchStream"


@dataclass(slots=True)
class WatchCreate:
    """A request for one more watcher.

    key, range_end: as in `mvcc.KeyRange`; an empty key becomes the one byte 0.
    start_revision: first revision wanted; 0: from the next one on.
    watch_id: id wanted; 0: the next free one.
    progress_notify: send the revision reached when there is nothing else to send.
    no_put, no_delete: leave these events out.
    prev_kv: add to each event the pair as it was before.
    fragment: split responses above the size limit.
    """

    key: bytes | memoryview
    range_end: bytes | memoryview = b""
    start_revision: int = 0
    watch_id: int = 0
    progress_notify: bool = False
    no_put: bool = False
    no_delete: bool = False
    prev_kv: bool = False
    fragment: bool = False


@dataclass(slots=True)
class WatchResponse:
    """One message to the client, or the same one for several watchers.

    revision: for the header; 0 in the notice that a watcher was compacted away.
    compact_revision: set in that notice only: the oldest revision that is left.
    fragment: more of the same batch follows.
    events: each an encoded `mvccpb.Event`, shared with other responses.
    more_ids: further watchers that get the same, each in a message of its own.
    """

    watch_id: int
    revision: int
    created: bool = False
    canceled: bool = False
    compact_revision: int = 0
    cancel_reason: str = ""
    fragment: bool = False
    events: Sequence[bytes] = ()
    more_ids: Sequence[int] = ()

    def fragments(self, limit_bytes: int) -> Iterator["WatchResponse"]:
        """Split into responses below `limit_bytes`, or of one event where it must be.

        All but the last are marked as fragments. Sizes are taken with the largest
        envelope possible, so a piece may be a few bytes smaller than etcd's.
        """
        begin, size = 0, _ENVELOPE_BYTES_MAX
        for position, event in enumerate(self.events):
            event_bytes = _field_bytes(len(event))
            if position > begin and size + event_bytes >= limit_bytes:
                yield replace(self, events=self.events[begin:position], fragment=True)
                begin, size = position, _ENVELOPE_BYTES_MAX
            size += event_bytes
        yield self if begin == 0 else replace(self, events=self.events[begin:])


def _field_bytes(length: int) -> int:
    """Size of a length-delimited field with a one-byte tag."""
    return 1 + max(1, -(-length.bit_length() // 7)) + length
