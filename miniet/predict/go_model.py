"""`GoModel`: counts in, prediction out, step by step through a process's life."""

from collections.abc import Mapping
from typing import Self

from miniet.memory.counts import Counts
from miniet.predict.heap_pages import HeapPages
from miniet.predict.history import History
from miniet.predict.live_heap import live_heap
from miniet.predict.mapped_pages import MappedPages
from miniet.predict.prediction import Band, Prediction
from miniet.predict.process import burst, churn, dropped, heap_in_use, outside_heap
from miniet.predict.profiles import Profile

WIDTH_MAX = 2.4
"""A band of RSS is narrowed to high = this x low: a wider one says nothing."""


class GoModel:
    """What an etcd of one release would hold, followed through its life.

    ::

        model = GoModel(PROFILES["3.4"])
        model.step(loaded)
        model.step(compacted)
        model.step(compacted, idle_s=60)

    Stepped once, it takes the shortest way to those counts. Memory: a few numbers.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        gogc: int = 100,
        madvdontneed: int | None = None,
        peer_count: int = 0,
        snapshot_count: int | None = None,
    ) -> None:
        """Begin with a process that has just been started.

        Args:
            gogc: the GOGC variable of its environment.
            madvdontneed: of its GODEBUG, 0 or 1; None for the release's default.
            peer_count: other members of its cluster.
            snapshot_count: its --snapshot-count; None for the release's default.
        """
        self._profile = profile
        self._peer_count = peer_count
        self._snapshot_count = snapshot_count or profile.log.snapshot_count
        keeps = profile.go.keeps_freed_pages
        if madvdontneed is not None:
            keeps = madvdontneed == 0
        self._history = History(profile)
        self._heap = HeapPages(
            gogc, keeps_freed=keeps, kept_share=profile.go.kept_share
        )
        self._mapped = MappedPages()
        self._before = Counts()
        self._is_restarted = False
        self._rested_s = 0.0

    @classmethod
    def of_flags(cls, profile: Profile, flags: Mapping[str, str]) -> Self:
        """Begin with a process whose flags and variables a capture has told."""
        settings = flags.get("GODEBUG", "").split(",")
        debug = dict(setting.partition("=")[::2] for setting in settings)
        return cls(
            profile,
            gogc=_whole(flags.get("GOGC", "")) or 100,
            madvdontneed=_whole(debug.get("madvdontneed", "")),
            snapshot_count=_whole(flags.get("snapshot-count", "")),
        )

    def restart(self) -> None:
        """The process was started anew on its data; the next counts are its first."""
        self._history.restart()
        self._heap.restart()
        self._mapped.restart()
        self._before = Counts()
        self._is_restarted = True
        self._rested_s = 0.0

    def collect(self) -> None:
        """A collection was forced from outside, as a heap profile with gc=1 does."""
        self._heap.collect()

    def page_out(self) -> None:
        """The kernel took the pages of the backend's file back."""
        self._mapped.page_out()

    def step(self, counts: Counts, *, idle_s: float = 0.0) -> Prediction:
        """Predict what is held now.

        Args:
            counts: of the moment, later than those of the step before.
            idle_s: seconds without load right before.
        """
        before = self._before
        is_restarted = self._is_restarted
        work = churn(counts, before, is_restarted=is_restarted)
        self._rested_s = idle_s + (0.0 if work.likely else self._rested_s)
        self._history.see(counts, is_restarted=is_restarted, rested_s=self._rested_s)
        components = live_heap(
            counts, self._profile, self._history, peer_count=self._peer_count
        )
        live = sum(components.values(), Band(0, 0, 0))
        heap = self._heap.step(
            live,
            dropped=(
                Band(0, 0, 0)
                if is_restarted
                else dropped(counts, before, self._snapshot_count)
            ),
            burst=burst(counts, before, self._profile, is_restarted=is_restarted),
            churn=work,
            idle_s=idle_s,
        )
        is_populated = (
            is_restarted or counts.backend_opened_bytes != before.backend_opened_bytes
        )
        mapped = self._mapped.step(counts, is_populated=is_populated)
        self._before, self._is_restarted = counts, False
        return Prediction(
            profile=self._profile.name,
            components=components,
            live_heap=live,
            heap_in_use=heap_in_use(live, heap),
            mapped=mapped,
            resident=_narrow(
                heap + outside_heap(counts, heap, peer_count=self._peer_count) + mapped
            ),
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        if self._profile.is_measured:
            return ()
        return (
            f"etcd {self._profile.release} was not measured: struct sizes from its "
            "sources, the rest from 3.4.23 and 3.5.1.",
        )


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _narrow(band: Band) -> Band:
    if band.high <= WIDTH_MAX * band.low:
        return band
    half = WIDTH_MAX**0.5
    low = max(band.low, min(band.likely / half, band.high / WIDTH_MAX))
    return Band(round(low), max(round(low), band.likely), round(low * WIDTH_MAX))
