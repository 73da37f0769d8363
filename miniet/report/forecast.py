"""A load or counts that were only described, and what a Go etcd would hold then."""

from collections.abc import Sequence
from dataclasses import dataclass

from miniet.memory.components import GoComponent
from miniet.memory.counts import Counts
from miniet.predict import Band, Prediction
from miniet.report.document import Block, Document, Paragraph
from miniet.report.sheet import Column, Scale, Sheet
from miniet.report.units import counted, size

SMALL_SHARE = 0.01
"""Components below this share of the live heap everywhere are summed up."""
_SERVER = (GoComponent.WAL, GoComponent.FIXED)
"""What every etcd holds, shown as one."""
_SHORT = {GoComponent.REQUESTS: "responses"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One stage of a load."""

    name: str
    counts: Counts
    prediction: Prediction


def forecast_page(title: str, forecasts: Sequence[Forecast]) -> Document:
    """Return the tables and, for the last stage, what dominates and what frees it."""
    last = forecasts[-1]
    blocks: list[Block] = [
        _components(forecasts),
        _process(forecasts),
        Paragraph(dominant(last)),
        Paragraph(remainder(last)),
    ]
    blocks += [Paragraph(f"Note: {note}") for note in last.prediction.notes]
    return Document(title, blocks)


def dominant(forecast: Forecast) -> str:
    """Say which component holds most, why, and what changes it."""
    parts = forecast.prediction.components
    ranked = sorted(GoComponent, key=lambda key: -parts[key].likely)
    key = ranked[0]
    share = parts[key].likely / max(1, forecast.prediction.live_heap.likely)
    return (
        f"{forecast.name.capitalize()}: most of the live heap is {key.label}, "
        f"{size(parts[key].likely)} or {share:.0%}. {_reason(key, forecast.counts)}"
    )


def remainder(forecast: Forecast) -> str:
    """Say what of the RSS is not live heap."""
    prediction = forecast.prediction
    resident, live = prediction.resident, prediction.live_heap
    garbage = resident.likely - live.likely - prediction.mapped.likely
    return (
        f"RSS is likely {size(resident.likely)}, between {size(resident.low)} and "
        f"{size(resident.high)}: {size(live.likely)} live, "
        f"{size(prediction.mapped.likely)} mapped pages of the file, and "
        f"{size(max(0, garbage))} of garbage, freed heap not given back, stacks and "
        "the program."
    )


def _reason(key: GoComponent, counts: Counts) -> str:
    match key:
        case GoComponent.RAFT:
            mean = counts.raft_payload_bytes / max(1, counts.raft_entry_count)
            return (
                f"{counted(counts.raft_entry_count, 'entry', 'entries')} of "
                f"{size(mean)} on average stay until the log is cut after a raft "
                "snapshot: a lower --snapshot-count cuts it sooner, down to the "
                "catch-up entries. Compaction and defragmentation free none of it."
            )
        case GoComponent.MVCC:
            return (
                f"{counted(counts.index_key_count, 'key')} with "
                f"{counted(counts.index_revision_count, 'revision')}. Compaction "
                "frees deleted keys; the arrays of living keys shrink only when they "
                "must grow again, or with a restart."
            )
        case GoComponent.BACKEND:
            return (
                "Its buffers keep the pairs of the largest batch until they are "
                "overwritten, and free pages of the file cost heap: compact, then "
                "defragment."
            )
        case GoComponent.LEASE:
            return (
                f"{counted(counts.lease_count, 'lease')} with "
                f"{counted(counts.attached_key_count, 'key')}. One lease for many "
                "keys costs a third; maps of revoked leases shrink with a restart."
            )
        case GoComponent.WATCH:
            return (
                f"{counted(counts.watcher_count, 'watcher')} on "
                f"{counted(counts.stream_count, 'stream')}. A watcher of a prefix "
                "costs as much as one or two of single keys."
            )
        case GoComponent.CONNECTIONS:
            return (
                f"{counted(counts.connection_count, 'connection')}: share them, many "
                "streams and calls go over one; the gRPC proxy joins those of many "
                "clients."
            )
        case GoComponent.REQUESTS:
            return (
                "Answers that clients have not taken yet, twice their size while "
                "they are built: read ranges in pages, with a limit."
            )
        case _:
            return "That is what every etcd needs."


def _components(forecasts: Sequence[Forecast]) -> Sheet:
    shown: list[GoComponent] = []
    summed: list[GoComponent] = []
    largest = max(forecast.prediction.live_heap.likely for forecast in forecasts)
    for key in GoComponent:
        if key in _SERVER:
            continue
        most = max(forecast.prediction.components[key].likely for forecast in forecasts)
        (shown if most >= SMALL_SHARE * largest else summed).append(key)
    groups: list[tuple[str, tuple[GoComponent, ...]]]
    groups = [(_SHORT.get(key, key.label), (key,)) for key in shown]
    groups += [("others", tuple(summed)), ("server", _SERVER)]
    scale = Scale.of([largest])
    rows = []
    for forecast in forecasts:
        parts = forecast.prediction.components
        cells = [sum(parts[key].likely for key in keys) for _, keys in groups]
        cells.append(forecast.prediction.live_heap.likely)
        rows.append([forecast.name, *map(scale.cell, cells)])
    return Sheet(
        title=f"Live heap by component, likely, {scale.unit}",
        columns=[
            Column(name="stage", is_text=True),
            *(Column(name=name) for name, _ in groups),
            Column(name="total"),
        ],
        rows=rows,
    )


def _process(forecasts: Sequence[Forecast]) -> Sheet:
    bands = [
        (f.prediction.live_heap, f.prediction.mapped, f.prediction.resident)
        for f in forecasts
    ]
    scale = Scale.of(resident.high for _, _, resident in bands)
    names = [(group, end) for group in ("live heap", "RSS") for end in Band.__slots__]
    columns = [Column(name=end, group=group) for group, end in names]
    columns.insert(3, Column(name="mapped"))
    rows = []
    for forecast, (live, mapped, resident) in zip(forecasts, bands, strict=True):
        cells = [
            *(live.low, live.likely, live.high),
            mapped.likely,
            *(resident.low, resident.likely, resident.high),
        ]
        rows.append([forecast.name, *map(scale.cell, cells)])
    return Sheet(
        title=f"The process, {scale.unit}",
        columns=[Column(name="stage", is_text=True), *columns],
        rows=rows,
    )
