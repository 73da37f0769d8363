"""Scripts of etcdctl commands, and what a server made etcdctl say to them.

A script is a text file. It holds the answers of a real etcd too::

    @ --quota-backend-bytes=4000000     flags of the server, before the first step
    # a remark, kept as it is
    $ put greeting                      a step: run etcdctl
    < hello                             its standard input, line by line
    | OK                                its output
    & watch -i                          start etcdctl in the background
    < watch greeting                    and go on once the server has its watcher
    + watch other                       one more line to its input
    ~ 3                                 wait until it has written 3 lines, go on
    . 6                                 wait until it has written 6 lines, end it
    | PUT                               what it wrote
    .                                   wait until it ends by itself

`<x 1000` is a line of 1000 times x. Standard error comes after standard output, each
line with "! " in front; then "exit 1" if that is not 0. A step may name the first
lease of its script LEASE1, and a directory of its own DIR.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

SCRIPTS = Path(__file__).with_name("scripts")


@dataclass(slots=True)
class Step:
    """One command and its output."""

    sign: str
    """What is done: `$`, `&`, `+`, `~` or `.`."""
    text: str
    """The rest of the line: a command, a line of input, a number of lines."""
    remarks: list[str] = field(default_factory=list)
    """Lines in front of it, as they are."""
    stdin: list[str] = field(default_factory=list)
    """Lines of input, as they are, sign included."""
    output: list[str] = field(default_factory=list)
    """Lines of output."""

    @property
    def command(self) -> str:
        """The line of the step."""
        return f"{self.sign} {self.text}".rstrip()

    @property
    def input_text(self) -> str:
        """All of its standard input."""
        return "".join(_input_line(line) + "\n" for line in self.stdin)

    def lines(self) -> list[str]:
        """Write the step as it stands in a script."""
        output = [f"| {line}" if line else "|" for line in self.output]
        return [*self.remarks, self.command, *self.stdin, *output]


@dataclass(slots=True)
class Script:
    """Steps for one fresh server."""

    flags: list[str]
    """What the server is started with, besides where it listens."""
    steps: list[Step]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a script file."""
        flags: list[str] = []
        steps: list[Step] = []
        remarks: list[str] = []
        for line in path.read_text("utf-8").splitlines():
            sign = line[:1]
            if sign == "@":
                flags.append(line[1:].strip())
            elif sign in ("$", "&", "+", "~", "."):
                steps.append(Step(sign, line[1:].strip(), remarks))
                remarks = []
            elif sign == "<":
                steps[-1].stdin.append(line)
            elif sign == "|":
                steps[-1].output.append(line[2:])
            else:
                remarks.append(line)
        return cls(flags, steps)

    def text(self) -> str:
        """Write the script as it stands in its file."""
        flags = [f"@ {flag}" for flag in self.flags]
        steps = [line for step in self.steps for line in step.lines()]
        return "\n".join([*flags, *steps, ""])


def _input_line(line: str) -> str:
    if line.startswith("<x "):
        return "x" * int(line[3:])
    return line[2:]
