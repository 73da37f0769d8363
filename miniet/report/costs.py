"""What the counts cost: in Python, in a Go etcd, measured beside predicted."""

from collections.abc import Sequence

from miniet.memory.capture import Capture
from miniet.memory.components import COUNTERPARTS, Component, GoComponent
from miniet.memory.traced import Traced
from miniet.predict.prediction import Band, Prediction
from miniet.report.sheet import Column, Scale, Sheet
from miniet.report.units import MIB, percent

_BAND = (
    Column(name="low", group="Go etcd, predicted"),
    Column(name="likely", group="Go etcd, predicted"),
    Column(name="high", group="Go etcd, predicted"),
)
_Row = tuple[str, int | None, int | None, Band | None]
"""Name; Python, traced; Go, measured; Go, predicted."""


def component_sheet(capture: Capture, prediction: Prediction | None) -> Sheet:
    """Return bytes by component: traced, in the heap profile, predicted."""
    traced = capture.traced
    rows = [_component_row(component, capture, prediction) for component in Component]
    rows.append(
        (
            "everything else",
            traced.other_bytes if traced else None,
            _measured(capture, (GoComponent.FIXED,)),
            _predicted(prediction, (GoComponent.FIXED,)),
        )
    )
    rows = [row for row in rows if any(_weighs(cell) for cell in row[1:])]
    if not rows:
        return Sheet(title="", columns=(Column(name="component"),), rows=())
    profile = capture.go.bytes_by_component if capture.go else None
    rows.append(
        (
            "total",
            traced.total_bytes if traced else None,
            sum(profile.values()) if profile else None,
            prediction.live_heap if prediction else None,
        )
    )
    scale = Scale.of(_sizes(rows))
    return Sheet(
        title=f"What it costs by component, {scale.unit} of heap",
        columns=(
            Column(name="component", is_text=True),
            Column(name="traced", group="Python"),
            Column(name="profile", group="Go etcd"),
            *_BAND,
        ),
        rows=_cells(rows, scale),
        has_total=True,
        note=_tracing_note(traced) if capture.go is None else "",
    )


def process_of_go_sheet(capture: Capture, prediction: Prediction) -> Sheet:
    """Return the predicted process, beside the real one where there is one."""
    go, process = capture.go, capture.process if capture.go else None
    rows: list[_Row] = [
        ("live heap", None, capture.live_heap_bytes, prediction.live_heap),
        (
            "heap in use",
            None,
            go.heap_in_use_bytes if go else None,
            prediction.heap_in_use,
        ),
        (
            "mapped pages of the backend",
            None,
            process.mapped_bytes if process else None,
            prediction.mapped,
        ),
        (
            "RSS",
            None,
            process.resident_bytes if process else None,
            prediction.resident,
        ),
    ]
    scale = Scale.of(_sizes(rows))
    errors = [error_text(measured, band) for _, _, measured, band in rows]
    return Sheet(
        title=f"What the process of a Go etcd {prediction.profile} holds, {scale.unit}",
        columns=(
            Column(name="", is_text=True),
            Column(name="traced"),
            Column(name="measured"),
            *_BAND,
            Column(name="error"),
        ),
        rows=[
            [*cells, error]
            for cells, error in zip(_cells(rows, scale), errors, strict=True)
        ],
        note=" ".join(prediction.notes),
    )


def error_text(measured: int | None, band: Band | None) -> str:
    """Return how far the likely figure is from the measured one, `+3 %`.

    Below a MiB that would say nothing.
    """
    if measured is None or measured < MIB or band is None:
        return "-"
    return percent(band.likely / measured - 1)


def go_bytes(prediction: Prediction | None, component: Component) -> Band | None:
    """Return what Go is predicted to hold for one of our components."""
    return _predicted(prediction, COUNTERPARTS[component])


def profile_bytes(capture: Capture, component: Component) -> int | None:
    """Return what Go's heap profile books to one of our components."""
    return _measured(capture, COUNTERPARTS[component])


def _component_row(
    component: Component, capture: Capture, prediction: Prediction | None
) -> _Row:
    traced = capture.traced
    return (
        component.label,
        traced.bytes_by_component.get(component, 0) if traced else None,
        profile_bytes(capture, component),
        go_bytes(prediction, component),
    )


def _measured(capture: Capture, parts: Sequence[str]) -> int | None:
    if capture.go is None or capture.go.bytes_by_component is None:
        return None
    return sum(capture.go.bytes_by_component.get(part, 0) for part in parts)


def _predicted(prediction: Prediction | None, parts: Sequence[str]) -> Band | None:
    if prediction is None:
        return None
    bands = [prediction.components.get(part, Band(0, 0, 0)) for part in parts]
    return sum(bands, Band(0, 0, 0))


def _weighs(cell: int | Band | None) -> bool:
    return bool(cell.high if isinstance(cell, Band) else cell)


def _sizes(rows: Sequence[_Row]) -> list[int | None]:
    return [
        size
        for _, traced, measured, band in rows
        for size in (traced, measured, band.high if band else None)
    ]


def _cells(rows: Sequence[_Row], scale: Scale) -> list[list[str]]:
    return [
        [
            name,
            scale.cell(traced),
            scale.cell(measured),
            *(
                scale.cell(getattr(band, end) if band else None)
                for end in ("low", "likely", "high")
            ),
        ]
        for name, traced, measured, band in rows
    ]


def _tracing_note(traced: Traced | None) -> str:
    if traced is None:
        return (
            "Python's bytes by component are not traced: "
            "miniet memory ENDPOINT --trace on"
        )
    return (
        f"Traced with {traced.frame_count} frames per block, of what was allocated "
        "since tracing began."
    )
