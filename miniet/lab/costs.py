"""`Cost`: what a component took more between two stages, by every witness."""

from collections.abc import Collection
from dataclasses import dataclass

from miniet.lab.figures import live_heap_bytes, stage_of
from miniet.memory.components import Component
from miniet.predict import COUNTERPARTS
from miniet.report.run import Stage, Variant


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes more than before, below zero for fewer; None where nobody can tell."""

    predicted: int | None
    """Live heap of Go, as predicted."""
    booked: int | None = None
    """What Python pays: only with tracing on in both stages."""
    measured: int | None = None
    """Live heap of a real etcd, less what is predicted for everything else. Its heap
    profile is no help below 20 MiB: it samples one block in 512 KiB."""

    def per(self, count: int) -> "Cost":
        """Return the cost of each of so many."""
        count = max(count, 1)
        return Cost(
            *(
                None if size is None else round(size / count)
                for size in (self.predicted, self.booked, self.measured)
            )
        )


def cost_of(
    variant: Variant,
    name: str,
    components: Collection[Component],
    *,
    since: str = "started",
) -> Cost:
    """Return what components took more at a stage than at another one.

    Raises:
        KeyError: the variant did not come to one of them.
    """
    before, after = stage_of(variant, since), stage_of(variant, name)
    ends = (before, after)
    parts = {part for component in components for part in COUNTERPARTS[component]}
    predicted = _growth(*(_predicted(stage, parts) for stage in ends))
    whole = _growth(*(live_heap_bytes(stage.capture) for stage in ends))
    others = _growth(*(_others(stage, parts) for stage in ends))
    return Cost(
        predicted,
        _growth(*(_booked(stage, components) for stage in ends)),
        None if whole is None or others is None else whole - others,
    )


def _growth(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _predicted(stage: Stage, parts: Collection[str]) -> int | None:
    if stage.prediction is None:
        return None
    return sum(stage.prediction.components[part].likely for part in parts)


def _others(stage: Stage, parts: Collection[str]) -> int | None:
    mine = _predicted(stage, parts)
    if mine is None or stage.prediction is None:
        return None
    return stage.prediction.live_heap.likely - mine


def _booked(stage: Stage, components: Collection[Component]) -> int | None:
    traced = stage.capture.traced
    if traced is None:
        return None
    return sum(traced.bytes_by_component.get(component, 0) for component in components)
