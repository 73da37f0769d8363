import pytest

from miniet.mvcc import Event, EventType
from miniet.watch import (
    CancelReason,
    EventBatch,
    WatchEvent,
    WatchStreamClosedError,
)
from tests.support.watch_rig import Client, Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def client(rig: Rig) -> Client:
    return rig.client()


# Creating


def test_created_answer_has_id_and_current_revision(rig: Rig, client: Client) -> None:
    rig.put_many(b"x", 3)
    client.create(b"a")
    (answer,) = client.read()
    assert (answer.created, answer.canceled) == (True, False)
    assert (answer.watch_id, answer.revision) == (0, 4)
    assert not answer.events


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ([0, 0, 0], [0, 1, 2]),
        ([1, 0, 0], [1, 0, 2]),
        ([7, 0, -3], [7, 0, -3]),
        ([1, 2, 0, 0], [1, 2, 0, 3]),
    ],
)
def test_ids_are_as_wanted_or_the_next_free(
    client: Client, wanted: list[int], given: list[int]
) -> None:
    for watch_id in wanted:
        client.create(b"a", watch_id=watch_id)
    assert [answer.watch_id for answer in client.read()] == given


def test_automatic_ids_are_not_given_again(client: Client) -> None:
    client.create(b"a")
    client.cancel(0)
    client.create(b"a")
    assert [answer.watch_id for answer in client.read()] == [0, 0, 1]


def test_duplicate_id_is_refused_and_the_stream_goes_on(
    rig: Rig, client: Client
) -> None:
    client.create(b"a", watch_id=5)
    client.create(b"b", watch_id=5)
    rig.put(b"a")
    client.read()
    (refused,) = client.refused
    assert (refused.created, refused.canceled, refused.watch_id) == (True, True, -1)
    assert refused.cancel_reason == CancelReason.DUPLICATE_ID
    assert [change.key for change in client.changes(5)] == [b"a"]


def test_empty_range_is_refused_before_its_id(client: Client) -> None:
    client.create(b"a", watch_id=5)
    client.create(b"b", b"b", watch_id=5)
    client.read()
    (refused,) = client.refused
    assert refused.cancel_reason == "mvcc: watcher range is empty"
    assert refused.watch_id == -1


def test_a_refused_watcher_takes_no_id(client: Client) -> None:
    client.create(b"a", watch_id=1)
    client.create(b"a")
    client.create(b"b", b"b")
    client.cancel(1)
    client.create(b"a")
    assert [answer.watch_id for answer in client.read()] == [1, 0, -1, 1, 1]


def test_refusal_by_the_caller_comes_in_request_order(client: Client) -> None:
    client.create(b"a")
    client.stream.refuse_create("etcdserver: permission denied")
    client.stream.create(client.asked[0][0])
    first, second, third = client.stream.take(9)
    assert (first.watch_id, third.watch_id) == (0, 1)
    assert (second.created, second.canceled, second.watch_id) == (True, True, -1)
    assert second.cancel_reason == "etcdserver: permission denied"


@pytest.mark.parametrize(
    ("key", "range_end", "heard"),
    [
        (b"b", b"", [b"b"]),
        (b"b", b"c", [b"b", b"ba"]),
        (b"b", b"\x00", [b"b", b"ba", b"c"]),
        (b"", b"\x00", [b"\x00", b"a", b"b", b"ba", b"c"]),
        (b"", b"", [b"\x00"]),
    ],
)
def test_watches_the_range_asked_for(
    rig: Rig, client: Client, key: bytes, range_end: bytes, heard: list[bytes]
) -> None:
    client.create(key, range_end)
    client.create(key, range_end, start_revision=1)
    for each in (b"\x00", b"a", b"b", b"ba", b"c"):
        rig.put(each)
    client.drain()
    assert [change.key for change in client.changes(0)] == heard
    assert client.changes(0) == client.changes(1)


def test_future_start_hears_nothing_before_it(rig: Rig, client: Client) -> None:
    client.create(b"a", start_revision=4)
    rig.put_many(b"a", 4)
    client.read()
    assert [change.revision for change in client.changes(0)] == [4, 5]


