from itertools import product

import pytest

from miniet.mvcc import Event, EventType
from miniet.watch import (
    TRANSITIONS,
    WatchCreate,
    Watcher,
    WatcherChange,
    WatcherState,
    WatcherStateError,
)
from miniet.watch.outbox import Outbox
from miniet.watch.undelivered import Undelivered

NEW, SYNCED, UNSYNCED, VICTIM, COMPACTED, CANCELED = WatcherState


def a_watcher(**options: object) -> Watcher:
    request = WatchCreate(**{"key": b"k", **options})  # type: ignore[arg-type]
    outbox = Outbox(Undelivered(), lambda: None, responses_max=1, controls_max=1)
    return Watcher(request, 7, outbox)


@pytest.mark.parametrize(
    ("state", "change"), list(product(WatcherState, WatcherChange))
)
def test_every_change_in_every_state_follows_the_table(
    state: WatcherState, change: WatcherChange
) -> None:
    watcher = a_watcher()
    watcher.state = state
    expected = TRANSITIONS.get((state, change))
    if expected is None:
        with pytest.raises(WatcherStateError):
            watcher.change(change)
        assert watcher.state is state
    else:
        watcher.change(change)
        assert watcher.state is expected


def test_a_life_can_reach_every_state_and_ends_in_cancel() -> None:
    reachable = {NEW} | set(TRANSITIONS.values())
    assert reachable == set(WatcherState)
    assert not [change for state, change in TRANSITIONS if state is CANCELED]
    for state in (SYNCED, UNSYNCED, VICTIM, COMPACTED):
        assert TRANSITIONS[state, WatcherChange.CANCEL] is CANCELED


def test_only_unsynced_and_victims_are_behind() -> None:
    watcher = a_watcher()
    behind = set()
    for state in WatcherState:
        watcher.state = state
        if watcher.is_behind:
            behind.add(state)
    assert behind == {UNSYNCED, VICTIM}


@pytest.mark.parametrize(
    ("no_put", "no_delete", "min_revision", "wanted"),
    [
        (False, False, 5, {EventType.PUT, EventType.DELETE}),
        (True, False, 5, {EventType.DELETE}),
        (False, True, 5, {EventType.PUT}),
        (True, True, 5, set()),
        (False, False, 6, set()),
    ],
)
def test_wants_follows_filters_and_start(
    no_put: bool, no_delete: bool, min_revision: int, wanted: set[EventType]
) -> None:
    watcher = a_watcher(no_put=no_put, no_delete=no_delete)
    watcher.min_revision = min_revision
    events = [Event(type, b"k", 5, 0, b"") for type in EventType]
    assert {event.type for event in events if watcher.wants(event)} == wanted


@pytest.mark.parametrize(
    ("start", "min_revision", "compact_revision", "compacted"),
    [
        (4, 4, 5, True),
        (5, 5, 5, False),  # asked for what is left
        (3, 5, 5, True),  # was on the way, may have lost a deletion
        (6, 6, 5, False),
        (3, 6, 5, False),
        (1, 1, -1, False),
        (-1, -1, -1, True),
        (-5, -5, -1, True),
    ],
)
def test_is_compacted(
    start: int, min_revision: int, compact_revision: int, compacted: bool
) -> None:
    watcher = a_watcher(start_revision=start)
    watcher.min_revision = min_revision
    assert watcher.is_compacted(compact_revision) is compacted


@pytest.mark.parametrize(
    ("key", "range_end", "empty"),
    [
        (b"k", b"", False),
        (b"k", b"\x00", False),
        (b"k", b"l", False),
        (b"k", b"k", True),
        (b"k", b"a", True),
        (b"", b"\x00", False),
        (b"", b"\x00\x00", False),
    ],
)
def test_range_is_empty(key: bytes, range_end: bytes, empty: bool) -> None:
    assert a_watcher(key=key, range_end=range_end).range_is_empty is empty


def test_empty_key_is_the_byte_zero() -> None:
    assert a_watcher(key=b"").key == b"\x00"


def test_keeps_copies_of_key_and_end() -> None:
    key, end = bytes(bytearray(b"key-1")), bytes(bytearray(b"key-2"))
    watcher = a_watcher(key=key, range_end=memoryview(end))
    assert (watcher.key, watcher.range_end) == (key, end)
    assert watcher.key is not key
    assert watcher.range_end is not end
