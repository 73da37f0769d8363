"""Reads of one key, linearizable and serializable, and of 1,000 keys.

Nothing is written meanwhile, which is etcd's best case. etcd 3.4 copies its read buffer
for every read, as large as the largest batch of puts made it and until a batch without
puts comes: 52 us of processor time a read without, 106 after a few puts, 312 after
loading 10,000 keys (one run, serializable). So such batches are made before the reads.
"""

import time
from pathlib import Path

from workloads.h2load import Load, read
from workloads.servers import fill, first_put, key, running

from miniet.client import EtcdClient
from miniet.pb import rpc_pb2

TARGETS = ("miniet", "miniet_interpreted", "etcd")
NEEDS = ("h2load",)

KEYS = 10_000
TTL_S = 600
BATCH_S = 0.3
"""Longer than the 0.1 s after which both servers commit what was written."""
ONE = key(KEYS // 2)

RANGES = {
    "linearizable": (rpc_pb2.RangeRequest(key=ONE), 10, 40_000),
    "serializable": (rpc_pb2.RangeRequest(key=ONE, serializable=True), 10, 40_000),
    "thousand_keys": (rpc_pb2.RangeRequest(key=ONE, range_end=key(6_000)), 1, 2_000),
}
"""The request, streams on each of ten connections, calls."""


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    figures = {}
    with running(target, directory) as server, EtcdClient(server.endpoint) as client:
        first_put(server.endpoint)
        fill(client, 0, KEYS)
        for _ in range(2):
            time.sleep(BATCH_S)
            client.grant(TTL_S)
        time.sleep(BATCH_S)
        for name, (request, streams, calls) in RANGES.items():
            load = Load(
                method="KV/Range",
                request=request,
                connections=10,
                streams=streams,
                calls=calls,
            )
            answer = client.call(load.method, request, rpc_pb2.RangeResponse)
            figures |= read(server, name, load, answer)
        figures["resident_mib"] = server.resident_bytes() / 2**20
    return figures
