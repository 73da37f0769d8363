"""Automatic compaction of the history, by time or by count of revisions.

Source: etcd v3.4.9 etcdserver/api/v3compactor.
"""

from collections import deque
from typing import Final, Protocol

from miniet.clock import Clock

_HOUR_S: Final = 3600.0
_SAMPLES_PER_INTERVAL: Final = 10
_REVISION_CHECK_INTERVAL_S: Final = 300.0


class Compactor(Protocol):
    """Says when to compact, and to what."""

    def step(self, current_revision: int, *, is_leader: bool) -> int | None:
        """Return the revision to compact to now, or None.

        Call it as often as you like; it acts by its clock.
        """
        ...

    def succeeded(self, revision: int) -> None:
        """Take note that the compaction was accepted, or found done already."""
        ...


class PeriodicCompactor:
    """Keeps the revisions of the last `period_s` seconds.

    It samples the revision ten times an interval (the period, at most an hour)
    and compacts to the sample of one period ago: first after a whole period,
    then once an interval.
    """

    def __init__(self, clock: Clock, period_s: float) -> None:
        self._clock = clock
        self._interval_s = min(period_s, _HOUR_S)
        self._pause_s = self._interval_s / _SAMPLES_PER_INTERVAL
        samples = int(period_s / self._pause_s) + 1
        # Invariant: oldest first; never more than cover one period.
        self._revisions: deque[int] = deque(maxlen=samples)
        self._last_s = clock.monotonic_s()
        self._wait_s = period_s
        self._next_sample_s = self._last_s

    def step(self, current_revision: int, *, is_leader: bool) -> int | None:
        now_s = self._clock.monotonic_s()
        if now_s < self._next_sample_s:
            return None
        # Before the leader test: a new leader already holds a window of samples.
        self._revisions.append(current_revision)
        self._next_sample_s = now_s + self._pause_s
        if not is_leader or now_s - self._last_s < self._wait_s:
            return None
        return self._revisions[0]

    def succeeded(self, revision: int) -> None:
        self._last_s = self._clock.monotonic_s()
        self._wait_s = self._interval_s


class RevisionCompactor:
    """Keeps the last `retention` revisions, looking every five minutes."""

    def __init__(self, clock: Clock, retention: int) -> None:
        self._clock = clock
        self._retention = retention
        self._compacted = 0
        self._next_s = clock.monotonic_s() + _REVISION_CHECK_INTERVAL_S

    def step(self, current_revision: int, *, is_leader: bool) -> int | None:
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s:
            return None
        self._next_s = now_s + _REVISION_CHECK_INTERVAL_S
        target = current_revision - self._retention
        if not is_leader or target <= 0 or target == self._compacted:
            return None
        return target

    def succeeded(self, revision: int) -> None:
        self._compacted = revision
