"""What the server counts itself: call by call, duration by duration.

Everything else that `/metrics` shows is derived from `statistics()` at the moment
it is asked for. These few things no component keeps, so they are counted as they
happen; each costs a fraction of a microsecond. One thread, no locks.

Memory: fixed; about 0.5 KiB per gRPC method and per histogram, none per call.
"""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from miniet.server.rpc_errors import Code
from miniet.server.statistics import RequestStatistics

LARGE_RESPONSE_BYTES: Final = 64 * 1024
"""From this size on a response is followed until its call ends."""

RANGE_METHOD: Final = "/etcdserverpb.KV/Range"


class Histogram:
    """How often a value fell between which bounds, under one metric name."""

    __slots__ = ("bounds", "counts", "help", "name", "sum")

    def __init__(self, name: str, help: str, bounds: tuple[float, ...]) -> None:
        self.name = name
        self.help = help
        self.bounds = bounds  # upper ends, ascending, each inclusive
        self.counts = [0] * (len(bounds) + 1)  # last: above all bounds
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value, in the unit that the metric's name says."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def __repr__(self) -> str:
        return f"<Histogram {self.name} count={sum(self.counts)} sum={self.sum}>"


def doubling(start: float, count: int) -> tuple[float, ...]:
    """Return etcd's kind of bounds: `count` of them, each twice the one before."""
    return tuple(start * 2**power for power in range(count))


FILE_BOUNDS_S: Final = doubling(0.001, 14)
CALL_BOUNDS_S: Final[tuple[float, ...]] = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)


@dataclass(slots=True)
class Durations:
    """The histograms of one member, under etcd's names and with its bounds.

    etcd's phases of a bbolt commit (rebalance, spill, write) have no counterpart
    in LMDB and are left out.
    """

    wal_fsync_s: Histogram = field(
        default_factory=partial(
            Histogram,
            "etcd_disk_wal_fsync_duration_seconds",
            "Time of one sync of the write-ahead log.",
            FILE_BOUNDS_S,
        )
    )
    backend_commit_s: Histogram = field(
        default_factory=partial(
            Histogram,
            "etcd_disk_backend_commit_duration_seconds",
            "Time of one commit of the backend.",
            FILE_BOUNDS_S,
        )
    )
    backend_defrag_s: Histogram = field(
        default_factory=partial(
            Histogram,
            "etcd_disk_backend_defrag_duration_seconds",
            "Time of one defragmentation of the backend.",
            doubling(0.1, 13),
        )
    )
    backend_snapshot_s: Histogram = field(
        default_factory=partial(
            Histogram,
            "etcd_disk_backend_snapshot_duration_seconds",
            "Time of sending one copy of the backend.",
            doubling(0.01, 17),
        )
    )
    snap_fsync_s: Histogram = field(
        default_factory=partial(
            Histogram,
            "etcd_snap_fsync_duration_seconds",
            "Time of one sync of a raft snapshot file.",
            FILE_BOUNDS_S,
        )
    )
    snap_save_s: Histogram = field(
        default_factory=partial(
            Histogram,
            "etcd_debugging_snap_save_total_duration_seconds",
            "Time of saving one raft snapshot file.",
            FILE_BOUNDS_S,
        )
    )
    hash_s: Histogram = field(
        default_factory=partial(
            Histogram,
            "etcd_mvcc_hash_duration_seconds",
            "Time of one checksum of the backend.",
            doubling(0.01, 15),
        )
    )
    hash_kv_s: Histogram = field(
        default_factory=partial(
            Histogram,
            "etcd_mvcc_hash_rev_duration_seconds",
            "Time of one checksum of the key space up to a revision.",
            doubling(0.01, 15),
        )
    )
    compaction_batch_ms: Histogram = field(
        default_factory=partial(
            Histogram,
            "etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
            "Time for which one batch of a compaction held everything else up.",
            doubling(1, 13),
        )
    )
    compaction_total_ms: Histogram = field(
        default_factory=partial(
            Histogram,
            "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
            "Time of one compaction from its first batch to its last.",
            doubling(100, 14),
        )
    )
    lease_ttl_s: Histogram = field(
        default_factory=partial(
            Histogram,
            "etcd_debugging_lease_ttl_total",
            "Time to live of the leases granted.",
            doubling(1, 24),
        )
    )


class CallCounters:
    """The calls of one gRPC method.

    kind is `unary`, `server_stream` or `bidi_stream`. A handler adds to the plain
    fields; started minus handled is what is open now.
    """

    __slots__ = (
        "handled",
        "handling_s",
        "kind",
        "method",
        "received",
        "sent",
        "sent_bytes_max",
        "service",
        "started",
    )

    def __init__(self, service: str, method: str, kind: str) -> None:
        self.service = service
        self.method = method
        self.kind = kind
        self.started = 0
        self.received = 0  # messages from the client
        self.sent = 0  # messages to the client
        self.sent_bytes_max = 0  # the largest of them
        self.handled = [0] * len(Code)  # calls that ended, by code
        self.handling_s = Histogram(
            "grpc_server_handling_seconds",
            "Time from the start of a call to its end.",
            CALL_BOUNDS_S,
        )

    @property
    def path(self) -> str:
        """The method as gRPC addresses it."""
        return f"/{self.service}/{self.method}"

    def end(self, code: Code, duration_s: float) -> None:
        """Count the end of one call."""
        self.handled[code] += 1
        self.handling_s.observe(duration_s)

    def __repr__(self) -> str:
        return (
            f"<CallCounters {self.service}/{self.method} started={self.started} "
            f"handled={sum(self.handled)}>"
        )


@dataclass(slots=True)
class Traffic:
    """All calls of one member."""

    methods: list[CallCounters] = field(default_factory=list)
    """One per method served, in any order."""

    received_bytes_total: int = 0
    """Sizes of the messages from clients, without framing."""

    sent_bytes_total: int = 0
    """Sizes of the messages to clients, without framing."""

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls by (`unary` or `stream`, the client's API version or `unknown`)."""

    calls_in_flight: int = 0
    """Calls begun and not answered, and those whose large response is on its way."""

    response_in_flight_bytes: int = 0
    """Sizes of the large responses whose calls have not ended."""

    response_in_flight_bytes_max: int = 0
    """The most that ever was."""

    def hold(self, response_bytes: int) -> None:
        """Count a large response, and its call, from now on until `let_go`."""
        self.calls_in_flight += 1
        held_bytes = self.response_in_flight_bytes + response_bytes
        self.response_in_flight_bytes = held_bytes
        if held_bytes > self.response_in_flight_bytes_max:
            self.response_in_flight_bytes_max = held_bytes

    def let_go(self, response_bytes: int) -> None:
        """The client has taken a large response, or left."""
        self.calls_in_flight -= 1
        self.response_in_flight_bytes -= response_bytes

    def statistics(self) -> RequestStatistics:
        """Return what is in flight, and the most that was."""
        ranges = (m for m in self.methods if m.path == RANGE_METHOD)
        return RequestStatistics(
            calls_in_flight=self.calls_in_flight,
            response_in_flight_bytes=self.response_in_flight_bytes,
            response_in_flight_bytes_max=self.response_in_flight_bytes_max,
            range_response_bytes_max=max((m.sent_bytes_max for m in ranges), default=0),
        )
