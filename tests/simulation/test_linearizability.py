"""The checker of histories, on histories whose verdict is plain to see."""

from math import inf

import pytest

from tests.support.linearizability import Operation, Specification, Verdict, check

# A register: a write is a number, a read is None and is answered with a number.


def step(state: int, operation: Operation) -> int | None:
    if operation.call is None:
        return state if operation.answer == state else None
    return int(operation.call)


def verdict_on(*operations: Operation) -> Verdict[int]:
    return check(operations, Specification(0, step, lambda state: state))


def write(value: int, begun_s: float, ended_s: float = inf) -> Operation:
    return Operation("c", value, begun_s, ended_s, True if ended_s < inf else None)


def read(value: int, begun_s: float, ended_s: float) -> Operation:
    return Operation("c", None, begun_s, ended_s, value)


LINEARIZABLE = {
    "nothing": [],
    "one after the other": [write(1, 0, 1), read(1, 2, 3), write(2, 4, 5)],
    "a read beside a write sees what was before": [write(1, 0, 4), read(0, 1, 2)],
    "a read beside a write sees what comes": [write(1, 0, 4), read(1, 1, 2)],
    "two writes beside each other, in either order": [
        *(write(1, 0, 5), write(2, 0, 5)),
        *(read(2, 6, 7), read(2, 8, 9)),
    ],
    "a write without an answer has its effect late": [
        *(write(1, 0), read(0, 1, 2)),
        *(read(1, 3, 4), write(2, 5, 6), read(2, 7, 8)),
    ],
    "a write without an answer never has an effect": [write(1, 0), read(0, 9, 10)],
    "ends and begins at the same moment are beside each other": [
        write(1, 0, 1),
        read(0, 1, 2),
    ],
}

NOT_LINEARIZABLE = {
    "stale read": [write(1, 0, 1), read(0, 2, 3)],
    "lost write": [write(1, 0, 1), read(1, 2, 3), read(0, 4, 5)],
    "write that comes back": [
        *(write(1, 0, 1), write(2, 2, 3)),
        *(read(2, 4, 5), read(1, 6, 7)),
    ],
    "read from the future": [read(1, 0, 1), write(1, 2, 3)],
    "value that nobody wrote": [write(1, 0, 1), read(7, 2, 3)],
    "two readers see two writes in two orders": [
        *(write(1, 0, 9), write(2, 0, 9)),
        *(read(1, 1, 2), read(2, 3, 4), read(1, 5, 6)),
    ],
    "a write without an answer has its effect twice": [
        *(write(1, 0), read(1, 1, 2), write(2, 3, 4)),
        *(read(2, 5, 6), read(1, 7, 8)),
    ],
    "a write without an answer has its effect before it was asked for": [
        read(1, 0, 1),
        write(1, 2),
    ],
}


@pytest.mark.parametrize("name", LINEARIZABLE)
def test_order_is_found_for(name: str) -> None:
    operations = LINEARIZABLE[name]
    verdict = verdict_on(*operations)
    assert verdict.is_linearizable
    # The order explains every answer, and no call stands before one that had ended.
    state = 0
    for position, operation in enumerate(verdict.order):
        after = step(state, operation)
        assert after is not None
        state = after
        later = verdict.order[position + 1 :]
        assert all(operation.begun_s <= other.ended_s for other in later)
    assert [o for o in operations if o.is_answered and o not in verdict.order] == []


@pytest.mark.parametrize("name", NOT_LINEARIZABLE)
def test_no_order_is_found_for(name: str) -> None:
    verdict = verdict_on(*NOT_LINEARIZABLE[name])
    assert verdict.is_decided
    assert not verdict.is_linearizable
    assert verdict.stuck


def test_search_that_takes_too_long_is_not_decided() -> None:
    writes = [write(number, 0, 100) for number in range(30)]
    operations = [*writes, read(99, 101, 102)]
    specification = Specification(0, step, lambda state: state)
    verdict = check(operations, specification, steps_max=500)
    assert not verdict.is_decided
    assert not verdict.is_linearizable
