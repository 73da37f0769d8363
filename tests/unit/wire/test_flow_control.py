"""Room in both directions: what is sent, what is kept, what is given back."""

from miniet.wire import ErrorCode, Limits
from tests.support.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    message,
    setting,
)
from tests.support.wire_clients import H2Client, RawClient, block, call, uint32

KIB = 1 << 10


def test_response_waits_for_the_windows_of_the_client() -> None:
    client = RawClient()
    client.send(frame(SETTINGS, 0, 0, setting(4, 10)) + call(1))
    client.connection.respond(1, bytes(100))
    client.read()
    assert [len(answer.payload) for answer in client.of_kind(DATA)] == [10]
    assert client.connection.pending_bytes(1) == 95
    client.send(frame(WINDOW_UPDATE, 0, 1, uint32(20)))
    assert [len(answer.payload) for answer in client.of_kind(DATA)] == [10, 20]
    client.send(frame(WINDOW_UPDATE, 0, 1, uint32(1000)))
    assert client.connection.pending_bytes(1) == 0
    assert client.answers[-1].flags & END_STREAM
    data = b"".join(answer.payload for answer in client.of_kind(DATA))
    assert data == message(bytes(100))


def test_small_response_waits_for_the_connection_too() -> None:
    client = RawClient()
    client.send(call(1) + call(3))
    client.connection.send(1, bytes(65_530))  # all that the connection admits
    client.read()
    client.connection.respond(3, b"small")
    client.read()
    assert [answer.stream_id for answer in client.of_kind(DATA)] == [1] * 4
    client.send(frame(WINDOW_UPDATE, 0, 0, uint32(1000)))
    assert client.of_kind(DATA)[-1].payload == message(b"small")


def test_window_that_becomes_negative_holds_everything_back() -> None:
    client = RawClient()
    client.send(frame(SETTINGS, 0, 0, setting(4, 50)) + call(1))
    client.connection.send(1, bytes(100))
    client.read()
    client.send(frame(SETTINGS, 0, 0, setting(4, 10)))  # 40 below what is out
    client.send(frame(WINDOW_UPDATE, 0, 1, uint32(40)))
    assert len(client.of_kind(DATA)) == 1
    client.send(frame(WINDOW_UPDATE, 0, 1, uint32(1)))
    assert [len(answer.payload) for answer in client.of_kind(DATA)] == [50, 1]


def test_streams_share_the_window_of_the_connection_frame_by_frame() -> None:
    client = RawClient()
    big = frame(SETTINGS, 0, 0, setting(4, 2**30))
    client.send(big + b"".join(call(number) for number in (1, 3, 5)))
    for number in (1, 3, 5):
        client.connection.send(number, bytes(100_000))
    client.read()
    assert sum(len(answer.payload) for answer in client.of_kind(DATA)) == 65_535
    assert [answer.stream_id for answer in client.of_kind(DATA)[:4]] == [1, 3, 5, 1]
    client.send(frame(WINDOW_UPDATE, 0, 0, uint32(2**20)))
    by_stream = {
        number: sum(
            len(a.payload) for a in client.of_kind(DATA) if a.stream_id == number
        )
        for number in (1, 3, 5)
    }
    assert by_stream == dict.fromkeys((1, 3, 5), 100_005)


def test_large_messages_leave_as_views_of_the_bytes_that_were_given() -> None:
    client = RawClient()
    client.send(frame(SETTINGS, 0, 0, setting(4, 2**30)) + call(1))
    client.send(frame(WINDOW_UPDATE, 0, 0, uint32(2**24)))
    body = bytes(1 << 20)
    client.connection.send(1, body)
    chunks, _ = client.connection.take_output(1 << 24)
    views = [chunk for chunk in chunks if isinstance(chunk, memoryview)]
    assert sum(len(view) for view in views if view.obj is body) == len(body)


def test_output_is_made_no_faster_than_it_is_taken() -> None:
    client = RawClient()
    client.send(frame(SETTINGS, 0, 0, setting(4, 2**30)) + call(1))
    client.send(frame(WINDOW_UPDATE, 0, 0, uint32(2**24)))
    client.connection.send(1, bytes(1 << 20))
    chunks, _ = client.connection.take_output(100_000)
    assert sum(map(len, chunks)) < 100_000 + 17_000
    assert client.connection.pending_bytes(1) > 900_000
    assert client.connection.has_output


def test_drained_streams_are_named_once() -> None:
    client = H2Client()
    stream_id = client.call(b"")
    client.connection.send(stream_id, bytes(20_000))  # two frames: it waits
    assert client.connection.take_output()[1] == [stream_id]
    assert client.connection.take_output()[1] == []


def test_message_that_fits_waits_for_nobody() -> None:
    client = H2Client()
    stream_id = client.call(b"")
    client.connection.send(stream_id, b"x")
    assert client.connection.pending_bytes(stream_id) == 0
    assert client.connection.take_output()[1] == []


