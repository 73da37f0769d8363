"""Keep-alives of one lease, a stream for each: one request, one answer, the end."""

from pathlib import Path

from workloads.h2load import Load, read
from workloads.servers import first_put, running

from miniet.client import EtcdClient
from miniet.pb import rpc_pb2

TARGETS = ("miniet", "miniet_interpreted", "etcd")
NEEDS = ("h2load",)

TTL_S = 600


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    with running(target, directory) as server, EtcdClient(server.endpoint) as client:
        first_put(server.endpoint)
        lease = client.grant(TTL_S)
        load = Load(
            method="Lease/LeaseKeepAlive",
            request=rpc_pb2.LeaseKeepAliveRequest(ID=lease),
            connections=10,
            streams=10,
            calls=40_000,
        )
        # A lease that is gone would be answered with a TTL of 0, which is shorter.
        answer = rpc_pb2.LeaseKeepAliveResponse(
            header=client.status().header, ID=lease, TTL=TTL_S
        )
        return read(server, "keep_alive", load, answer)
