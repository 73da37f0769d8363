"""`miniet serve` and its flags, which are etcd's."""

import os
import platform
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import NoReturn

import click

from miniet import __version__
from miniet.engine import VERSION
from miniet.errors import DataError
from miniet.server import serve as server
from miniet.server.command_line import QUESTIONS, read_config, split_arguments
from miniet.server.config import FIELD_OF_FLAG
from miniet.server.errors import ConfigError, StartError, UsageError
from miniet.server.flags import BOOL, Flag


class ServeCommand(click.Command):
    """Run a server with etcd's flags, ETCD_* variables, ports and defaults.

    Every flag can be set in the environment too: --data-dir is ETCD_DATA_DIR. One
    that is set in both places is refused, and so is, by its name, every flag of
    etcd's that miniet does not support.
    """

    def __init__(self) -> None:
        super().__init__(
            "serve",
            callback=_serve,
            help=self.__doc__,
            short_help="Run an etcd v3 server.",
            params=[_option(flag) for flag in FIELD_OF_FLAG],
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words as Go's flags do, which is not how click does."""
        try:
            pairs = split_arguments(args)
        except ConfigError as error:
            _give_up(error)
        asked = QUESTIONS.intersection(name for name, _ in pairs)
        if "version" in asked:
            click.echo(_version_text())
            ctx.exit()
        if asked:
            click.echo(ctx.get_help())
            ctx.exit()
        ctx.params = {"pairs": pairs}
        return []

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the flags under etcd's headings."""
        for section, flags in groupby(FIELD_OF_FLAG, key=attrgetter("section")):
            with formatter.section(section):
                formatter.write_dl([_help_record(flag) for flag in flags])
        with formatter.section("Questions"):
            formatter.write_dl(
                [
                    ("--version", "Show the versions and exit."),
                    ("-h, --help", "Show this message and exit."),
                ]
            )


def _serve(pairs: Sequence[tuple[str, str]]) -> None:
    try:
        config, warnings = read_config(pairs, os.environ)
        for warning in warnings:
            click.echo(f"miniet: {warning}", err=True)
        raise SystemExit(server.run(config))
    except ConfigError as error:
        _give_up(error)
    except (DataError, StartError) as error:
        click.echo(f"miniet: {error}", err=True)
        raise SystemExit(1) from None


def _give_up(error: ConfigError) -> NoReturn:
    """Say what is wrong and exit as etcd does: 2 for usage, 1 for a setting."""
    click.echo(f"miniet: {error}. See 'miniet serve --help'.", err=True)
    raise SystemExit(2 if isinstance(error, UsageError) else 1)


def _option(flag: Flag) -> click.Option:
    """Make what click's shell completion sees of a flag."""
    return click.Option([f"--{name}" for name in flag.names], help=flag.help)


def _help_record(flag: Flag) -> tuple[str, str]:
    default = f" [{flag.default_text}]" if flag.default_text else ""
    value = "[=BOOL]" if flag.kind is BOOL else f" {flag.kind.metavar}"
    return f"--{flag.name}{value}", flag.help + default


def _version_text() -> str:
    system, machine = platform.system().lower(), platform.machine()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"etcd Version: {VERSION}\n"
        f"miniet Version: {__version__}\n"
        f"Python Version: {python}\n"
        f"Python OS/Arch: {system}/{machine}"
    )


command = ServeCommand()
