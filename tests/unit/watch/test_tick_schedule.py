from miniet.watch import WatchStream
from miniet.watch.outbox import Outbox
from miniet.watch.tick_schedule import TickSchedule
from miniet.watch.undelivered import Undelivered
from tests.support.watch_rig import Rig

OUTBOX = Outbox(Undelivered(), lambda: None, responses_max=1, controls_max=1)


def a_stream(interval_s: float) -> WatchStream:
    return WatchStream(
        Rig().watch, OUTBOX, fragment_bytes=1, tick_interval_s=interval_s
    )


def test_ticks_come_when_due_oldest_stream_first() -> None:
    schedule = TickSchedule()
    slow, first, second = a_stream(20), a_stream(10), a_stream(10)
    for stream in (slow, first, second):
        schedule.add(stream, 100)
    schedule._check()
    assert list(schedule.take_due(109.9)) == []
    assert list(schedule.take_due(110)) == [first, second]
    assert list(schedule.take_due(110)) == []
    assert list(schedule.take_due(120)) == [slow, first, second]
    schedule._check()


def test_missed_ticks_are_not_made_up_for() -> None:
    schedule = TickSchedule()
    stream = a_stream(10)
    schedule.add(stream, 0)
    assert list(schedule.take_due(95)) == [stream]
    assert list(schedule.take_due(104)) == []
    assert list(schedule.take_due(105)) == [stream]


def test_a_removed_stream_leaves_nothing() -> None:
    schedule = TickSchedule()
    stream = a_stream(10)
    schedule.add(stream, 0)
    schedule.remove(stream)
    schedule._check()
    assert len(schedule) == 0
    assert list(schedule.take_due(1000)) == []
