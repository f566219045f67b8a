"""Sums of weights by value and side, which age as beliefs do, with each piece of feedback on the value.

A sum is a number of 16 bits at the place 2 · slot + side, in units of 1 / `PER_WEIGHT`. The second of the piece decides
whether the aged sum is rounded up or down, so rounding errors cancel out, and small sums do not stand still.
"""

from state.row.row import Columns

KEPT_PER_MILLE = 995
"""Share of a sum that survives a piece of feedback on the value, as of a mean (`preferences.KEPT`)."""
PER_WEIGHT = 300
"""Units per weight of 1. Sums converge below 1 / (1 − share): at .995 below 60,000 units."""

_KEPT, _MOST = KEPT_PER_MILLE, 2**16 - 1


def add(sums: Columns[int], at: int, place: int, units: int, at_s: int) -> None:
    """Age both sums of a value in the row `at`, and add a weight to the supported side, which is at `place`."""
    up = at_s % 1000
    sums[at, place] = (sums[at, place] * _KEPT + up) // 1000 + units
    opposed = sums[at, place ^ 1]
    if opposed:
        sums[at, place ^ 1] = (opposed * _KEPT + up) // 1000


def undo(sums: Columns[int], at: int, place: int, units: int, at_s: int) -> None:
    """Undo the newest `add`, within one unit."""
    up = at_s % 1000
    sums[at, place] = _before(sums[at, place] - units, up)
    sums[at, place ^ 1] = _before(sums[at, place ^ 1], up)


def _before(total: int, up: int) -> int:
    return min(_MOST, max(0, -((up - 1000 * total) // _KEPT)))
