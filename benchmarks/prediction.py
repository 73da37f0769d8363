"""Holds the Go model against measured etcds; see README.md beside this file.

    python benchmarks/prediction.py [--worst N] [--plot FILE] [--fit]

Counts of every stage are worked out from what the clients did, the model predicts,
and the prediction is compared with what was measured. Constants were fitted on half
of the runs, chosen by checksum; both halves are shown.
"""

import argparse
import statistics
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from measured_runs import MIB, Judged, MeasuredRun, judge, load_runs

from miniet.memory.components import GoComponent
from miniet.predict import calibration
from miniet.predict.go_sizes import size_class

LIVE_BYTES_MIN = 20 * MIB
"""Stages with less are mostly an empty server."""
NOISE_MAX = 0.15
"""A component is judged where its heap profile's sampling is no noisier than this."""
SCENARIOS = {
    "A": "case study",
    "A2": "- and restarts",
    "B": "- three members",
    "C": "raft log",
    "D": "tree index",
    "E": "backend",
    "F": "watchers",
    "F-backlog": "- backlog",
    "G": "leases",
    "H": "ranges",
}
FITTED: tuple[tuple[str, int | None], ...] = (
    ("FIXED_BYTES", None),
    ("TREE_SHARE", 1),
    ("CONNECTION_BYTES", None),
    ("STREAM_BYTES", None),
    ("HTTP_STREAM_BYTES", None),
    ("KEY_WATCHER_BYTES", None),
    ("WATCHED_KEY_BYTES", None),
    ("RANGE_WATCHER_BYTES", None),
    ("FREE_PAGE_BYTES", None),
    ("EVENT_COPIES", None),
    ("BLOCKED_RESPONSES", None),
    ("REQUEST_S", None),
    ("WRITE_BYTES_PER_S", None),
    ("LOADED_SHARE", 1),
    ("BURST_SHARE", 1),
    ("QUIET_SHARE", 1),
    ("NEW_WATCHER_BYTES", None),
    ("PROGRAM_BYTES", 1),
    ("CONNECTION_STACK_BYTES", None),
    ("STREAM_STACK_BYTES", None),
    ("UNTOUCHED_CONNECTION_BYTES", None),
    ("MEAN_BATCH_SHARE", None),
)
"""Constants that `--fit` looks at, with the place in a triple."""
FACTORS = (0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Absolute relative errors of some stages."""

    count: int
    median: float
    worst: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Errors":
        """Sum them up; all 0 where there are none."""
        errors = sorted(map(abs, values))
        if not errors:
            return cls(count=0, median=0.0, worst=0.0)
        return cls(
            count=len(errors), median=statistics.median(errors), worst=errors[-1]
        )

    def __str__(self) -> str:
        if not self.count:
            return f"{'-':>5}{'':15}"
        return f"{self.count:>5} {self.median:>6.1%} {self.worst:>7.1%}"


def judge_all(runs: Sequence[MeasuredRun] | None = None) -> list[Judged]:
    """Predict every stage of every run."""
    return [stage for run in runs or load_runs() for stage in judge(run)]


def live_error(stage: Judged) -> float:
    """Relative error of the live heap of a stage that has one."""
    assert stage.sample.live is not None
    return stage.prediction.live_heap.likely / stage.sample.live - 1


def is_live_judged(stage: Judged) -> bool:
    """Whether a stage counts for the live heap."""
    return (stage.sample.live or 0) >= LIVE_BYTES_MIN and not stage.unknown


def component_errors(stage: Judged) -> dict[str, float]:
    """Relative errors of the components that the stage's profile shows well."""
    if not is_live_judged(stage):
        return {}
    least = max(MIB, stage.run.profile_period / NOISE_MAX**2)
    predicted = {key: band.likely for key, band in stage.prediction.components.items()}
    # The profile books the lease's copies of attached keys to who makes stored
    # pairs: the two have their string conversion in common.
    counts = stage.counts
    if counts.attached_key_count:
        mean = counts.attached_key_bytes / counts.attached_key_count
        copies = counts.attached_key_count * size_class(mean, stage.run.profile.go)
        predicted[GoComponent.LEASE] -= copies
        predicted[GoComponent.BACKEND] += copies
    return {
        key: predicted[key] / value - 1
        for key, value in stage.sample.components.items()
        if value >= least
    }


def is_inside(stage: Judged) -> bool:
    """Whether the measured RSS lies in the predicted band."""
    band = stage.prediction.resident
    return band.low <= stage.sample.rss <= band.high


def width(stage: Judged) -> float:
    """The band of RSS: high over low."""
    return stage.prediction.resident.high / stage.prediction.resident.low


def report(stages: Sequence[Judged]) -> None:
    """Print all figures, halves apart."""
    halves: tuple[tuple[str, Callable[[Judged], bool]], ...] = (
        ("all", lambda _: True),
        ("fitted half", lambda stage: stage.run.is_fitted),
        ("judged half", lambda stage: not stage.run.is_fitted),
    )
    _head("Live heap after a forced collection, stages of 20 MiB and more", halves)
    judged = [stage for stage in stages if is_live_judged(stage)]
    for scenario, name in (*SCENARIOS.items(), ("", "in all")):
        rows = [s for s in judged if scenario in ("", s.run.scenario)]
        _row(
            name,
            (Errors.of(live_error(s) for s in rows if keep(s)) for _, keep in halves),
        )
    _not_judged(stages)
    _head("Components of the live heap, where the heap profile shows them", halves)
    for key in (*GoComponent, ""):
        _row(
            (key and GoComponent(key).label) or "in all",
            (
                Errors.of(
                    error
                    for s in judged
                    if keep(s)
                    for name, error in component_errors(s).items()
                    if key in ("", name)
                )
                for _, keep in halves
            ),
        )
    _resident(stages, halves)


def _not_judged(stages: Sequence[Judged]) -> None:
    """Say what was left out, why, and how far off it is."""
    rows = [s for s in stages if s.unknown and (s.sample.live or 0) >= LIVE_BYTES_MIN]
    for reason in sorted({s.unknown for s in rows}):
        errors = Errors.of(live_error(s) for s in rows if s.unknown == reason)
        print(
            textwrap.fill(
                f"Not in it: {errors.count} stages whose counts are not known, because "
                f"{reason} (median {errors.median:.1%}, worst {errors.worst:.1%}).",
                80,
            )
        )


def _resident(
    stages: Sequence[Judged],
    halves: Sequence[tuple[str, Callable[[Judged], bool]]],
) -> None:
    print("\nRSS: share of stages inside the band, and its greatest high / low\n")
    print(f"{'':20}" + "".join(f"{name:>20}" for name, _ in halves))
    for scenario, name in (*SCENARIOS.items(), ("", "in all")):
        rows = [s for s in stages if scenario in ("", s.run.scenario)]
        cells = []
        for _, keep in halves:
            kept = [s for s in rows if keep(s)]
            if not kept:
                cells.append(f"{'-':>20}")
                continue
            share = sum(map(is_inside, kept)) / len(kept)
            cells.append(f"{len(kept):>6} {share:>7.1%} {max(map(width, kept)):>5.2f}")
        print(f"{name:20}" + "".join(cells))
    outside = Counter(
        f"{SCENARIOS[s.run.scenario].removeprefix('- ')}: {s.sample.stage}"
        for s in stages
        if not is_inside(s)
    )
    text = "; ".join(f"{name} ({n})" for name, n in outside.most_common())
    print("\n" + textwrap.fill(f"Outside: {text}", 80))


def worst(stages: Sequence[Judged], count: int) -> None:
    """Print the stages whose live heap is furthest off."""
    print(f"\nWorst {count} of the live heap, MiB")
    ranked = sorted(filter(is_live_judged, stages), key=lambda s: -abs(live_error(s)))
    for stage in ranked[:count]:
        live = (stage.sample.live or 0) / MIB
        likely = stage.prediction.live_heap.likely / MIB
        print(
            f"{live_error(stage):>+7.1%} {live:>8.1f} {likely:>8.1f} "
            f"{SCENARIOS[stage.run.scenario]}, {stage.run.version}: "
            f"{stage.sample.stage[:32]} {stage.run.parameters}"
        )


def fit(runs: Sequence[MeasuredRun]) -> None:
    """Print where each fitted constant does best on the fitted half.

    One at a time, the others as they are: a factor of 1.00 means that the constant
    stands where it should.
    """
    fitted = [run for run in runs if run.is_fitted]
    print(f"{'':28}{'best factor':>12}{'error':>9}{'now':>9}")
    for name, place in FITTED:
        value = getattr(calibration, name)
        losses = {}
        for factor in FACTORS:
            changed = (
                value * factor
                if place is None
                else (*value[:place], value[place] * factor, *value[place + 1 :])
            )
            setattr(calibration, name, changed)
            losses[factor] = _loss(judge_all(fitted))
        setattr(calibration, name, value)
        best = min(losses, key=lambda factor: losses[factor])
        print(f"{name:28}{best:>12.2f}{losses[best]:>9.4f}{losses[1.0]:>9.4f}")


def _loss(stages: Sequence[Judged]) -> float:
    """Mean error of live heap and components, and of RSS at a tenth of the weight."""
    errors = [live_error(s) for s in stages if is_live_judged(s)]
    for stage in stages:
        errors += component_errors(stage).values()
    resident = [s.prediction.resident.likely / s.sample.rss - 1 for s in stages]
    return statistics.mean(map(abs, errors)) + 0.1 * statistics.mean(map(abs, resident))


def plot(stages: Sequence[Judged], path: Path) -> None:
    """Draw predicted against measured: live heap, and RSS with its band."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    live = [s for s in stages if s.sample.live and not s.unknown]
    for axes, rows, title in (
        (left, live, "live heap after a collection, MiB"),
        (right, list(stages), "RSS, MiB, with its band"),
    ):
        for scenario, name in SCENARIOS.items():
            group = [s for s in rows if s.run.scenario == scenario]
            if axes is left:
                points = [
                    ((s.sample.live or 0) / MIB, s.prediction.live_heap.likely / MIB)
                    for s in group
                ]
            else:
                points = [
                    (s.sample.rss / MIB, s.prediction.resident.likely / MIB)
                    for s in group
                ]
                axes.vlines(
                    [x for x, _ in points],
                    [s.prediction.resident.low / MIB for s in group],
                    [s.prediction.resident.high / MIB for s in group],
                    colors="0.85",
                    zorder=0,
                )
            axes.plot(
                *zip(*points, strict=True), ".", markersize=4, label=name.strip("- ")
            )
        axes.set(xscale="log", yscale="log", xlabel=f"measured {title}")
        axes.set_ylabel("predicted")
        axes.axline((10, 10), (100, 100), color="0.4", linewidth=0.8)
    left.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Judge, and print what the command line asks for."""
    parser = argparse.ArgumentParser(description="Hold the Go model against etcds.")
    parser.add_argument("--worst", type=int, default=0, metavar="N")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    runs = load_runs()
    if arguments.fit:
        fit(runs)
        return
    stages = judge_all(runs)
    print(f"{len(runs)} processes of etcd 3.4.23 and 3.5.1, {len(stages)} stages")
    report(stages)
    if arguments.worst:
        worst(stages, arguments.worst)
    if arguments.plot:
        plot(stages, arguments.plot)
        print(f"\nwritten to {arguments.plot}")


def _head(title: str, halves: Sequence[tuple[str, object]]) -> None:
    print(f"\n{title}\n")
    print(f"{'':20}" + "".join(f"{name:>20}" for name, _ in halves))
    print(f"{'':20}" + f"{'n':>5} {'median':>6} {'worst':>7}" * len(halves))


def _row(name: str, cells: Iterable[Errors]) -> None:
    print(f"{name:20}" + "".join(map(str, cells)))


if __name__ == "__main__":
    main()
