"""`Timeline`: captures at a clock's pace, in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from miniet.clock import Clock
from miniet.memory.capture import Capture
from miniet.memory.compare import Growth, compare


@dataclass(frozen=True, slots=True)
class Point:
    """A capture on a timeline."""

    time_s: float
    """Of the timeline's clock, since the first point."""
    capture: Capture

    @property
    def resident_bytes(self) -> int:
        """What was resident; 0 where that is not known."""
        return self.capture.process.resident_bytes if self.capture.process else 0


class Timeline:
    """Readings of a server over time: the whole time, and never too many of them.

    When it is full, every second point goes and the pace is halved, so that what is
    left is spread evenly. The peak is kept apart: it is that of all points taken.

        while working:
            sleep(timeline.step())

    Args:
        read: takes a capture.
        period_s: time between two points, to begin with.
        points_max: 4 or more.

    Memory: `points_max` captures and the peak's, some KiB each without tracing.
    """

    def __init__(
        self,
        read: Callable[[], Capture],
        clock: Clock,
        *,
        period_s: float = 1.0,
        points_max: int = 512,
    ) -> None:
        if period_s <= 0 or points_max < 4:
            raise ValueError("a timeline needs a period above 0, and 4 points or more")
        self._read = read
        self._clock = clock
        self._points_max = points_max
        self._begun_s = clock.monotonic_s()
        self._due_s = -inf
        self.period_s = period_s
        """Time between two points now."""
        self.points: list[Point] = []
        """In order of time, the first and the last of all among them."""
        self.peak: Point | None = None
        """The one with the most resident of all that were taken."""

    def step(self) -> float:
        """Take a capture if one is due.

        Returns:
            Seconds until the next one is.
        """
        now_s = self._clock.monotonic_s()
        if now_s >= self._due_s:
            self.take()
        return max(self._due_s - self._clock.monotonic_s(), 0.0)

    def take(self) -> Point:
        """Take a capture now, as at the end of a stage, whether it is due or not."""
        now_s = self._clock.monotonic_s()
        point = Point(now_s - self._begun_s, self._read())
        if len(self.points) >= self._points_max:
            del self.points[1:-1:2]
            self.period_s *= 2
        self.points.append(point)
        if self.peak is None or point.resident_bytes > self.peak.resident_bytes:
            self.peak = point
        # After the reading, so that a slow one is not followed by the next at once.
        self._due_s = self._clock.monotonic_s() + self.period_s
        return point

    def growth(self, begin_s: float = 0.0, end_s: float = inf) -> Growth:
        """Compare the first point from `begin_s` on with the last up to `end_s`.

        Raises:
            ValueError: there is no point in that time.
        """
        inside = [p.capture for p in self.points if begin_s <= p.time_s <= end_s]
        if not inside:
            raise ValueError(f"no point between {begin_s:g} s and {end_s:g} s")
        return compare(inside[0], inside[-1])
