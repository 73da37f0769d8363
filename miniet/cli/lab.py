"""`miniet lab`: the experiments, listed and run."""

import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars

from miniet.cli.reading import give_up
from miniet.errors import MinietError
from miniet.lab import LabError, Options, Scenario, run_scenario, target_of
from miniet.lab.scenarios import SCENARIOS
from miniet.lab.subject import Progress
from miniet.lab.target import Embedded
from miniet.releases import DEFAULT_RELEASE, SERVED
from miniet.report import data, html, plot, text
from miniet.report.run import Run

_WIDTH = 80


class Shown:
    """Progress as one line that is written over, on a terminal; else nothing."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("", total=None)

    def begin(self, text: str, total: int | None) -> None:
        self._bars.reset(self._task, description=text, total=total)

    def advance(self, steps: int) -> None:
        self._bars.advance(self._task, steps)


@contextmanager
def _shown() -> Iterator[Progress]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    quiet = not console.is_terminal
    with Bars(*columns, console=console, transient=True, disable=quiet) as bars:
        yield Shown(bars)


@click.group(short_help="Run an experiment on etcd's memory.")
def command() -> None:
    """Ask a question about etcd's memory, by experiment.

    Each experiment loads a server, reads it at every stage, predicts what a Go etcd
    would hold, and says in words what the figures mean.
    """


@command.command("list")
def list_scenarios() -> None:
    """List the experiments: name, question, what it takes."""
    formatter = click.HelpFormatter(width=_WIDTH)
    formatter.write_dl(
        [
            (name, f"{scenario.QUESTION} ({scenario.need(1.0)})")
            for name, scenario in SCENARIOS.items()
        ]
    )
    click.echo(formatter.getvalue(), nl=False)


@command.command("run")
@click.argument("name", type=click.Choice(list(SCENARIOS)), metavar="NAME")
@click.option(
    "--target",
    default="embedded",
    show_default=True,
    help="`embedded`: miniet, a process per variant; the path of an etcd's program: "
    "the same with that; or the endpoint of a server that runs.",
)
@click.option("--pid", type=int, help="Process of that server, to see its memory.")
@click.option(
    "--scale",
    type=float,
    default=1.0,
    show_default=True,
    help="Size of the load; 0.1 is a tenth of it.",
)
@click.option(
    "--profile",
    type=click.Choice(SERVED),
    help="The etcd release that miniet's log follows, and that is predicted. "
    f"[default: {DEFAULT_RELEASE}; another server says its own]",
)
@click.option(
    "--idle",
    type=float,
    default=0.0,
    metavar="MINUTES",
    help="Leave the server of case-study alone at the end, to see what it gives back.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    help="Directory of the report. [default: miniet-lab-NAME]",
)
@click.option("--yes", is_flag=True, help="Do not ask before disturbing a server.")
def run_one(
    name: str,
    target: str,
    pid: int | None,
    scale: float,
    profile: str | None,
    idle: float,
    out: Path | None,
    yes: bool,
) -> None:
    """Run the experiment NAME and print what it shows.

    The report is left in a directory as well: a page to open, its pictures, and
    run.json with all figures.
    """
    scenario = SCENARIOS[name]
    directory = out or Path(f"miniet-lab-{name}")
    try:
        found = target_of(target, pid)
        if profile and not isinstance(found, Embedded):
            raise LabError(f"--profile is miniet's: {target} has a release of its own")
        if not found.is_own and not yes:
            _ask(scenario, target)
        with _unwound(), _directory(directory), _shown() as progress:
            options = Options(
                target=found,
                scale=scale,
                profile=profile or DEFAULT_RELEASE,
                idle_s=60 * idle,
                progress=progress,
                command=_command_line(),
            )
            run = run_scenario(scenario, options)
        click.echo(text.render(run), nl=False)
        _leave(run, directory)
    except (MinietError, OSError) as error:
        give_up(error)


@contextmanager
def _unwound() -> Iterator[None]:
    """Let a signal that ends the lab end its servers and remove their files first.

    Python ends at once on these; only of Ctrl-C it makes an exception.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)  # another one finds it on its way out
        raise SystemExit(128 + number)

    names = ("SIGTERM", "SIGHUP")  # Windows has one of them
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # What is ignored stays so: `nohup` asks for it.
    before = {
        number: signal.signal(number, leave)
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _directory(path: Path) -> Iterator[None]:
    """Make a directory before the work, and leave none behind where that fails."""
    is_new = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if is_new:
            path.rmdir()
        raise


def _leave(run: Run, directory: Path) -> None:
    """Write the report's files."""
    data.save(run, directory / "run.json")
    page = directory / "report.html"
    page.write_text(html.render(run), encoding="utf-8")
    try:
        plot.save(run, directory)
    except plot.PlotsMissingError as error:
        click.echo(f"\nNo pictures: {error}.", err=True, nl=False)
    click.echo(f"\nThe report: {page}", err=True)


def _ask(scenario: Scenario, endpoint: str) -> None:
    """Say what is done to somebody's server, and stop if that is not wanted."""
    click.echo(
        f"The experiment writes to {endpoint}, below a prefix of its own "
        "(miniet-lab/...), and deletes that at the end.",
        err=True,
    )
    if scenario.DISTURBS:
        click.confirm(
            f"It {scenario.DISTURBS} of the whole server. Go on?", abort=True, err=True
        )


def _command_line() -> str:
    """Return what repeats this run: the options that were given, but for the place."""
    context = click.get_current_context()
    words = ["miniet", "lab", "run", context.params["name"]]
    for option in context.command.params:
        name = option.name or ""
        is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_given and name not in ("name", "out"):
            value = context.params[name]
            words.append(f"--{name}" if value is True else f"--{name}={value}")
    return shlex.join(words)
