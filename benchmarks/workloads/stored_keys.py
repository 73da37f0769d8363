"""What puts cost with 1,000 to 1,000,000 keys stored before them.

The keys have 16 bytes and values of 256; what is put is one of them, in the middle.
"""

from pathlib import Path

from workloads.h2load import Load, write
from workloads.servers import fill, first_put, key, running

from miniet.client import EtcdClient
from miniet.pb import rpc_pb2

TARGETS = ("miniet", "etcd")
NEEDS = ("h2load",)

COUNTS = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
PUTS = 20_000


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    figures = {}
    stored = 0
    with running(target, directory) as server, EtcdClient(server.endpoint) as client:
        first_put(server.endpoint)
        for name, count in COUNTS.items():
            fill(client, stored, count)
            stored = count
            put = rpc_pb2.PutRequest(key=key(count // 2), value=bytes(256))
            load = Load(
                method="KV/Put", request=put, connections=10, streams=10, calls=PUTS
            )
            figures |= write(server, f"put_{name}", load)
        figures["resident_mib"] = server.resident_bytes() / 2**20
    return figures
