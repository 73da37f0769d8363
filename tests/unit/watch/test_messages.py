from hypothesis import given
from hypothesis import strategies as st

from miniet.watch.messages import WatchResponse


def pieces(sizes: list[int], limit: int) -> list[WatchResponse]:
    events = [bytes(size) for size in sizes]
    return list(WatchResponse(3, 9, events=events).fragments(limit))


def test_response_below_the_limit_stays_whole() -> None:
    (only,) = pieces([100, 100], 1000)
    assert not only.fragment
    assert len(only.events) == 2


def test_one_event_above_the_limit_is_sent_alone() -> None:
    assert [len(piece.events) for piece in pieces([10, 5000, 10], 1000)] == [1, 1, 1]


def test_last_piece_alone_is_not_marked() -> None:
    assert [piece.fragment for piece in pieces([400] * 5, 1000)] == [True, True, False]


@given(st.lists(st.integers(0, 400), min_size=1, max_size=30), st.integers(100, 2000))
def test_pieces_stay_below_the_limit_and_join_to_the_whole(
    sizes: list[int], limit: int
) -> None:
    parts = pieces(sizes, limit)
    assert [len(event) for part in parts for event in part.events] == sizes
    assert [part.fragment for part in parts] == [True] * (len(parts) - 1) + [False]
    for part in parts:
        assert (part.watch_id, part.revision) == (3, 9)
        encoded = sum(len(e) + 2 + (len(e) > 127) for e in part.events)
        assert encoded < limit or len(part.events) == 1
