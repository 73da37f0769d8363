"""Least squares, for costs per connection, stream and watcher."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fit:
    """What each of several things costs, so that their sums come closest."""

    weights: tuple[float, ...]
    worst: float
    """Largest error of a sum, as a share of it."""


def fit(rows: Sequence[Sequence[float]], sums: Sequence[float]) -> Fit | None:
    """Find weights w with `row . w` near each sum, relative errors counted.

    Every equation is divided by its sum, so that a small one weighs as much as a
    large one; those whose sum is not above 0 are left out.

    Returns:
        None where the rows do not tell the weights apart.
    """
    known = [(row, total) for row, total in zip(rows, sums, strict=True) if total > 0]
    if not known:
        return None
    scaled = [[part / total for part in row] for row, total in known]
    width = len(rows[0])
    # Normal equations: (A^T A) w = A^T 1.
    matrix = [
        [
            *(sum(row[i] * row[j] for row in scaled) for j in range(width)),
            sum(row[i] for row in scaled),
        ]
        for i in range(width)
    ]
    weights = _solve(matrix)
    if weights is None:
        return None
    errors = (
        abs(sum(part * weight for part, weight in zip(row, weights, strict=True)) - 1)
        for row in scaled
    )
    return Fit(tuple(weights), max(errors))


def _solve(matrix: list[list[float]]) -> list[float] | None:
    """Solve by Gauss and Jordan with pivoting; the last column is the right side."""
    size = len(matrix)
    scale = max(abs(matrix[i][i]) for i in range(size))
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        if abs(matrix[pivot][column]) <= 1e-12 * scale:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        head = matrix[column]
        for row in range(size):
            if row != column:
                factor = matrix[row][column] / head[column]
                matrix[row] = [
                    a - factor * b for a, b in zip(matrix[row], head, strict=True)
                ]
    return [matrix[row][size] / matrix[row][row] for row in range(size)]
