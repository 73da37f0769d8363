"""Plots of a run: what was resident over time, predicted against measured, growth.

matplotlib is an optional extra and is imported when a plot is made. Figures go into
HTML as SVG whose ink takes the colour of the page's text, and into files as PNG.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from miniet.errors import MinietError
from miniet.memory.components import Component
from miniet.predict.prediction import Band
from miniet.report.document import Figure
from miniet.report.run import Run, Variant
from miniet.report.series import Moment, PartOf, component_growth, moments, split
from miniet.report.units import MIB, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Okabe and Ito's colours, which people who do not see red or green tell apart.
_COLOURS = {
    PartOf.LOG: "#D55E00",
    PartOf.INDEX: "#009E73",
    PartOf.BUFFERS: "#CC79A7",
    PartOf.CLIENTS: "#F0E442",
    PartOf.MAPPED: "#56B4E9",
    PartOf.BASELINE: "#999999",
    PartOf.FREED: "#E69F00",
    PartOf.REST: "#CCCCCC",
}
_BAND, _LIKELY, _MEASURED = "#56B4E9", "#0072B2", "#D55E00"
_LESS = "#009E73"
_INK = "#010203"
"""Of text and axes; in SVG it becomes the page's own colour."""
_WIDTH_IN = 8.0
_DPI = 150  # 1,200 pixels: sharp where a page shows it at 800
_VISIBLE = 0.005
"""Of the largest: what is thinner is not drawn, and has no place in the legend."""
_CHARACTER = 0.0098
"""Width of a character of a stage's name, of a panel's width."""
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color"), _INK
    ),
    "ytick.color": _INK,
}


class PlotsMissingError(MinietError):
    """matplotlib is not installed; the message says how to install it."""

    def __init__(self) -> None:
        super().__init__("plots need matplotlib: pip install 'miniet[plots]'")


def figures(run: Run) -> list[Figure]:
    """Return a run's plots for a page, those that have something to show.

    Raises:
        PlotsMissingError: without matplotlib.
    """
    return [Figure(_svg(canvas, name), caption) for name, caption, canvas in _all(run)]


def save(run: Run, directory: str | os.PathLike[str]) -> list[Path]:
    """Write a run's plots as PNG files, on white.

    Raises:
        PlotsMissingError: without matplotlib.
        OSError: they cannot be written.
    """
    paths = []
    for name, _, canvas in _all(run):
        path = Path(directory) / f"{name}.png"
        canvas.savefig(path, dpi=_DPI, facecolor="white", metadata={"Software": None})
        paths.append(path)
    return paths


def _all(run: Run) -> Iterator[tuple[str, str, Canvas]]:
    """Make the plots one by one: a name, a caption, the drawing."""
    try:
        from matplotlib import rc_context
    except ImportError as error:
        raise PlotsMissingError from error
    seen = [variant for variant in run.variants if moments(variant)]
    predicted = [v for v in run.variants if any(s.prediction for s in v.stages)]
    grown = [variant for variant in run.variants if component_growth(variant)]
    with rc_context(_STYLE):
        if seen:
            yield "resident", _RESIDENT, _resident(seen)
        if predicted:
            yield "prediction", _PREDICTION, _prediction(predicted)
        if grown:
            yield "growth", _GROWTH, _growth(grown)


_RESIDENT = (
    "What the process had resident, by what is known to be in it. Payload is what "
    "clients sent; what is not named is garbage, freed heap and overhead."
)
_PREDICTION = (
    "What a Go etcd is predicted to have resident, from low to high, beside what "
    "this process had."
)
_GROWTH = "Payload that each component held more at the last stage than at the first."


def _resident(variants: Sequence[Variant]) -> Canvas:
    """Stack the parts of RSS over time, a panel per variant."""
    height_in = 2.6 if len(variants) <= 2 else 1.9
    canvas, panels = _panels([height_in] * len(variants), sharey=True)
    used: set[PartOf] = set()
    for panel, variant in zip(panels, variants, strict=True):
        points = moments(variant)
        parts = [split(point.capture) for point in points]
        times = [point.time_s for point in points]
        visible = _VISIBLE * max(sum(found.values()) for found in parts)
        shown = [
            part
            for part in PartOf
            if max(found.get(part, 0) for found in parts) > visible
        ]
        used.update(shown)
        panel.stackplot(
            times,
            *([found.get(part, 0) / MIB for found in parts] for part in shown),
            colors=[_COLOURS[part] for part in shown],
            linewidth=0,
        )
        panel.set_xlim(times[0], times[-1] or 1)
        levels = _mark_stages(panel, [point for point in points if point.stage])
        panel.set_title(variant.name, pad=6 + 11 * levels)
        panel.set_ylabel("resident, MiB")
        panel.set_ylim(bottom=0)
        panel.yaxis.set_major_formatter(_thousands)
    panels[-1].set_xlabel("time, s")
    _legend(canvas, [(_COLOURS[part], part.value) for part in PartOf if part in used])
    return canvas