@pytest.mark.parametrize("start", [-1, -5])
@pytest.mark.parametrize("compacted_at", [-1, 3])
def test_negative_start_is_created_and_then_told_it_is_compacted(
    rig: Rig, client: Client, start: int, compacted_at: int
) -> None:
    rig.put_many(b"a", 5)
    if compacted_at > 0:
        rig.compact(compacted_at)
    client.create(b"a", start_revision=start)
    created, notice = client.drain()
    assert created.created
    assert not created.canceled
    assert (notice.canceled, notice.compact_revision) == (True, compacted_at)
    assert (notice.revision, notice.cancel_reason, notice.events) == (0, "", ())


# Cancelling


def test_cancel_answers_after_the_events_in_line_and_ends_them(
    rig: Rig, client: Client
) -> None:
    client.create(b"a")
    rig.put(b"a")
    client.cancel(0)
    rig.put(b"a")
    created, events, canceled = client.read()
    assert created.created
    assert len(events.events) == 1
    assert (canceled.canceled, canceled.watch_id, canceled.revision) == (True, 0, 2)
    assert canceled.compact_revision == 0


def test_cancel_of_an_unknown_id_has_no_answer(client: Client) -> None:
    client.cancel(3)
    assert client.read() == []


def test_a_cancelled_id_can_be_taken_again(rig: Rig, client: Client) -> None:
    client.create(b"a", watch_id=5)
    rig.put(b"a")
    client.cancel(5)
    client.create(b"b", watch_id=5)
    rig.put(b"b")
    client.read()
    assert [change.key for change in client.changes(5)] == [b"b"]
    assert [change.key for change in client.over[0].changes] == [b"a"]


def test_a_compacted_id_stays_taken_until_cancelled(rig: Rig, client: Client) -> None:
    rig.put_many(b"a", 5)
    rig.compact(4)
    client.create(b"a", start_revision=2, watch_id=5)
    client.drain()
    assert rig.watch.statistics().watcher_count == 0
    assert rig.watch.statistics().compacted_count == 1
    client.create(b"a", watch_id=5)
    client.read()
    assert client.refused[0].cancel_reason == CancelReason.DUPLICATE_ID
    client.cancel(5)
    client.create(b"a", watch_id=5)
    assert [answer.canceled for answer in client.read()] == [True, False]
    assert rig.watch.statistics().compacted_count == 0


# What is sent


@pytest.mark.parametrize(
    ("filters", "heard"),
    [
        ({}, [2, 3, 4]),
        ({"no_put": True}, [3]),
        ({"no_delete": True}, [2, 4]),
        ({"no_put": True, "no_delete": True}, []),
    ],
)
def test_filtered_events_are_not_sent_nor_empty_responses(
    rig: Rig, client: Client, filters: dict[str, bool], heard: list[int]
) -> None:
    client.create(b"a", **filters)
    client.create(b"a", **filters, start_revision=1)
    rig.put(b"a")
    rig.write({b"a": None})
    rig.put(b"a")
    responses = client.drain()
    assert [change.revision for change in client.changes(0)] == heard
    assert [change.revision for change in client.changes(1)] == heard
    assert all(response.events for response in responses if not response.created)


def test_previous_pairs_are_added_except_for_creations(
    rig: Rig, client: Client
) -> None:
    client.create(b"a", prev_kv=True)
    client.create(b"a", prev_kv=True, start_revision=1)
    client.create(b"a")
    for value in (b"1", b"2", None, b"3"):
        rig.write({b"a": value})
    client.drain()
    expected = [None, b"1", b"2", None]
    assert [change.previous for change in client.changes(0)] == expected
    assert [change.previous for change in client.changes(1)] == expected
    assert [change.previous for change in client.changes(2)] == [None] * 4


def test_creation_does_not_read_the_store(rig: Rig, client: Client) -> None:
    client.create(b"a", prev_kv=True)
    rig.put(b"a")
    before = rig.store.statistics().range_total
    client.read()
    assert rig.store.statistics().range_total == before


