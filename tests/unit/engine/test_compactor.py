"""When automatic compaction acts, and to which revision; the history is made up."""

import pytest

from miniet.clock import ManualClock
from miniet.engine.compactor import PeriodicCompactor, RevisionCompactor

MINUTE_S, HOUR_S = 60.0, 3600.0


class PeriodicBench:
    """A compactor asked every second; the revision is the second it is asked in."""

    def __init__(self, period_s: float) -> None:
        self.clock = ManualClock()
        self.compactor = PeriodicCompactor(self.clock, period_s)
        self.second = 0
        self.asked: list[tuple[int, int]] = []

    def run(
        self, until_s: float, *, is_leader: bool = True, fails: bool = False
    ) -> list[tuple[int, int]]:
        """Return the (second, revision) of what was proposed in that time."""
        asked = []
        while self.second <= until_s:
            revision = self.compactor.step(self.second, is_leader=is_leader)
            if revision is not None:
                asked.append((self.second, revision))
                if not fails:
                    self.compactor.succeeded(revision)
            self.clock.advance(1)
            self.second += 1
        return asked


@pytest.mark.parametrize(
    ("period_s", "interval_s"),
    [
        (10, 10),
        (5 * MINUTE_S, 5 * MINUTE_S),
        (HOUR_S, HOUR_S),
        (2 * HOUR_S, HOUR_S),
        (24 * HOUR_S, HOUR_S),
    ],
)
def test_first_after_a_period_then_each_interval_to_a_period_ago(
    period_s: float, interval_s: float
) -> None:
    bench = PeriodicBench(period_s)
    assert bench.run(period_s + 3 * interval_s) == [
        (period_s + count * interval_s, count * interval_s) for count in range(4)
    ]


def test_a_failure_is_tried_again_at_the_next_sample() -> None:
    bench = PeriodicBench(100)
    assert bench.run(120, fails=True) == [(100, 0), (110, 10), (120, 20)]
    assert bench.run(230) == [(130, 30), (230, 130)]


def test_samples_are_taken_while_another_member_leads() -> None:
    bench = PeriodicBench(100)
    assert bench.run(355, is_leader=False) == []
    assert bench.run(360) == [(360, 260)]


def test_asking_between_two_samples_changes_nothing() -> None:
    clock = ManualClock()
    compactor = PeriodicCompactor(clock, 100)
    for revision in range(50):
        compactor.step(revision, is_leader=True)
    clock.advance(100)
    assert compactor.step(99, is_leader=True) == 0


@pytest.mark.parametrize("period_s", [1, 7, 59, 100, HOUR_S, 5400, 86400, 7 * 86400])
def test_no_more_samples_are_kept_than_cover_a_period(period_s: float) -> None:
    compactor = PeriodicCompactor(ManualClock(), period_s)
    samples = round(period_s / (min(period_s, HOUR_S) / 10)) + 1
    assert compactor._revisions.maxlen == samples


def test_a_day_is_241_samples() -> None:
    assert PeriodicCompactor(ManualClock(), 86400)._revisions.maxlen == 241


# ---- by revision


def test_keeps_so_many_revisions_looking_every_five_minutes() -> None:
    clock = ManualClock()
    compactor = RevisionCompactor(clock, 100)
    assert compactor.step(1000, is_leader=True) is None
    clock.advance(299)
    assert compactor.step(1000, is_leader=True) is None
    clock.advance(1)
    assert compactor.step(1000, is_leader=True) == 900
    assert compactor.step(2000, is_leader=True) is None
    clock.advance(300)
    assert compactor.step(2000, is_leader=True) == 1900


@pytest.mark.parametrize("current_revision", [1, 100])
def test_fewer_revisions_than_to_keep_are_left_alone(current_revision: int) -> None:
    clock = ManualClock()
    compactor = RevisionCompactor(clock, 100)
    clock.advance(300)
    assert compactor.step(current_revision, is_leader=True) is None


def test_what_was_compacted_is_not_asked_for_again() -> None:
    clock = ManualClock()
    compactor = RevisionCompactor(clock, 100)
    clock.advance(300)
    assert compactor.step(150, is_leader=True) == 50
    clock.advance(300)
    assert compactor.step(150, is_leader=True) == 50
    compactor.succeeded(50)
    clock.advance(300)
    assert compactor.step(150, is_leader=True) is None


def test_only_a_leader_compacts_by_revision() -> None:
    clock = ManualClock()
    compactor = RevisionCompactor(clock, 100)
    clock.advance(300)
    assert compactor.step(1000, is_leader=False) is None
    clock.advance(300)
    assert compactor.step(1000, is_leader=True) == 900
