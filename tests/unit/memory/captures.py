"""Made-up captures."""

from dataclasses import replace
from typing import Any

from miniet.memory.capture import Capture
from miniet.memory.components import Component
from miniet.memory.counts import Counts
from miniet.memory.go_memory import GoMemory
from miniet.memory.process import ProcessMemory
from miniet.memory.traced import Line, Traced


def traced(**bytes_of: int) -> Traced:
    """Return a reading with so many bytes per component, each in two lines."""
    lines = {
        component: (
            Line(f"miniet/{component}/a.py", 10, booked - booked // 4, 3),
            Line(f"miniet/{component}/b.py", 20, booked // 4, 1),
        )
        if (booked := bytes_of.get(component, 0))
        else ()
        for component in Component
    }
    return Traced(
        since_s=1_000.5,
        frame_count=8,
        bytes_by_component={c: sum(x.bytes for x in lines[c]) for c in Component},
        blocks_by_component={c: sum(x.blocks for x in lines[c]) for c in Component},
        other_bytes=bytes_of.get("other", 0),
        other_blocks=1 if "other" in bytes_of else 0,
        peak_bytes=sum(bytes_of.values()),
        tracer_bytes=60,
        lines=lines,
    )


def capture(**fields: Any) -> Capture:
    """Return a capture of a server of which only the process is known."""
    made = Capture(
        label="loaded",
        time_s=2_000.25,
        product="miniet 0.1.0",
        flags={"snapshot-count": "100000"},
        counts=Counts(raft_entry_count=1000, raft_payload_bytes=4096),
        process=ProcessMemory(resident_bytes=10_000, mapped_bytes=500),
        baseline=ProcessMemory(resident_bytes=4_000, mapped_bytes=100),
    )
    return replace(made, **fields)


def go_memory() -> GoMemory:
    return GoMemory(
        heap_alloc_bytes=5,
        heap_in_use_bytes=6,
        heap_idle_bytes=1,
        heap_released_bytes=0,
        stack_in_use_bytes=2,
        next_gc_bytes=9,
        bytes_by_component={"raft": 4},
    )
