"""What has changed between two captures: counts, process, components, lines."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

from miniet.memory.capture import Capture
from miniet.memory.compare import Change, ComponentGrowth, Growth
from miniet.memory.go_memory import GoMemory
from miniet.report.sheet import Column, Sheet
from miniet.report.units import KIB, counted, number, signed_size, size

LINES_MAX = 10
LINE_BYTES_MIN = KIB
"""Lines shown of each component, and how much they must have grown; the others are
summed up."""


def growth_sheets(before: Capture, after: Capture, growth: Growth) -> Iterator[Sheet]:
    """Return tables of what changed; one without rows says that nothing did."""
    yield _changes("Counts that changed", growth.counts)
    yield _changes("The process", growth.process)
    if before.go and after.go:
        yield _changes("Go's heap", _go_changes(before.go, after.go))
        yield _changes("Go's heap by component, profile", _profile(before.go, after.go))
    yield _components(growth)
    for component in growth.components:
        yield _lines(component)


def _go_changes(before: GoMemory, after: GoMemory) -> list[Change]:
    names = [spec.name for spec in fields(GoMemory) if spec.name.endswith("_bytes")]
    changes = [
        Change(name, getattr(before, name), getattr(after, name)) for name in names
    ]
    return [change for change in changes if change.growth]


def _profile(before: GoMemory, after: GoMemory) -> list[Change]:
    if not (before.bytes_by_component and after.bytes_by_component):
        return []
    a, b = before.bytes_by_component, after.bytes_by_component
    changes = [
        Change(f"{name}_bytes", a.get(name, 0), b.get(name, 0)) for name in {**a, **b}
    ]
    found = [change for change in changes if change.growth]
    return sorted(found, key=lambda change: -abs(change.growth))


def _lines(growth: ComponentGrowth) -> Sheet:
    shown = [line for line in growth.lines if abs(line.bytes) >= LINE_BYTES_MIN]
    shown = shown[:LINES_MAX]
    others = growth.lines[len(shown) :]
    rows = [
        (f"{line.file}:{line.line}", signed_size(line.bytes), _signed(line.blocks))
        for line in shown
    ]
    if shown and others:
        rest = sum(line.bytes for line in others)
        blocks = sum(line.blocks for line in others)
        name = counted(len(others), "other line")
        rows.append((name, signed_size(rest), _signed(blocks)))
    return Sheet(
        title=f"Lines of {growth.component.label}",
        columns=(
            Column(name="line", is_text=True),
            Column(name="growth"),
            Column(name="blocks"),
        ),
        rows=rows,
    )


def _changes(title: str, changes: Sequence[Change]) -> Sheet:
    return Sheet(
        title=title,
        columns=(
            Column(name="figure", is_text=True),
            Column(name="before"),
            Column(name="after"),
            Column(name="growth"),
        ),
        rows=[_change(change) for change in changes],
    )


def _change(change: Change) -> Sequence[str]:
    name, before, after = change.name, change.before, change.after
    if "bytes" in name.split("_"):
        return name, size(before), size(after), signed_size(change.growth)
    return name, number(before), number(after), _signed(change.growth)


def _components(growth: Growth) -> Sheet:
    rows = [
        (
            found.component.label,
            size(found.before_bytes),
            size(found.after_bytes),
            signed_size(found.growth_bytes),
        )
        for found in growth.components
    ]
    if growth.other_growth_bytes:
        other = signed_size(growth.other_growth_bytes)
        rows.append(("of no component", "-", "-", other))
    return Sheet(
        title="Python by component, traced",
        columns=(
            Column(name="component", is_text=True),
            Column(name="before"),
            Column(name="after"),
            Column(name="growth"),
        ),
        rows=rows,
    )


def _signed(count: int) -> str:
    return f"{'+' if count > 0 else ''}{number(count)}"
