"""The stages of a run's variant, side by side: what was held, and what it cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from miniet.memory.accounts import accounts
from miniet.memory.capture import Capture
from miniet.memory.components import GoComponent
from miniet.memory.counts import Counts
from miniet.memory.process import ProcessMemory
from miniet.predict.prediction import Prediction
from miniet.report.costs import error_text
from miniet.report.run import Stage, Table, Variant
from miniet.report.sheet import Column, Scale, Sheet
from miniet.report.units import number

_STAGE = Column(name="stage", is_text=True)


def stage_sheets(variant: Variant) -> list[Sheet]:
    """Return what the stages of a variant held and what that cost; none without one."""
    stages = variant.stages
    if not stages:
        return []
    return [
        _counts_sheet(stages),
        _memory_sheet(stages),
        _accounts_sheet(stages),
        _parts_sheet(
            "Live heap of Go by component, by its profile",
            stages,
            [_profile(stage.capture) for stage in stages],
        ),
        _parts_sheet(
            "Live heap of Go by component, predicted (likely)",
            stages,
            [_predicted(stage.prediction) for stage in stages],
        ),
    ]


def table_sheet(table: Table) -> Sheet:
    """Return a scenario's own table; whole numbers with thousands apart."""
    is_text = [
        any(isinstance(row[position], str) for row in table.rows)
        for position in range(len(table.columns))
    ]
    return Sheet(
        title=table.title,
        columns=[
            Column(name=name, is_text=text)
            for name, text in zip(table.columns, is_text, strict=True)
        ],
        rows=[
            [cell if isinstance(cell, str) else number(cell) for cell in row]
            for row in table.rows
        ],
        note=table.note,
    )


def _counts_sheet(stages: Sequence[Stage]) -> Sheet:
    held = [stage.capture.counts for stage in stages]

    def counted(read: Callable[[Counts], int]) -> list[str]:
        return [number(read(counts)) for counts in held]

    def sized(read: Callable[[Counts], int]) -> list[str]:
        return [scale.cell(read(counts)) for counts in held]

    scale = Scale.of(
        max(counts.raft_payload_bytes, counts.backend_size_bytes) for counts in held
    )
    unit = scale.unit
    columns = [
        ("raft log", "entries", counted(lambda counts: counts.raft_entry_count)),
        ("raft log", unit, sized(lambda counts: counts.raft_payload_bytes)),
        ("treeIndex", "keys", counted(lambda counts: counts.index_key_count)),
        ("treeIndex", "revs", counted(lambda counts: counts.index_revision_count)),
        (f"backend, {unit}", "file", sized(lambda counts: counts.backend_size_bytes)),
        (
            f"backend, {unit}",
            "in use",
            sized(lambda counts: counts.backend_in_use_bytes),
        ),
        ("leases", "held", counted(lambda counts: counts.lease_count)),
        ("leases", "keys", counted(lambda counts: counts.attached_key_count)),
        ("watch", "streams", counted(lambda counts: counts.stream_count)),
        ("watch", "watchers", counted(lambda counts: counts.watcher_count)),
        ("watch", "behind", counted(lambda counts: counts.slow_watcher_count)),
        ("watch", "events", counted(lambda counts: counts.pending_event_count)),
    ]
    return _sheet("What was held", stages, columns)


def _memory_sheet(stages: Sequence[Stage]) -> Sheet:
    captures = [stage.capture for stage in stages]
    predictions = [stage.prediction for stage in stages]
    processes = [capture.process for capture in captures]
    live = [capture.live_heap_bytes for capture in captures]

    def process(read: Callable[[ProcessMemory], int | None]) -> list[int | None]:
        return [read(found) if found else None for found in processes]

    def predicted(read: Callable[[Prediction], int]) -> list[int | None]:
        return [read(found) if found else None for found in predictions]

    sizes: list[tuple[str, str, list[int | None]]] = [
        ("this process", "RSS", process(lambda found: found.resident_bytes)),
        ("this process", "mapped", process(lambda found: found.mapped_bytes)),
        ("this process", "peak", process(lambda found: found.peak_resident_bytes)),
        ("live heap of Go", "measured", live),
        ("live heap of Go", "predicted", predicted(lambda go: go.live_heap.likely)),
        ("RSS of Go, predicted", "low", predicted(lambda go: go.resident.low)),
        ("RSS of Go, predicted", "high", predicted(lambda go: go.resident.high)),
    ]
    scale = Scale.of(size for _, _, column in sizes for size in column).whole()
    columns = [
        (group, name, [scale.cell(size) for size in column])
        for group, name, column in sizes
    ]
    errors = [
        error_text(measured, found.live_heap if found else None)
        for measured, found in zip(live, predictions, strict=True)
    ]
    columns.insert(5, ("live heap of Go", "error", errors))
    return _sheet(f"What that cost, {scale.unit}", stages, columns)


def _accounts_sheet(stages: Sequence[Stage]) -> Sheet:
    """Return what was resident, down to the remainder: the rows add up to RSS."""
    parts = [
        {account.name: account.bytes for account in accounts(stage.capture)}
        for stage in stages
    ]
    sheet = _parts_sheet("What the process had resident", stages, parts, total="RSS")
    if all(stage.capture.traced or stage.capture.go for stage in stages):
        return sheet
    return replace(
        sheet,
        note="Tracing was off: the components are in the remainder, and the counts "
        "above say what they keep.",
    )


def _profile(capture: Capture) -> Mapping[str, int]:
    return (capture.go.bytes_by_component if capture.go else None) or {}


def _predicted(prediction: Prediction | None) -> Mapping[str, int]:
    if prediction is None:
        return {}
    return {name: band.likely for name, band in prediction.components.items()}


def _parts_sheet(
    title: str,
    stages: Sequence[Stage],
    parts: Sequence[Mapping[str, int]],
    *,
    total: str = "total",
) -> Sheet:
    """Return a row per part and a column per stage; none for what shows as 0."""
    scale = Scale.of(size for found in parts for size in found.values())
    names = {name: None for found in parts for name in found}  # in order, once each
    rows = [
        [_label(name), *(scale.cell(found.get(name)) for found in parts)]
        for name in names
    ]
    rows = [row for row in rows if set(row[1:]) - {"0", "0.0", "-0.0", "-"}]
    if rows:
        sums = [scale.cell(sum(found.values()) or None) for found in parts]
        rows.append([total, *sums])
    return Sheet(
        title=f"{title}, {scale.unit}",
        columns=[
            Column(name="part", is_text=True),
            *(Column(name=stage.name) for stage in stages),
        ],
        rows=rows,
        has_total=True,
    )


def _label(name: str) -> str:
    """Return the name to show: keys of Go's components have one of their own."""
    return GoComponent(name).label if name in list(GoComponent) else name


def _sheet(
    title: str, stages: Sequence[Stage], columns: list[tuple[str, str, list[str]]]
) -> Sheet:
    rows = zip(
        [stage.name for stage in stages],
        *(cells for _, _, cells in columns),
        strict=True,
    )
    return Sheet(
        title=title,
        columns=[
            _STAGE,
            *(Column(name=name, group=group) for group, name, _ in columns),
        ],
        rows=list(rows),
    )