def test_previous_pair_is_left_out_when_it_is_compacted(
    rig: Rig, client: Client
) -> None:
    client.create(b"a", prev_kv=True)
    rig.put_many(b"a", 3)
    rig.compact(3)
    client.read()
    # The pair before revision 4 is that of 3, which is the oldest one left.
    assert [change.previous for change in client.changes(0)] == [None, None, b"1"]


def test_a_transaction_comes_as_one_response_in_its_order(
    rig: Rig, client: Client
) -> None:
    client.create(b"a", b"z")
    client.create(b"b", b"c", start_revision=1)
    rig.put(b"b")
    rig.write({b"c": b"1", b"b": None, b"a": b"2"})
    responses = client.drain()
    assert [c.key for c in client.changes(0) if c.revision == 3] == [b"c", b"b", b"a"]
    assert [len(r.events) for r in responses if r.watch_id == 0] == [0, 1, 3]
    assert [c.key for c in client.changes(1)] == [b"b", b"b"]


def test_big_responses_are_split_only_for_those_who_want_it() -> None:
    rig = Rig(fragment_bytes=1000)
    client = rig.client()
    client.create(b"a", b"b", fragment=True)
    client.create(b"a", b"b")
    rig.write({b"a%d" % number: bytes(300) for number in range(6)})
    responses = [r for r in client.read() if r.events]
    split = [r for r in responses if r.watch_id == 0]
    assert [r.fragment for r in split] == [True, True, False]
    assert {r.revision for r in split} == {2}
    assert [len(r.events) for r in responses if r.watch_id == 1] == [6]
    assert client.changes(0) == client.changes(1)


def test_take_leaves_what_is_above_the_limit(rig: Rig, client: Client) -> None:
    client.create(b"a")
    rig.put_many(b"a", 3)
    assert len(client.read(2)) == 2
    assert client.stream.has_output
    assert len(client.read(9)) == 2
    assert not client.stream.has_output


def test_output_is_announced_once_until_all_is_taken(rig: Rig, client: Client) -> None:
    client.create(b"a")
    rig.put_many(b"a", 3)
    assert client.call_count == 1
    client.read(2)
    rig.put(b"a")
    assert client.call_count == 1
    client.read()
    rig.put(b"a")
    assert client.call_count == 2


def test_unread_answers_stop_the_reading_of_requests(client: Client) -> None:
    accepted = 0
    while client.stream.accepts_requests:
        client.create(b"a")
        accepted += 1
    assert accepted == 16
    client.read(1)
    assert client.stream.accepts_requests


# Progress


def test_manual_progress_is_answered_at_once_when_all_are_synced(
    rig: Rig, client: Client
) -> None:
    client.stream.request_progress()
    client.create(b"a")
    rig.put(b"a")
    rig.put(b"b")
    client.stream.request_progress()
    assert [(r.watch_id, r.revision) for r in client.read()] == [
        (-1, 1),
        (0, 1),
        (0, 2),
        (-1, 3),
    ]


def test_manual_progress_waits_for_history(rig: Rig, client: Client) -> None:
    rig.put_many(b"a", 3)
    client.create(b"a", start_revision=2)
    client.create(b"b")
    client.stream.request_progress()
    client.read()
    assert client.progress == []
    client.drain()
    assert [response.revision for response in client.progress] == [4]
    assert len(client.changes(0)) == 3


def test_manual_progress_waits_for_victims() -> None:
    rig = Rig(buffer_responses_max=1)
    client = rig.client()
    client.create(b"a")
    rig.put_many(b"a", 3)
    client.stream.request_progress()
    client.read()
    assert client.progress == []
    client.drain()
    assert [response.revision for response in client.progress] == [4]


def test_owed_progress_comes_when_the_last_one_behind_is_cancelled(
    rig: Rig, client: Client
) -> None:
    rig.put_many(b"a", 3)
    client.create(b"a", start_revision=2)
    client.stream.request_progress()
    client.cancel(0)
    client.read()
    assert [response.revision for response in client.progress] == [4]


