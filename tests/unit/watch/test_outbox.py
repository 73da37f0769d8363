import pytest

from miniet.errors import InvariantError
from miniet.mvcc import Event, EventType
from miniet.watch import STREAM_WATCH_ID, EventBatch, WatchEvent, WatchResponse
from miniet.watch.outbox import Outbox, QueuedResponse
from miniet.watch.undelivered import Undelivered


class Made:
    def __init__(self) -> None:
        self.account = Undelivered()
        self.call_count = 0
        self.outbox = Outbox(self.account, self._call, responses_max=2, controls_max=2)

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


def test_comes_out_as_it_went_in_whatever_the_kind(made: Made) -> None:
    outbox = made.outbox
    sent = [
        WatchResponse(0, 1, created=True),
        QueuedResponse(0, 2, a_batch(5)),
        WatchResponse(0, 2, canceled=True),
    ]
    outbox.put_control(sent[0])  # type: ignore[arg-type]
    outbox.put(sent[1])  # type: ignore[arg-type]
    outbox.put_control(sent[2])  # type: ignore[arg-type]
    outbox._check()
    assert [outbox.pop(), outbox.pop(), outbox.pop(), outbox.pop()] == [*sent, None]
    outbox._check()


def test_calls_once_for_each_time_it_was_empty(made: Made) -> None:
    outbox = made.outbox
    outbox.put_control(WatchResponse(0, 1))
    outbox.put(QueuedResponse(0, 2, None))
    assert made.call_count == 1
    outbox.pop()
    outbox.put(QueuedResponse(0, 3, None))
    assert made.call_count == 1
    outbox.pop()
    outbox.pop()
    outbox.put(QueuedResponse(0, 4, None))
    assert made.call_count == 2


def test_controls_take_no_room_from_responses_nor_the_other_way(made: Made) -> None:
    outbox = made.outbox
    outbox.put(QueuedResponse(0, 2, None))
    outbox.put(QueuedResponse(0, 3, None))
    assert (outbox.room_count, outbox.accepts_requests) == (0, True)
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
    for _ in range(2):
        outbox.put(QueuedResponse(0, 2, batch))
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


def test_clear_forgets_all_and_counts_nothing_as_sent(made: Made) -> None:
    outbox = made.outbox
    outbox.put(QueuedResponse(0, 2, a_batch(5)))
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
