"""The servers that every claim is held against: miniet, and a real etcd 3.4."""

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

ETCD, MINIET, MINIET_ON_DISK = "etcd", "miniet", "miniet-on-disk"


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
    for directory in os.get_exec_path():
        path = os.path.join(directory, "etcd")
        if not os.access(path, os.X_OK):
            continue
        run = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=False
        )
        version = re.search(r"etcd Version: 3\.4\.(\d+)", run.stdout)
        if version and int(version[1]) >= 16:
            return path
    return None


@contextmanager
def running(kind: str, directory: Path, *flags: str) -> Iterator[Target]:
    """Run a fresh server of this kind while the block lasts."""
    flags = flags or FAST_ELECTION
    if kind == ETCD:
        real = RealEtcd(directory / "etcd", *flags, binary=etcd_binary())
        with real, Target(kind, real.client_url.removeprefix("http://")) as target:
            yield target
        return
    config, _ = read_config(split_arguments(flags), {})
    config = replace(config, listen_client_urls=("http://127.0.0.1:0",))
    data_dir = str(directory / "miniet") if kind == MINIET_ON_DISK else None
    with (
        miniet.Server(data_dir, config=config) as server,
        Target(kind, server.endpoint) as target,
    ):
        yield target
