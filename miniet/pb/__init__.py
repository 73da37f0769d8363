"""etcd's messages: code generated from `protos/` by `make protos`, never edited.

One module per `.proto` file, named as etcd names its files:

| Module | Package | Holds |
|---|---|---|
| `kv_pb2` | mvccpb | `KeyValue`, `Event` |
| `rpc_pb2` | etcdserverpb | the v3 API: requests, responses, services |
| `raft_internal_pb2` | etcdserverpb | `InternalRaftRequest`, the data of an entry |
| `etcdserver_pb2` | etcdserverpb | v2 `Request`, WAL `Metadata` |
| `auth_pb2`, `membership_pb2`, `lease_pb2` | authpb, membershippb, leasepb | stored |
| `raft_pb2`, `record_pb2`, `snap_pb2` | raftpb, walpb, snappb | log and files |
| `v3lock_pb2`, `v3election_pb2` | v3lockpb, v3electionpb | services on top of KV |
| `health_pb2` | grpc.health.v1 | gRPC's health check |

**The types live in a descriptor pool of their own** (`_pool.POOL`). Protobuf keeps
one pool per process for all generated code, and refuses two definitions of one
name there. Every Python client of etcd brings its own `etcdserverpb.PutRequest`;
a test that talks to miniet through such a client has both in one process. The
price: a message of theirs is not a message of ours, only its bytes are.

The four proto2 files (`raft`, `record`, `snap`, `etcdserver`) write a field that was
set, zero or not, as etcd does; so set every scalar where bytes must be etcd's.
The proto3 files leave zeros out.

Messages live in native memory that tracemalloc cannot see, so none is kept: each
dies in the function that made it (the server's handlers, the decoding of an
entry). What is kept is built with `miniet.protowire` and slotted classes.
"""
