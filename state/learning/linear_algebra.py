"""Small matrices as lists of rows: the same result on every machine, and no library to load."""

from collections.abc import Sequence
from math import fsum
from operator import mul

Matrix = list[list[float]]


def identity(size: int, value: float) -> Matrix:
    """Return a diagonal matrix with one value.

    >>> identity(2, 3.0)
    [[3.0, 0.0], [0.0, 3.0]]
    """
    return [[value if row == column else 0.0 for column in range(size)] for row in range(size)]


def product(left: Matrix, right: Matrix) -> Matrix:
    """Return the product of two matrices.

    >>> product([[1.0, 2.0]], [[3.0], [4.0]])
    [[11.0]]
    """
    columns = list(zip(*right, strict=True))
    return [[_dot(row, column) for column in columns] for row in left]


def added(left: Matrix, right: Matrix) -> Matrix:
    """Return the sum of two matrices."""
    return [[one + other for one, other in zip(*rows, strict=True)] for rows in zip(left, right, strict=True)]


def solved(matrix: Matrix, right: Matrix) -> Matrix:
    """Return X of `matrix` · X = `right`, for a symmetric positive definite matrix.

    >>> solved([[2.0, 0.0], [0.0, 4.0]], [[2.0], [2.0]])
    [[1.0], [0.5]]
    """
    rows = [[*left, *values] for left, values in zip(matrix, right, strict=True)]
    size = len(rows)
    for pivot in range(size):
        divisor = rows[pivot][pivot]
        rows[pivot] = [value / divisor for value in rows[pivot]]
        for row in range(size):
            factor = rows[row][pivot]
            if row != pivot and factor:
                rows[row] = [value - factor * one for value, one in zip(rows[row], rows[pivot], strict=True)]
    return [row[size:] for row in rows]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return fsum(map(mul, one, other))
