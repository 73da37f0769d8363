"""Series behind the plots: what a process had resident, by what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from miniet.memory.capture import Capture
from miniet.memory.components import Component
from miniet.report.run import Variant


class PartOf(StrEnum):
    """A part of what is resident; the value is its name in a legend.

    From the bottom of the stack to its top.
    """

    BASELINE = "before the first request"
    LOG = "raft log, payload"
    INDEX = "keys of the index"
    BUFFERS = "uncommitted, payload"
    CLIENTS = "events and responses"
    MAPPED = "mapped backend pages"
    FREED = "freed, kept by Go"
    REST = "everything else"


@dataclass(frozen=True, slots=True)
class Moment:
    """A capture on a variant's own time axis."""

    time_s: float
    """Since the first one."""
    capture: Capture
    stage: str = ""
    """What ended then; empty between stages."""


def moments(variant: Variant) -> list[Moment]:
    """Return stages and the points between them that saw the process, by time."""
    found = [Moment(s.capture.time_s, s.capture, s.name) for s in variant.stages]
    found += [Moment(capture.time_s, capture) for capture in variant.timeline]
    found = sorted(
        (moment for moment in found if moment.capture.process),
        key=lambda moment: moment.time_s,
    )
    start = found[0].time_s if found else 0.0
    return [Moment(m.time_s - start, m.capture, m.stage) for m in found]


def split(capture: Capture) -> Mapping[PartOf, int]:
    """Split RSS into what is known to be in it; the sum is RSS, no part is negative.

    Where the known parts are more than RSS, because some of them are swapped or not
    touched, the last of them are cut.
    """
    process = capture.process
    if process is None:
        return {}
    counts, baseline, go = capture.counts, capture.baseline, capture.go
    known = {
        PartOf.MAPPED: process.mapped_bytes or 0,
        PartOf.BASELINE: (
            baseline.resident_bytes - (baseline.mapped_bytes or 0) if baseline else 0
        ),
        PartOf.LOG: counts.payload_bytes(Component.RAFT),
        PartOf.INDEX: counts.payload_bytes(Component.MVCC),
        PartOf.BUFFERS: counts.payload_bytes(Component.BACKEND),
        PartOf.CLIENTS: counts.payload_bytes(Component.WATCH)
        + counts.payload_bytes(Component.SERVER),
        PartOf.FREED: go.heap_idle_bytes - go.heap_released_bytes if go else 0,
    }
    rest = process.resident_bytes
    parts: dict[PartOf, int] = {}
    for part, held in known.items():
        parts[part] = min(held, rest)
        rest -= parts[part]
    return parts | {PartOf.REST: rest}


def component_growth(variant: Variant) -> Mapping[Component, int]:
    """Return by how much each component's payload has grown, first stage to last.

    Where both were traced it is what Python pays, not the payload alone.
    """
    if len(variant.stages) < 2:
        return {}
    first, last = variant.stages[0].capture, variant.stages[-1].capture
    grown = {
        component: _held(last, component, first) - _held(first, component, last)
        for component in Component
    }
    return {component: growth for component, growth in grown.items() if growth}


def _held(capture: Capture, component: Component, other: Capture) -> int:
    if capture.traced and other.traced:
        return capture.traced.bytes_by_component.get(component, 0)
    return capture.counts.payload_bytes(component)
