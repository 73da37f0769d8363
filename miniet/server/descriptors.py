"""File descriptors: how many connections there is room for."""

import resource

from miniet.server.errors import StartError

_INT32_MAX = 2**31 - 1

# Kept from the clients for log, backend, snapshots and status pages: without them
# the member could do nothing but stop. Source: etcd v3.4.9 embed/config.go.
_RESERVED = 150


def raise_limit() -> None:
    """Let this process open as many files as it may; Go does so by itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections_max() -> int:
    """Return how many clients may be connected while files can still be opened.

    Raises:
        StartError: none.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return _INT32_MAX
    if limit <= _RESERVED:
        raise StartError(
            f"file descriptor limit[{limit}] of this process is too low, and should "
            f"be set higher than {_RESERVED} to ensure capacity"
        )
    return min(limit - _RESERVED, _INT32_MAX)
