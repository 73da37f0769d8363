"""Sizes of entries: encoded, for limits per message and per batch; payload alone."""

from collections.abc import Sequence
from typing import Final

from miniet.raft.codec import entry_size
from miniet.raft.messages import Entry

NO_LIMIT: Final = (1 << 64) - 1
"""A `bytes_max` that nothing reaches."""


def encoded_bytes(entries: Sequence[Entry]) -> int:
    """Return the encoded size of all entries, framing of the list not counted."""
    return sum(map(entry_size, entries))


def payload_bytes(entries: Sequence[Entry]) -> int:
    """Return the bytes of data alone."""
    total = 0
    for entry in entries:
        total += len(entry.data)
    return total


def limit_size(entries: list[Entry], bytes_max: int) -> list[Entry]:
    """Return the longest head of `entries` that encodes within `bytes_max`.

    The first entry is always in it. The same list comes back if all of it fits.
    """
    total = 0
    for position, entry in enumerate(entries):
        total += entry_size(entry)
        if total > bytes_max and position:
            return entries[:position]
    return entries
