"""Deleting old log segments and snapshot files.

Source: etcd v3.4.9 pkg/fileutil/purge.go.
"""

import os
from pathlib import Path

from miniet.wal.errors import WalLockedError
from miniet.wal.segment import open_locked


def purge(directory: str | os.PathLike[str], suffix: str, keep: int) -> list[str]:
    """Delete the oldest files until `keep` of them are left.

    A file that is locked ends it: that one, and so all newer ones, are needed.

    Args:
        suffix: which files, by the end of their names: `.wal`, `.snap`, `.snap.db`.
        keep: how many to leave; 0: all.
    Returns:
        the names deleted, oldest first.
    """
    if keep == 0:
        return []
    names = sorted(name for name in os.listdir(directory) if name.endswith(suffix))
    deleted = []
    for name in names[:-keep]:
        path = Path(directory) / name
        try:
            fd = open_locked(path)
        except WalLockedError:
            break
        try:
            path.unlink()
        finally:
            os.close(fd)
        deleted.append(name)
    return deleted
