from dataclasses import fields

import pytest

from miniet.watch import WatchStatistics
from tests.support.watch_rig import Change, Client, Rig

NOTHING = WatchStatistics(*(0 for _ in fields(WatchStatistics)))


def counts(rig: Rig) -> tuple[int, int, int]:
    now = rig.watch.statistics()
    return now.synced_count, now.unsynced_count, now.victim_count


def plain(client: Client, watch_id: int) -> list[Change]:
    return [change.plain for change in client.changes(watch_id)]


def a_busy_rig(**limits: int) -> Rig:
    """A store with puts, deletions and a transaction of many keys."""
    rig = Rig(**limits)
    for number in range(4):
        rig.put(b"a", b"%d" % number)
        rig.put(b"b", b"%d" % number)
    rig.write({b"a": None})
    rig.write({b"a": b"again", b"ab": b"x", b"b": None})
    rig.put(b"c")
    return rig


# History


@pytest.mark.parametrize("start", range(1, 13))
def test_history_is_replayed_from_any_revision(start: int) -> None:
    rig = a_busy_rig(watch_batch_revisions_max=3)
    client = rig.client()
    client.create(b"a", b"c", start_revision=start)
    client.create(b"a", start_revision=start)
    client.drain()
    rig.put(b"a", b"live")
    client.drain()
    for heard in client.heard.values():
        assert [change.plain for change in heard.changes] == client.expected(heard)


def test_batches_of_history_have_a_thousand_revisions() -> None:
    """A watch from 3000 at revision 9018, as seen on etcd 3.4.23."""
    rig = Rig()
    rig.put_many(b"a", 9017)
    client = rig.client()
    client.create(b"a", start_revision=3000)
    batches = [response for response in client.drain() if response.events]
    assert [len(response.events) for response in batches] == [1000] * 6 + [19]
    assert {response.revision for response in batches} == {9018}
    assert [c.revision for c in client.changes(0)] == list(range(3000, 9019))


def test_pass_serves_no_more_watchers_than_its_limit() -> None:
    rig = a_busy_rig(watchers_per_sync_max=2)
    client = rig.client()
    for _ in range(5):
        client.create(b"a", start_revision=2)
    assert counts(rig) == (0, 5, 0)
    assert rig.watch.step_unsynced() is True
    assert counts(rig) == (2, 3, 0)
    rig.watch.step_unsynced()
    assert rig.watch.step_unsynced() is False
    assert counts(rig) == (5, 0, 0)


def test_pass_reads_a_bounded_window_and_still_misses_nothing() -> None:
    rig = a_busy_rig(pass_events_max=2)
    client = rig.client()
    client.create(b"c", start_revision=1)
    passes = 1
    while rig.watch.step_unsynced():
        passes += 1
    assert passes > 3
    client.drain()
    assert plain(client, 0) == client.expected(client.heard[0])


def test_latecomers_from_the_beginning_do_not_hold_up_those_ahead() -> None:
    """Each pass a new watcher comes that is further behind than all others."""
    rig = Rig(pass_events_max=10, watchers_per_sync_max=3)
    rig.put_many(b"a", 500)
    client = rig.client()
    client.create(b"a", start_revision=495)
    for _ in range(6):
        client.create(b"b", start_revision=1)
        rig.watch.step_unsynced()
        client.read()
    assert len(client.changes(0)) == 7


def test_one_pass_encodes_an_event_once_for_all_watchers() -> None:
    rig = Rig()
    rig.put(b"a", bytes(1000))
    client = rig.client()
    for _ in range(50):
        client.create(b"a", start_revision=1)
    rig.watch.step_unsynced()
    now = rig.watch.statistics()
    assert (now.pending_event_count, now.held_event_count) == (50, 1)
    assert now.pending_event_bytes == 50 * now.held_event_bytes


def test_nothing_to_do_is_not_called_again() -> None:
    rig = a_busy_rig()
    assert rig.watch.step_unsynced() is False
    assert rig.watch.step_victims() is False


# Compaction


def test_start_below_the_compaction_is_told_its_revision() -> None:
    rig = a_busy_rig()
    rig.compact(6)
    client = rig.client()
    client.create(b"a", start_revision=5)
    client.create(b"a", start_revision=6)
    client.drain()
    assert client.heard[0].compact_revision == 6
    assert client.heard[0].changes == []
    # At the compaction revision itself, what is stored is served.
    assert plain(client, 1) == client.expected(client.heard[1])


