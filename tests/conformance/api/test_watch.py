"""Watch: the requests of a stream and their answers."""

from typing import Any

import pytest

from tests.conformance.api.targets import Target
from tests.support.api_client import CallRefused, WatchCall

ALL = {"key": b"\x00", "range_end": b"\x00"}

EMPTY_RANGE = "mvcc: watcher range is empty"
DUPLICATE_ID = "mvcc: duplicate watch ID provided on the WatchStream"


def said(response: Any) -> tuple[int, bool, bool, str]:
    """Return (watch id, created, canceled, cancel reason)."""
    return (
        response.watch_id,
        response.created,
        response.canceled,
        response.cancel_reason,
    )


def assert_usable(server: Target, stream: WatchCall) -> None:
    """Make a watcher on the stream and see that it hears of a put."""
    watch_id = stream.created(key=b"usable").watch_id
    server.call("Put", key=b"usable")
    response = stream.receive()
    assert (response.watch_id, len(response.events)) == (watch_id, 1)


def test_created_answer_carries_the_current_revision(server: Target) -> None:
    server.put_all((b"a", b"1"))
    answer = server.watch(key=b"a").receive()
    assert said(answer) == (0, True, False, "")
    assert (answer.header.revision, list(answer.events)) == (2, [])
    assert answer.header.member_id == server.call("Status").leader


def test_created_answer_comes_before_events_of_the_past(server: Target) -> None:
    server.put_all((b"a", b"1"))
    stream = server.watch(key=b"a", start_revision=1)
    assert stream.receive().created
    assert len(stream.receive().events) == 1


def test_ids_count_from_zero_and_keep_clear_of_chosen_ones(server: Target) -> None:
    stream = server.watch()
    wanted = [0, 1, 0, 5, 0, -3, 0, 0, 0]
    given = [stream.created(key=b"a", watch_id=each).watch_id for each in wanted]
    assert given == [0, 1, 2, 5, 3, -3, 4, 6, 7]


def test_id_in_use_is_refused_and_the_stream_goes_on(server: Target) -> None:
    stream = server.watch(key=b"a", watch_id=5)
    assert said(stream.receive()) == (5, True, False, "")
    answer = stream.created(key=b"b", watch_id=5)
    assert said(answer) == (-1, True, True, DUPLICATE_ID)
    assert_usable(server, stream)


def test_id_is_free_after_a_cancel(server: Target) -> None:
    stream = server.watch(key=b"a", watch_id=5)
    stream.receive()
    stream.cancel_watcher(5)
    assert said(stream.receive()) == (5, False, True, "")
    assert said(stream.created(key=b"b", watch_id=5)) == (5, True, False, "")


def test_automatic_ids_are_not_given_again(server: Target) -> None:
    stream = server.watch(key=b"a")
    stream.receive()
    stream.cancel_watcher(0)
    stream.receive()
    assert stream.created(key=b"a").watch_id == 1


@pytest.mark.parametrize("range_end", [b"a", b"b"])
def test_empty_range_is_refused_and_the_stream_goes_on(
    server: Target, range_end: bytes
) -> None:
    stream = server.watch()
    answer = stream.created(key=b"b", range_end=range_end)
    assert said(answer) == (-1, True, True, EMPTY_RANGE)
    assert_usable(server, stream)


def test_empty_range_takes_no_id(server: Target) -> None:
    stream = server.watch()
    stream.created(key=b"b", range_end=b"a")
    assert stream.created(key=b"b").watch_id == 0


def test_range_is_looked_at_before_the_id(server: Target) -> None:
    stream = server.watch(key=b"a", watch_id=5)
    stream.receive()
    answer = stream.created(key=b"b", range_end=b"a", watch_id=5)
    assert answer.cancel_reason == EMPTY_RANGE


def test_empty_key_is_the_key_of_one_zero_byte(server: Target) -> None:
    stream = server.watch(key=b"")
    assert stream.receive().created
    server.put_all((b"a", b""), (b"\x00", b""), (b"\x00\x00", b""), (b"\x00", b"1"))
    found = stream.events(2)
    assert [event.kv.key for event in found] == [b"\x00", b"\x00"]


def test_empty_key_from_key_on_is_everything(server: Target) -> None:
    stream = server.watch(key=b"", range_end=b"\x00")
    assert stream.receive().created
    server.put_all((b"\x00", b""), (b"a", b""))
    assert [event.kv.key for event in stream.events(2)] == [b"\x00", b"a"]


@pytest.mark.parametrize(
    ("key", "range_end", "expected"),
    [
        (b"a", b"", [b"a"]),
        (b"a", b"b", [b"a", b"a\x00", b"aa"]),
        (b"aa", b"\x00", [b"aa", b"b", b"\xff"]),
    ],
)
def test_range_end_says_which_keys(
    server: Target, key: bytes, range_end: bytes, expected: list[bytes]
) -> None:
    stream = server.watch(key=key, range_end=range_end)
    assert stream.receive().created
    server.put_all(*((each, b"") for each in (b"a", b"a\x00", b"aa", b"b", b"\xff")))
    found = stream.events(len(expected))
    assert [event.kv.key for event in found] == expected


# Start revisions


def test_watch_without_start_hears_of_what_comes(server: Target) -> None:
    server.put_all((b"a", b"1"))
    stream = server.watch(key=b"a")
    assert stream.receive().created
    server.put_all((b"a", b"2"))
    assert [event.kv.value for event in stream.events(1)] == [b"2"]