def test_progress_ticks_go_to_synced_watchers_that_had_no_events(rig: Rig) -> None:
    client = rig.client()
    for key in (b"quiet", b"busy"):
        client.create(key, progress_notify=True)
    client.create(b"quiet")
    client.create(b"quiet", progress_notify=True, start_revision=1)
    rig.put(b"busy")
    rig.clock.advance(661)
    rig.watch.step_progress()
    client.read()
    assert [(r.watch_id, r.revision) for r in client.progress] == [(0, 2)]
    client.drain()
    rig.clock.advance(661)
    rig.watch.step_progress()
    rig.watch.step_progress()
    client.read()
    assert [r.watch_id for r in client.progress] == [0, 0, 1, 3]


def test_progress_tick_comes_within_a_tenth_after_the_interval(rig: Rig) -> None:
    clients = [rig.client() for _ in range(20)]
    for client in clients:
        client.create(b"a", progress_notify=True)
        client.read()
    rig.clock.advance(599)
    rig.watch.step_progress()
    assert not any(client.read() for client in clients)
    rig.clock.advance(31)
    rig.watch.step_progress()
    early = sum(bool(client.read()) for client in clients)
    assert 0 < early < 20
    rig.clock.advance(31)
    rig.watch.step_progress()
    assert early + sum(bool(client.read()) for client in clients) == 20


def test_progress_tick_is_left_out_when_there_is_no_room() -> None:
    rig = Rig(buffer_responses_max=1)
    client = rig.client()
    client.create(b"a")
    client.create(b"b", progress_notify=True)
    rig.put(b"a")
    rig.clock.advance(661)
    rig.watch.step_progress()
    client.read()
    assert client.progress == []


def test_take_stops_after_the_bytes_asked_for(rig: Rig) -> None:
    client = rig.client()
    for _ in range(6):
        client.create(b"a")
    client.read()
    rig.put(b"a", bytes(1000))
    rig.put(b"a", bytes(1000))
    # The fourth of six alike goes beyond; then what is left, of the next change too.
    taken = [client.stream.take(100, 3500), client.stream.take(100)]
    ids = [[(r.watch_id, *r.more_ids) for r in responses] for responses in taken]
    assert ids == [[(0, 1, 2), (3,)], [(4, 5), (0, 1, 2, 3, 4, 5)]]
    rig.check()


def test_take_reads_no_more_previous_pairs_than_the_bytes_asked_for(rig: Rig) -> None:
    client = rig.client()
    for _ in range(3):
        client.create(b"a", prev_kv=True)
    client.read()
    for value in (b"", bytes(1000), b""):
        rig.put(b"a", value)
    # Three small ones and a large one, large ones, small ones after a large one.
    taken = [client.stream.take(100, 500) for _ in range(6)]
    assert [len(responses) for responses in taken] == [4, 1, 1, 1, 1, 1]


def test_fragments_of_watchers_that_want_the_same_do_not_mix() -> None:
    rig = Rig(fragment_bytes=1000)
    client = rig.client()
    for _ in range(2):
        client.create(b"a", b"b", fragment=True)
    client.read()
    batch = EventBatch()
    for _ in range(3):
        batch.add(WatchEvent(Event(EventType.PUT, b"a", 2, 2, bytes(600))))
    for watcher in client.stream.watchers():
        watcher.send(2, batch)
    taken = client.stream.take(2)
    assert [r.watch_id for r in taken] == [0, 0, 0, 1, 1, 1]
    assert not any(r.more_ids for r in taken)


# Closing


def test_close_leaves_nothing_behind() -> None:
    rig = Rig(buffer_responses_max=1)
    empty = rig.watch.statistics()
    client = rig.client()
    client.create(b"a")
    client.create(b"a", b"b")
    client.create(b"a", start_revision=1)
    rig.put_many(b"a", 2)
    client.stream.request_progress()
    client.stream.close()
    client.stream.close()
    rig.check()
    assert rig.watch.statistics() == empty
    assert not client.stream.has_output
    rig.put(b"a")
    rig.watch.step_progress()
    assert client.call_count == 1


def test_a_closed_stream_refuses_requests(client: Client) -> None:
    client.stream.close()
    with pytest.raises(WatchStreamClosedError):
        client.create(b"a")
    with pytest.raises(WatchStreamClosedError):
        client.stream.cancel(0)
    with pytest.raises(WatchStreamClosedError):
        client.stream.request_progress()
