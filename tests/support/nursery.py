"""Servers forked from a process that has imported miniet: a start costs 0.1 s, not 0.4.

For tests that start servers by the dozen. What runs from the fork on is what
`miniet serve` runs; a kill during the start finds it at its files, not at imports.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from tests.support.served import Process, Served, wait_until

_ROOT = Path(__file__).parents[2]


class Nursery:
    """The process that forks; one command a line goes in, one answer a line out."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, *command: object) -> int | None:
        """Send one command and return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer: int | None = json.loads(self._process.stdout.readline())
        return answer


@functools.cache
def the_nursery() -> Nursery:
    """Return the one of this run; it ends when its standard input does."""
    return Nursery()


class ForkedServed(Served):
    """A `Served` whose process comes from the nursery."""

    def _launch(self, arguments: list[str], log: BinaryIO) -> Process:
        return _Forked(arguments, self.log_path)


class _Forked:
    """A forked server, with the methods of a `subprocess.Popen`."""

    def __init__(self, arguments: list[str], log_path: Path) -> None:
        pid = the_nursery().ask("fork", arguments, str(log_path))
        assert pid is not None
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            self._code = the_nursery().ask("poll", self.pid)
        return self._code

    def wait(self, timeout: float = 20.0) -> int:
        wait_until(lambda: self.poll() is not None, "the server has ended", timeout)
        assert self._code is not None
        return self._code

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, 9)


def _poll(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _serve_commands() -> list[str] | None:
    """Carry out commands until there are no more; returns the arguments of a child."""
    for line in sys.stdin:
        command, *rest = json.loads(line)
        if command == "poll":
            answer = _poll(*rest)
        else:
            arguments, log_path = rest
            answer = os.fork()
            if not answer:
                _become_a_server(log_path)
                return list(arguments)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return None


def _become_a_server(log_path: str) -> None:
    """Let go of the nursery's pipes, and say everything into the log."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)


def main() -> None:
    """Be the nursery."""
    # All that a server imports, so that its children need not.
    import miniet.cli.serve
    import miniet.server.pages

    for name in [name for name in os.environ if name.startswith("ETCD_")]:
        del os.environ[name]
    # A thread would not be in the children; grpcio starts none before its first use.
    assert len(os.listdir("/proc/self/task")) == 1
    arguments = _serve_commands()
    if arguments is not None:
        miniet.cli.main(arguments, prog_name="miniet")


if __name__ == "__main__":
    main()
