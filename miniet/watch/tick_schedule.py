"""`TickSchedule`: which stream's progress tick is due when."""

from collections.abc import Iterator

from sortedcontainers import SortedDict

from miniet.errors import InvariantError
from miniet.watch.watch_stream import WatchStream


class TickSchedule:
    """All open streams, in the order in which their ticks come.

    Memory: two entries per stream. Cost: O(log streams), looking at the first O(1).
    """

    __slots__ = ("_due_of", "_opened_total", "_streams")

    def __init__(self) -> None:
        # By (clock second, number in the order of first opening): of two ticks in
        # the same second the older stream's comes first.
        self._streams: SortedDict[tuple[float, int], WatchStream] = SortedDict()
        self._due_of: dict[WatchStream, tuple[float, int]] = {}
        self._opened_total = 0

    def __len__(self) -> int:
        return len(self._due_of)

    def __iter__(self) -> Iterator[WatchStream]:
        """Walk all streams, in the order in which they were added."""
        return iter(self._due_of)

    def __repr__(self) -> str:
        return f"TickSchedule({len(self._due_of)} streams)"

    def add(self, stream: WatchStream, now_s: float) -> None:
        """Take in a new stream; its first tick is one interval from now."""
        self._opened_total += 1
        self._set_due(stream, now_s + stream.tick_interval_s, self._opened_total)

    def remove(self, stream: WatchStream) -> None:
        """Forget a stream that is here."""
        del self._streams[self._due_of.pop(stream)]

    def take_due(self, now_s: float) -> Iterator[WatchStream]:
        """Walk the streams whose tick is due; the next comes one interval from now."""
        while self._streams:
            due_s, number = self._streams.peekitem(0)[0]
            if due_s > now_s:
                return
            stream = self._streams.pop((due_s, number))
            self._set_due(stream, now_s + stream.tick_interval_s, number)
            yield stream

    def _set_due(self, stream: WatchStream, due_s: float, number: int) -> None:
        self._streams[due_s, number] = stream
        self._due_of[stream] = (due_s, number)

    def _check(self) -> None:
        if {due: stream for stream, due in self._due_of.items()} != self._streams:
            raise InvariantError(f"{self!r} has {len(self._streams)} ticks")
