"""What Go's allocator and containers take: size classes, slices, maps, channels.

All sizes are bytes on amd64. Sources: Go's `runtime/sizeclasses.go`, `slice.go`,
`map.go` and `chan.go`; the classes were checked on Go 1.12.9, 1.15.3 and 1.19.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

PAGE_BYTES = 8192
"""Larger allocations are whole pages of this size."""
MAP_HEADER_BYTES = 48
CHANNEL_HEADER_BYTES = 96

_CLASSES_112 = (
    8, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288,
    320, 352, 384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408,
    1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784,
    6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072,
    20480, 21760, 24576, 27264, 28672, 32768,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A release of Go, as far as memory is concerned."""

    version: str
    size_classes: tuple[int, ...]
    doubles_below: int
    """Slices double while they have fewer items than this."""
    growth_offset: int
    """Beyond it they grow by (capacity + this) / 4."""
    has_swiss_maps: bool = False
    """Maps of groups of eight with a control word, from Go 1.24."""
    kept_share: float = 0.5
    """Of a heap that was freed, what is still resident some seconds later. Fit: the
    scavenger of Go 1.19 has given back half by then, that of 1.16 next to nothing."""
    keeps_freed_pages: bool = False
    """Pages are given back with MADV_FREE: the kernel counts them as resident until
    it needs them. Go 1.12 to 1.15, unless GODEBUG=madvdontneed=1."""


GO_1_12 = Go(
    version="1.12",
    size_classes=_CLASSES_112,
    doubles_below=1024,
    growth_offset=0,
    keeps_freed_pages=True,
)
_CLASSES_116 = tuple(sorted((*_CLASSES_112, 24)))
GO_1_16 = Go(
    version="1.16",
    size_classes=_CLASSES_116,
    doubles_below=1024,
    growth_offset=0,
    kept_share=0.9,
)
GO_1_19 = Go(
    version="1.19", size_classes=_CLASSES_116, doubles_below=256, growth_offset=768
)
GO_1_25 = Go(
    version="1.25",
    size_classes=_CLASSES_116,
    doubles_below=256,
    growth_offset=768,
    has_swiss_maps=True,
)


def size_class(size: float, go: Go) -> int:
    """Return what an allocation of `size` bytes takes; 0 takes nothing.

    A mean of sizes may be passed: the class of the mean is what is wanted then.
    """
    if size <= 0:
        return 0
    if size > go.size_classes[-1]:
        return ceil(size / PAGE_BYTES) * PAGE_BYTES
    return go.size_classes[bisect_left(go.size_classes, ceil(size))]


def next_capacity(capacity: int, needed: int, item_bytes: int, go: Go) -> int:
    """Return the capacity after `append` found fewer than `needed` slots."""
    wanted = capacity
    if needed > 2 * capacity:
        wanted = needed
    elif capacity < go.doubles_below:
        wanted = 2 * capacity
    while wanted < needed:
        wanted += (wanted + go.growth_offset) // 4
    return size_class(wanted * item_bytes, go) // item_bytes


@lru_cache(maxsize=4096)
def grown_capacity(start: int, count: int, item_bytes: int, go: Go) -> int:
    """Return the capacity once `count` items are in, appended one at a time.

    Args:
        start: capacity to begin with.
    """
    capacity = start
    while capacity < count:
        capacity = next_capacity(capacity, capacity + 1, item_bytes, go)
    return capacity


def mean_capacity(start: int, mean_count: float, item_bytes: int, go: Go) -> float:
    """Return the mean capacity of slices that hold `mean_count` items on average.

    Every slice is taken to hold the whole number below or above it.
    """
    below = int(mean_count)
    few = grown_capacity(start, below, item_bytes, go)
    if below == mean_count:
        return few
    many = grown_capacity(start, below + 1, item_bytes, go)
    return few + (many - few) * (mean_count - below)


def map_bytes(count: float, key_bytes: int, value_bytes: int, go: Go) -> int:
    """Return what a map takes that has held `count` entries at most.

    Maps never shrink, so `count` is the highest number that was ever in. The
    entries of Go 1.24's maps are derived from the source, not measured.
    """
    if count <= 0:
        return MAP_HEADER_BYTES
    if go.has_swiss_maps:
        return MAP_HEADER_BYTES + _swiss_table_bytes(count, key_bytes + value_bytes, go)
    bucket_bytes = 16 + 8 * (key_bytes + value_bytes)
    buckets = 1
    while count > (8 if buckets == 1 else 6.5 * buckets):
        buckets *= 2
    overflow = buckets // 16
    return MAP_HEADER_BYTES + size_class(bucket_bytes * (buckets + overflow), go)


def _swiss_table_bytes(count: float, entry_bytes: int, go: Go) -> int:
    """Groups of eight entries and a control word, doubled at a load of 7/8."""
    slots = 8
    while count > (8 if slots == 8 else slots * 7 / 8):
        slots *= 2
    return size_class(slots // 8 * (8 + 8 * entry_bytes), go)


def channel_bytes(capacity: int, item_bytes: int, go: Go) -> int:
    """Return what a channel of items with pointers takes."""
    return CHANNEL_HEADER_BYTES + size_class(capacity * item_bytes, go)