def test_compaction_during_replay_ends_it_without_a_gap() -> None:
    rig = Rig(watch_batch_revisions_max=3, buffer_responses_max=2)
    rig.put_many(b"a", 20)
    client = rig.client()
    client.create(b"a", start_revision=2)
    rig.watch.step_unsynced()
    rig.compact(15)
    client.drain()
    assert [c.revision for c in client.changes(0)] == [2, 3, 4]
    assert client.heard[0].compact_revision == 15


def test_compaction_at_the_next_revision_of_a_replay_hides_no_deletion() -> None:
    """At 5 a key is deleted; compacted at 5, that is nowhere to be read."""
    rig = Rig(watch_batch_revisions_max=3)
    rig.put_many(b"a", 3)
    assert rig.write({b"a": None}) == 5
    rig.put(b"b")
    client = rig.client()
    client.create(b"a", start_revision=2)
    rig.watch.step_unsynced()
    rig.compact(5)
    client.drain()
    assert [c.revision for c in client.changes(0)] == [2, 3, 4]
    assert client.heard[0].compact_revision == 5


def test_synced_watchers_do_not_notice_compactions() -> None:
    rig = Rig()
    client = rig.client()
    client.create(b"a")
    rig.put_many(b"a", 5)
    rig.compact(6)
    rig.put(b"a")
    client.drain()
    assert len(client.changes(0)) == 6


def test_compaction_notice_waits_for_room_and_lets_others_pass() -> None:
    rig = Rig(buffer_responses_max=1, watchers_per_sync_max=1)
    stuck, other = rig.client(), rig.client()
    stuck.create(b"a")
    rig.put_many(b"a", 5)
    rig.compact(4)
    stuck.create(b"a", start_revision=1)
    other.create(b"a", start_revision=4)
    assert rig.watch.step_unsynced() is False
    assert rig.watch.step_unsynced() is True
    other.read()
    assert len(other.changes(0)) == 3
    stuck.drain()
    assert stuck.heard[1].compact_revision == 4


# Slow streams


def test_slow_stream_makes_a_victim_and_hears_everything_once() -> None:
    rig = Rig()
    client = rig.client()
    client.create(b"a")
    rig.put_many(b"a", 128)
    assert counts(rig) == (1, 0, 0)
    rig.put_many(b"a", 1)
    assert counts(rig) == (0, 0, 1)
    rig.put_many(b"a", 50)
    now = rig.watch.statistics()
    assert (now.pending_response_count, now.pending_event_count) == (128, 128)
    assert (now.victim_event_count, now.held_event_count) == (1, 129)
    assert rig.watch.step_victims() is False
    client.read(10)
    assert rig.watch.step_victims() is False
    assert counts(rig) == (0, 1, 0)
    client.drain()
    assert [change.revision for change in client.changes(0)] == list(range(2, 181))
    assert counts(rig) == (1, 0, 0)
    assert rig.watch.statistics().held_event_bytes == 0


def test_response_of_a_victim_has_the_revision_of_its_batch() -> None:
    rig = Rig(buffer_responses_max=1)
    client = rig.client()
    client.create(b"a")
    rig.put_many(b"a", 2)
    rig.put_many(b"b", 5)
    responses = client.drain()
    assert [response.revision for response in responses] == [1, 2, 3]
    assert counts(rig) == (1, 0, 0)


def test_history_that_finds_no_room_makes_a_victim() -> None:
    rig = Rig(buffer_responses_max=1, watch_batch_revisions_max=2)
    rig.put_many(b"a", 5)
    client = rig.client()
    client.create(b"a", start_revision=1)
    assert rig.watch.step_unsynced() is True
    assert rig.watch.step_unsynced() is False
    assert counts(rig) == (0, 0, 1)
    rig.check()
    client.drain()
    assert [change.revision for change in client.changes(0)] == [2, 3, 4, 5, 6]


def test_victims_of_a_stream_go_on_in_their_order_as_far_as_there_is_room() -> None:
    rig = Rig(buffer_responses_max=2)
    client = rig.client()
    for _ in range(5):
        client.create(b"a")
    rig.put(b"a")
    assert counts(rig) == (2, 0, 3)
    client.read()
    assert rig.watch.step_victims() is True
    assert counts(rig) == (4, 0, 1)
    assert [response.watch_id for response in client.read()] == [2, 3]


