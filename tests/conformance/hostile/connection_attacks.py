"""Attacks on connections and frames, and the target that every attack is given."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random

from miniet.pb import rpc_pb2
from tests.support.bystander import Bystander
from tests.support.etcd_calls import EtcdCalls
from tests.support.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES_MAX,
    HEADERS,
    PREFACE,
    RST_STREAM,
    Wire,
    call,
    frame,
    header_block,
    header_frames,
    message,
)

KIB, MIB = 1 << 10, 1 << 20
MESSAGE_BYTES_MAX = 1_572_864 + 524_288
"""etcd's limit of a message: of a request, and 512 KiB."""

PUT, RANGE = "/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range"
WATCH = "/etcdserverpb.Watch/Watch"
KEEP_ALIVE = "/etcdserverpb.Lease/LeaseKeepAlive"
TLS_HELLO = bytes.fromhex("1603010200010001fc0303")
_CANCEL = (8).to_bytes(4, "big")
_HELD_PUTS = 20


@dataclass
class Target:
    """The server under attack.

    count: how many times to do it.
    """

    port: int
    endpoint: str
    bystander: Bystander
    random: Random
    count: int

    def hold(self) -> None:
        """Keep up the attack while another client is served."""
        self.bystander.wait_puts(_HELD_PUTS)


def put_message(value_bytes: int) -> bytes:
    request = rpc_pb2.PutRequest(key=b"attacker", value=bytes(value_bytes))
    return request.SerializeToString()


SHORT_PUT = put_message(0)


def words(outcomes: Iterable[str]) -> str:
    """Say what came how often: `3 cut off, 1 open`."""
    return ", ".join(f"{n} {what}" for what, n in sorted(Counter(outcomes).items()))


def state(wire: Wire) -> str:
    wire.look()
    return "open" if wire.is_open else "cut off"


def say(*openings: Callable[[Random], bytes]) -> Callable[[Target], str]:
    """Say one thing after the other, each on a connection of its own, then leave."""

    def run(target: Target) -> str:
        outcomes = []
        for number in range(target.count):
            with Wire(target.port) as wire:
                wire.pour(openings[number % len(openings)](target.random))
                wire.half_close()
                outcomes.append("cut off" if wire.wait_end() else "left open")
        return words(outcomes)

    return run


def unread_pages(target: Target) -> str:
    """Ask for the largest page a hundred times in one breath, and read none of it."""
    data = 100 * b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as held:
        wires = [
            held.enter_context(Wire(target.port, data)) for _ in range(target.count)
        ]
        target.hold()
        return words(map(state, wires))


def idle(*openings: bytes) -> Callable[[Target], str]:
    """Begin, and say no more."""

    def run(target: Target) -> str:
        with ExitStack() as held:
            wires = [
                held.enter_context(Wire(target.port, openings[n % len(openings)]))
                for n in range(target.count)
            ]
            target.hold()
            with EtcdCalls(target.endpoint) as newcomer:
                newcomer.put(b"newcomer")
            return words(map(state, wires))

    return run


def storm(target: Target) -> str:
    """Connect and leave at once, with a word or without, gently or by a reset."""
    for number in range(target.count):
        with Wire(target.port) as wire:
            if number % 2:
                wire.send(PREFACE[: target.random.randrange(1, 24)])
            if number % 3 == 0:
                wire.reset_on_close()
    return f"{target.count} taken"


# ---- frames


def flood(make: Callable[[int], bytes], each: int) -> Callable[[Target], str]:
    """Pour frames onto one connection, then others, without end.

    Args:
        make: frame by number.
        each: frames on one connection.
    """

    def run(target: Target) -> str:
        outcomes = []
        for first in range(0, target.count, each):
            frames = range(first, min(first + each, target.count))
            data = b"".join(make(number - first) for number in frames)
            with Wire.http2(target.port) as wire:
                taken = wire.pour(data)
                outcomes.append(
                    "taken" if taken == len(data) and wire.is_open else "cut off"
                )
        return words(outcomes)

    return run


def unread_flood(make: Callable[[int], bytes]) -> Callable[[Target], str]:
    """Pour frames that must be answered, and read none of the answers."""

    def run(target: Target) -> str:
        data = b"".join(make(number) for number in range(target.count))
        with Wire.http2(target.port) as wire:
            taken = wire.pour(data, reading=False, stall_s=1.0)
            target.hold()
            return f"{100 * taken // len(data)}% taken, {state(wire)}"

    return run


def continuations(target: Target) -> str:
    """Headers that never end: pieces of 16 KiB, `count` of them a connection."""
    piece = header_block(PUT, [(b"x-more", b"x" * 1000)] * 15)[:FRAME_BYTES_MAX]
    outcomes = []
    for _ in range(4):
        with Wire.http2(target.port, frame(HEADERS, 0, 1, header_block(PUT))) as wire:
            wire.pour(frame(CONTINUATION, 0, 1, piece) * target.count)
            target.hold()
            outcomes.append(state(wire))
    return words(outcomes)


def large_headers(target: Target) -> str:
    """A call with 1 MiB of headers, on each of many connections held open."""
    block = header_block(PUT, [(b"x-large", b"x" * MIB)])
    data = header_frames(1, block) + frame(DATA, END_STREAM, 1, message(SHORT_PUT))
    with ExitStack() as held:
        wires = [
            held.enter_context(Wire.http2(target.port)) for _ in range(target.count)
        ]
        for wire in wires:
            wire.pour(data)
        target.hold()
        return words(map(state, wires))


def rapid_reset(target: Target) -> str:
    """Begin a call and cancel it in the same breath, over and over."""
    return flood(
        lambda number: (
            call(2 * number + 1, WATCH if number % 2 else PUT, SHORT_PUT)
            + frame(RST_STREAM, 0, 2 * number + 1, _CANCEL)
        ),
        20_000,
    )(target)


def random_frames(random: Random) -> bytes:
    """Frames of every kind with any flags, on streams that may not be."""
    return b"".join(
        frame(
            random.randrange(12),
            random.choice((0, END_STREAM, END_HEADERS, 0xFF)),
            random.choice((0, 1, 2, 3, 2**31 - 1)),
            random.choice((b"", bytes(4), header_block(PUT), random.randbytes(30))),
        )
        for _ in range(100)
    )
