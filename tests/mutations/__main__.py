"""`python -m tests.mutations`: see the package."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from tests.mutations.generic import draw
from tests.mutations.mutation import Mutation
from tests.mutations.runner import Job, Outcome, Runner, Verdict, jobs_of
from tests.mutations.table import MUTATIONS

AT_ONCE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 1 if a deliberate one survived."""
    options = _parser().parse_args(arguments)
    # A pipe has no width of its own, and the ids of tests are long.
    console = Console(width=None if sys.stdout.isatty() else 180, highlight=False)
    chosen = _chosen(options)
    if not chosen:
        console.print("no mutation has such a name; --list shows them")
        return 2
    if options.list:
        for mutation in chosen:
            console.print(f"{mutation.name:34}{mutation.breaks}", markup=False)
        return 0
    with tempfile.TemporaryDirectory(prefix="miniet-mutations-") as directory:
        outcomes = _run(console, Path(directory), chosen, options.jobs)
    return _report(console, outcomes, options.seed if options.random else None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutations",
        description="Break the core on purpose, and see which test notices.",
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="as names begin")
    parser.add_argument("--list", action="store_true", help="show them, run none")
    parser.add_argument("--random", type=int, metavar="N", help="generic ones instead")
    parser.add_argument("--seed", type=int, default=7, help="that draws them")
    parser.add_argument("--jobs", type=int, default=AT_ONCE, help="runs at a time")
    return parser


def _chosen(options: argparse.Namespace) -> list[Mutation]:
    every = draw(options.random, options.seed) if options.random else MUTATIONS
    if options.only is None:
        return list(every)
    return [m for m in every if m.name.startswith(tuple(options.only))]


def _run(
    console: Console, directory: Path, chosen: Sequence[Mutation], at_once: int
) -> list[Outcome]:
    """Run them with a progress line; return the outcomes in the order of `chosen`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    jobs, outcomes = jobs_of(chosen), []
    runner = Runner(directory)
    # Drawn by the loop: a thread that draws would be forked along.
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        task = progress.add_task("", total=len(jobs))
        for outcome in runner.run(jobs, at_once, on_poll=progress.refresh):
            outcomes.append(outcome)
            bad = sum(not outcome.is_good for outcome in outcomes)
            progress.update(task, advance=1, description=f"{bad} not caught")
            if not console.is_terminal:
                _tell(console, outcome, len(outcomes), len(jobs))
    places = {job: place for place, job in enumerate(jobs)}
    return sorted(outcomes, key=lambda outcome: places[outcome.job])


def _tell(console: Console, outcome: Outcome, done: int, total: int) -> None:
    """A line each, where no progress bar can be drawn."""
    what = outcome.verdict.value if outcome.job.mutation else "untouched"
    if not outcome.is_good:
        what = what.upper()
    line = f"{done}/{total} {what:10}{outcome.job.name} {outcome.seconds:.1f} s"
    console.print(line, markup=False)


def _report(console: Console, outcomes: Sequence[Outcome], seed: int | None) -> int:
    """Print the table, the count and what is not well; return the exit code."""
    ran = [outcome for outcome in outcomes if outcome.job.mutation is not None]
    console.print(_table(ran))
    bad = [outcome for outcome in outcomes if not outcome.is_good]
    caught = sum(outcome.is_good for outcome in ran)
    drawn = "" if seed is None else f", drawn by seed {seed}"
    console.print(f"{caught} of {len(ran)} mutations caught{drawn}")
    for outcome in bad:
        console.print(_explanation(outcome), markup=False)
    if seed is None:
        return int(bool(bad))
    # Whether a generic one changes anything at all is for a person to say.
    return int(any(outcome.verdict is not Verdict.SURVIVED for outcome in bad))


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table("package", "mutation", "what it breaks", "noticed by", "s")
    for outcome in outcomes:
        mutation = outcome.job.mutation
        assert mutation is not None
        noticed = outcome.noticed_by.removeprefix("tests/")
        if outcome.verdict is not Verdict.CAUGHT:
            noticed = f"{outcome.verdict.value}: {noticed}"
        table.add_row(
            mutation.package,
            mutation.name.partition("/")[2],
            escape(mutation.breaks),
            f"[{'green' if outcome.is_good else 'bold red'}]{escape(noticed)}[/]",
            f"{outcome.seconds:.1f}",
        )
    return table


def _explanation(outcome: Outcome) -> str:
    job: Job = outcome.job
    if job.mutation is None:
        return f"fails on the untouched tree: {outcome.noticed_by}"
    return (
        f"{outcome.verdict.value}: {job.name} in {job.mutation.file}: "
        f"{job.mutation.breaks}\n  ran: {' '.join(job.tests)}"
    )


if __name__ == "__main__":
    sys.exit(main())
