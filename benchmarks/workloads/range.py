"""Linearizable reads: one key by each of 100 clients, then 1,000 keys by each of 10.

The store holds 10,000 keys with values of 256 bytes.
"""

from pathlib import Path

from workloads.clients import KEY_COUNT, KEYS_PER_RANGE
from workloads.servers import first_put, run_clients, running

TARGETS = ("miniet", "etcd")

READS = 15_000
RANGES = 1_000


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    with running(target, directory) as server:
        first_put(server.endpoint)
        run_clients(server, "fill", 10, 100, KEY_COUNT)
        reads = run_clients(server, "get", 10, 100, READS)
        ranges = run_clients(server, "range", 10, 10, RANGES)
        resident_bytes = server.resident_bytes()
    return {
        "gets_per_s": reads["per_s"],
        "get_p50_ms": reads["p50_ms"],
        "ranges_per_s": ranges["per_s"],
        "range_p50_ms": ranges["p50_ms"],
        "range_keys_per_s": ranges["per_s"] * KEYS_PER_RANGE,
        "resident_mib": resident_bytes / 2**20,
    }
