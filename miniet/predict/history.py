"""What earlier counts left in Go's containers: capacities, re-slices, stale pairs.

Counts say how much is in; Go's memory also depends on how it came there. `History`
is fed every counts of a process, in order; fed once, it takes the shortest way
there: one load, one compaction.
"""

from miniet.memory.counts import Counts
from miniet.predict import calibration as fitted
from miniet.predict.go_sizes import grown_capacity, next_capacity
from miniet.predict.profiles import Profile

_REVISION_BYTES = 16


class KeyArray:
    """The array of revisions of a mean key: its slots, and how far it is used.

    Compaction moves the slice's start: the slots before it stay allocated, and the
    capacity that is left shrinks. The next growth copies only what the slice holds.
    """

    __slots__ = ("_profile", "capacity", "length", "slots")

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.length = 0
        self.capacity = 0
        self.slots = 0

    def grow(self, length: int) -> None:
        """Append until the slice holds `length` revisions."""
        go = self._profile.go
        while self.capacity < length:
            needed = max(self.length, self.capacity) + 1
            self.capacity = next_capacity(self.capacity, needed, _REVISION_BYTES, go)
            self.slots = self.capacity
        self.length = length

    def cut(self, count: int) -> None:
        """Let a compaction take `count` revisions off the front."""
        count = min(count, self.length)
        self.length -= count
        self.capacity -= count


class History:
    """What is needed beyond the counts of the moment; see the module."""

    __slots__ = (
        "_arrays",
        "_compact_revision",
        "_first_index",
        "_last_index",
        "_log_start",
        "_profile",
        "_put_total",
        "array_count",
        "array_slots",
        "buffer_count",
        "channel_count_max",
        "is_stale_gone",
        "log_slots",
        "stale_bytes",
        "stale_count",
        "watcher_count_max",
    )

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.restart()

    def restart(self) -> None:
        """Forget: the process starts anew and reads its data back."""
        self._arrays: tuple[KeyArray, KeyArray] | None = None
        self._compact_revision: int | None = None
        self._first_index = 0
        self._last_index = 0
        self._log_start = 0
        self._put_total = 0
        self.log_slots = 0
        self.array_count = 0.0
        self.array_slots = 0.0
        self.channel_count_max = 0  # connections and streams
        self.watcher_count_max = 0
        self.buffer_count = 0
        self.stale_count = 0
        self.stale_bytes = 0
        self.is_stale_gone = False

    def see(self, counts: Counts, *, is_restarted: bool, rested_s: float) -> None:
        """Take in the counts of a later moment.

        Args:
            is_restarted: they are the first after a start that read the data back.
            rested_s: seconds since the last write.
        """
        self._see_log(counts, is_restarted)
        is_compacted = self._see_index(counts, is_restarted)
        self._see_batches(counts, is_compacted, rested_s)
        self._put_total = counts.put_total
        channels = counts.connection_count + counts.stream_count
        self.channel_count_max = max(self.channel_count_max, channels)
        self.watcher_count_max = max(self.watcher_count_max, counts.watcher_count)

    def _see_log(self, counts: Counts, is_restarted: bool) -> None:
        """The array is as long as needed after a cut or a start, then it grows."""
        slots = counts.raft_entry_count + 1  # a dummy stands before the first
        if is_restarted:
            self._log_start = slots
        elif counts.raft_first_index != self._first_index:
            at_cut = counts.raft_snapshot_index - counts.raft_first_index + 2
            is_cut = counts.raft_snapshot_index and counts.raft_first_index > 1
            self._log_start = min(slots, max(1, at_cut)) if is_cut else 1
        self._first_index = counts.raft_first_index
        self.log_slots = grown_capacity(
            max(1, self._log_start), slots, self._profile.entry_bytes, self._profile.go
        )

    def _see_index(self, counts: Counts, is_restarted: bool) -> bool:
        """Follow the array of the mean key; whether a compaction was seen."""
        is_compacted = counts.compact_revision > max(0, self._compact_revision or 0)
        empty = counts.index_key_count - counts.key_count
        self.array_count = max(0, counts.index_generation_count - empty)
        if not self.array_count:
            self._arrays, self.array_slots = None, 0.0
            self._compact_revision = counts.compact_revision
            return is_compacted
        mean = counts.index_revision_count / self.array_count
        if self._arrays is None:
            self._arrays = (KeyArray(self._profile), KeyArray(self._profile))
        if is_compacted and not is_restarted and counts.index_cut_revision_count:
            cut = round(counts.index_cut_revision_count / self.array_count)
            left = max(1, counts.index_compacted_revision_count / self.array_count)
            for array, kept in zip(self._arrays, _whole(left), strict=True):
                array.grow(kept + cut)
                array.cut(cut)
        for array, length in zip(self._arrays, _whole(mean), strict=True):
            array.grow(length)
        few, many = self._arrays
        self.array_slots = few.slots + (many.slots - few.slots) * (mean % 1)
        self._compact_revision = counts.compact_revision
        return is_compacted

    def _see_batches(self, counts: Counts, is_compacted: bool, rested_s: float) -> None:
        """Pairs of the largest batch stay; a commit that writes none lets go."""
        count = max(counts.backend_last_commit_count, counts.backend_uncommitted_count)
        size = max(counts.backend_last_commit_bytes, counts.backend_uncommitted_bytes)
        if counts.put_total == self._put_total and (
            is_compacted or rested_s > fitted.GIVEN_BACK_S
        ):
            self.is_stale_gone = True
            self.buffer_count = self.stale_count = self.stale_bytes = 0
            return
        if count:
            self.is_stale_gone = False
        self.buffer_count = max(count, self.buffer_count)
        if count >= self.stale_count:
            self.stale_count, self.stale_bytes = count, size
        elif counts.put_total != self._put_total:
            left = 1 - count / self.stale_count  # slots that it did not reach
            self.stale_bytes = round(size + left * self.stale_bytes)


def _whole(mean: float) -> tuple[int, int]:
    below = int(mean)
    return below, below + (mean > below)
