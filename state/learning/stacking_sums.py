"""Sums of stacking, of the examples of one shard since its last delta (state.learning.stacking)."""

import math
from array import array
from collections.abc import Collection, Iterable, Mapping

import msgspec

from state.learning.release import SLOPE

MAX_NORM = 0.5
CONSTANT = 0.25
"""The constant part inside a block; the offset is the constant's factor times this number."""

_EVERY = 4
"""Products of parts are summed over every fourth example, as an estimate."""
_RESIDUAL_VARIANCE = 0.25
_CONSTANT = CONSTANT
_MAX_NORM = MAX_NORM
_MAX_SQUARE = MAX_NORM**2
_SLOPE = SLOPE
_COMMON = 3
"""Parts that are no facet's, with which each list of parts begins."""


class StackingDelta(msgspec.Struct, frozen=True, array_like=True):
    """Sums over some examples."""

    examples: int
    residuals: list[float]
    """By part: sum of residual × part."""
    products: dict[int, float]
    """Row × count of parts + column → sum of the products of two parts, without zeros."""
    bias: tuple[float, float, float]
    """Residuals, slopes and squares for the population's bias."""
    contributors: list[int]
    forgotten: list[int]
    """Positions of users with an example, and of forgotten users."""


class StackingSums:
    """Sums over new examples, and the forgotten users of the block that is not released.

    A forgotten user contributes again from the next block on.
    """

    def __init__(self, parts: int, forgotten: Iterable[int] = (), every: int = 0) -> None:
        """Begin without examples, with the forgotten users and the count of `state()`."""
        self._size = parts
        self._numbers = array("q", bytes(8 * parts))
        """Parts of an example, and their values in `_values`."""
        self._values = array("d", bytes(8 * parts))
        self._residuals = array("d", bytes(8 * parts))
        self._products = array("d", bytes(8 * parts * parts))
        self._bias_residuals = self._bias_slopes = self._bias_squares = 0.0
        self._examples = 0
        self._every = every
        """Examples since the last one whose products were summed."""
        self._contributors: dict[int, None] = {}
        self._forgets: dict[int, None] = {}
        self._forgotten = set(forgotten)

    def add(
        self,
        user: int,
        population: float,
        bias: float,
        shares: Mapping[int, float],
        residual: float,
        bias_residual: float | None = None,
    ) -> None:
        """Add an example of a user, given as a 64-bit hash: the parts of the prediction, and its residual.

        `bias_residual` is that of a like or dislike without the factors; None for directed feedback.
        """
        position = user >> 48
        if position in self._forgotten:
            return
        count = self._take_parts(population, bias, shares)
        square = 0.0 if bias_residual is None else _CONSTANT * _CONSTANT
        for place in range(count):
            square += self._values[place] * self._values[place]
        scale = 1.0 if square <= _MAX_SQUARE else _MAX_NORM / math.sqrt(square)
        scaled = scale * residual
        for place in range(count):
            self._residuals[self._numbers[place]] += scaled * self._values[place]
        if bias_residual is not None:
            weight = scale * _CONSTANT
            self._bias_residuals += weight * bias_residual
            self._bias_slopes += _SLOPE * weight
            self._bias_squares += _RESIDUAL_VARIANCE * weight * weight
        self._contributors[position] = None
        self._examples += 1
        self._every += 1
        if self._every >= _EVERY:
            self._every = 0
            self._add_products(count, _EVERY * scale * scale)

    def _take_parts(self, population: float, bias: float, shares: Mapping[int, float]) -> int:
        """Note the parts of an example, and return their count."""
        for place in range(_COMMON):
            self._numbers[place] = place
        self._values[0], self._values[1], self._values[2] = _CONSTANT, population, bias
        count = _COMMON
        for facet, share in shares.items():
            self._numbers[count] = _COMMON + facet
            self._values[count] = share
            count += 1
        return count

    def _add_products(self, count: int, weight: float) -> None:
        size = self._size
        for place in range(count):
            start, weighted = self._numbers[place] * size, weight * self._values[place]
            for other in range(count):
                self._products[start + self._numbers[other]] += weighted * self._values[other]

    def forget(self, user: int) -> None:
        """Forget a user, given as a 64-bit hash."""
        position = user >> 48
        self._forgets[position] = None
        self._forgotten.add(position)

    def begin_block(self) -> None:
        """Note that the block was released: forgotten users contribute again."""
        self._forgotten.clear()

    def take(self) -> StackingDelta | None:
        """Return the sums, and begin again; None without an example and a forget."""
        if not self._examples and not self._forgets:
            return None
        products = {place: value for place, value in enumerate(self._products) if value}
        found = StackingDelta(
            self._examples, list(self._residuals), products,
            (self._bias_residuals, self._bias_slopes, self._bias_squares),
            list(self._contributors), list(self._forgets),
        )  # fmt: skip
        self._examples = 0
        self._bias_residuals = self._bias_slopes = self._bias_squares = 0.0
        for place in range(self._size):
            self._residuals[place] = 0.0
        for place in products:
            self._products[place] = 0.0
        self._contributors.clear()
        self._forgets.clear()
        return found

    def state(self) -> tuple[Collection[int], int]:
        """Return the forgotten users, and the examples since the last one whose products were summed."""
        return sorted(self._forgotten), self._every