def _mark_stages(panel: Axes, points: Sequence[Moment]) -> int:
    """Mark when stages ended; a name that would meet another one goes higher.

    Returns:
        Lines of names above the panel.
    """
    begin, end = panel.get_xlim()
    taken: list[float] = []
    for point in points:
        place = (point.time_s - begin) / (end - begin)
        width = _CHARACTER * len(point.stage)
        is_left = place + width > 1
        left = place - width if is_left else place
        level = next((n for n, to in enumerate(taken) if to < left), len(taken))
        taken[level : level + 1] = [left + width]
        line = panel.axvline(point.time_s, color=_INK, linewidth=0.7, linestyle=":")
        line.set_clip_on(False)
        panel.annotate(
            point.stage,
            (place, 1),
            xycoords="axes fraction",
            xytext=(-2 if is_left else 2, 3 + 11 * level),
            textcoords="offset points",
            ha="right" if is_left else "left",
            fontsize=8.5,
        )
    return len(taken)


def _prediction(variants: Sequence[Variant]) -> Canvas:
    """Draw a band per stage, and what was measured in it, on a log axis."""
    rows = [[s for s in variant.stages if s.prediction] for variant in variants]
    canvas, panels = _panels([0.5 + 0.27 * len(stages) for stages in rows], sharex=True)
    for panel, variant, stages in zip(panels, variants, rows, strict=True):
        for place, stage in enumerate(stages):
            if stage.prediction:
                _draw_band(panel, place, stage.prediction.resident)
            if stage.capture.process:
                resident = stage.capture.process.resident_bytes / MIB
                panel.plot(resident, place, "o", color=_MEASURED, markersize=6)
        panel.set_yticks(range(len(stages)), [stage.name for stage in stages])
        panel.invert_yaxis()
        panel.set_title(variant.name)
    panel = panels[-1]
    panel.set_xscale("log")
    begin, end = panel.get_xlim()
    panel.set_xlim(begin * 0.8, end)
    panel.xaxis.set_major_formatter(_thousands)
    panel.xaxis.set_minor_formatter(_minor_label)
    panel.set_xlabel("resident, MiB (log)")
    is_go = any(stage.capture.go for stages in rows for stage in stages)
    measured = "etcd, measured" if is_go else "miniet, measured"
    bands = [(_BAND, "Go etcd, low to high"), (_LIKELY, "likely")]
    _legend(canvas, [*bands, (_MEASURED, measured)])
    return canvas


def _draw_band(panel: Axes, place: int, band: Band) -> None:
    width = max(band.high - band.low, 1) / MIB
    panel.barh(place, width, left=band.low / MIB, height=0.55, color=_BAND)
    panel.plot([band.likely / MIB] * 2, [place - 0.27, place + 0.27], color=_LIKELY)


def _growth(variants: Sequence[Variant]) -> Canvas:
    """Draw a bar per component, to the left for less, a panel per variant."""
    found = [component_growth(variant) for variant in variants]
    visible = _VISIBLE * max(abs(b) for grown in found for b in grown.values())
    shown = [
        component
        for component in Component
        if any(abs(grown.get(component, 0)) > visible for grown in found)
    ]
    canvas, panels = _panels([0.5 + 0.3 * len(shown)] * len(found), sharex=True)
    for panel, variant, grown in zip(panels, variants, found, strict=True):
        for place, component in enumerate(shown):
            bytes_ = grown.get(component, 0)
            colour = _LESS if bytes_ < 0 else _MEASURED
            panel.barh(place, bytes_ / MIB, height=0.6, color=colour)
            panel.annotate(
                size(bytes_),
                (max(bytes_, 0) / MIB, place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
            )
        panel.set_yticks(range(len(shown)), [part.label for part in shown])
        panel.invert_yaxis()
        panel.axvline(0, color=_INK, linewidth=0.7)
        panel.margins(x=0.15)
        panel.set_title(variant.name)
    panels[-1].xaxis.set_major_formatter(_thousands)
    panels[-1].set_xlabel("growth, MiB")
    return canvas


def _thousands(value: float, _: int | None) -> str:
    return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


def _minor_label(value: float, _: int | None) -> str:
    """Label 2 and 5 of each decade: fewer leave bands without a figure."""
    return _thousands(value, _) if f"{value:e}"[0] in "25" else ""


def _panels(
    heights_in: Sequence[float], *, sharex: bool = False, sharey: bool = False
) -> tuple[Canvas, list[Any]]:
    """Return a drawing with panels below one another, and room for a legend."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(_WIDTH_IN, sum(heights_in) + 0.7), layout="constrained")
    axes = canvas.subplots(
        len(heights_in),
        1,
        sharex=sharex,
        sharey=sharey,
        squeeze=False,
        height_ratios=heights_in,
    )
    return canvas, list(axes[:, 0])


def _legend(canvas: Canvas, entries: Sequence[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=colour, label=label) for colour, label in entries]
    canvas.legend(handles=patches, loc="outside lower center", ncols=4)


def _svg(canvas: Canvas, name: str) -> str:
    """Return an SVG element that takes on the page's colour and is like every time."""
    from matplotlib import rc_context

    target = StringIO()
    with rc_context({"svg.hashsalt": name}):
        canvas.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    svg = target.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    # Ids of several figures meet on one page.
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return re.sub(r'(width|height)="[\d.]+pt" ', "", svg, count=2)