def test_one_slow_stream_does_not_touch_another() -> None:
    rig = Rig(buffer_responses_max=1)
    slow, fast = rig.client(), rig.client()
    slow.create(b"a")
    fast.create(b"a")
    for _ in range(5):
        rig.put(b"a")
        fast.read()
    assert len(fast.changes(0)) == 5
    assert counts(rig) == (1, 0, 1)


@pytest.mark.parametrize("responses_max", [1, 2])
def test_cancelled_victim_drops_its_batch(responses_max: int) -> None:
    rig = Rig(buffer_responses_max=responses_max)
    client = rig.client()
    client.create(b"a")
    rig.put_many(b"a", responses_max + 1)
    client.cancel(0)
    assert counts(rig) == (0, 0, 0)
    assert rig.watch.statistics().victim_event_bytes == 0
    client.read()
    assert len(client.over[0].changes) == responses_max


# A leader's snapshot


def jump(rig: Rig, key: bytes, count: int) -> None:
    """Changes that this member only gets in a snapshot."""
    rig.store.on_changes = None
    rig.put_many(key, count)
    rig.store.on_changes = rig.watch.notify


@pytest.mark.parametrize("reset_first", [False, True])
def test_synced_watchers_read_on_after_a_snapshot(reset_first: bool) -> None:
    rig = Rig()
    client = rig.client()
    client.create(b"a")
    client.create(b"a", start_revision=9)
    rig.put_many(b"a", 2)
    if reset_first:
        rig.watch.reset()
    jump(rig, b"a", 4)
    if not reset_first:
        rig.watch.reset()
    assert counts(rig) == (0, 2, 0)
    client.drain()
    rig.put_many(b"a", 3)
    client.drain()
    assert [c.revision for c in client.changes(0)] == list(range(2, 11))
    assert [c.revision for c in client.changes(1)] == [9, 10]


def test_snapshot_compacted_past_a_watcher_tells_it_so() -> None:
    rig = Rig()
    client = rig.client()
    client.create(b"a")
    rig.put_many(b"a", 2)
    jump(rig, b"a", 4)
    rig.compact(6)
    rig.watch.reset()
    client.drain()
    assert client.heard[0].compact_revision == 6


def test_snapshot_compacted_before_what_was_told_harms_nobody() -> None:
    """The watcher asked for 2 and has seen up to 5: nothing it needs is gone."""
    rig = Rig()
    client = rig.client()
    client.create(b"a", start_revision=2)
    rig.put_many(b"b", 4)
    rig.compact(5)
    rig.watch.reset()
    rig.put(b"a")
    client.drain()
    assert [c.revision for c in client.changes(0)] == [6]


def test_watchers_of_a_store_that_was_emptied_wait_for_what_they_miss() -> None:
    rig = Rig()
    client = rig.client()
    client.create(b"a")
    rig.put_many(b"a", 3)
    empty = Rig()
    rig.store = rig.watch._store = empty.store
    rig.model = empty.model
    rig.store.on_changes = rig.watch.notify
    rig.watch.reset()
    client.drain()
    assert counts(rig) == (1, 0, 0)
    rig.put_many(b"a", 5)
    client.drain()
    assert [c.revision for c in client.changes(0)] == [2, 3, 4, 5, 6]


# Accounts


def test_statistics_name_what_is_held() -> None:
    rig = Rig(buffer_responses_max=2)
    client = rig.client()
    assert rig.watch.statistics().stream_count == 1
    client.create(b"key")
    client.create(b"key", b"kez")
    client.create(b"old", start_revision=1)
    now = rig.watch.statistics()
    assert (now.watcher_count, now.range_watcher_count) == (3, 1)
    assert now.watched_key_count == 1
    assert now.watcher_key_bytes == 12
    assert now.slow_watcher_count == now.unsynced_count == 1
    assert now.pending_control_count == 3
    rig.put(b"key")
    client.read()
    now = rig.watch.statistics()
    assert (now.events_total, now.held_event_count) == (2, 0)
    assert (now.pending_control_count, now.pending_response_count) == (0, 0)


def test_a_store_without_watchers_holds_nothing() -> None:
    rig = a_busy_rig()
    assert rig.watch.statistics() == NOTHING


def test_reprs_fit_on_a_line() -> None:
    rig = Rig()
    client = rig.client()
    client.create(b"a")
    for thing in (rig.watch, client.stream, *client.stream.watchers()):
        assert len(repr(thing)) < 88
        assert "\n" not in repr(thing)