def test_messages_that_fit_into_a_frame_share_it() -> None:
    client = RawClient()
    client.send(call(1))
    bodies = [b"one", b"", bytes(1000)]
    client.connection.send(1, *bodies)
    client.read()
    [data] = client.of_kind(DATA)
    assert data.payload == b"".join(map(message, bodies))


def test_messages_sent_at_once_arrive_in_order_however_many() -> None:
    client = H2Client()
    stream_id = client.call(b"")
    bodies = [b"%d" % number * (number % 100) for number in range(5_000)]
    client.connection.send(stream_id, *bodies)
    client.connection.send(stream_id, b"last")
    client.pump()
    data = b"".join(map(message, [*bodies, b"last"]))
    assert client.responses[stream_id].data == data


def test_messages_that_fit_wait_once_much_is_queued() -> None:
    client = RawClient()
    client.send(frame(SETTINGS, 0, 0, setting(4, 2**30)) + call(1))
    client.send(frame(WINDOW_UPDATE, 0, 0, uint32(2**24)))
    for _ in range(100):
        client.connection.send(1, bytes(10_000))
    assert client.connection.pending_bytes(1) > 900_000


def test_client_beyond_its_room_on_a_stream_loses_it() -> None:
    client = RawClient(Limits(window_bytes=100, connection_window_bytes=70_000))
    client.send(call(1, None) + frame(DATA, 0, 1, message(bytes(200))[:101]))
    [reset] = client.of_kind(RST_STREAM)
    assert reset.code == ErrorCode.FLOW_CONTROL_ERROR


def test_client_beyond_its_room_loses_the_connection() -> None:
    limits = Limits(connection_window_bytes=70_000, received_bytes_max=1_000)
    client = RawClient(limits)
    # Complete messages that no handler takes: no room is given back.
    for number in range(1, 21, 2):
        client.send(call(number, None) + frame(DATA, 0, number, message(bytes(16_000))))
    assert client.connection.is_ended
    assert client.answers[-1].code == ErrorCode.FLOW_CONTROL_ERROR


def test_incomplete_messages_get_room_as_they_come() -> None:
    client = RawClient(Limits(window_bytes=10 * KIB))
    client.send(call(1, None))
    data = message(bytes(100 * KIB))
    for at in range(0, len(data), KIB):
        client.send(frame(DATA, 0, 1, data[at : at + KIB]))
    given = [a for a in client.of_kind(WINDOW_UPDATE) if a.stream_id == 1]
    assert sum(int.from_bytes(a.payload, "big") for a in given) >= 90 * KIB


def test_complete_messages_get_room_when_their_handler_has_them() -> None:
    client = RawClient(Limits(window_bytes=10 * KIB))
    client.send(call(1, None) + frame(DATA, 0, 1, message(bytes(6 * KIB))))
    assert not [a for a in client.of_kind(WINDOW_UPDATE) if a.stream_id == 1]
    client.connection.taken(1)
    client.read()
    [given] = [a for a in client.of_kind(WINDOW_UPDATE) if a.stream_id == 1]
    assert given.payload == uint32(6 * KIB + 5)


def test_padding_counts_and_is_given_back() -> None:
    client = RawClient(Limits(window_bytes=1000))
    client.send(call(1, None))
    client.send(frame(DATA, 0x8, 1, b"\xc8" + b"\0" + bytes(200)) * 3)
    given = [a for a in client.of_kind(WINDOW_UPDATE) if a.stream_id == 1]
    assert sum(int.from_bytes(a.payload, "big") for a in given) == 3 * 202


def test_half_messages_are_bounded_over_all_streams() -> None:
    client = RawClient(Limits(received_bytes_max=100 * KIB))
    half = message(bytes(20 * KIB))[: 15 * KIB]
    for number in range(1, 21, 2):
        client.send(call(number, None) + frame(DATA, 0, number, half))
    resets = client.of_kind(RST_STREAM)
    assert {answer.code for answer in resets} == {ErrorCode.ENHANCE_YOUR_CALM}
    # Three halves of 15 KiB are within half of the bound; a fourth is not.
    assert [answer.stream_id for answer in resets] == list(range(7, 21, 2))


def test_streams_that_end_give_their_room_back() -> None:
    limits = Limits(received_bytes_max=40 * KIB, connection_window_bytes=70_000)
    client = RawClient(limits)
    half = message(bytes(20 * KIB))[: 15 * KIB]
    for number in range(1, 101, 2):
        client.send(call(number, None) + frame(DATA, 0, number, half))
        client.send(frame(RST_STREAM, 0, number, uint32(8)))
    assert not client.connection.is_ended
    assert not client.of_kind(RST_STREAM)


def test_data_on_a_stream_that_we_have_ended_is_passed_over() -> None:
    client = RawClient(Limits(connection_window_bytes=70_000))
    client.send(call(1, None))
    client.connection.end(1, 5, "not found")
    for _ in range(20):
        client.send(frame(DATA, 0, 1, bytes(16_000)))
    assert len(client.of_kind(RST_STREAM)) == 1
    assert not client.connection.is_ended
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, block()))
    assert client.connection.stream_count == 1
