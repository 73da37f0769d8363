"""How often a client may ping, and how a server says that it goes."""

import pytest

from miniet.wire import CallStarted, ErrorCode, Limits
from tests.support.http2 import ACK, GOAWAY, PING, frame
from tests.support.wire_clients import RawClient, call

CLIENT_PING = frame(PING, 0, 0, b"12345678")


def pings(client: RawClient, count: int, interval_s: float) -> bool:
    """Ping so often; tell whether the connection outlives it."""
    for _ in range(count):
        client.now_s += interval_s
        client.send(CLIENT_PING)
    return not client.connection.is_ended


@pytest.mark.parametrize(
    ("interval_s", "has_call", "lives"),
    [(5.0, True, True), (4.9, True, False), (5.0, False, False), (7200, False, True)],
)
def test_pings_may_come_every_five_seconds_during_a_call(
    interval_s: float, has_call: bool, lives: bool
) -> None:
    client = RawClient()
    if has_call:
        client.send(call(1, None))
    assert pings(client, 10, interval_s) is lives
    if not lives:
        [farewell] = client.of_kind(GOAWAY)
        assert farewell.code == ErrorCode.ENHANCE_YOUR_CALM
        assert farewell.payload[8:] == b"too_many_pings"


def test_two_strikes_are_forgiven() -> None:
    client = RawClient()
    client.send(call(1, None))
    assert pings(client, 3, 0.1)  # the first of all is no strike
    assert not pings(client, 1, 0.1)


def test_pings_are_welcome_while_responses_go_out() -> None:
    client = RawClient(Limits())
    client.send(call(1, None))
    for _ in range(20):
        client.connection.send(1, b"event")
        client.send(CLIENT_PING)
    assert not client.connection.is_ended


def test_pings_are_welcome_while_a_long_response_goes_out() -> None:
    client = RawClient()
    client.send(call(1))
    client.connection.respond(1, bytes(1 << 20))
    for _ in range(20):
        client.send(frame(8, 0, 0, b"\0\0\x10\0") + frame(8, 0, 1, b"\0\0\x10\0"))
        client.send(CLIENT_PING)
    assert not client.connection.is_ended


def test_own_ping_goes_out_and_its_answer_is_a_sign_of_life() -> None:
    client = RawClient()
    client.connection.ping(b"areyouup")
    [ping] = client.read()
    assert (ping.kind, ping.flags, ping.payload) == (PING, 0, b"areyouup")
    client.now_s = 7.0
    client.send(frame(PING, ACK, 0, b"areyouup"))
    assert client.connection.last_received_s == 7.0


def test_drain_takes_up_what_was_on_its_way_and_nothing_after_it() -> None:
    client = RawClient()
    client.send(call(1, None))
    client.connection.drain()
    warning, ping = client.read()
    assert warning.kind == GOAWAY
    assert warning.payload[:4] == b"\x7f\xff\xff\xff"
    assert isinstance(client.send(call(3))[0], CallStarted)
    client.send(frame(PING, ACK, 0, ping.payload))
    farewell = client.of_kind(GOAWAY)[-1]
    assert farewell.payload == b"\0\0\0\x03" + bytes(4)
    assert client.send(call(5)) == []
    client.connection.end(1)
    client.connection.end(3)
    assert client.connection.stream_count == 0
    assert not client.connection.is_ended
