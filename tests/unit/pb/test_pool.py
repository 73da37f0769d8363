"""The types of another etcd client may live in the same process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool

from miniet.pb import _pool, rpc_pb2

ROOT = Path(__file__).parents[3]

CLASH = """
from google.protobuf import descriptor_pb2, descriptor_pool
for name, package, message in [
    ("rpc.proto", "etcdserverpb", "PutRequest"),
    ("miniet/pb/kv.proto", "mvccpb", "KeyValue"),
]:
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package)
    file.message_type.add(name=message).field.add(name="x", number=9, type=9, label=1)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
"""

OURS = """
from miniet.pb import rpc_pb2
put = rpc_pb2.PutRequest(key=b"k", prev_kv=True)
assert rpc_pb2.PutRequest.FromString(put.SerializeToString()) == put
"""


@pytest.mark.parametrize("script", [CLASH + OURS, OURS + CLASH], ids=["1st", "2nd"])
def test_client_with_the_same_names_loads_before_or_after(script: str) -> None:
    # A process of its own: the default pool cannot forget.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_messages_live_in_the_private_pool_alone() -> None:
    name = "etcdserverpb.PutRequest"
    found = _pool.POOL.FindMessageTypeByName(name)
    assert found is rpc_pb2.PutRequest.DESCRIPTOR
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName(name)
