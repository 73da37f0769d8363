"""Where an experiment runs: servers of its own, or one that runs already."""

import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from miniet.lab.child import Child, ChildSpec
from miniet.lab.errors import LabError


@dataclass(frozen=True, slots=True)
class Setup:
    """What is special about the server of a variant."""

    name: str
    flags: Sequence[str] = ()
    """Of `serve` and of etcd alike, as `--snapshot-count=500`."""
    profile: str = ""
    """A profile of miniet's; empty: the one that the lab was asked for."""
    is_traced: bool = field(default=False, kw_only=True)
    """Whether Python's bytes are to be booked: it makes puts much slower."""

    @property
    def is_plain(self) -> bool:
        """Whether any server will do."""
        return not self.flags and not self.profile


class Server(Protocol):
    """A server while it runs."""

    @property
    def endpoint(self) -> str: ...

    @property
    def pid(self) -> int | None:
        """Its process, if it is on this machine and that is known."""

    def restart(self) -> None:
        """Stop it and start it again on the same data."""


class Target(Protocol):
    """Something that gives servers."""

    is_own: bool
    """Whether the servers are the lab's alone, fresh for every variant."""

    def refusal(self, setup: Setup) -> str:
        """Say why a setup cannot be had here; empty if it can."""

    def start(
        self, setup: Setup, profile: str, directory: Path
    ) -> AbstractContextManager[Server]:
        """Start a server, or find it.

        Raises:
            LabError: it does not start.
        """


class Embedded:
    """`miniet serve`, a child process for every variant.

    It does not wait for the disk (--unsafe-no-fsync), which changes the time that an
    experiment takes and nothing that is held.
    """

    is_own = True

    def refusal(self, setup: Setup) -> str:
        return ""

    def start(
        self, setup: Setup, profile: str, directory: Path
    ) -> AbstractContextManager[Server]:
        flags = [*setup.flags, f"--profile={setup.profile or profile}"]
        if setup.is_traced:
            flags.append("--memory-trace")
        command = (sys.executable, "-m", "miniet", "serve")
        return Child(ChildSpec(command, ("--unsafe-no-fsync", *flags)), directory)


class Binary:
    """A real etcd's program, a child process for every variant.

    Its heap can be looked into (--enable-pprof). Like miniet's, it does not wait for
    the disk.
    """

    is_own = True

    def __init__(self, path: str) -> None:
        self._path = path

    def refusal(self, setup: Setup) -> str:
        return f"--profile={setup.profile} is miniet's" if setup.profile else ""

    def start(
        self, setup: Setup, profile: str, directory: Path
    ) -> AbstractContextManager[Server]:
        fixed = ("--unsafe-no-fsync", "--enable-pprof", "--logger=zap")
        spec = ChildSpec(
            (self._path,),
            (*fixed, "--log-level=error", *setup.flags),
            has_peer_port=True,
        )
        return Child(spec, directory)


class Running:
    """A server that somebody runs, miniet's or a real etcd."""

    is_own = False

    def __init__(self, endpoint: str, pid: int | None) -> None:
        self.endpoint = endpoint
        self.pid = pid

    def refusal(self, setup: Setup) -> str:
        if setup.is_plain:
            return ""
        return f"{setup.name} needs a server of the lab's own"

    def start(
        self, setup: Setup, profile: str, directory: Path
    ) -> AbstractContextManager[Server]:
        return nullcontext(self)

    def restart(self) -> None:
        raise LabError("a server that somebody runs is not restarted")


def target_of(text: str, pid: int | None = None) -> Target:
    """Read what `--target` says: `embedded`, an etcd's path, or an endpoint.

    Raises:
        LabError: `pid` goes with an endpoint only, or there is no such program.
    """
    if text == "embedded" or os.sep in text.replace("://", "").rstrip("/"):
        if pid is not None:
            raise LabError("--pid goes with the endpoint of a running server")
        if text == "embedded":
            return Embedded()
        path = shutil.which(text)
        if path is None:
            raise LabError(f"{text} is no program")
        return Binary(path)
    return Running(text, pid)
