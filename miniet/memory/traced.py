"""`Traced`: bytes that tracemalloc saw, by component, and inside it by line."""

from collections.abc import Mapping
from dataclasses import dataclass

from miniet.memory.components import Component


@dataclass(frozen=True, slots=True)
class Line:
    """What one line of the sources keeps."""

    file: str
    """Path inside the project: `miniet/raft/memory_storage.py`."""
    line: int
    bytes: int
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One reading of tracemalloc, of what was allocated since it was switched on."""

    since_s: float
    """When tracing began, in seconds since 1970."""
    frame_count: int
    """Frames kept per block."""
    bytes_by_component: Mapping[Component, int]
    """Booked bytes; components with none are there with 0."""
    blocks_by_component: Mapping[Component, int]
    other_bytes: int
    """Booked to no component: libraries and the interpreter by themselves."""
    other_blocks: int
    peak_bytes: int
    """The most that was traced at once since tracing began."""
    tracer_bytes: int
    """What tracemalloc itself needs for its tables, not in any other figure."""
    lines: Mapping[Component, tuple[Line, ...]]
    """Lines of each component, most bytes first."""

    @property
    def total_bytes(self) -> int:
        """All that is traced, `tracer_bytes` not in it."""
        return sum(self.bytes_by_component.values()) + self.other_bytes
