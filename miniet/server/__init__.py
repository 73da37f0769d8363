"""The member on the network: the only user of asyncio, sockets and grpcio.

    client ──► WireServer ──► services (kv, watch, lease, cluster, maintenance, memory)
                                 │  validate, convert            ▲ convert
                                 ▼                               │
                              Driver ──► Engine ──► answers ─────┘
                                 └────► LogStore on a thread: write, fsync

A `Port` takes connections, speaks TLS if its URL says https (`tls`), and tells by the
first bytes whether a client speaks gRPC or HTTP/1.1, which `http_protocol` answers
from the table of `pages`. Metrics URLs are ports without gRPC.

Handlers are written once, against the table in `methods`: a path, a request type,
a kind of stream, a handler. A transport serves the table: miniet's own (`WireServer`),
which is `miniet.wire` on a `Port`, or grpcio (`GrpcServer`,
`--transport=grpcio`), to compare with. What both do around a handler is in `calls`.
`Driver` owns the event loop's turns: everything that came in since the last turn
shares one write of the log and one fsync. `bootstrap` builds a member from disk,
`server` puts it all together, `serve` is the process around it.

Invariants: the engine is touched by the loop's thread alone; nothing is answered
before its entry is durable; no protobuf object outlives its handler; a request
that is refused gets etcd's code and text from `rpc_errors`.

Kept here, in memory: per connection a `ClientProtocol`, per open call an `OpenCall`
(with grpcio both are in C) and what runs its handler; per connection of HTTP/1.1 what
has come of its request and has not left of its answer; while memory is traced, the
last reading. Everything else belongs to the components.
"""

import os
import sys

if "grpc" not in sys.modules:
    # grpcio would start its threads again in every process forked from this one, with
    # the sockets of this one. The child that reads traces needs none of that, and
    # whoever forks to use gRPC in the child can say so. Read when grpcio is imported.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
