"""Attacks by calls: their messages and their streams."""

import zlib
from contextlib import ExitStack

from miniet.pb import rpc_pb2
from tests.conformance.hostile.connection_attacks import (
    KEEP_ALIVE,
    KIB,
    MESSAGE_BYTES_MAX,
    MIB,
    PUT,
    RANGE,
    SHORT_PUT,
    WATCH,
    Target,
    idle,
    put_message,
    state,
    words,
)
from tests.support.etcd_calls import EtcdCalls
from tests.support.http2 import (
    ACK,
    DATA,
    END_STREAM,
    FRAME_BYTES_MAX,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Wire,
    call,
    frame,
    header_block,
    header_frames,
    message,
    setting,
)

_CANCEL = (8).to_bytes(4, "big")


# ---- messages


def too_large(target: Target) -> str:
    """Messages just over the limit, and far over it, in full."""
    outcomes = []
    for number in range(target.count):
        body = put_message((4 if number % 4 else 32) * MIB)
        with EtcdCalls(target.endpoint) as calls:
            refusal = calls.refusal(PUT, body)
            outcomes.append("taken" if refusal is None else refusal.code)
    return words(outcomes)


def announced(target: Target) -> str:
    """A length of 4 GiB is announced, 16 KiB are sent, the rest never comes."""
    data = header_frames(1, header_block(PUT)) + frame(
        DATA, 0, 1, b"\x00\xff\xff\xff\xff" + bytes(FRAME_BYTES_MAX - 5)
    )
    return idle(PREFACE + frame(SETTINGS) + data)(target)


def slow_senders(target: Target) -> str:
    """A call each, of which one byte at a time comes, all of them at once."""
    data = PREFACE + frame(SETTINGS) + call(1, PUT, put_message(1000))
    with ExitStack() as held:
        wires = [held.enter_context(Wire(target.port)) for _ in range(target.count)]
        for position in range(60):
            for wire in wires:
                wire.send(data[position : position + 1])
        target.hold()
        for wire in wires:
            wire.send(data[60:])
        answered = [wire.wait_frame(HEADERS, 1) is not None for wire in wires]
        return words("answered" if each else "cut off" for each in answered)


def unfinished(target: Target) -> str:
    """Large messages that stop one byte before their end, all held."""
    size = MESSAGE_BYTES_MAX - 100
    body = message(put_message(size - 100))[:-1]
    with ExitStack() as held:
        wires = []
        for _ in range(target.count):
            head = header_frames(1, header_block(PUT))
            wire = held.enter_context(Wire.http2(target.port, head))
            wires.append(wire)
            send_body(wire, 1, body)
        target.hold()
        return words(map(state, wires))


def send_body(wire: Wire, stream: int, body: bytes) -> None:
    """Send a long body as the server's windows allow it, without its end."""
    window, initial, position = {0: 65_535, stream: 65_535}, 65_535, 0
    incoming = wire.frames()
    while position < len(body):
        piece = body[position : position + min(FRAME_BYTES_MAX, *window.values())]
        if piece:
            if not wire.send(frame(DATA, 0, stream, piece)):
                return
            position += len(piece)
            window = {number: left - len(piece) for number, left in window.items()}
            continue
        found = next(incoming, None)
        if found is None:
            return
        kind, flags, number, payload = found
        if kind == WINDOW_UPDATE and number in window:
            window[number] += int.from_bytes(payload, "big")
        elif kind == SETTINGS and not flags & ACK:
            for start in range(0, len(payload), 6):
                if payload[start : start + 2] == b"\x00\x04":
                    value = int.from_bytes(payload[start + 2 : start + 6], "big")
                    window[stream] += value - initial
                    initial = value
            wire.send(frame(SETTINGS, ACK))
        elif kind in (RST_STREAM, HEADERS) and number == stream:
            return  # refused


def half_closed(target: Target) -> str:
    """Calls that end before their message does, or before it began."""
    headers = header_block(PUT)
    cut = message(SHORT_PUT)[:-1]
    stumps = (
        header_frames(1, headers, end_stream=True),
        header_frames(1, headers) + frame(DATA, END_STREAM, 1),
        header_frames(1, headers) + frame(DATA, END_STREAM, 1, b"\x00\x00"),
        header_frames(1, headers) + frame(DATA, END_STREAM, 1, cut),
        header_frames(1, headers) + frame(DATA, END_STREAM, 1, message(SHORT_PUT) * 2),
        header_frames(1, headers) + frame(DATA, END_STREAM, 1, b"\x07" + cut[1:]),
    )
    with ExitStack() as held:
        wires = [
            held.enter_context(Wire.http2(target.port, stumps[n % len(stumps)]))
            for n in range(target.count)
        ]
        target.hold()
        return words(
            "answered" if (HEADERS, 1) in wire.look() else state(wire) for wire in wires
        )


