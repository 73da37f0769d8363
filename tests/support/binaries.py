"""Which etcd and etcdctl this machine has."""

import os
import shutil
import subprocess
from functools import cache

_VERSION_ARGUMENT = {"etcd": "--version", "etcdctl": "version"}


@cache
def find_binary(name: str, release: str) -> str | None:
    """Return the first `name` on PATH whose version is of `release`, such as "3.4".

    None where there is none.
    """
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = shutil.which(name, path=directory)
        if path is not None and _version(name, path).startswith(release + "."):
            return path
    return None


def _version(name: str, path: str) -> str:
    run = subprocess.run(
        [path, _VERSION_ARGUMENT[name]],
        env={"ETCDCTL_API": "3"},  # what 3.3 needs to know its own `version`
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    # etcd Version: 3.4.23
    return run.stdout.partition("\n")[0].rpartition(" ")[2]
