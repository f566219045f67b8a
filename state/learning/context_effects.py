"""A user's own effects of topics and surfaces: how much more the user likes a value there than in general.

A context is a topic or a surface. Each of the user's main contexts has a row of effects: one per value, or one per
ordered facet as a slope along its scale. An effect starts at 0 and is trained with feedback in its context, together
with all other terms (state.learning.preferences). Its variance falls with the weight of all feedback in the context, so
that no variance has to be stored.
"""

from array import array
from collections.abc import Collection, Sequence
from typing import NamedTuple

ROWS = 6
"""Contexts of a user. A new context replaces the one of least weight, once this weight is below `REPLACED_BELOW`."""
VARIANCE = 0.12
"""Prior variance of an effect."""
KNOWN_PER_WEIGHT = 0.01
"""Growth of an effect's precision by feedback of weight 1 in its context, in units of the prior precision."""
KEPT = 0.995
"""Share of an effect and of a row's weight that survives a piece of feedback in the context."""
REPLACED_BELOW = 1.0
FADED = 0.9
"""Share of each weight that survives the arrival of a context without a row."""

UNIT = 1.0 / 8192
"""Unit of stored effects."""
_MOST = 32_767


class Opened(NamedTuple):
    """Rows of an answer's contexts."""

    rows: Sequence[int]
    opened: Sequence[int]
    """Those that are new."""


class ContextEffects:
    """The effects of a user by row and term (`NumberedCatalogue.context_terms`)."""

    __slots__ = ("effects", "keys", "terms", "weights")

    def __init__(self, terms: int) -> None:
        self.terms = terms
        self.keys = array("I", bytes(4 * ROWS))
        """Row → context (`NumberedCatalogue.topic_keys`, `surface_keys`); 0: a free row."""
        self.weights = array("f", bytes(4 * ROWS))
        """Row → discounted weight of feedback."""
        self.effects = array("h", bytes(2 * ROWS * terms))
        """Effects in fixed point, so that a packed user equals a cached one."""

    def find(self, contexts: Sequence[int]) -> list[int]:
        """Return the rows of contexts that have one."""
        keys = self.keys
        return [keys.index(key) for key in contexts if key in keys]

    def open(self, contexts: Sequence[int]) -> Opened:
        """Return the rows of contexts; a context without a row gets one, where there is room."""
        keys, rows = self.keys, self.find(contexts)
        if len(rows) == len(contexts):
            return Opened(rows, ())
        opened = [row for key in contexts if key not in keys and (row := self._open(key)) is not None]
        return Opened(rows + opened, opened)

    def _open(self, key: int) -> int | None:
        keys, weights = self.keys, self.weights
        if 0 not in keys:
            for row, weight in enumerate(weights):
                weights[row] = FADED * weight
        row = keys.index(0) if 0 in keys else min(range(ROWS), key=weights.__getitem__)
        if keys[row] and weights[row] >= REPLACED_BELOW:
            return None
        self._begin(row, key)
        return row

    def _begin(self, row: int, key: int) -> None:
        self.keys[row], self.weights[row] = key, 0.0
        start = row * self.terms
        self.effects[start : start + self.terms] = array("h", bytes(2 * self.terms))

    def variance(self, row: int) -> float:
        """Return the variance of each effect of a row."""
        return VARIANCE / (1.0 + KNOWN_PER_WEIGHT * self.weights[row])

    def add_to(
        self,
        shares: dict[int, float],
        rows: Sequence[int],
        slots: Sequence[int],
        facet_of: Sequence[int],
        terms: Sequence[tuple[int, float]],
    ) -> tuple[float, float]:
        """Add the effects on an answer to the shares of its facets; return the sums of their means and variances.

        Args:
            shares: facet → share, changed in place.
            rows: rows of the answer's contexts.
            slots: style of the answer.
            facet_of: slot → facet.
            terms: slot → term and factor (`NumberedCatalogue.context_terms`).
        """
        mean = variance = 0.0
        effects = self.effects
        for row in rows:
            start, squares = row * self.terms, 0.0
            for slot in slots:
                term, x = terms[slot]
                effect = x * effects[start + term] * UNIT
                shares[facet_of[slot]] += effect
                mean += effect
                squares += x * x
            variance += squares * self.variance(row)
        return mean, variance

    def update(self, rows: Sequence[int], moved: Sequence[tuple[int, float]], mean_step: float, weight: float) -> None:
        """Train the effects of some terms, given as (term, factor), with feedback of a weight.

        `mean_step` is per unit of variance, as for every belief.
        """
        effects, weights = self.effects, self.weights
        for row in rows:
            start, step = row * self.terms, self.variance(row) * mean_step / UNIT
            for term, x in moved:
                mean = KEPT * (effects[start + term] + x * step)
                effects[start + term] = round(max(-_MOST, min(_MOST, mean)))
            weights[row] = KEPT * weights[row] + weight

    def grow(self, terms: int) -> None:
        """Make room for as many terms in all."""
        before, more = self.terms, array("h", bytes(2 * (terms - self.terms)))
        rows = [self.effects[row * before : (row + 1) * before] + more for row in range(ROWS)]
        self.terms, self.effects = terms, array("h", b"".join(map(bytes, rows)))

    def forget(self, terms: Collection[int]) -> None:
        """Reset some terms to 0 in all contexts."""
        for row in range(ROWS):
            for term in terms:
                self.effects[row * self.terms + term] = 0

    def drop(self, contexts: Collection[int]) -> list[int]:
        """Free the rows of some contexts, and return these rows."""
        rows = [row for row, key in enumerate(self.keys) if key in contexts]
        for row in rows:
            self._begin(row, 0)
        return rows

    def copy(self) -> "ContextEffects":
        """Return an independent copy."""
        twin = ContextEffects(0)
        twin.terms, twin.keys, twin.weights, twin.effects = self.terms, self.keys[:], self.weights[:], self.effects[:]
        return twin