def bomb(target: Target) -> str:
    """A message of 300 KiB that unpacks to 300 MiB."""
    packer = zlib.compressobj(wbits=31)  # as gzip
    body = b"".join(packer.compress(bytes(MIB)) for _ in range(300)) + packer.flush()
    headers = header_block(PUT, [(b"grpc-encoding", b"gzip")])
    outcomes = []
    for _ in range(target.count):
        with Wire.http2(target.port, header_frames(1, headers)) as wire:
            send_body(wire, 1, message(body, compressed=True))
            wire.send(frame(DATA, END_STREAM, 1))
            target.hold()
            outcomes.append(state(wire))
    return words(outcomes)


# ---- streams


def create_watch(key: bytes, **fields: object) -> bytes:
    request = rpc_pb2.WatchRequest()
    create = rpc_pb2.WatchCreateRequest(key=key, **fields)  # type: ignore[arg-type]
    request.create_request.CopyFrom(create)
    return request.SerializeToString()


def abandoned_streams(target: Target) -> str:
    """Watches and renewals on many connections: some cancelled, all then left."""
    keep_alive = rpc_pb2.LeaseKeepAliveRequest(ID=1).SerializeToString()
    per_wire = 50
    with ExitStack() as held:
        for first in range(0, target.count, per_wire):
            wire = held.enter_context(Wire.http2(target.port))
            for number in range(first, min(first + per_wire, target.count)):
                stream = 2 * (number - first) + 1
                path, body = (
                    (WATCH, create_watch(b"bystander"))
                    if number % 3
                    else (KEEP_ALIVE, keep_alive)
                )
                data = call(stream, path, body, end_stream=False)
                if target.random.random() < 0.3:
                    # Cut anywhere between frames, or in the middle of one.
                    data = data[: target.random.randrange(len(data))]
                    wire.send(data)
                    break
                if target.random.random() < 0.3:
                    data += frame(RST_STREAM, 0, stream, _CANCEL)
                wire.send(data)
        target.hold()
    return f"{target.count} left"


def unread_watches(target: Target) -> str:
    """Watch streams of one key, and none is read while large values go by."""
    watch = create_watch(b"large", prev_kv=True)
    with ExitStack() as held, EtcdCalls(target.endpoint) as calls:
        calls.put(b"large", bytes(64 * KIB))
        for _ in range(target.count):
            wire = held.enter_context(
                Wire.http2(target.port, call(1, WATCH, watch, end_stream=False))
            )
            wire.wait_frame(DATA, 1)  # created
        for number in range(160):
            calls.put(b"large", target.random.randbytes(64) * KIB)
            if number % 40 == 0:
                target.hold()
        calls.delete(b"large")
        target.hold()
    return f"{target.count} held"


def unread_ranges(target: Target) -> str:
    """Answers of 1 MiB that are asked for and not read."""
    ask = rpc_pb2.RangeRequest(key=b"unread").SerializeToString()
    with ExitStack() as held, EtcdCalls(target.endpoint) as calls:
        calls.put(b"unread", bytes(MIB))
        for _ in range(target.count):
            wire = held.enter_context(Wire.http2(target.port, call(1, RANGE, ask)))
            wire.wait_frame(HEADERS, 1)
        target.hold()
    return f"{target.count} held"


def shut_windows(target: Target) -> str:
    """Calls whose answers may not be sent: the client's window is 0 bytes."""
    opening = PREFACE + frame(SETTINGS, payload=setting(4, 0))
    return idle(opening + call(1, RANGE, b"\x0a\x01a"))(target)


def unread_requests(target: Target) -> str:
    """Watches created without end on one stream, and no answer ever read."""
    body = message(create_watch(b"nothing"))
    # No more fits into the windows of one call and its connection at first.
    count = min(target.count, 65_000 // len(body))
    opening = header_frames(1, header_block(WATCH))
    opening += frame(SETTINGS, payload=setting(4, 0))
    with Wire.http2(target.port, opening) as wire:
        send_body(wire, 1, body * count)
        target.hold()
        return f"{count} asked, {state(wire)}"
