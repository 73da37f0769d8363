"""Calls of a client that keeps to the rules: the library h2."""

from sys import getrefcount

import pytest

from miniet.wire import (
    CallAborted,
    CallStarted,
    ErrorCode,
    Limits,
    MessageReceived,
    RequestEnded,
)
from tests.support.http2 import DATA, frame, message
from tests.support.wire_clients import H2Client, RawClient, call

MIB = 1 << 20


def test_unary_call_is_answered() -> None:
    client = H2Client()
    stream_id = client.call(b"abc", ("client-api-version", "3.4.23"))
    started, received = client.events
    assert isinstance(started, CallStarted)
    assert started.call.path == "/etcdserverpb.KV/Put"
    assert started.call.metadata["client-api-version"] == "3.4.23"
    assert received == MessageReceived(stream_id, b"abc", True)
    client.connection.respond(stream_id, b"answer")
    client.pump()
    response = client.responses[stream_id]
    assert response.headers == {":status": "200", "content-type": "application/grpc"}
    assert response.data == message(b"answer")
    assert response.trailers == {"grpc-status": "0"}
    assert response.is_ended
    assert client.connection.stream_count == 0


def test_received_messages_are_the_callers_alone() -> None:
    client = RawClient()
    data = frame(DATA, 0, 1, message(b"a request that is not kept"))
    [_, event] = client.connection.receive(call(1, None) + data, 0.0)
    assert isinstance(event, MessageReceived)
    body = event.message
    del event
    # `body` and the argument of getrefcount.
    assert getrefcount(body) == 2


@pytest.mark.parametrize("size", [0, 1, 16_379, 16_380, 65_530, 65_531, 3 * MIB])
def test_response_of_any_size_arrives_whole(size: int) -> None:
    client = H2Client()
    stream_id = client.call(b"")
    client.connection.respond(stream_id, bytes(size))
    client.pump()
    response = client.responses[stream_id]
    assert response.data == message(bytes(size))
    assert response.trailers == {"grpc-status": "0"}
    assert response.is_ended


@pytest.mark.parametrize("size", [0, 16_379, 300_000, 2 * MIB])
def test_request_of_any_size_arrives_whole(size: int) -> None:
    client = H2Client()
    stream_id = client.call(bytes(size))
    assert client.events[1:] == [MessageReceived(stream_id, bytes(size), True)]


def test_messages_may_begin_and_end_anywhere_in_the_frames() -> None:
    client = H2Client()
    stream_id = client.call()
    data = message(b"one") + message(b"") + message(b"three" * 9)
    for at in range(len(data)):
        client.send(stream_id, data[at : at + 1])
    client.send(stream_id, message(b"last") + message(b"of all"), is_last=True)
    bodies = [b"one", b"", b"three" * 9, b"last"]
    assert client.events[1:] == [
        *(MessageReceived(stream_id, body, False) for body in bodies),
        MessageReceived(stream_id, b"of all", True),
    ]


def test_end_of_the_request_may_come_alone() -> None:
    client = H2Client()
    stream_id = client.call()
    client.h2.end_stream(stream_id)
    client.pump()
    assert client.events[1:] == [RequestEnded(stream_id)]


def test_trailers_of_the_client_end_its_request() -> None:
    client = H2Client()
    stream_id = client.call()
    client.h2.send_headers(stream_id, [("x-checksum", "1")], end_stream=True)
    client.pump()
    assert client.events[1:] == [RequestEnded(stream_id)]


def test_stream_of_messages_goes_both_ways() -> None:
    client = H2Client()
    stream_id = client.call()
    for number in range(3):
        client.send(stream_id, message(b"%d" % number))
        client.connection.taken(stream_id)
        client.connection.send(stream_id, b"re %d" % number)
        client.pump()
    assert len(client.events) == 4
    response = client.responses[stream_id]
    assert response.data == b"".join(message(b"re %d" % n) for n in range(3))
    assert not response.is_ended
    client.connection.end(stream_id)
    client.pump()
    assert response.is_ended
    assert response.trailers == {"grpc-status": "0"}
    # The client had not ended its half: it is told not to go on.
    assert response.reset_code == ErrorCode.NO_ERROR


