"""From nothing to the first acknowledged put.

As a process: from its start, with an empty data directory, to the answer to a client
that is there already and tries every millisecond. In process: from `miniet.Server()`
with everything imported, nothing kept on disk, to the answer.
"""

import time
from pathlib import Path

from workloads.servers import first_put, running

import miniet

TARGETS = ("miniet", "etcd")


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    started_s = time.perf_counter()
    with running(target, directory) as server:
        first_put(server.endpoint)
        figures = {
            "process_to_first_put_ms": (time.perf_counter() - started_s) * 1000,
            "cpu_ms": server.cpu_s() * 1000,
            "resident_mib": server.resident_bytes() / 2**20,
        }
    if target == "miniet":
        started_s = time.perf_counter()
        with miniet.Server() as member:
            first_put(member.endpoint)
            figures["in_process_to_first_put_ms"] = (
                time.perf_counter() - started_s
            ) * 1000
    return figures
