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
