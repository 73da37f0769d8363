"""A Go heap profile by component, and the sampling undone."""

import pytest

from miniet.client.go_profile import GoProfile, component_of
from miniet.memory.components import GoComponent

ETCD = "go.etcd.io/etcd/"
SERVER = "go.etcd.io/etcd/server/v3/"
API = "go.etcd.io/etcd/api/v3/"

# Frames from the one that allocated outwards, as 3.4, 3.5 and 3.6 name them.
STACKS = [
    (
        "raft",
        [
            f"{ETCD}etcdserver/etcdserverpb.(*InternalRaftRequest).Marshal",
            f"{ETCD}etcdserver.(*EtcdServer).processInternalRaftRequestOnce",
            f"{ETCD}etcdserver/etcdserverpb._KV_Put_Handler",
        ],
    ),
    ("raft", [f"{API}etcdserverpb.(*InternalRaftRequest).Marshal"]),
    ("raft", ["go.etcd.io/etcd/raft/v3.(*MemoryStorage).Append"]),
    ("raft", ["go.etcd.io/raft/v3.(*MemoryStorage).Append"]),
    ("raft", [f"{ETCD}raft/raftpb.(*Entry).Unmarshal", f"{ETCD}wal.(*WAL).ReadAll"]),
    ("mvcc", [f"{ETCD}mvcc.(*keyIndex).put", f"{ETCD}mvcc.(*treeIndex).Put"]),
    ("mvcc", [f"{SERVER}storage/mvcc.(*treeIndex).Put"]),
    (
        "mvcc",
        [
            "github.com/google/btree.(*children).insertAt",
            f"{ETCD}mvcc.(*treeIndex).Put",
        ],
    ),
    (
        "mvcc",
        [
            f"{ETCD}etcdserver/etcdserverpb.(*PutRequest).Unmarshal",
            f"{ETCD}etcdserver/etcdserverpb.(*InternalRaftRequest).Unmarshal",
        ],
    ),
    (
        "backend",
        [f"{ETCD}mvcc/mvccpb.(*KeyValue).Marshal", f"{ETCD}mvcc.(*storeTxnWrite).put"],
    ),
    ("backend", [f"{ETCD}mvcc/backend.(*bucketBuffer).add"]),
    ("backend", ["go.etcd.io/bbolt.(*freelist).free"]),
    ("lease", [f"{ETCD}lease.(*lessor).Attach", f"{ETCD}mvcc.(*storeTxnWrite).put"]),
    ("watch", [f"{ETCD}mvcc.(*watchableStore).NewWatchStream"]),
    ("watch", [f"{SERVER}mvcc.watcherSetByKey.add"]),
    (
        "watch",
        [f"{ETCD}mvcc/mvccpb.(*KeyValue).Unmarshal", f"{ETCD}mvcc.kvsToEvents"],
    ),
    ("watch", [f"{ETCD}etcdserver/api/v3rpc.(*watchServer).Watch"]),
    ("wal", [f"{ETCD}wal.newEncoder", f"{ETCD}wal.newFileEncoder"]),
    (
        "requests",
        [
            f"{ETCD}mvcc/mvccpb.(*KeyValue).Unmarshal",
            f"{ETCD}mvcc.(*storeTxnRead).rangeKeys",
        ],
    ),
    (
        "requests",
        [f"{ETCD}etcdserver/etcdserverpb.(*RangeResponse).Marshal"],
    ),
    (
        "connections",
        [
            "bufio.NewReaderSize",
            "google.golang.org/grpc/internal/transport.newFramer",
        ],
    ),
    ("fixed", ["go.uber.org/zap/zapcore.newCounters", "main.main"]),
]

PROFILE = """\
heap profile: 3: 1200 [9: 9000] @ heap/1048576
2: 1048576 [5: 2621440] @ 0x1 0x2
#\t0x1\tgo.etcd.io/etcd/raft.(*MemoryStorage).Append+0x7c\t/raft/storage.go:240
#\t0x2\tmain.main+0x16\t\t\tmain.go:28

1: 16384 [1: 16384] @ 0x3
#\t0x3\tgo.etcd.io/etcd/lease.(*lessor).Grant+0x1\tlessor.go:1

0: 0 [4: 400] @ 0x4
#\t0x4\tgo.etcd.io/bbolt.(*Tx).Commit+0x1\ttx.go:1


# runtime.MemStats
# HeapAlloc = 1234567
# Stack = 688128 / 700000
"""


@pytest.mark.parametrize(("component", "frames"), STACKS)
def test_block_belongs_to_first_frame_that_a_rule_names(
    component: str, frames: list[str]
) -> None:
    assert component_of(frames) == component


def test_sampling_is_undone_per_stack() -> None:
    # A block as large as the rate is seen with chance 1 - 1/e, one of a 32nd of it
    # with one of 3 %: that one stands for 32 others.
    sizes = GoProfile.parse(PROFILE).bytes_by_component
    assert sizes["raft"] == pytest.approx(1048576 / 0.632, rel=0.001)
    assert sizes["lease"] == pytest.approx(16384 / 0.03077, rel=0.001)


def test_every_component_has_a_figure() -> None:
    sizes = GoProfile.parse(PROFILE).bytes_by_component
    assert tuple(sizes) == tuple(GoComponent)
    assert sizes["backend"] == 0


def test_memstats_come_along() -> None:
    memstats = GoProfile.parse(PROFILE).memstats
    assert memstats == {"HeapAlloc": 1234567, "Stack": 688128}


@pytest.mark.parametrize("text", ["", "<html>", "heap profile: 0: 0 [0: 0]"])
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a Go heap profile"):
        GoProfile.parse(text)
