"""What the server counts as it happens."""

import pytest

from miniet.server.recorders import CallCounters, Durations, Histogram, doubling
from miniet.server.rpc_errors import Code


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        (0.0, [1, 0, 0]),
        (1.0, [1, 0, 0]),
        (1.001, [0, 1, 0]),
        (2.0, [0, 1, 0]),
        (2.5, [0, 0, 1]),
    ],
)
def test_value_falls_below_the_first_bound_that_holds_it(
    value: float, counts: list[int]
) -> None:
    histogram = Histogram("name", "help", (1.0, 2.0))
    histogram.observe(value)
    assert (histogram.counts, histogram.sum) == (counts, value)


def test_bounds_double_from_a_start() -> None:
    assert doubling(0.5, 4) == (0.5, 1.0, 2.0, 4.0)


def test_members_do_not_share_their_durations() -> None:
    one, other = Durations(), Durations()
    one.wal_fsync_s.observe(1.0)
    assert sum(other.wal_fsync_s.counts) == 0


def test_call_is_counted_by_its_code_when_it_ends() -> None:
    calls = CallCounters("etcdserverpb.KV", "Put", "unary")
    calls.started += 2
    calls.end(Code.RESOURCE_EXHAUSTED, 0.3)
    assert calls.handled[8] == sum(calls.handled) == 1
    assert calls.handling_s.sum == 0.3
    assert repr(calls) == "<CallCounters etcdserverpb.KV/Put started=2 handled=1>"
