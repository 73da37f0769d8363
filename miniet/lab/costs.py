"""`Cost`: what a component took more between two stages, by every witness."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from miniet.lab.figures import stage_of
from miniet.memory.components import COUNTERPARTS, Component
from miniet.report.run import Stage, Table, Variant
from miniet.report.units import number

MEASURED_BYTES_MIN = 1_000_000
"""A real etcd's live heap repeats within 100 to 200 KB: that is not to be more than a
fifth of a structure that is measured by it."""


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

    def measured_within(self, whole: "Cost") -> "Cost":
        """Return it without what was measured, if `whole` is too small for that."""
        if (whole.predicted or 0) >= MEASURED_BYTES_MIN:
            return self
        return replace(self, measured=None)

    def per(self, count: int) -> "Cost":
        """Return the cost of each of so many."""
        count = max(count, 1)
        return Cost(
            *(
                None if size is None else round(size / count)
                for size in (self.predicted, self.booked, self.measured)
            )
        )

    def __str__(self) -> str:
        """Say it by all who know: `164 B in Go (measured: 165 B), 345 B here`."""
        parts = [self.in_go] if self.in_go else []
        if self.booked is not None:
            parts.append(f"{number(self.booked)} B here")
        return ", ".join(parts)

    @property
    def in_go(self) -> str:
        """Say what it is in Go: `164 B in Go (measured: 165 B)`."""
        if self.predicted is None:
            return ""
        measured = self.measured
        seen = "" if measured is None else f" (measured: {number(measured)} B)"
        return f"{number(self.predicted)} B in Go{seen}"


def cost_table(
    title: str, heads: tuple[str, str], rows: Sequence[tuple[str, str, Cost]]
) -> Table:
    """Make a table of costs, with a column for every witness that has all of them.

    Args:
        heads: what the two names before each cost are.
    """
    columns = {
        "Go, predicted": [cost.predicted for _, _, cost in rows],
        "etcd, measured": [cost.measured for _, _, cost in rows],
        "Python": [cost.booked for _, _, cost in rows],
    }
    known = {
        name: [size for size in sizes if size is not None]
        for name, sizes in columns.items()
        if None not in sizes
    }
    note = "A real etcd's is its live heap, less what is predicted for the rest."
    names = [(first, second) for first, second, _ in rows]
    return Table(
        title=title,
        columns=(*heads, *known),
        rows=tuple(
            (*name, *sizes) for name, *sizes in zip(names, *known.values(), strict=True)
        ),
        note=note if "etcd, measured" in known else "",
    )


def untraced(costs: Iterable[Cost]) -> tuple[str, ...]:
    """Say that Python's bytes are missing, where they are."""
    if any(cost.booked is not None for cost in costs):
        return ()
    return ("Python's bytes: the server does not trace.",)


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
    whole = _growth(*(stage.capture.live_heap_bytes for stage in ends))
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
