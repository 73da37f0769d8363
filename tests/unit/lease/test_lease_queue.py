import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miniet.errors import InvariantError
from miniet.lease.lease_queue import LeaseExpiredNotifier, LeaseQueue


def drain(notifier: LeaseExpiredNotifier) -> list[tuple[int, float]]:
    drained = []
    while (first := notifier.peek()) is not None:
        drained.append(first)
        notifier.unregister()
        notifier._check()
    return drained


def test_empty_notifier_has_no_first() -> None:
    assert LeaseExpiredNotifier().peek() is None


def test_update_moves_the_element_instead_of_adding_one() -> None:
    notifier = LeaseExpiredNotifier()
    for lease_id, time_s in [(1, 5.0), (2, 3.0), (3, 9.0), (2, 7.0), (3, 1.0)]:
        notifier.register_or_update(lease_id, time_s)
        notifier._check()
    assert len(notifier) == 3
    assert drain(notifier) == [(3, 1.0), (1, 5.0), (2, 7.0)]


def test_equal_times_leave_in_heap_order() -> None:
    # Go's container/heap, same calls: 1 goes, the last (4) is moved to the top.
    notifier = LeaseExpiredNotifier()
    for lease_id in (1, 2, 3, 4):
        notifier.register_or_update(lease_id, 5.0)
    assert [lease_id for lease_id, _ in drain(notifier)] == [1, 4, 3, 2]


def test_of_two_equal_children_the_left_one_goes_up() -> None:
    notifier = LeaseExpiredNotifier()
    for lease_id, time_s in [(1, 1.0), (2, 2.0), (3, 2.0), (4, 5.0)]:
        notifier.register_or_update(lease_id, time_s)
    assert [lease_id for lease_id, _ in drain(notifier)] == [1, 2, 3, 4]


def test_fill_replaces_everything() -> None:
    notifier = LeaseExpiredNotifier()
    notifier.register_or_update(9, 0.0)
    notifier.fill([(1, 3.0), (2, 1.0), (3, 2.0)])
    notifier._check()
    assert notifier.time_of(9) is None
    assert notifier.time_of(3) == 2.0
    assert drain(notifier) == [(2, 1.0), (3, 2.0), (1, 3.0)]


def test_check_sees_an_element_before_its_parent() -> None:
    queue = LeaseQueue()
    queue.push(1, 1.0)
    queue.push(2, 2.0).time_s = 0.0
    with pytest.raises(InvariantError, match="before its parent"):
        queue._check()


lease_ids = st.integers(1, 12)
times = st.integers(0, 20).map(float)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(lease_ids, times), max_size=8),
    st.lists(st.one_of(st.none(), st.tuples(lease_ids, times)), max_size=60),
)
def test_notifier_agrees_with_a_dict(
    filled: list[tuple[int, float]], steps: list[tuple[int, float] | None]
) -> None:
    notifier = LeaseExpiredNotifier()
    model = dict(filled)
    notifier.fill(model.items())
    for step in steps:
        first = notifier.peek()
        assert (first is None) == (not model)
        if step is not None:
            notifier.register_or_update(*step)
            model[step[0]] = step[1]
        elif first is not None:
            assert first[1] == model.pop(first[0]) <= min(model.values(), default=99)
            notifier.unregister()
        notifier._check()
        assert len(notifier) == len(model)
    assert dict(drain(notifier)) == model
