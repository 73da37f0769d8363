"""`compare`: what has grown between two captures, and on which line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from miniet.memory.capture import Capture
from miniet.memory.components import Component
from miniet.memory.traced import Line, Traced


@dataclass(frozen=True, slots=True)
class Change:
    """A figure that is not what it was."""

    name: str
    """Field of `Counts` or `ProcessMemory`; its unit is in the name."""
    before: int
    after: int

    @property
    def growth(self) -> int:
        """How much more it is, below zero for less."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class ComponentGrowth:
    """What Python pays more for a component."""

    component: Component
    before_bytes: int
    after_bytes: int
    lines: tuple[Line, ...]
    """Bytes and blocks by which each line has grown, below zero for less; most bytes,
    either way, first."""

    @property
    def growth_bytes(self) -> int:
        """How many bytes more, below zero for less."""
        return self.after_bytes - self.before_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What has changed from one capture to another; what has not is left out."""

    seconds: float
    """Time between them."""
    counts: tuple[Change, ...]
    process: tuple[Change, ...]
    components: tuple[ComponentGrowth, ...]
    """Most bytes, either way, first."""
    other_growth_bytes: int
    """Traced growth that is booked to no component."""
    notes: tuple[str, ...] = ()
    """What keeps the two from being compared in full."""


def compare(a: Capture, b: Capture) -> Growth:
    """Return what has changed from `a` to `b`."""
    notes = []
    if a.product != b.product:
        notes.append(f"different products: {a.product}, {b.product}")
    before = a.traced
    if b.traced is None:
        if b.go is None:  # nobody traces a real etcd
            notes.append(
                "tracing was off in the second capture: no growth by component"
            )
    elif before is None or before.since_s != b.traced.since_s:
        # The bytes of another tracing are of other blocks; they do not compare.
        before = None
        notes.append("tracing began after the first capture: growth since then")
    components, other_growth_bytes = _traced_growth(before, b.traced)
    return Growth(
        seconds=b.time_s - a.time_s,
        counts=_changes(a.counts, b.counts),
        process=_changes(a.process, b.process) if a.process and b.process else (),
        components=components,
        other_growth_bytes=other_growth_bytes,
        notes=tuple(notes),
    )


def _changes(a: object, b: object) -> tuple[Change, ...]:
    """Compare records of the same kind; what one of them does not know is left out."""
    changes = (
        Change(spec.name, getattr(a, spec.name), getattr(b, spec.name))
        for spec in fields(a)  # type: ignore[arg-type]
        if None not in (getattr(a, spec.name), getattr(b, spec.name))
    )
    return tuple(change for change in changes if change.growth)


def _traced_growth(
    a: Traced | None, b: Traced | None
) -> tuple[tuple[ComponentGrowth, ...], int]:
    if b is None:
        return (), 0
    found = []
    for component in Component:
        lines = _line_growth(_lines(a, component), _lines(b, component))
        if lines:
            before = a.bytes_by_component.get(component, 0) if a else 0
            after = b.bytes_by_component.get(component, 0)
            found.append(ComponentGrowth(component, before, after, lines))
    found.sort(key=lambda growth: -abs(growth.growth_bytes))
    return tuple(found), b.other_bytes - (a.other_bytes if a else 0)


def _lines(traced: Traced | None, component: Component) -> Iterable[Line]:
    return traced.lines.get(component, ()) if traced else ()


def _line_growth(a: Iterable[Line], b: Iterable[Line]) -> tuple[Line, ...]:
    before, after = _by_place(a), _by_place(b)
    grown = (
        Line(
            *place,
            after.get(place, (0, 0))[0] - before.get(place, (0, 0))[0],
            after.get(place, (0, 0))[1] - before.get(place, (0, 0))[1],
        )
        for place in before.keys() | after.keys()
    )
    changed = (line for line in grown if line.bytes or line.blocks)
    return tuple(sorted(changed, key=lambda x: (-abs(x.bytes), x.file, x.line)))


def _by_place(lines: Iterable[Line]) -> Mapping[tuple[str, int], tuple[int, int]]:
    return {(line.file, line.line): (line.bytes, line.blocks) for line in lines}
