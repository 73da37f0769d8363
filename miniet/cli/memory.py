"""`miniet memory`: what a server holds, now, all the time, and between two readings."""

import json
import time
from datetime import datetime
from pathlib import Path

import click

from miniet.cli.reading import Reader, endpoint_argument, give_up, pid_option
from miniet.client import ClientError, set_tracing
from miniet.memory.capture import Capture
from miniet.memory.records import to_json
from miniet.report import text
from miniet.report.live import view
from miniet.report.pages import capture_page, growth_page

_WATCH_S = 2.0


class _Group(click.Group):
    """A group in which an endpoint may stand where a command does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.commands, *ctx.help_option_names}
        if args and args[0] not in known:
            args = ["show", *args]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["ENDPOINT | COMMAND ..."]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


def _seconds(ctx: click.Context, option: click.Parameter, text: str) -> float | None:
    """Read how often to look."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        message = f"{text!r} is not a number of seconds; ENDPOINT comes first."
        raise click.BadParameter(message) from None
    if not 0.1 <= seconds <= 86_400:
        raise click.BadParameter(f"{text} is not between 0.1 and 86400 seconds.")
    return seconds


@click.group("memory", cls=_Group, no_args_is_help=True)
def command() -> None:
    """Show what a server holds: counts, Python, Go, the process.

    \b
    miniet memory localhost:2379              one reading
    miniet memory localhost:2379 --watch      a reading every 2 seconds
    miniet memory localhost:2379 --trace on   bytes by component; puts get slow
    miniet memory capture localhost:2379 a.json, later diff a.json b.json

    Exit status: 0, or 2 with a line that says why not.
    """


@command.command("show", short_help="Show a server's memory; the word may be left out.")
@endpoint_argument
@pid_option
@click.option(
    "--watch",
    is_flag=False,
    flag_value=str(_WATCH_S),
    callback=_seconds,
    metavar="[SECONDS]",
    help=f"Look again every so often [{_WATCH_S:g}], until Ctrl-C.",
)
@click.option(
    "--trace",
    type=click.Choice(["on", "off"]),
    help="First switch the tracing of a miniet on or off. It tells Python's bytes by "
    "component, and makes puts 8 to 10 times slower.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, a line each.")
def show(
    endpoint: str,
    pid: int | None,
    watch: float | None,
    trace: str | None,
    as_json: bool,
) -> None:
    """Show what the server at ENDPOINT holds."""
    reader = Reader(endpoint, pid)
    if trace:
        try:
            set_tracing(endpoint, trace == "on")
        except ClientError as error:
            give_up(error)
    page = _json_page if as_json else _text_page
    if watch is None:
        click.echo(page(reader), nl=False)
        return
    first = page(reader)  # a server that does not answer is no reason to go on
    try:
        if as_json:
            _repeat(reader, first, watch)
        else:
            _watch(reader, first, watch)
    except KeyboardInterrupt:
        pass  # how one leaves


@command.command("capture", short_help="Write a reading to a file.")
@endpoint_argument
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--label", default="", metavar="L", help="What had been done: loaded.")
@pid_option
def capture(endpoint: str, file: Path, label: str, pid: int | None) -> None:
    """Write what the server at ENDPOINT holds to FILE, to be compared later."""
    reading, _ = Reader(endpoint, pid).read(label)
    try:
        reading.save(file)
    except OSError as error:
        give_up(error)
    click.echo(f"{reading.product} captured to {file}")


@command.command("diff", short_help="Show what has grown between two readings.")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
def diff(a: Path, b: Path) -> None:
    """Show what has changed from capture A to capture B.

    By component and line where tracing was on in both.
    """
    try:
        before, after = Capture.load(a), Capture.load(b)
    except (OSError, ValueError) as error:
        give_up(error)
    click.echo(text.write(growth_page(before, after)), nl=False)


def _text_page(reader: Reader) -> str:
    return text.write(capture_page(*reader.read()))


def _json_page(reader: Reader) -> str:
    reading, prediction = reader.read()
    document = {**reading.to_json(), "prediction": to_json(prediction)}
    return json.dumps(document) + "\n"


def _repeat(reader: Reader, first: str, period_s: float) -> None:
    click.echo(first, nl=False)
    while True:
        time.sleep(period_s)
        click.echo(_json_page(reader), nl=False)


def _watch(reader: Reader, first: str, period_s: float) -> None:
    with view() as show:
        page = first
        show(page)
        while True:
            time.sleep(period_s)
            try:
                page = text.write(capture_page(*reader.try_read()))
            except ClientError as error:
                # It may come back; what it held last is still worth a look. On top,
                # as the page may be longer than the screen.
                show(f"{datetime.now():%H:%M:%S}: {error}\n\n{page}")
            else:
                show(page)
