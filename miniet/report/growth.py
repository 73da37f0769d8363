"""What has changed between two captures: counts, process, components, lines."""

from collections.abc import Iterator, Sequence

from miniet.memory.compare import Change, Growth
from miniet.report.sheet import Column, Sheet
from miniet.report.units import number, signed_size, size

LINES_MAX = 10
"""Lines shown of each component; the others are summed up."""


def growth_sheets(growth: Growth) -> Iterator[Sheet]:
    """Return tables of what changed; those without rows say that nothing did."""
    yield _changes("Counts that changed", growth.counts)
    yield _changes("The process", growth.process)
    yield _components(growth)
    for component in growth.components:
        rows = [
            (f"{line.file}:{line.line}", signed_size(line.bytes), _signed(line.blocks))
            for line in component.lines[:LINES_MAX]
        ]
        others = component.lines[LINES_MAX:]
        if others:
            rows.append(
                (
                    f"{len(others)} other lines",
                    signed_size(sum(line.bytes for line in others)),
                    _signed(sum(line.blocks for line in others)),
                )
            )
        yield Sheet(
            title=f"Lines of {component.component.label}",
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
    before, after = change.before, change.after
    words = change.name.split("_")
    if "bytes" not in words:
        return " ".join(words), number(before), number(after), _signed(change.growth)
    words.remove("bytes")  # the cells have their unit
    return " ".join(words), size(before), size(after), signed_size(change.growth)


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
