"""Draws what `run.py` found: how many times as good as etcd, a bar for each load.

A rate counts as miniet's over etcd's, a latency as etcd's over miniet's, so that a
longer bar is always better and less than 1 is a load that miniet loses. A bar is as
long as the median over the rounds; the thin line goes from the least to the greatest.
Where the bar is of a compiled miniet, a circle is where the same miniet is interpreted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REACHED, _SHORT, _LOST, _INK = "#009E73", "#E69F00", "#D55E00", "#010203"
"""The target reached; better than etcd, but short of it; worse than etcd. Okabe and
Ito's colours, which people who do not see red or green tell apart."""
_WIDTH_IN = 8.0
_DPI = 150


@dataclass(frozen=True, slots=True)
class Bar:
    """A load, and what it is to reach."""

    label: str
    workload: str
    figure: str
    target: float | None = None
    """Times as good as etcd, at the least; None: only to be looked at."""

    def ratios(
        self, results: Mapping[str, Any], target: str
    ) -> tuple[float, float, float] | None:
        """Return least, median and greatest times as good; None: not measured."""
        try:
            found = results[self.workload][target][self.figure]["of_etcd"]
        except KeyError:
            return None
        if self.figure.endswith("_per_s"):
            return found["min"], found["median"], found["max"]
        return 1 / found["max"], 1 / found["median"], 1 / found["min"]


BARS = (
    Bar("put, 10 connections of 10", "puts", "put_10x10_per_s", 1.5),
    Bar("put, 100 connections of 10", "puts", "put_100x10_per_s", 1.3),
    Bar("put, 1,000 connections", "puts", "put_1000x1_per_s"),
    Bar("put, one client", "puts", "put_1x1_per_s", 1.0),
    Bar("put, 1,000,000 keys stored: p99", "stored_keys", "put_1m_p99_ms", 1.0),
    Bar("txn of a compare and a put", "txns", "txn_per_s", 1.5),
    Bar("range of one key, linearizable", "ranges", "linearizable_per_s", 2.0),
    Bar("range of one key, serializable", "ranges", "serializable_per_s", 2.0),
    Bar("range of 1,000 keys", "ranges", "thousand_keys_per_s", 1.5),
    Bar("lease keep-alive", "keep_alives", "keep_alive_per_s"),
    Bar("events to 1,000 watchers", "watch_fanout", "events_per_s", 1.0),
)


def save(results: Mapping[str, Any], path: Path) -> bool:
    """Draw the loads that were measured on both servers; False: there are none.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    found = [(bar, bar.ratios(results, "miniet")) for bar in BARS]
    rows = [(bar, ratios) for bar, ratios in found if ratios is not None]
    if not rows:
        return False
    size = (_WIDTH_IN, 0.9 + 0.32 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    for place, (bar, (least, ratio, greatest)) in enumerate(rows):
        is_reached = ratio >= (bar.target or 1)
        colour = _REACHED if is_reached else _SHORT if ratio >= 1 else _LOST
        axes.barh(place, ratio, height=0.6, color=colour)
        axes.plot([least, greatest], [place] * 2, color=_INK, linewidth=0.7)
        interpreted = bar.ratios(results, "miniet_interpreted")
        if interpreted is not None:
            axes.plot(interpreted[1], place, "o", color="white", markeredgecolor=_INK)
        # Beside the axes, where it meets no mark.
        axes.text(
            1.01,
            place,
            f"{ratio:.2f}",
            transform=axes.get_yaxis_transform(),
            va="center",
        )
        if bar.target is not None:
            axes.plot([bar.target] * 2, [place - 0.42, place + 0.42], color=_INK)
    axes.set_yticks(range(len(rows)), [bar.label for bar, _ in rows])
    axes.invert_yaxis()
    axes.axvline(1, color=_INK, linewidth=0.7, linestyle=":")
    axes.margins(x=0.1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(
        "times as good as etcd (dotted: equal; line: aimed at; circle: interpreted)"
    )
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})
    return True
