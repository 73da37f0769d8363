"""Least squares of relative errors."""

import pytest

from miniet.lab.fit import fit

ROWS = [(100, 0, 0), (20, 200, 0), (2, 10, 5_000), (50, 50, 50)]
COSTS = (119_000, 28_000, 470)


def sums(costs: tuple[int, ...] = COSTS) -> list[float]:
    return [sum(n * cost for n, cost in zip(row, costs, strict=True)) for row in ROWS]


def test_costs_that_fit_exactly_are_found() -> None:
    found = fit(ROWS, sums())
    assert found is not None
    assert found.weights == pytest.approx(COSTS)
    assert found.worst == pytest.approx(0, abs=1e-9)


def test_small_sum_weighs_as_much_as_a_large_one() -> None:
    """Two loads, a hundred times apart, disagree by a factor of two."""
    found = fit([(1,), (100,)], [2, 100])
    assert found is not None
    assert found.weights[0] == pytest.approx(1.2)
    assert found.worst == pytest.approx(0.4)


def test_step_that_took_nothing_is_left_out() -> None:
    found = fit([*ROWS, (1, 1, 1)], [*sums(), -4096])
    assert found is not None
    assert found.weights == pytest.approx(COSTS)


@pytest.mark.parametrize(
    "rows",
    [[], [(1, 0, 0), (0, 1, 0)], [(1, 2, 3), (2, 4, 6), (3, 6, 9)]],
    ids=["nothing", "one of them never comes", "always in the same proportion"],
)
def test_costs_that_rows_do_not_tell_apart_are_none(
    rows: list[tuple[float, ...]],
) -> None:
    assert fit(rows, [5.0] * len(rows)) is None
