"""Constants that no source states: fitted to measured processes.

Data: `benchmarks/data/go-memory.json`, etcd 3.4.23 (Go 1.19.8) and 3.5.1 (Go 1.16.3),
November 2026, Linux x86-64, 2 cores. *source*: follows from etcd's sources. *fit*:
fitted to the data. Each fit was first found with all runs in view, then tried against
the fitted half alone (`benchmarks/prediction.py --fit`): within 0.1 points of the
least error there. The widths of the RSS bands were chosen on all runs. The benchmark
prints the errors of the fitted and of the judged half apart.
"""

KIB = 1024
MIB = 1024 * KIB

# Live heap ------------------------------------------------------------------------

WAL_BYTES = 1_187_840
"""Source: the encoder's buffer of 1 MiB and a page writer of 132 KiB."""
FIXED_BYTES = 3_100 * KIB
"""Fit: an empty server less its WAL buffers, 4.1 MiB in all; +-2 % over 224 runs."""
TREE_SHARE = (19 / 16, 25 / 16, 36 / 16)
"""Fit and source: bytes of B-tree per key and byte of item: keys that arrive at
random, mixed, in order (nodes half full)."""
CONNECTION_BYTES = 104_750
"""Fit: HTTP/2 state with a write buffer of 64 KiB and a read buffer of 32 KiB;
residual 1 % (median)."""
STREAM_BYTES = 1_700
"""Fit: a watch stream without the channel of its responses; residual 1.5 %."""
HTTP_STREAM_BYTES = 3_600
"""Fit: its HTTP/2 stream; residual 1.5 %."""
KEY_WATCHER_BYTES = 294
"""Fit: a watcher of a key that others watch too; residual 2 %."""
WATCHED_KEY_BYTES = 171
"""Fit: what the first watcher of a key adds; residual 2 %."""
RANGE_WATCHER_BYTES = 593
"""Fit: a watcher of a range of its own, with its interval; residual 1 %."""
CLOSED_BYTES = 1_250
"""Fit: what a connection or a stream leaves behind: descriptors of three goroutines."""
CANCELED_WATCHER_BYTES = 50
"""Fit: what a watcher leaves behind, in maps that never shrink."""
FREE_PAGE_BYTES = 25
"""Fit: bbolt's free list and page map per free page, 18 to 36."""
SEND_QUOTA_BYTES = 66 * KIB
"""Source: what grpc encodes ahead for a stream whose client does not read."""
BLOCKED_RESPONSES = 4.0
"""Fit: encoded responses, each with its copies, that a blocked stream holds when
one is larger than the quota."""
EVENT_COPIES = 1.3
"""Fit: copies of an event that several watchers wait for after reading history: 1
where they read it in the same pass, up to 2.2 where not."""
PEER_BYTES = 5_900_000
"""Source: four channels of 4,096 messages and what belongs to them, per peer."""

# Heap in use and resident ---------------------------------------------------------

HEAP_MIN_BYTES = 4 * MIB
"""Source: no collection starts below this, times GOGC / 100."""
SPAN_SHARE = (1.0, 1.08, 1.6)
"""Fit: heap in use over live heap right after a collection."""
SPAN_BYTES = 1_300 * KIB
"""Fit: heap in use beyond that in an empty server."""
LOADED_SHARE = (0.78, 1.00, 1.25)
"""Fit: heap resident under load over the goal, live x (1 + GOGC / 100)."""
LOADED_BYTES = 40 * MIB
"""Fit: what small objects, spread over their spans, may need beyond that."""
BURST_SHARE = (0.85, 1.15)
"""Fit: of a burst, what stays resident after it; at most the goal with it."""
QUIET_SHARE = (1.0, 1.16, 1.35)
"""Fit: heap resident over live heap after minutes of rest, pages given back."""
RUNTIME_SHARE = 0.034
"""Fit: tables of the runtime per byte of heap."""
PROGRAM_BYTES = (19.7 * MIB, 21.7 * MIB, 27 * MIB)
"""Fit: resident pages of the program and its libraries, 19.4 to 22 MiB, and of the
runtime in an empty server."""
UNTOUCHED_BYTES = 1_600 * KIB
"""Fit: of an empty server's live heap, what was never written to: WAL buffers."""
UNTOUCHED_CONNECTION_BYTES = 64 * KIB
"""Fit: the same of a connection that carries little."""
STACK_BYTES = 700 * KIB
"""Fit: stacks of an empty server."""
CONNECTION_STACK_BYTES = 14_000
STREAM_STACK_BYTES = 17_500
"""Fit: three goroutines each; residual 8 %."""
FORCED_COLLECTION_S = 120.0
"""Source: the runtime collects when it has not for this long."""
GIVEN_BACK_S = 300.0
"""Fit: rest after which the freed pages are given back."""

# Allocations between collections --------------------------------------------------

PUT_COPIES = 6.0
"""Source: copies of a value on its way (message, request, entry, WAL record,
applied request, stored key-value), of which one or two are kept."""
CALL_BYTES = 4_000
"""Source: small objects of one call, its entry and its application."""
WATCH_CALL_BYTES = 1_000
CONNECT_BYTES = 20_000
"""Fit: garbage of making a watcher and of making a connection."""
NEW_WATCHER_BYTES = 250
"""Fit: live while watchers are made, and gone soon after."""
SEGMENT_BYTES = 64 * MIB
"""Source: a segment of the WAL."""
READ_COPIES = 2.0
"""Source: a value that is read is decoded, then encoded into the response."""

# Pages of the backend's file that are mapped in ------------------------------------

BATCH_S = 0.1
"""Source: time between two commits of the backend."""
BATCH_OPERATIONS = 10_000
"""Source: operations after which it commits earlier."""
REQUEST_S = 0.000_06
"""Fit: time of one request of many in flight, what it writes not counted."""
PUT_S = 0.000_01
"""Fit: time of one put in it, its bytes not counted."""
WRITE_BYTES_PER_S = 120 * MIB
"""Fit: pace of puts of large values."""
MEAN_BATCH_SHARE = 0.45
"""Fit: a mean batch over one of full pace."""
FAULT_BYTES = 64 * KIB
"""Source: pages that Linux maps in around one that is touched."""


def puts_per_batch(put_bytes: float, per_txn: int = 1) -> float:
    """Guess how many puts one commit of the backend takes under full load."""
    put_s = REQUEST_S / per_txn + PUT_S + put_bytes / WRITE_BYTES_PER_S
    return max(1.0, min(BATCH_OPERATIONS, BATCH_S / put_s))
