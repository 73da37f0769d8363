"""Durable txns of one compare, which holds, and one put of 256 bytes."""

from pathlib import Path

from workloads.h2load import Load, write
from workloads.puts import PUT
from workloads.servers import first_put, running

from miniet.client import EtcdClient
from miniet.pb import rpc_pb2

TARGETS = ("miniet", "miniet_interpreted", "etcd")
NEEDS = ("h2load",)

TXN = rpc_pb2.TxnRequest(
    compare=[
        rpc_pb2.Compare(
            key=PUT.key,
            target=rpc_pb2.Compare.VERSION,
            result=rpc_pb2.Compare.GREATER,
            version=0,
        )
    ],
    success=[rpc_pb2.RequestOp(request_put=PUT)],
)
LOAD = Load(method="KV/Txn", request=TXN, connections=10, streams=10, calls=30_000)


def measure(target: str, directory: Path) -> dict[str, float]:
    """Return the figures of one round."""
    with running(target, directory) as server, EtcdClient(server.endpoint) as client:
        first_put(server.endpoint)
        client.put(PUT.key)
        return write(server, "txn", LOAD)
