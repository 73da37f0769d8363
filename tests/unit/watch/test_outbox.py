import pytest

from miniet.errors import InvariantError
from miniet.mvcc import Event, EventType
from miniet.watch import STREAM_WATCH_ID, EventBatch, WatchEvent, WatchResponse
from miniet.watch.outbox import Outbox, QueuedResponses
from miniet.watch.undelivered import Undelivered


class Made:
    def __init__(self) -> None:
        self.account = Undelivered()
        self.call_count = 0
        self.outbox = self.new_outbox(responses_max=2)

    def new_outbox(self, *, responses_max: int) -> Outbox:
        return Outbox(
            self.account, self._call, responses_max=responses_max, controls_max=2
        )

    def _call(self) -> None:
        self.call_count += 1


@pytest.fixture
def made() -> Made:
    return Made()


def a_batch(*sizes: int) -> EventBatch:
    batch = EventBatch()
    for size in sizes:
        batch.add(WatchEvent(Event(EventType.PUT, b"k", 2, 2, bytes(size))))
    return batch


def ids(popped: QueuedResponses | WatchResponse | None) -> list[int]:
    assert isinstance(popped, QueuedResponses)
    return popped.watch_ids


def test_comes_out_as_it_went_in_whatever_the_kind(made: Made) -> None:
    outbox = made.outbox
    created, canceled = WatchResponse(0, 1, created=True), WatchResponse(0, 2)
    outbox.put_control(created)
    assert outbox.put(0, 2, a_batch(5))
    outbox.put_control(canceled)
    outbox._check()
    assert outbox.pop() is created
    assert ids(outbox.pop()) == [0]
    assert outbox.pop() is canceled
    assert outbox.pop() is None
    outbox._check()


def test_calls_once_for_each_time_it_was_empty(made: Made) -> None:
    outbox = made.outbox
    outbox.put_control(WatchResponse(0, 1))
    outbox.put(0, 2, None)
    assert made.call_count == 1
    outbox.pop()
    outbox.put(0, 3, None)
    assert made.call_count == 1
    outbox.pop()
    outbox.pop()
    outbox.put(0, 4, None)
    assert made.call_count == 2


def test_controls_take_no_room_from_responses_nor_the_other_way(made: Made) -> None:
    outbox = made.outbox
    outbox.put(0, 2, None)
    outbox.put(0, 3, None)
    assert (outbox.room_count, outbox.accepts_requests) == (0, True)
    assert not outbox.put(0, 4, None)
    outbox.put_control(WatchResponse(0, 1))
    outbox.put_control(WatchResponse(1, 1))
    assert not outbox.accepts_requests
    outbox.pop()
    outbox.pop()
    assert (outbox.room_count, outbox.accepts_requests) == (2, False)
    outbox.pop()
    assert outbox.accepts_requests


def test_progress_answer_waits_while_a_watcher_is_behind(made: Made) -> None:
    outbox = made.outbox
    outbox.behind_count = 1
    outbox.request_progress(5)
    outbox.request_progress(5)
    outbox.answer_progress(6)
    assert len(outbox) == 0
    outbox.behind_count = 0
    with pytest.raises(InvariantError):
        outbox._check()
    outbox.answer_progress(7)
    outbox._check()
    assert outbox.pop() == WatchResponse(STREAM_WATCH_ID, 7)
    assert outbox.pop() is None


def test_shared_events_are_held_once_and_pending_for_each(made: Made) -> None:
    account, outbox = made.account, made.outbox
    batch = a_batch(5, 7)
    for watch_id in range(2):
        outbox.put(watch_id, 2, batch)
    account.enter_victims(batch)
    account._check(
        control_count=0, response_count=2, pending=[batch, batch], kept=[batch]
    )
    assert account.pending_event_bytes == 2 * batch.byte_count
    assert account.victim_event_bytes == batch.byte_count
    assert account.held_event_bytes == batch.byte_count
    outbox.pop()
    account.leave_victims(batch)
    account._check(control_count=0, response_count=1, pending=[batch], kept=[])
    assert (account.held_event_count, account.events_total) == (2, 2)


def test_responses_with_one_batch_are_one_entry_and_count_each(made: Made) -> None:
    outbox = made.new_outbox(responses_max=5)
    batch = a_batch(5)
    assert [outbox.put(watch_id, 2, batch) for watch_id in range(6)] == [True] * 5 + [
        False
    ]
    assert len(outbox) == 1
    assert outbox.room_count == 0
    made.account._check(control_count=0, response_count=5, pending=[batch] * 5, kept=[])
    size = batch.byte_count
    assert ids(outbox.pop(limit=2, bytes_max=100 * size)) == [0, 1]
    assert ids(outbox.pop(limit=9, bytes_max=2 * size)) == [2, 3]
    outbox._check()
    made.account._check(control_count=0, response_count=1, pending=[batch], kept=[])
    assert outbox.room_count == 4
    assert ids(outbox.pop(limit=9, bytes_max=0)) == [4]
    made.account._check(control_count=0, response_count=0, pending=[], kept=[])
    assert made.account.events_total == 5


def test_only_what_is_alike_and_neighbours_is_one_entry(made: Made) -> None:
    outbox = made.new_outbox(responses_max=9)
    batch = a_batch(5)
    outbox.put(0, 2, batch)
    outbox.put(1, 2, a_batch(5))
    outbox.put(2, 2, batch)
    outbox.put(3, 3, batch)
    outbox.put(4, 3, batch, prev_kv=True)
    outbox.put(5, 3, batch, fragment=True)
    outbox.put_control(WatchResponse(6, 3, created=True))
    outbox.put(6, 3, batch, fragment=True)
    outbox.put(7, 3, None)
    outbox.put(8, 3, None)
    outbox._check()
    assert len(outbox) == 10


def test_responses_with_previous_pairs_are_taken_one_by_one(made: Made) -> None:
    outbox = made.outbox
    batch = a_batch(5)
    for watch_id in range(2):
        outbox.put(watch_id, 2, batch, prev_kv=True)
    assert ids(outbox.pop(limit=2, bytes_max=1000)) == [0]
    assert ids(outbox.pop(limit=2, bytes_max=1000)) == [1]


def test_clear_forgets_all_and_counts_nothing_as_sent(made: Made) -> None:
    outbox = made.outbox
    outbox.put(0, 2, a_batch(5))
    outbox.put_control(WatchResponse(0, 1))
    outbox.behind_count = 1
    outbox.request_progress(3)
    outbox.clear()
    outbox.behind_count = 0
    outbox.answer_progress(3)
    outbox._check()
    made.account._check(control_count=0, response_count=0, pending=[], kept=[])
    assert len(outbox) == 0
    assert made.account.events_total == 0
