from collections.abc import Iterator
from random import Random

from miniet.mvcc import Event, EventType
from miniet.watch import WatchCreate, Watcher, WatcherGroup
from miniet.watch.catch_up import CatchUp
from miniet.watch.outbox import Outbox
from miniet.watch.undelivered import Undelivered

OUTBOX = Outbox(Undelivered(), lambda: None, responses_max=1, controls_max=1)


class History:
    """Changes of `keys`, one key after the other, from revision 2 on."""

    def __init__(self, *keys: bytes, each: int = 1, size: int = 10) -> None:
        self.read_count = 0
        self.current = len(keys) + 1
        self._keys, self._each, self._size = keys, each, size

    def __iter__(self) -> Iterator[Event]:
        for revision, key in enumerate(self._keys, 2):
            for _ in range(self._each):
                self.read_count += 1
                yield Event(EventType.PUT, key, revision, revision, bytes(self._size))


def watchers_of(*keys: bytes, start: int = 2) -> list[Watcher]:
    return [Watcher(WatchCreate(key, start_revision=start), 0, OUTBOX) for key in keys]


def a_pass(watchers: list[Watcher], **limits: int) -> CatchUp:
    group = WatcherGroup(Random(1))
    for watcher in watchers:
        group.add(watcher)
    bounds = {"batch_revisions_max": 1000, "events_max": 1000, "bytes_max": 10_000}
    return CatchUp(group, **{**bounds, **limits})


def revisions(catch_up: CatchUp, watcher: Watcher) -> list[int]:
    batch = catch_up.batch_of(watcher)
    return [event.mod_revision for event in batch.events] if batch else []


def test_reads_to_the_end_and_gives_each_what_it_watches() -> None:
    a, b, c = watchers_of(b"a", b"b", b"c")
    history = History(b"a", b"b", b"a")
    catch_up = a_pass([a, b, c])
    assert catch_up.read(history, history.current) == 5
    assert [revisions(catch_up, w) for w in (a, b, c)] == [[2, 4], [3], []]


def test_watchers_of_one_key_share_the_encoded_event() -> None:
    first, second = watchers_of(b"a", b"a")
    catch_up = a_pass([first, second])
    catch_up.read(History(b"a"), 2)
    one, other = catch_up.batch_of(first), catch_up.batch_of(second)
    assert one is not None
    assert other is not None
    assert one.events[0] is other.events[0]


def test_stops_when_every_batch_is_full() -> None:
    (a,) = watchers_of(b"a")
    history = History(*[b"a"] * 50)
    catch_up = a_pass([a], batch_revisions_max=3)
    unread = catch_up.read(history, history.current)
    assert revisions(catch_up, a) == [2, 3, 4]
    assert catch_up.batch_of(a).more_revision == 5  # type: ignore[union-attr]
    assert unread == 6
    assert history.read_count == 5


def test_a_full_batch_does_not_stop_the_others() -> None:
    a, b = watchers_of(b"a", b"b")
    history = History(*[b"a"] * 5, b"b")
    catch_up = a_pass([a, b], batch_revisions_max=3)
    assert catch_up.read(history, history.current) == 8
    assert revisions(catch_up, b) == [7]


def test_events_bound_ends_the_window_between_revisions() -> None:
    (a,) = watchers_of(b"a")
    history = History(*[b"a"] * 10, each=3)
    catch_up = a_pass([a], events_max=4)
    assert catch_up.read(history, history.current) == 4
    assert revisions(catch_up, a) == [2, 2, 2, 3, 3, 3]


def test_bytes_bound_counts_wanted_events_only() -> None:
    (a,) = watchers_of(b"a")
    history = History(*[b"x"] * 10, *[b"a"] * 10, size=100)
    catch_up = a_pass([a], bytes_max=250)
    assert catch_up.read(history, history.current) == 15
    assert revisions(catch_up, a) == [12, 13, 14]


def test_earlier_revisions_than_the_watcher_wants_are_left_out() -> None:
    (a,) = watchers_of(b"a", start=4)
    catch_up = a_pass([a])
    catch_up.read(History(*[b"a"] * 4), 5)
    assert revisions(catch_up, a) == [4, 5]
