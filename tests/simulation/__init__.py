"""Whole servers under a seeded scheduler, with faults, and clients who compare notes.

    clients ──► network ──► services ──► driver ──► engine ──► wal, .snap ──► disk
    watchers    (delays,    └──────── all of it miniet's own ────────────┘    (faults)
    (plans)      cuts)            on a VirtualLoop, whose time is made up

One seed decides everything: settings, plans, delays, faults. The same seed does the
same again, in any process; `python -m tests.simulation --seed N` tells its story.

What is real: the services, the driver with its turns and timers, the engine with
raft, store, leases, watches and compactor, `build_member` with its recovery, the
log's and snapshots' files, LMDB's file. What is not:

- the event loop is asyncio's, but its time is virtual (`loop.py`): a timer costs
  nothing, and what a thread would do happens at a moment that the seed chooses;
- the transport: calls hand their bytes to the table of methods (`network.py`). So
  nothing of grpcio is tried, nor `AsyncServer`, whose few lines of assembly are
  repeated in `machine.py`;
- the disk below `os` (`disk.py`): it keeps what was synced, and of the rest any
  sectors; it may be full, slow, stop in the middle of a call, or lie.

Faults (`faults.py`): the process killed, the power lost, each also in the middle of
a disk call and so with a torn write; a stop; a full disk at an append, a sync, a
commit, a new segment, a snapshot file; a slow disk; the wall clock set; the machine
suspended; a connection dropped, with calls in flight. One run in eight ends with
lost syncs.

What must hold (`audit.py`, `judge.py`):

- all answers, with the calls whose answer was lost, are linearizable against the
  tiny etcd of `tests.support.model`; a serializable read shows a state of before,
  and says which; a lease does not end before its time, and does end;
- each watcher hears exactly its changes, in order, none twice, none left out, across
  all the connections that it lost; the progress it is told is true;
- what was acknowledged survives every fault but a lie of the disk;
- after an honest fault the server starts, and every structure agrees with itself;
- after a lie it starts with all that was acknowledged before the lie, and no revision
  means something else than it did; or it refuses, and names the file.

What this cannot show: LMDB's own pages torn or lost one by one (a commit is there or
not; LMDB's promise is taken for true), writes that overtake each other between log
and backend, a sector that is damaged, races of real threads (there are none here:
`flush` happens in one moment), more than one member. `tests/conformance/crash` has
real processes and damaged files.

`planted.py` holds mistakes on purpose: `test_planted.py` shows that they are found.
One is not on the list: a linearizable read that does not wait for its read point. A
member alone applies before it answers, so nobody can tell, once the log is replayed.
"""
