"""Watch: which events come, in which responses, and what is in them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from miniet.pb import kv_pb2
from tests.conformance.api.conftest import REAL
from tests.conformance.api.targets import FAST_ELECTION, MINIET, Target, running
from tests.support.api_requests import delete, put

ALL = {"key": b"\x00", "range_end": b"\x00"}
PUT, DELETE = kv_pb2.Event.PUT, kv_pb2.Event.DELETE
FRAGMENT_BYTES = 2_097_152


def changes(response: Any) -> list[tuple[int, bytes]]:
    return [(event.type, event.kv.key) for event in response.events]


def test_put_event_has_the_whole_pair(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    server.put_all((b"a", b"1"))
    stream = server.watch(key=b"a")
    stream.receive()
    server.call("Put", key=b"a", value=b"2", lease=7)
    response = stream.receive()
    assert (response.header.revision, response.created) == (3, False)
    assert response.events[0].type == PUT
    assert response.events[0].kv == server.call("Range", key=b"a").kvs[0]
    assert not response.events[0].HasField("prev_kv")


def test_delete_event_has_key_and_revision_alone(server: Target) -> None:
    server.call("LeaseGrant", ID=7, TTL=100)
    server.call("Put", key=b"a", value=b"1", lease=7)
    stream = server.watch(key=b"a")
    stream.receive()
    server.call("DeleteRange", key=b"a")
    event = stream.events(1)[0]
    assert event.type == DELETE
    assert event.kv == kv_pb2.KeyValue(key=b"a", mod_revision=3)


def test_past_and_present_events_are_the_same(server: Target) -> None:
    live = server.watch(**ALL, prev_kv=True)
    live.receive()
    server.put_all((b"a", b"1"), (b"a", b"2"))
    server.call("DeleteRange", key=b"a")
    server.call("Txn", success=[put(b"b", b"1"), put(b"a", b"3"), delete(b"c")])
    past = server.watch(**ALL, prev_kv=True, start_revision=1)
    past.receive()
    assert past.events(5) == live.events(5)


@pytest.mark.parametrize("start", [0, 1])
def test_prev_kv_is_the_pair_before(server: Target, start: int) -> None:
    stream = server.watch(key=b"a", prev_kv=True, start_revision=start)
    stream.receive()
    server.put_all((b"a", b"1"), (b"a", b"2"))
    server.call("DeleteRange", key=b"a")
    server.put_all((b"a", b"3"))
    before = [
        event.prev_kv.value if event.HasField("prev_kv") else None
        for event in stream.events(4)
    ]
    assert before == [None, b"1", b"2", None]


def test_prev_kv_is_left_out_when_it_is_compacted(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"), (b"a", b"3"))
    server.call("Compact", revision=3, physical=True)
    stream = server.watch(key=b"a", prev_kv=True, start_revision=3)
    stream.receive()
    first, second = stream.events(2)
    assert not first.HasField("prev_kv")
    assert second.prev_kv.value == b"2"


def test_events_of_a_txn_are_one_response_in_order(server: Target) -> None:
    server.put_all((b"b", b"1"), (b"c", b"1"))
    stream = server.watch(**ALL)
    stream.receive()
    server.call(
        "Txn", success=[put(b"z"), delete(b"b", b"d"), put(b"a"), delete(b"none")]
    )
    response = stream.receive()
    assert changes(response) == [
        (PUT, b"z"),
        (DELETE, b"b"),
        (DELETE, b"c"),
        (PUT, b"a"),
    ]
    assert {event.kv.mod_revision for event in response.events} == {4}


def test_watcher_hears_of_its_part_of_a_txn(server: Target) -> None:
    stream = server.watch(key=b"b", range_end=b"d")
    stream.receive()
    server.call("Txn", success=[put(b"a"), put(b"c"), put(b"b"), put(b"d")])
    assert changes(stream.receive()) == [(PUT, b"c"), (PUT, b"b")]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], [PUT, DELETE]),
        (["NOPUT"], [DELETE]),
        (["NODELETE"], [PUT]),
        ([9], [PUT, DELETE]),
    ],
)
@pytest.mark.parametrize("start", [0, 1])
def test_filters_drop_kinds_of_events(
    server: Target, start: int, filters: list[Any], expected: list[int]
) -> None:
    stream = server.watch(key=b"a", filters=filters, start_revision=start)
    stream.receive()
    server.put_all((b"a", b"1"))
    server.call("DeleteRange", key=b"a")
    assert [event.type for event in stream.events(len(expected))] == expected
    stream.request_progress()
    assert stream.receive().watch_id == -1


def test_response_without_events_left_is_not_sent(server: Target) -> None:
    stream = server.watch(key=b"a", filters=["NOPUT", "NODELETE"])
    stream.receive()
    server.put_all((b"a", b"1"))
    stream.cancel_watcher(0)
    assert stream.receive().canceled


def test_many_watchers_of_a_stream_each_hear(server: Target) -> None:
    stream = server.watch()
    for _ in range(100):
        stream.create(key=b"a")
    for _ in range(100):
        stream.create(**ALL)
    ids = [stream.receive().watch_id for _ in range(200)]
    assert ids == list(range(200))
    server.put_all((b"a", b"1"), (b"b", b"1"))
    heard = Counter(stream.receive().watch_id for _ in range(300))
    assert heard == Counter({i: 1 if i < 100 else 2 for i in range(200)})


def test_history_comes_in_batches_of_1000_revisions(server: Target) -> None:
    # One txn is one revision, however many events it has.
    server.call("Txn", success=[put(b"%d" % i) for i in range(100)])
    for _ in range(15):
        for call in [server.begin("Put", key=b"a") for _ in range(100)]:
            call.result()
    stream = server.watch(**ALL, start_revision=2)
    stream.receive()
    batches = list(stream.responses_until(1502))
    spans = [
        (len(batch.events), batch.events[0].kv.mod_revision, batch.header.revision)
        for batch in batches
    ]
    assert spans == [(100 + 999, 2, 1502), (501, 1002, 1502)]
    assert not any(batch.fragment for batch in batches)


def put_large(server: Target, count: int, value_bytes: int) -> None:
    for i in range(count):
        server.call("Put", key=b"%d" % i, value=bytes(value_bytes))


def test_large_response_is_split_for_a_watcher_that_wants_fragments(
    server: Target,
) -> None:
    put_large(server, 5, 1_000_000)
    stream = server.watch(**ALL, start_revision=1, fragment=True)
    stream.receive()
    pieces = [stream.receive() for _ in range(3)]
    assert [len(piece.events) for piece in pieces] == [2, 2, 1]
    assert [piece.fragment for piece in pieces] == [True, True, False]
    assert {piece.header.revision for piece in pieces} == {6}
    assert all(piece.ByteSize() < FRAGMENT_BYTES for piece in pieces)


def test_large_response_is_whole_for_others(server: Target) -> None:
    put_large(server, 5, 1_000_000)
    stream = server.watch(**ALL, start_revision=1)
    stream.receive()
    response = stream.receive()
    assert (len(response.events), response.fragment) == (5, False)


def test_event_larger_than_a_fragment_comes_alone(server: Target) -> None:
    server.call("Put", key=b"0", value=bytes(1_400_000))
    put_large(server, 2, 1_400_000)
    stream = server.watch(**ALL, start_revision=1, fragment=True, prev_kv=True)
    stream.receive()
    pieces = [stream.receive() for _ in range(3)]
    assert [len(piece.events) for piece in pieces] == [1, 1, 1]
    # The second holds the pair before, too, and is too large for any fragment.
    assert pieces[1].ByteSize() > FRAGMENT_BYTES
    assert [piece.fragment for piece in pieces] == [True, True, False]


def test_small_response_is_no_fragment(server: Target) -> None:
    stream = server.watch(key=b"a", fragment=True)
    stream.receive()
    server.put_all((b"a", b"1"))
    assert not stream.receive().fragment


# Notices of progress


@pytest.fixture(params=[MINIET, REAL])
def notifying_server(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Target]:
    """A server that tells of progress every 100 ms."""
    interval = "--experimental-watch-progress-notify-interval=100ms"
    with running(request.param, tmp_path, *FAST_ELECTION, interval) as target:
        yield target


def test_silent_watcher_is_told_of_progress(notifying_server: Target) -> None:
    notifying_server.put_all((b"a", b"1"), (b"b", b"1"))
    stream = notifying_server.watch(key=b"a", progress_notify=True)
    stream.create(key=b"a")
    stream.receive(), stream.receive()
    for _ in range(2):
        notice = stream.receive()
        assert (notice.watch_id, notice.header.revision) == (0, 3)
        assert not notice.events


def test_progress_is_that_of_the_store(notifying_server: Target) -> None:
    stream = notifying_server.watch(key=b"a", progress_notify=True)
    stream.receive()
    notifying_server.put_all((b"b", b"1"))
    while (notice := stream.receive()).header.revision != 2:
        assert notice.header.revision == 1
