"""`MappedPages`: how much of the backend's file is resident through its mapping.

All of it when the file is opened or defragmented (bbolt asks the kernel to read it
in), then what is read. Writes go past the mapping.
"""

from miniet.memory.counts import Counts
from miniet.predict import calibration as fitted
from miniet.predict.prediction import Band
from miniet.predict.process import is_catching_up

NOTHING = Band(0, 0, 0)


class MappedPages:
    """Resident pages of the backend's file, followed from step to step."""

    __slots__ = ("_before", "_pages")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The process starts anew: what is mapped in is `backend_opened_bytes`."""
        self._pages = NOTHING
        self._before = Counts()

    def page_out(self) -> None:
        """The kernel has taken all pages back."""
        self._pages = NOTHING

    def step(self, counts: Counts, *, is_populated: bool) -> Band:
        """Predict them.

        Args:
            is_populated: the file was opened or defragmented since the step before.
        """
        pages = self._pages
        read = counts.backend_read_bytes
        if is_populated:
            opened = counts.backend_opened_bytes
            pages = Band(opened, opened, opened)
        else:
            read = max(0, read - self._before.backend_read_bytes)
        if is_catching_up(counts):
            read = max(read, counts.backend_in_use_bytes)
        pages = pages + self._written(counts) + self._compacted(counts)
        size = counts.backend_size_bytes
        in_use = max(1, min(size, counts.backend_in_use_bytes))
        # A value that is read brings its pages in; reading all of it brings all.
        brought = round(read * size / in_use)
        self._pages = Band(
            min(size, max(pages.low, round(0.9 * min(brought, size)))),
            min(size, pages.likely + brought),
            min(size, pages.high + round(1.5 * brought)),
        )
        self._before = counts
        return self._pages

    def _written(self, counts: Counts) -> Band:
        """Each commit reads the last leaf again, and its neighbours come along."""
        puts = counts.put_total - self._before.put_total
        size = counts.put_bytes_total - self._before.put_bytes_total
        if puts <= 0:
            return NOTHING
        batch = fitted.MEAN_BATCH_SHARE * fitted.puts_per_batch(size / puts)
        touched = puts / max(1.0, batch) * (2 * size / puts + fitted.FAULT_BYTES)
        likely = min(touched, size)
        return Band(round(0.4 * likely), round(likely), round(2 * likely))

    def _compacted(self, counts: Counts) -> Band:
        """Compaction goes over the leaves of everything that it drops."""
        before = self._before
        if counts.compact_revision <= max(0, before.compact_revision):
            return NOTHING
        dropped = max(before.backend_in_use_bytes, counts.backend_size_bytes)
        dropped -= counts.backend_in_use_bytes
        return Band(round(0.3 * dropped), round(0.8 * dropped), dropped)
