"""What is done to the client port, and what each of it may cost the server.

Each attack is a function that does its worst `count` times and returns how the
server took it, in words. Bytes and frames are made by hand, and nothing is asked of
the server but what any transport of gRPC must bear.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.conformance.hostile.call_attacks import (
    abandoned_streams,
    announced,
    bomb,
    half_closed,
    shut_windows,
    slow_senders,
    too_large,
    unfinished,
    unread_ranges,
    unread_requests,
    unread_watches,
)
from tests.conformance.hostile.connection_attacks import (
    KIB,
    MESSAGE_BYTES_MAX,
    MIB,
    TLS_HELLO,
    Target,
    continuations,
    flood,
    idle,
    large_headers,
    random_frames,
    rapid_reset,
    say,
    storm,
    unread_flood,
    unread_pages,
)
from tests.support.http2 import (
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
)


@dataclass(frozen=True)
class Attack:
    """One attack.

    small, full: counts, for the default test run and for the command.
    each_bytes: what one of the `count` may make the server hold while it lasts.
    most_bytes: what all of them may, whatever the count; None: `each_bytes` each.
    reason: where those figures come from.
    """

    run: Callable[[Target], str]
    small: int
    full: int
    each_bytes: int
    reason: str
    most_bytes: int | None = None

    def bytes_max(self, count: int) -> int:
        """What the server may hold more than before, beside its ordinary life."""
        held = count * self.each_bytes
        return held if self.most_bytes is None else min(held, self.most_bytes)


# ---- the table


_IDLE = "a connection keeps its buffers: 64 KiB of each direction in etcd"
_PASSING = "nothing may stay of what has passed: buffers of one connection"

ATTACKS: dict[str, Attack] = {
    "random bytes": Attack(
        say(lambda random: random.randbytes(5000)), 10, 500, MIB, _PASSING, MIB
    ),
    "HTTP/1.1 requests": Attack(
        say(
            lambda _: b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
            lambda _: b"POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n" + bytes(9),
        ),
        6, 500, MIB, _PASSING, MIB,
    ),
    "pages that nobody reads": Attack(
        unread_pages, 20, 500, 384 * KIB,
        "one page of 100 KiB a connection, its copy while it is made, and buffers",
    ),
    "TLS hellos": Attack(
        say(lambda random: TLS_HELLO + random.randbytes(500)),
        5, 500, MIB, _PASSING, MIB,
    ),
    "random frames": Attack(
        say(
            lambda random: PREFACE + frame(SETTINGS) + random.randbytes(5000),
            lambda random: PREFACE + frame(SETTINGS) + random_frames(random),
            lambda _: PREFACE + frame(SETTINGS) + b"\xff\xff\xff" + bytes(100_000),
            lambda _: PREFACE + frame(SETTINGS) + frame(HEADERS, 5, 1, b"\xff" * 4),
        ),
        40, 4000, MIB, _PASSING, 4 * MIB,
    ),
    "idle connections": Attack(
        idle(b"", b"GET /", PREFACE[:10], PREFACE, PREFACE + frame(SETTINGS)),
        200, 2500, 128 * KIB, _IDLE,
    ),
    "storm of connections": Attack(storm, 300, 10_000, 128 * KIB, _PASSING, 8 * MIB),
    "settings": Attack(
        flood(lambda _: frame(SETTINGS), 5000), 5000, 200_000, KIB, _PASSING, 4 * MIB
    ),
    "pings": Attack(
        flood(lambda n: frame(PING, payload=n.to_bytes(8, "big")), 5000),
        5000, 200_000, KIB, _PASSING, 4 * MIB,
    ),
    "window updates, priorities": Attack(
        flood(
            lambda n: (
                frame(WINDOW_UPDATE, payload=b"\x00\x00\x00\x01")
                + frame(PRIORITY, stream=2 * n + 1, payload=bytes(5))
            ),
            5000,
        ),
        5000, 200_000, KIB, _PASSING, 4 * MIB,
    ),
    "unread answers to pings": Attack(
        unread_flood(lambda n: frame(PING, payload=n.to_bytes(8, "big"))),
        30_000, 2_000_000, KIB,
        "a peer may be owed 10,000 small frames in Go, then it is cut off", 8 * MIB,
    ),
    "unread answers to settings": Attack(
        unread_flood(lambda _: frame(SETTINGS)), 30_000, 2_000_000, KIB,
        "as for pings", 8 * MIB,
    ),
    "endless headers": Attack(
        continuations, 100, 2000, 16 * MIB, "Go takes 16 MiB of headers", 16 * MIB
    ),
    "1 MiB of headers": Attack(
        large_headers, 10, 200, 6 * MIB,
        "less than the 16 MiB of headers that Go takes; grpcio holds 5 MiB"
    ),
    "rapid reset": Attack(
        rapid_reset, 3000, 200_000, 25 * KIB,
        "10,000 cancelled calls of a connection may wait to be taken up", 250 * MIB,
    ),
    "messages over the limit": Attack(
        too_large, 4, 100, 8 * MIB, "one is read at a time: twice its limit", 8 * MIB
    ),
    "announced 4 GiB": Attack(announced, 50, 1000, 128 * KIB, _IDLE),
    "byte by byte": Attack(slow_senders, 50, 1000, 128 * KIB, _IDLE),
    "unfinished messages": Attack(
        unfinished, 10, 200, 2 * MESSAGE_BYTES_MAX,
        "a message of up to 2 MiB is held until it is whole; twice, while it grows",
    ),
    "half-closed calls": Attack(half_closed, 24, 1200, MIB, _PASSING, MIB),
    "gzip bombs": Attack(
        bomb, 1, 20, 4 * MIB, "nothing is inflated beyond twice the limit", 8 * MIB
    ),
    "abandoned streams": Attack(
        abandoned_streams, 200, 5000, 128 * KIB,
        "a stream: its buffers, its watchers, its tasks",
    ),
    "watchers that never read": Attack(
        unread_watches, 5, 100, 2 * 128 * KIB + 128 * KIB,
        "one response encoded and one handed over, beside 128 that all of them share",
    ),
    "ranges that nobody reads": Attack(
        unread_ranges, 10, 200, 3 * MIB, "one response of 1 MiB a call, and its copies"
    ),
    "windows shut": Attack(shut_windows, 50, 1000, 128 * KIB, _IDLE),
    "answers never read": Attack(
        unread_requests, 2000, 2000, 2 * KIB,
        "a window of 64 KiB of requests; their answers are bounded", 4 * MIB,
    ),
}  # fmt: skip
