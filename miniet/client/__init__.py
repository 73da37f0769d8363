"""A client of any etcd v3 server, and the reader of what its memory holds.

    EtcdClient ──gRPC──►  puts, ranges, leases, watches, compaction, defragmentation
    read_capture ─┬─────►  miniet.Memory/Capture    miniet: all that it knows
                  └─────►  Status, /metrics, pprof,  a real etcd: what can be seen
                           /proc/PID                 from outside, the rest `unseen`

It blocks and it is small: what the lab's loads and the operator's commands need. A
program that wants an etcd client takes one of the many that there are.

A real etcd has no counts of its own structures. Some follow exactly from its metrics;
some are estimated and say how in `Capture.estimated`; the rest is 0 and named in
`Capture.unseen`. `etcd_counts.py` has the rules.

Keeps in memory: a connection per client, and what a call is about to return.
"""

from miniet.client.capture import read_capture, set_tracing
from miniet.client.errors import ClientError
from miniet.client.etcd import EtcdClient
from miniet.client.watch import WatchStream, watcher_of

__all__ = [
    "ClientError",
    "EtcdClient",
    "WatchStream",
    "read_capture",
    "set_tracing",
    "watcher_of",
]
