"""Durable puts of 256 bytes to one key, by few clients and by many."""

from pathlib import Path

from workloads.h2load import Load, write
from workloads.servers import first_put, running

from miniet.pb import rpc_pb2

TARGETS = ("miniet", "miniet_interpreted", "etcd")
NEEDS = ("h2load",)

PUT = rpc_pb2.PutRequest(key=b"key", value=bytes(256))

SHAPES = ((1, 1, 2_000), (10, 10, 40_000), (100, 10, 40_000), (1_000, 1, 20_000))
"""Connections, streams on each, calls of all together."""


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    figures = {}
    with running(target, directory) as server:
        first_put(server.endpoint)
        for connections, streams, calls in SHAPES:
            load = Load(
                method="KV/Put",
                request=PUT,
                connections=connections,
                streams=streams,
                calls=calls,
            )
            figures |= write(server, f"put_{connections}x{streams}", load)
        figures["resident_mib"] = server.resident_bytes() / 2**20
    return figures
