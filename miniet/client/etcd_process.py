"""What a real etcd's process says of itself, to who may read it: flags and file."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from miniet.client.errors import ClientError

_PROC = Path("/proc")
_BACKEND = "/member/snap/db"
_LISTEN = "0A"  # TCP_LISTEN of Linux's include/net/tcp_states.h, in hex
_START_GAP_S = 3
"""Seconds since the boot are rounded, twice."""
_FLAGS = {
    "snapshot-count": "snapshot-count",
    "experimental-snapshot-catchup-entries": "snapshot-catchup-entries",
    "snapshot-catchup-entries": "snapshot-catchup-entries",
    "quota-backend-bytes": "quota-backend-bytes",
    "auto-compaction-mode": "auto-compaction-mode",
    "auto-compaction-retention": "auto-compaction-retention",
    "backend-batch-interval": "backend-batch-interval",
    "backend-batch-limit": "backend-batch-limit",
}
"""Flags that matter to memory, and what a capture calls them. Nothing else is taken
from the command line and the environment: they may hold secrets."""
_VARIABLES = {
    **{f"ETCD_{flag.upper().replace('-', '_')}": name for flag, name in _FLAGS.items()},
    **{name: name for name in ("GOGC", "GOMEMLIMIT", "GODEBUG")},
}


@dataclass(frozen=True, slots=True)
class EtcdProcess:
    """A process of this machine that is an etcd."""

    pid: int
    flags: Mapping[str, str] = field(default_factory=dict)
    """Flags it was started with, of those in a capture."""
    backend_path: str | None = None
    """The file that it has mapped; None for a process of another user."""

    @classmethod
    def read(cls, pid: int) -> Self:
        """Look a process up.

        Raises:
            ClientError: there is none, or it has no etcd's file open.
        """
        folder = _PROC / str(pid)
        try:
            words = _words(folder / "cmdline")[1:]
        except OSError as error:
            raise ClientError(
                f"process {pid} cannot be read: {error.strerror}"
            ) from error
        try:
            variables = _words(folder / "environ")
            maps = (folder / "maps").read_text(errors="replace").splitlines()
        except PermissionError:  # somebody else's: flags yes, mappings no
            return cls(pid, _from_command_line(words))
        paths = (line.partition("/")[2] for line in maps if line.endswith(_BACKEND))
        path = next(paths, None)
        if path is None:
            raise ClientError(f"process {pid} is no etcd: no {_BACKEND[1:]} is open")
        flags = {**_from_environment(variables), **_from_command_line(words)}
        return cls(pid, flags, f"/{path}")

    def listens_on(self, port: int) -> bool:
        """Whether a port is this process's; True where the system does not say."""
        folder = _PROC / str(self.pid)
        try:
            opened = {os.readlink(link) for link in (folder / "fd").iterdir()}
            sockets = list(_sockets_listening(folder, port))
        except OSError:
            return True
        return any(f"socket:[{inode}]" in opened for inode in sockets)

    def has_started(self, at_s: int | None) -> bool:
        """Whether it started at a time, in seconds since 1970; True if not known.

        It tells processes apart whose sockets only root may see. Both times are the
        sum of the same two figures of the system.
        """
        try:
            stat = (_PROC / str(self.pid) / "stat").read_text()
            system = (_PROC / "stat").read_text()
        except OSError:
            return True
        # The name, in brackets, may hold anything; starttime is field 22.
        ticks = int(stat.rpartition(")")[2].split()[19])
        booted_s = int(system.partition("\nbtime ")[2].split()[0])
        started_s = booted_s + ticks / os.sysconf("SC_CLK_TCK")
        return at_s is None or abs(started_s - at_s) < _START_GAP_S


def _sockets_listening(folder: Path, port: int) -> Iterator[str]:
    """Yield the inodes of what listens on a port where the process lives."""
    for file in (folder / "net").glob("tcp*"):
        for line in file.read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == _LISTEN and int(cells[1].rpartition(":")[2], 16) == port:
                yield cells[9]


def _words(file: Path) -> list[str]:
    return file.read_bytes().decode(errors="replace").split("\0")


def _from_environment(variables: Iterable[str]) -> dict[str, str]:
    pairs = (variable.partition("=") for variable in variables)
    return {_VARIABLES[name]: text for name, _, text in pairs if name in _VARIABLES}


def _from_command_line(words: Iterable[str]) -> dict[str, str]:
    """Read flags as Go does: `-name value`, `--name=value`."""
    flags = {}
    rest: Iterator[str] = iter(words)
    for word in rest:
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name in _FLAGS:
            flags[_FLAGS[name]] = value if equals else next(rest, "")
    return flags
