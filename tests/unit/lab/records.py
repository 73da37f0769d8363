"""Made-up variants: stages of counts, and what goes with them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from miniet.memory.capture import Capture
from miniet.memory.counts import Counts
from miniet.memory.go_memory import GoMemory
from miniet.memory.process import ProcessMemory
from miniet.predict import GoModel, profile_of
from miniet.report.run import Stage, Variant

MIB = 1 << 20


def capture(**fields: Any) -> Capture:
    """Make a capture; what is no field of it is a count."""
    known = {name: fields.pop(name) for name in list(fields) if name in _OF_CAPTURE}
    base = Capture(label="", time_s=0.0, product="miniet 1", counts=Counts(**fields))
    return replace(base, **known)


_OF_CAPTURE = set(Capture.__dataclass_fields__) - {"counts"}


def variant(
    name: str, stages: Mapping[str, Capture], *, predicted: bool = True
) -> Variant:
    """Make a variant; a model of the first capture's profile goes along."""
    model = GoModel(profile_of(next(iter(stages.values())).profile))
    return Variant(
        name=name,
        stages=[
            Stage(
                name=stage,
                capture=found,
                prediction=model.step(found.counts) if predicted else None,
            )
            for stage, found in stages.items()
        ],
    )


def process(resident_mib: float, peak_mib: float | None = None) -> ProcessMemory:
    """Make a process of a size."""
    peak = resident_mib if peak_mib is None else peak_mib
    return ProcessMemory(
        resident_bytes=round(resident_mib * MIB),
        anonymous_bytes=round(resident_mib * MIB),
        peak_resident_bytes=round(peak * MIB),
    )


def live_heap(mib: float, raft_mib: float = 0.0) -> GoMemory:
    """Make a real etcd's figures after a collection."""
    return GoMemory(
        heap_alloc_bytes=round(mib * MIB),
        heap_in_use_bytes=round(mib * MIB),
        heap_idle_bytes=0,
        heap_released_bytes=0,
        stack_in_use_bytes=0,
        next_gc_bytes=0,
        is_collected=True,
        bytes_by_component={"raft": round(raft_mib * MIB)},
    )
