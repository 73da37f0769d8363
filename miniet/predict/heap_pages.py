"""`HeapPages`: how much of Go's heap is resident.

    live heap ──► garbage up to the goal ──► pages the heap has ever needed,
                  live x (1 + GOGC / 100)    less those given back

That depends on what was before: a heap that has been large stays so until a
collection and the scavenger have gone over it, and with MADV_FREE until the kernel
needs the pages.
"""

from miniet.predict import calibration as fitted
from miniet.predict.prediction import Band

NOTHING = Band(0, 0, 0)


class HeapPages:
    """Resident pages of Go's heap, followed from step to step."""

    __slots__ = (
        "_churn",
        "_gogc",
        "_is_collected",
        "_keeps_freed",
        "_kept_share",
        "_peak",
        "_rest_s",
    )

    def __init__(self, gogc: int, *, keeps_freed: bool, kept_share: float) -> None:
        """Begin with a process that has just been started.

        Args:
            gogc: the GOGC variable: garbage allowed, in percent of the live heap.
            keeps_freed: freed pages stay resident (MADV_FREE).
            kept_share: of them otherwise, what is resident some seconds later.
        """
        self._gogc = gogc
        self._keeps_freed = keeps_freed
        self._kept_share = kept_share
        self.restart()

    def restart(self) -> None:
        """The process starts anew: nothing was before."""
        self._peak = NOTHING
        self._churn = NOTHING  # allocated since the last forced collection
        self._is_collected = False
        self._rest_s = 0.0

    def collect(self) -> None:
        """A collection was forced from outside: garbage is gone, its pages are not."""
        self._is_collected = True
        self._churn = NOTHING

    def goal(self, live: float) -> float:
        """Return the heap size at which the next collection ends."""
        share = self._gogc / 100
        return max(live * (1 + share), fitted.HEAP_MIN_BYTES * share)

    def step(
        self, live: Band, *, dropped: Band, burst: Band, churn: Band, idle_s: float
    ) -> Band:
        """Predict the resident heap.

        Args:
            live: live heap now.
            dropped: what was live beside it under load and has been let go of.
            burst: what was live beside it for a moment, with nothing to follow.
            churn: bytes allocated since the step before.
            idle_s: seconds without load right before.
        """
        self._rest_s = idle_s if churn.likely else self._rest_s + idle_s
        has_rested = self._rest_s >= fitted.FORCED_COLLECTION_S
        self._churn = NOTHING if has_rested else self._churn + churn
        fresh = self._fresh(live, dropped, burst)
        is_collected = self._is_collected or has_rested or churn.likely > live.likely
        left = self._left(live) if is_collected else self._peak
        self._peak = Band(
            max(fresh.low, left.low),
            max(fresh.likely, left.likely),
            max(fresh.high, left.high),
        )
        self._is_collected = False
        return self._peak

    def _fresh(self, live: Band, dropped: Band, burst: Band) -> Band:
        """What this step alone needs: up to the goal if enough was allocated."""
        low, likely, high = fitted.LOADED_SHARE
        churn = self._churn
        most = live + dropped
        loaded = Band(
            round(min(low * self.goal(live.low), live.low + churn.low)),
            round(min(likely * self.goal(most.likely), most.likely + churn.likely)),
            round(
                min(
                    high * self.goal(most.high) + fitted.LOADED_BYTES,
                    most.high + churn.high,
                )
            ),
        )
        if not burst.high:
            return loaded
        low, likely = fitted.BURST_SHARE
        return Band(
            max(loaded.low, round(live.low + low * burst.low)),
            max(loaded.likely, round(live.likely + likely * burst.likely)),
            max(loaded.high, round(self.goal(live.high + burst.high))),
        )

    def _left(self, live: Band) -> Band:
        """What is left of the pages of before once a collection has run."""
        peak = self._peak
        if self._keeps_freed:
            return peak
        if self._rest_s >= fitted.GIVEN_BACK_S:
            low, likely, high = fitted.QUIET_SHARE
            return Band(
                round(min(peak.low, low * live.low)),
                round(min(peak.likely, likely * live.likely)),
                round(min(peak.high, high * live.high)),
            )
        likely = max(
            min(peak.likely, self.goal(live.likely)), self._kept_share * peak.likely
        )
        return Band(min(peak.low, live.low), round(likely), peak.high)
