"""The timeline of a soak as a picture; its JSON and the server's log beside it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from miniet.report.series import PartOf, split
from tests.soak.checks import MIB
from tests.soak.soak import Result

_STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 8,
}
# Okabe and Ito's colours, as in the reports.
_PARTS = {
    PartOf.MAPPED: "#56B4E9",
    PartOf.BASELINE: "#999999",
    PartOf.LOG: "#D55E00",
    PartOf.INDEX: "#009E73",
    PartOf.BUFFERS: "#CC79A7",
    PartOf.CLIENTS: "#F0E442",
    PartOf.REST: "#CCCCCC",
}
_LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
_LARGE = {
    "raft log entries": "raft_entry_count",
    "index revisions": "index_revision_count",
    "index keys": "index_key_count",
}
_SMALL = {
    "leases": "lease_count",
    "streams": "stream_count",
    "watchers": "watcher_count",
    "slow watchers": "slow_watcher_count",
    "connections": "connection_count",
}


def save(result: Result, directory: Path) -> tuple[Path, Path]:
    """Write `soak.png`, `soak.json` and `server.log`; return the first two paths."""
    directory.mkdir(parents=True, exist_ok=True)
    picture, document = directory / "soak.png", directory / "soak.json"
    with rc_context(_STYLE):
        _draw(result).savefig(picture, dpi=150, facecolor="white")
    (directory / "server.log").write_text(result.server_log)
    document.write_text(json.dumps(_document(result), indent=1) + "\n")
    return picture, document


def _document(result: Result) -> dict[str, Any]:
    return {
        "settings": asdict(result.settings),
        "flags": result.settings.flags,
        "holds": result.holds,
        "findings": [asdict(finding) for finding in result.findings],
        "calls": dict(result.calls),
        "events_checked": result.event_count,
        "end": result.end.to_json(),
        "points": [
            {"time_s": point.time_s, "capture": point.capture.to_json()}
            for point in result.points
        ],
    }


def _draw(result: Result) -> Figure:
    times = [point.time_s for point in result.points]
    canvas = Figure(figsize=(9, 10), layout="constrained")
    panels = canvas.subplots(4, 1, sharex=True, height_ratios=[3, 2.2, 2.2, 1.6])
    _draw_memory(panels[0], result, times)
    for panel, names in ((panels[1], _LARGE), (panels[2], _SMALL)):
        for (name, field), colour in zip(names.items(), _LINES, strict=False):
            counts = [getattr(p.capture.counts, field) for p in result.points]
            panel.plot(times, counts, label=name, color=colour, linewidth=1)
        panel.set_ylim(bottom=0)
        panel.set_ylabel("count")
        panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    panels[1].set_title("raft log and index")
    panels[2].set_title("leases, watchers, connections")
    _draw_pace(panels[3], result, times)
    panels[3].set_xlabel("time, s")
    panels[3].set_xlim(0, times[-1] or 1)
    settings = result.settings
    verdict = "all holds" if result.holds else "NOT ALL HOLDS"
    canvas.suptitle(
        f"miniet under a mixed load, {settings.seconds:g} s, seed {settings.seed}:"
        f" {verdict}",
        fontsize=11,
    )
    return canvas


def _draw_memory(panel: Any, result: Result, times: list[float]) -> None:
    parts = [split(point.capture) for point in result.points]
    panel.stackplot(
        times,
        *([found.get(part, 0) / MIB for found in parts] for part in _PARTS),
        colors=list(_PARTS.values()),
        labels=[part.value for part in _PARTS],
        linewidth=0,
    )
    panel.set_ylabel("MiB")
    panel.set_title("resident, by what is known of it")
    handles, labels = panel.get_legend_handles_labels()
    # From the top of the stack down.
    panel.legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1, 1))


def _draw_pace(panel: Any, result: Result, times: list[float]) -> None:
    revisions = [point.capture.counts.current_revision for point in result.points]
    pace = [
        (after - before) / max(end - begin, 1e-9)
        for before, after, begin, end in zip(
            revisions, revisions[1:], times, times[1:], strict=False
        )
    ]
    panel.plot(times[1:], pace, color=_LINES[0], linewidth=1)
    panel.set_ylim(bottom=0)
    panel.set_ylabel("revisions/s")
    panel.set_title("throughput")
