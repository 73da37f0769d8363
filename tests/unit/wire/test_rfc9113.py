"""What a client may not do, and what becomes of it: one row per rule.

Most rows are cases of h2spec, the conformance test of HTTP/2 servers, by the same
names; sections are those of RFC 9113.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from miniet.wire import CallAborted, CallStarted, ConnectionEnded, ErrorCode, Limits
from tests.support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    message,
    setting,
)
from tests.support.wire_clients import (
    CALL,
    RawClient,
    block,
    call,
    uint32,
    with_headers,
)

PROTOCOL = ErrorCode.PROTOCOL_ERROR
SIZE = ErrorCode.FRAME_SIZE_ERROR
FLOW = ErrorCode.FLOW_CONTROL_ERROR
CLOSED = ErrorCode.STREAM_CLOSED
COMPRESSION = ErrorCode.COMPRESSION_ERROR
CALM = ErrorCode.ENHANCE_YOUR_CALM


@dataclass(frozen=True)
class Row:
    """Frames after a proper greeting, and the error that they earn."""

    name: str
    data: bytes
    code: ErrorCode


def opened(stream_id: int = 1) -> bytes:
    """A call whose request goes on."""
    return call(stream_id, None)


def ended(stream_id: int = 1) -> bytes:
    """A call whose request has ended."""
    return frame(HEADERS, END_HEADERS | END_STREAM, stream_id, block())


CONNECTION_ROWS = [
    # 4.2 and 4.3
    Row("4.2 frame larger than announced", frame(DATA, 0, 1, bytes(16_385)), SIZE),
    Row("4.3 block that is no HPACK", frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff"),
        COMPRESSION),
    Row("4.3 index out of the table", frame(HEADERS, 5, 1, b"\xbe"), COMPRESSION),
    Row("4.3 PRIORITY inside a header block",
        frame(HEADERS, END_STREAM, 1, block()) + frame(PRIORITY, 0, 1, bytes(5)),
        PROTOCOL),
    Row("4.3 other HEADERS inside a header block",
        frame(HEADERS, END_STREAM, 1, block()) + ended(3), PROTOCOL),
    # 5.1
    Row("5.1 DATA on an idle stream", frame(DATA, END_STREAM, 1, b""), PROTOCOL),
    Row("5.1 RST_STREAM on an idle stream", frame(RST_STREAM, 0, 1, uint32(8)),
        PROTOCOL),
    Row("5.1 WINDOW_UPDATE on an idle stream",
        frame(WINDOW_UPDATE, 0, 1, uint32(5000)), PROTOCOL),
    Row("5.1 CONTINUATION on an idle stream", frame(CONTINUATION, 4, 1, block()),
        PROTOCOL),
    Row("5.1 HEADERS on a stream that was reset",
        opened() + frame(RST_STREAM, 0, 1, uint32(8)) + ended(), CLOSED),
    Row("5.1.1 stream of an even number", ended(2), PROTOCOL),
    Row("5.1.1 stream of a lower number", ended(5) + ended(3), CLOSED),
    # 6
    Row("6.1 DATA on stream 0", frame(DATA, 0, 0, b"?"), PROTOCOL),
    Row("6.1 padding as long as the payload",
        opened() + frame(DATA, PADDED, 1, b"\x03\0\0"), PROTOCOL),
    Row("6.2 HEADERS on stream 0", frame(HEADERS, 5, 0, block()), PROTOCOL),
    Row("6.2 padding as long as the HEADERS",
        frame(HEADERS, 5 | PADDED, 1, b"\xff" + block()), PROTOCOL),
    Row("6.2 HEADERS too short for its priority",
        frame(HEADERS, 5 | HAS_PRIORITY, 1, b"\0\0"), SIZE),
    Row("6.3 PRIORITY on stream 0", frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL),
    Row("6.4 RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, uint32(8)), PROTOCOL),
    Row("6.4 RST_STREAM of 3 bytes", opened() + frame(RST_STREAM, 0, 1, b"\0\0\0"),
        SIZE),
    Row("6.5 SETTINGS ACK with a payload", frame(SETTINGS, ACK, 0, setting(3, 1)),
        SIZE),
    Row("6.5 SETTINGS on a stream", frame(SETTINGS, 0, 1, setting(3, 1)), PROTOCOL),
    Row("6.5 SETTINGS of 3 bytes", frame(SETTINGS, 0, 0, b"\0\3\0"), SIZE),
    Row("6.5.2 ENABLE_PUSH of 2", frame(SETTINGS, 0, 0, setting(2, 2)), PROTOCOL),
    Row("6.5.2 INITIAL_WINDOW_SIZE too large",
        frame(SETTINGS, 0, 0, setting(4, 2**31)), FLOW),
    Row("6.5.2 MAX_FRAME_SIZE too small", frame(SETTINGS, 0, 0, setting(5, 16_383)),
        PROTOCOL),
    Row("6.5.2 MAX_FRAME_SIZE too large", frame(SETTINGS, 0, 0, setting(5, 2**24)),
        PROTOCOL),
    Row("6.6 PUSH_PROMISE", opened() + frame(PUSH_PROMISE, 4, 1, uint32(2) + block()),
        PROTOCOL),
    Row("6.7 PING on a stream", frame(PING, 0, 1, bytes(8)), PROTOCOL),
    Row("6.7 PING of 6 bytes", frame(PING, 0, 0, bytes(6)), SIZE),
    Row("6.8 GOAWAY on a stream", frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
    Row("6.8 GOAWAY of 4 bytes", frame(GOAWAY, 0, 0, bytes(4)), SIZE),
    Row("6.9 WINDOW_UPDATE of 0", frame(WINDOW_UPDATE, 0, 0, uint32(0)), PROTOCOL),
    Row("6.9 WINDOW_UPDATE of 3 bytes", frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"), SIZE),
    Row("6.9.1 connection window too large",
        frame(WINDOW_UPDATE, 0, 0, uint32(2**31 - 1)), FLOW),
    Row("6.9.2 settings make a stream's window too large",
        opened() + frame(WINDOW_UPDATE, 0, 1, uint32(2**31 - 1 - 65_535))
        + frame(SETTINGS, 0, 0, setting(4, 65_536)), FLOW),
    Row("6.10 CONTINUATION without HEADERS",
        ended() + frame(CONTINUATION, 4, 1, block()), PROTOCOL),
    Row("6.10 CONTINUATION on stream 0",
        frame(HEADERS, END_STREAM, 1, block()) + frame(CONTINUATION, 4, 0, b""),
        PROTOCOL),
    Row("6.10 CONTINUATION behind the end of the block",
        ended() + frame(CONTINUATION, 4, 1, b""), PROTOCOL),
]  # fmt: skip

STREAM_ROWS = [
    Row("5.1 DATA behind the end of the request",
        ended() + frame(DATA, 0, 1, b"?"), CLOSED),
    Row("5.1 HEADERS behind the end of the request", ended() + ended(), CLOSED),
    Row("5.3.1 HEADERS that depend on themselves",
        frame(HEADERS, 5 | HAS_PRIORITY, 1, uint32(1) + b"\1" + block()), PROTOCOL),
    Row("5.3.1 PRIORITY that depends on itself",
        frame(PRIORITY, 0, 1, uint32(1) + b"\1"), PROTOCOL),
    Row("6.3 PRIORITY of 4 bytes", frame(PRIORITY, 0, 1, bytes(4)), SIZE),
    Row("6.9 WINDOW_UPDATE of 0 on a stream",
        opened() + frame(WINDOW_UPDATE, 0, 1, uint32(0)), PROTOCOL),
    Row("6.9.1 stream's window too large",
        opened() + frame(WINDOW_UPDATE, 0, 1, uint32(2**31 - 1)), FLOW),
    Row("8.1 second HEADERS without the end",
        opened() + frame(HEADERS, END_HEADERS, 1, b""), PROTOCOL),
    Row("8.1 pseudo-header in the trailers",
        opened() + frame(HEADERS, 5, 1, block([(":path", "/")])), PROTOCOL),
    Row("8.1.1 DATA unlike the content-length",
        call(1, b"abc", with_headers(content_length="9")), PROTOCOL),
    Row("8.1.1 content-length that is no number",
        call(1, b"abc", with_headers(content_length="x")), PROTOCOL),
]  # fmt: skip
STREAM_ROWS += [
    Row(f"8.2, 8.3 {name}", call(1, None, headers), PROTOCOL)
    for name, headers in {
        "name in upper case": with_headers(X_test="1"),
        "pseudo-header that is unknown": with_headers(colon_test="1"),
        "pseudo-header of a response": with_headers(colon_status="200"),
        "pseudo-header behind the others": [*CALL[1:], CALL[0]],
        "connection": with_headers(connection="keep-alive"),
        "transfer-encoding": with_headers(transfer_encoding="chunked"),
        "te that is not trailers": with_headers(te="gzip"),
        "empty path": with_headers(colon_path=""),
        "no method": with_headers(colon_method=None),
        "no scheme": with_headers(colon_scheme=None),
        "no path": with_headers(colon_path=None),
        "two methods": [CALL[0], *CALL],
        "two schemes": [CALL[1], *CALL],
        "two paths": [CALL[2], *CALL],
        "line break in a value": with_headers(x="a\r\nb"),
    }.items()
]


@pytest.mark.parametrize("row", CONNECTION_ROWS, ids=lambda row: row.name)
def test_breach_ends_the_connection(row: Row) -> None:
    client = RawClient()
    client.send(row.data)
    assert client.connection.is_ended
    [farewell] = client.of_kind(GOAWAY)
    assert farewell.code == row.code
    last = client.events[-1]
    assert isinstance(last, ConnectionEnded)
    assert last.code == row.code
    started = [e.stream_id for e in client.events if isinstance(e, CallStarted)]
    aborted = [e.stream_id for e in client.events if isinstance(e, CallAborted)]
    assert started == aborted
    assert client.send(call(99)) == []


@pytest.mark.parametrize("row", STREAM_ROWS, ids=lambda row: row.name)
def test_breach_ends_its_stream_and_no_other(row: Row) -> None:
    client = RawClient()
    client.send(row.data)
    [reset] = client.of_kind(RST_STREAM)
    assert (reset.stream_id, reset.code) == (1, row.code)
    assert client.connection.stream_count == 0
    started = [e.stream_id for e in client.events if isinstance(e, CallStarted)]
    aborted = [e.stream_id for e in client.events if isinstance(e, CallAborted)]
    assert started == aborted
    client.send(call(99))
    client.connection.respond(99, b"others go on")
    client.read()
    assert [answer.stream_id for answer in client.of_kind(DATA)] == [99]
    assert not client.connection.is_ended


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\nXM\r\n\r\n"],
    ids=["HTTP/1.1", "TLS", "almost"],
)
def test_other_preface_ends_the_connection(data: bytes) -> None:
    client = RawClient(greets=False)
    client.send(data)
    [farewell] = client.of_kind(GOAWAY)
    assert farewell.code == PROTOCOL


@pytest.mark.parametrize(
    "first", [call(1), frame(PING, 0, 0, bytes(8)), frame(SETTINGS, ACK)]
)
def test_first_frame_must_be_settings(first: bytes) -> None:
    client = RawClient(greets=False)
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + first)
    [farewell] = client.of_kind(GOAWAY)
    assert farewell.code == PROTOCOL


def test_greeting_is_answered_by_settings_and_their_acknowledgement() -> None:
    client = RawClient(Limits(concurrent_streams_max=7), greets=False)
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS))
    ours, acknowledgement = client.of_kind(SETTINGS)
    assert setting(3, 7) in ours.payload
    assert (acknowledgement.flags, acknowledgement.payload) == (ACK, b"")
    assert client.answers[0] is ours


def test_ping_is_answered_with_its_payload() -> None:
    client = RawClient()
    client.send(frame(PING, 0, 0, b"12345678") + frame(PING, ACK, 0, b"unasked!"))
    [answer] = client.answers
    assert (answer.kind, answer.flags, answer.payload) == (PING, ACK, b"12345678")


WELCOME: dict[str, bytes] = {
    "4.1 unknown type of frame": frame(0x16, 0xFF, 0, b"?") + call(1),
    "4.1 unknown flags": frame(PING, 0x16, 0, bytes(8)) + call(1),
    "4.1 reserved bit": call(2**31 + 1),
    "5.5 unknown type of frame on an idle stream": frame(0x16, 0, 9, b"?") + call(1),
    "6.1 padding": call(1, None)
    + frame(DATA, PADDED | END_STREAM, 1, b"\x04" + message(b"abc") + bytes(4)),
    "6.2 padding and priority": frame(
        HEADERS, END_HEADERS | PADDED | HAS_PRIORITY, 1,
        b"\x02" + uint32(3) + b"\x07" + block() + b"\0\0",
    )
    + frame(DATA, END_STREAM, 1, message(b"abc")),
    "6.3 PRIORITY on an idle stream": frame(PRIORITY, 0, 9, bytes(5)) + call(1),
    "6.4 RST_STREAM on a closed stream": ended(1)
    + 2 * frame(RST_STREAM, 0, 1, bytes(4)) + call(3),
    "6.5.2 unknown setting": frame(SETTINGS, 0, 0, setting(0xFF, 1)) + call(1),
    "6.8 GOAWAY of the client": frame(GOAWAY, 0, 0, bytes(8)) + call(1),
    "6.9 WINDOW_UPDATE on a closed stream": ended(1)
    + frame(RST_STREAM, 0, 1, bytes(4)) + frame(WINDOW_UPDATE, 0, 1, uint32(1))
    + call(3),
    "6.10 block in four frames": frame(HEADERS, 0, 1, block()[:7])
    + frame(CONTINUATION, 0, 1, block()[7:7]) + frame(CONTINUATION, 0, 1, block()[7:40])
    + frame(CONTINUATION, END_HEADERS, 1, block()[40:])
    + frame(DATA, END_STREAM, 1, message(b"abc")),
    "8.1 te": call(1, b"abc", with_headers(te=None)),
    "8.1.1 content-length": call(1, b"abc", with_headers(content_length="8")),
}  # fmt: skip


@pytest.mark.parametrize("name", WELCOME)
def test_what_is_allowed_reaches_the_handler(name: str) -> None:
    client = RawClient()
    events = client.send(WELCOME[name])
    last = events[-1]
    assert getattr(last, "message", None) == b"abc"
    assert not client.of_kind(GOAWAY)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (with_headers(colon_method="GET"), "405"),
        (with_headers(content_type="text/html"), "415"),
        (with_headers(content_type=None), "415"),
    ],
)
def test_request_that_is_no_call_gets_an_http_status(
    headers: list[tuple[str, str]], status: str
) -> None:
    client = RawClient()
    assert client.send(call(1, b"abc", headers)) == []
    [answer] = client.of_kind(HEADERS)
    assert client.headers(answer) == {":status": status}
    assert answer.flags & END_STREAM
    assert not client.of_kind(GOAWAY)


def test_stream_over_the_limit_is_refused_and_may_come_again() -> None:
    client = RawClient(Limits(concurrent_streams_max=2))
    client.send(opened(1) + opened(3) + opened(5))
    [reset] = client.of_kind(RST_STREAM)
    assert (reset.stream_id, reset.code) == (5, ErrorCode.REFUSED_STREAM)
    client.connection.end(1)
    events = client.send(call(7))
    assert isinstance(events[0], CallStarted)


FloodOf = Callable[[int], bytes]
FLOODS: dict[str, FloodOf] = {
    "SETTINGS": lambda number: frame(SETTINGS),
    "PING": lambda number: frame(PING, 0, 0, bytes(8)),
    "PING acknowledgements": lambda number: frame(PING, ACK, 0, bytes(8)),
    "PRIORITY": lambda number: frame(PRIORITY, 0, 9, bytes(5)),
    "empty DATA": lambda number: frame(DATA, 0, 1),
    "WINDOW_UPDATE of a byte": lambda number: frame(WINDOW_UPDATE, 0, 1, uint32(1)),
    "RST_STREAM of what is closed": lambda number: frame(RST_STREAM, 0, 3, bytes(4)),
    "unknown frames": lambda number: frame(0x77),
    "GOAWAY": lambda number: frame(GOAWAY, 0, 0, bytes(8)),
    "rapid reset": lambda number: (
        opened(2 * number + 5) + frame(RST_STREAM, 0, 2 * number + 5, uint32(8))
    ),
    "resets that we are made to send": lambda number: call(
        2 * number + 5, None, with_headers(colon_path="")
    ),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood_ends_the_connection(name: str) -> None:
    flood = FLOODS[name]
    limits = Limits(
        idle_frames_burst=50, idle_frames_per_s=10, resets_burst=50, resets_per_s=10
    )
    client = RawClient(limits)
    client.send(opened(1) + opened(3) + frame(RST_STREAM, 0, 3, uint32(8)))
    for number in range(200):
        client.send(flood(number))
    [farewell] = client.of_kind(GOAWAY)
    assert farewell.code == CALM


@pytest.mark.parametrize("name", [name for name in FLOODS if name != "PING"])
def test_as_much_over_time_is_no_flood(name: str) -> None:
    flood = FLOODS[name]
    limits = Limits(
        idle_frames_burst=50, idle_frames_per_s=10, resets_burst=50, resets_per_s=10
    )
    client = RawClient(limits)
    client.send(opened(1) + opened(3) + frame(RST_STREAM, 0, 3, uint32(8)))
    for number in range(200):
        client.now_s += 0.1
        client.send(flood(number))
    assert not client.of_kind(GOAWAY)


def test_what_a_client_sends_for_what_it_was_sent_is_no_flood() -> None:
    limits = Limits(idle_frames_burst=50, idle_frames_per_s=0)
    client = RawClient(limits)
    client.send(opened(1))
    for _ in range(200):
        client.connection.send(1, b"event")
        room = frame(WINDOW_UPDATE, 0, 0, uint32(10))
        client.send(room + frame(WINDOW_UPDATE, 0, 1, uint32(10)))
        client.send(frame(PING, 0, 0, bytes(8)))
    assert not client.of_kind(GOAWAY)


def test_endless_header_block_ends_the_connection() -> None:
    client = RawClient()
    client.send(frame(HEADERS, 0, 1, block()))
    for _ in range(10):
        client.send(frame(CONTINUATION, 0, 1, b"\0\x01a\x01b" * 2000))
    [farewell] = client.of_kind(GOAWAY)
    assert farewell.code == CALM


def test_header_list_that_inflates_beyond_the_limit_ends_the_connection() -> None:
    client = RawClient(Limits(header_list_bytes_max=8192))
    # One entry of 4,000 bytes in the table, named by a byte again and again.
    entry = b"\x40\x01a\x7f" + b"\xa1\x1e" + b"x" * 4000
    client.send(frame(HEADERS, 5, 1, entry + b"\xbe" * 4))
    [farewell] = client.of_kind(GOAWAY)
    assert farewell.code == CALM
