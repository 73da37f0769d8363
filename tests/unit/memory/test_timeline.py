"""Captures at a clock's pace."""

from itertools import pairwise

import pytest

from miniet.clock import ManualClock
from miniet.memory.capture import Capture
from miniet.memory.compare import Change
from miniet.memory.process import ProcessMemory
from miniet.memory.timeline import Timeline
from tests.unit.memory.captures import capture


class Source:
    """A server that holds what it is told to."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.resident_bytes = 1_000
        self.read_s = 0.0
        self.count = 0

    def read(self) -> Capture:
        self.count += 1
        self.clock.advance(self.read_s)
        return capture(
            time_s=self.clock.unix_s(),
            process=ProcessMemory(resident_bytes=self.resident_bytes),
        )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def source(clock: ManualClock) -> Source:
    return Source(clock)


def run(timeline: Timeline, clock: ManualClock, seconds: float) -> None:
    end_s = clock.monotonic_s() + seconds
    while clock.monotonic_s() < end_s:
        clock.advance(timeline.step())


def test_a_point_is_taken_when_it_is_due(clock: ManualClock, source: Source) -> None:
    timeline = Timeline(source.read, clock, period_s=2.0)
    assert timeline.step() == 2.0
    clock.advance(1.5)
    assert timeline.step() == 0.5
    assert source.count == 1
    clock.advance(0.5)
    timeline.step()
    assert [point.time_s for point in timeline.points] == [0.0, 2.0]


def test_a_slow_reading_is_not_followed_by_the_next_at_once(
    clock: ManualClock, source: Source
) -> None:
    source.read_s = 3.0
    timeline = Timeline(source.read, clock, period_s=2.0)
    assert timeline.step() == 2.0


def test_a_long_time_fits_into_few_points(clock: ManualClock, source: Source) -> None:
    timeline = Timeline(source.read, clock, points_max=8)
    run(timeline, clock, 1_000)
    times = [point.time_s for point in timeline.points]
    assert 4 <= len(times) <= 8
    assert times == sorted(times)
    assert times[0] == 0.0
    assert times[-1] > 1_000 - timeline.period_s
    gaps = [b - a for a, b in pairwise(times)]
    assert max(gaps) <= 2 * timeline.period_s
    assert source.count < 60


def test_the_peak_outlives_its_point(clock: ManualClock, source: Source) -> None:
    timeline = Timeline(source.read, clock, points_max=4)
    run(timeline, clock, 3)
    source.resident_bytes = 9_000
    spike_s = timeline.take().time_s
    source.resident_bytes = 2_000
    run(timeline, clock, 500)
    assert timeline.peak is not None
    assert timeline.peak.resident_bytes == 9_000
    assert timeline.peak.time_s == spike_s
    assert 9_000 not in [point.resident_bytes for point in timeline.points]


def test_growth_is_between_the_points_of_a_time(
    clock: ManualClock, source: Source
) -> None:
    timeline = Timeline(source.read, clock)
    for resident_bytes in (1_000, 5_000, 7_000, 3_000):
        source.resident_bytes = resident_bytes
        clock.advance(timeline.step())
    assert timeline.growth().process == (Change("resident_bytes", 1_000, 3_000),)
    growth = timeline.growth(0.5, 2.5)
    assert growth.process == (Change("resident_bytes", 5_000, 7_000),)
    assert growth.seconds == 1.0
    with pytest.raises(ValueError, match="no point between 7 s and 9 s"):
        timeline.growth(7, 9)


def test_a_process_that_cannot_be_read_has_no_peak_to_speak_of(
    clock: ManualClock,
) -> None:
    timeline = Timeline(lambda: capture(process=None), clock)
    timeline.step()
    assert timeline.peak is not None
    assert timeline.peak.resident_bytes == 0


@pytest.mark.parametrize(("period_s", "points_max"), [(0.0, 8), (1.0, 3)])
def test_what_cannot_work_is_refused(period_s: float, points_max: int) -> None:
    with pytest.raises(ValueError, match="a timeline needs"):
        Timeline(capture, ManualClock(), period_s=period_s, points_max=points_max)
