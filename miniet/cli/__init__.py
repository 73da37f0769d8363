"""The command line: one module per command, imported when it is asked for.

A server should start without the libraries that draw its memory.
"""

from importlib import import_module

import click

from miniet import __version__

COMMANDS = {
    "serve": "Run an etcd v3 server.",
    "memory": "Show what a server holds: counts, Python, Go, the process.",
    "predict": "Say what a Go etcd would hold under a load.",
    "doctor": "Say what holds a server's memory, and what changes it.",
    "lab": "Run an experiment on etcd's memory and report what it shows.",
}
"""Modules of this package, each with a `command`, and what the overview says."""


class _Commands(click.Group):
    """A group whose commands are found by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"{__name__}.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the overview without importing what it names."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="miniet", message="%(prog)s %(version)s")
def main() -> None:
    """A real etcd v3 server in Python whose memory is visible."""