def test_call_that_fails_has_its_status_and_text() -> None:
    client = H2Client()
    stream_id = client.call(b"")
    client.connection.end(stream_id, 11, "50 % gone: größer")
    client.pump()
    response = client.responses[stream_id]
    assert response.is_ended
    assert response.headers["grpc-status"] == "11"
    assert response.headers["grpc-message"] == "50 %25 gone: gr%C3%B6%C3%9Fer"
    assert response.headers[":status"] == "200"


def test_call_that_fails_late_has_its_status_behind_its_messages() -> None:
    client = H2Client()
    stream_id = client.call(b"")
    client.connection.send(stream_id, bytes(100_000))
    client.connection.end(stream_id, 14, "etcdserver: server stopped")
    client.pump()
    response = client.responses[stream_id]
    assert response.data == message(bytes(100_000))
    assert response.trailers == {
        "grpc-status": "14",
        "grpc-message": "etcdserver: server stopped",
    }


def test_reset_call_is_aborted_and_takes_nothing_more() -> None:
    client = H2Client()
    stream_id = client.call()
    client.h2.reset_stream(stream_id, ErrorCode.CANCEL)
    client.pump()
    assert client.events[1:] == [CallAborted(stream_id, ErrorCode.CANCEL)]
    client.connection.send(stream_id, b"too late")
    client.connection.respond(stream_id, b"too late")
    client.connection.end(stream_id)
    assert not client.connection.has_output


REFUSED_MESSAGES = {
    "flag without an encoding": (
        "identity", b"\x01\x00\x00\x00\x00", 13,
        "grpc: compressed flag set with identity or empty encoding",
    ),
    "compressed": (
        "gzip", message(b"?", compressed=True), 12,
        'grpc: Decompressor is not installed for grpc-encoding "gzip"',
    ),
    "unknown flag": (
        "gzip", b"\x02\x00\x00\x00\x00", 13,
        "grpc: received unexpected payload format 2",
    ),
    "too large": (
        "identity", b"\x00\x00\x00\x10\x01", 8,
        "grpc: received message larger than max (4097 vs. 4096)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED_MESSAGES)
def test_message_that_cannot_be_taken_ends_its_call(name: str) -> None:
    encoding, data, status, text = REFUSED_MESSAGES[name]
    client = H2Client(Limits(message_bytes_max=4096))
    stream_id = client.call(None, ("grpc-encoding", encoding))
    client.send(stream_id, data, is_last=True)
    response = client.responses[stream_id]
    assert response.headers["grpc-status"] == str(status)
    assert response.headers["grpc-message"] == text
    assert client.events[1:] == [CallAborted(stream_id, ErrorCode.NO_ERROR)]
    client.call(b"others go on")
    assert isinstance(client.events[-1], MessageReceived)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1H", 3600), ("5M", 300), ("7S", 7), ("250m", 0.25), ("9u", 9e-6), ("1n", 1e-9)],
)
def test_deadline_is_read(text: str, seconds: float) -> None:
    client = H2Client()
    client.call(b"", ("grpc-timeout", text))
    started = client.events[0]
    assert isinstance(started, CallStarted)
    assert started.call.timeout_s == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "S", "-1S", "1.5S", "123456789S", "1D"])
def test_malformed_deadline_ends_the_call(text: str) -> None:
    client = H2Client()
    stream_id = client.call(b"", ("grpc-timeout", text))
    response = client.responses[stream_id]
    assert response.headers["grpc-status"] == "13"
    assert "malformed grpc-timeout" in response.headers["grpc-message"]
    assert not [event for event in client.events if isinstance(event, CallStarted)]
