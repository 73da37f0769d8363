"""`Prediction`: what a Go etcd with given counts would hold."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Band:
    """Bytes: low <= likely <= high."""

    low: int
    likely: int
    high: int

    def __add__(self, other: "Band") -> "Band":
        return Band(
            self.low + other.low, self.likely + other.likely, self.high + other.high
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One prediction for one moment."""

    profile: str
    """`3.4.9`, `3.4`, `3.5` or `3.6`."""
    components: Mapping[str, Band]
    """Live heap by component: the keys of `memory.Component` where Go has that
    component, and `connections`, `requests`, `fixed`: those of `GoComponent`."""
    live_heap: Band
    """Their sum: HeapAlloc right after a collection."""
    heap_in_use: Band
    """Spans in use between collections."""
    mapped: Band
    """Resident pages of the backend's file."""
    resident: Band
    """RSS."""
    notes: tuple[str, ...] = ()
    """What the figures rest on, where that is not measured."""
