"""Sums of weights by value and side, which age as beliefs do, with each piece of feedback on the value.

A sum is a number of 16 bits at the place 2 · slot + side, in units of 1 / `PER_WEIGHT`. The second of the piece decides
whether the aged sum is rounded up or down, so rounding errors cancel out, and small sums do not stand still.
"""

from array import array
from collections.abc import Iterable

KEPT_PER_MILLE = 995
"""Share of a sum that survives a piece of feedback on the value, as of a mean (`preferences.KEPT`)."""
PER_WEIGHT = 300
"""Units per weight of 1. Sums converge below 1 / (1 − share): at .995 below 60,000 units."""

Places = Iterable[tuple[int, int]]
"""Place of the side that a piece supports, and of the other side, for each value."""


def add(sums: "array[int]", places: Places, units: int, at_s: int) -> None:
    """Age both sums of each value, and add a weight to the supported side."""
    up = at_s % 1000
    for place, other in places:
        sums[place] = (sums[place] * KEPT_PER_MILLE + up) // 1000 + units
        if opposed := sums[other]:
            sums[other] = (opposed * KEPT_PER_MILLE + up) // 1000


def undo(sums: "array[int]", places: Places, units: int, at_s: int) -> None:
    """Undo the newest `add`, within one unit."""
    up = at_s % 1000
    for place, other in places:
        sums[place] = _before(sums[place] - units, up)
        sums[other] = _before(sums[other], up)


def _before(total: int, up: int) -> int:
    return max(0, -((up - 1000 * total) // KEPT_PER_MILLE))
