"""`python -m tests.soak`: see the package."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from miniet.memory.timeline import Point
from tests.soak.checks import MIB
from tests.soak.ledger import Ledger
from tests.soak.plot import save
from tests.soak.settings import Settings
from tests.soak.soak import Result, soak


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 if all holds."""
    options = _parser().parse_args(arguments)
    settings = Settings(seconds=options.minutes * 60, seed=options.seed)
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="miniet-soak-") as directory:
        result = _run(console, settings, Path(directory))
    picture, document = save(result, Path(options.out))
    _report(console, result)
    console.print(f"timeline: {picture}, figures: {document}")
    return 0 if result.holds else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Load a server for a while: does anything grow, or get lost?",
    )
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1, help="draws the load")
    parser.add_argument("--out", default="soak", help="directory of plot and JSON")
    return parser


def _run(console: Console, settings: Settings, directory: Path) -> Result:
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=settings.seconds)

        def on_point(gone_s: float, point: Point, ledger: Ledger) -> None:
            progress.update(task, completed=gone_s, description=_state(point, ledger))

        result = soak(settings, directory, on_point)
        progress.update(task, completed=settings.seconds)
    return result


def _state(point: Point, ledger: Ledger) -> str:
    counts = point.capture.counts
    return (
        f"{point.resident_bytes / MIB:.0f} MiB, revision {counts.current_revision},"
        f" {counts.watcher_count} watchers, {counts.lease_count} leases,"
        f" {len(ledger.faults)} faults"
    )


def _report(console: Console, result: Result) -> None:
    table = Table("", "what had to hold", "figures")
    for finding in result.findings:
        mark = "[green]holds[/]" if finding.holds else "[bold red]FAILS[/]"
        table.add_row(mark, finding.claim, finding.figures)
    console.print(table)
    settings = result.settings
    counted = ", ".join(f"{count} {name}" for name, count in result.calls.most_common())
    console.print(f"calls: {counted}")
    console.print(
        f"{'All holds' if result.holds else 'Not all holds'} after"
        f" {settings.seconds / 60:g} minutes, seed {settings.seed};"
        f" {result.event_count} events of followers checked."
    )
    if not result.holds:
        console.print(
            f"again: python -m tests.soak --minutes {settings.seconds / 60:g}"
            f" --seed {settings.seed}"
        )


if __name__ == "__main__":
    sys.exit(main())
