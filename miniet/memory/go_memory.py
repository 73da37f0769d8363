"""`GoMemory`: what a real etcd says of its own heap."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GoMemory:
    """Go's memory metrics, in bytes, and its heap profile by component."""

    heap_alloc_bytes: int
    """Objects, garbage not yet swept among them unless a collection was forced."""
    heap_in_use_bytes: int
    """Spans that hold at least one object."""
    heap_idle_bytes: int
    heap_released_bytes: int
    """Of idle, what was given back to the system."""
    stack_in_use_bytes: int
    next_gc_bytes: int
    """Heap size at which the next collection ends."""
    is_collected: bool = False
    """A collection was forced right before, so `heap_alloc_bytes` is live."""
    bytes_by_component: Mapping[str, int] | None = None
    """The heap profile, by `GoComponent`; None without pprof."""