def test_watch_from_the_past_hears_of_all_since(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"), (b"b", b"3"), (b"a", b"4"))
    stream = server.watch(key=b"a", start_revision=3)
    assert stream.receive().created
    server.put_all((b"a", b"5"))
    assert [event.kv.value for event in stream.events(3)] == [b"2", b"4", b"5"]


def test_watch_from_the_future_leaves_out_what_is_before(server: Target) -> None:
    stream = server.watch(key=b"a", start_revision=4)
    assert stream.receive().header.revision == 1
    server.put_all((b"a", b"2"), (b"a", b"3"), (b"a", b"4"), (b"a", b"5"))
    assert [event.kv.mod_revision for event in stream.events(2)] == [4, 5]


def test_watch_from_before_the_compaction_is_created_and_cancelled(
    server: Target,
) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"), (b"a", b"3"))
    server.call("Compact", revision=3, physical=True)
    stream = server.watch(key=b"a", start_revision=2)
    answer = stream.receive()
    assert said(answer) == (0, True, False, "")
    assert answer.header.revision == 4
    notice = stream.receive()
    assert said(notice) == (0, False, True, "")
    assert (notice.compact_revision, notice.header.revision) == (3, 0)
    assert notice.header.member_id == answer.header.member_id


def test_id_of_a_compacted_watcher_is_free_after_its_cancel(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"))
    server.call("Compact", revision=3)
    stream = server.watch(key=b"a", start_revision=2, watch_id=5)
    assert [stream.receive().canceled for _ in range(2)] == [False, True]
    assert stream.created(key=b"a", watch_id=5).cancel_reason == DUPLICATE_ID
    stream.cancel_watcher(5)
    assert said(stream.receive()) == (5, False, True, "")
    assert stream.created(key=b"a", watch_id=5).watch_id == 5


def test_watch_from_the_compaction_on_hears_of_what_is_kept(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"b", b"4"))
    server.call("Compact", revision=4, physical=True)
    stream = server.watch(**ALL, start_revision=4)
    assert stream.receive().created
    assert [event.kv.value for event in stream.events(2)] == [b"3", b"4"]


@pytest.mark.parametrize("start", [-2, -(2**63)])
def test_negative_start_is_compacted_on_a_store_never_compacted(
    server: Target, start: int
) -> None:
    stream = server.watch(key=b"a", start_revision=start)
    assert said(stream.receive()) == (0, True, False, "")
    notice = stream.receive()
    assert said(notice) == (0, False, True, "")
    assert (notice.compact_revision, notice.header.revision) == (-1, 0)


def test_negative_start_names_the_compact_revision(server: Target) -> None:
    server.put_all((b"a", b"1"), (b"a", b"2"))
    server.call("Compact", revision=2)
    stream = server.watch(key=b"a", start_revision=-1)
    assert stream.receive().created
    assert stream.receive().compact_revision == 2


# Cancel and progress


def test_cancel_answers_with_the_current_revision(server: Target) -> None:
    stream = server.watch(key=b"a")
    stream.receive()
    server.put_all((b"b", b"1"))
    stream.cancel_watcher(0)
    answer = stream.receive()
    assert said(answer) == (0, False, True, "")
    assert (answer.header.revision, answer.compact_revision) == (2, 0)


def test_cancelled_watcher_hears_nothing_more(server: Target) -> None:
    stream = server.watch(key=b"a")
    stream.create(key=b"b")
    stream.receive(), stream.receive()
    stream.cancel_watcher(0)
    assert stream.receive().canceled
    server.put_all((b"a", b"1"), (b"b", b"1"))
    assert stream.receive().watch_id == 1


@pytest.mark.parametrize("watch_id", [1, -1, 2**62])
def test_cancel_of_an_unknown_id_has_no_answer(server: Target, watch_id: int) -> None:
    stream = server.watch(key=b"a")
    stream.receive()
    stream.cancel_watcher(watch_id)
    stream.cancel_watcher(0)
    assert said(stream.receive()) == (0, False, True, "")


def test_progress_is_answered_for_the_whole_stream(server: Target) -> None:
    stream = server.watch(key=b"a")
    stream.receive()
    server.put_all((b"b", b"1"))
    stream.request_progress()
    answer = stream.receive()
    assert said(answer) == (-1, False, False, "")
    assert (answer.header.revision, list(answer.events)) == (2, [])


def test_progress_is_answered_without_any_watcher(server: Target) -> None:
    stream = server.watch()
    stream.request_progress()
    assert said(stream.receive()) == (-1, False, False, "")


def test_empty_request_is_ignored(server: Target) -> None:
    stream = server.watch()
    stream.send(b"")
    assert_usable(server, stream)


# The end


def test_half_closed_stream_goes_on_sending(server: Target) -> None:
    stream = server.watch(key=b"a")
    stream.receive()
    stream.half_close()
    server.put_all((b"a", b"1"), (b"a", b"2"))
    assert len(stream.events(2)) == 2


def test_cancelled_call_ends_and_the_connection_goes_on(server: Target) -> None:
    stream = server.watch(key=b"a")
    stream.receive()
    stream.cancel()
    with pytest.raises(CallRefused) as caught:
        stream.receive()
    assert caught.value.refusal.code == "CANCELLED"
    assert_usable(server, server.watch())
