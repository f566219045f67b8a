"""A user's own effects of topics and surfaces: how much more the user likes a value there than in general.

A context is a topic or a surface. Each of the user's main contexts has a row of effects: one per value, or one per
ordered facet as a slope along its scale. An effect starts at 0 and is trained with feedback in its context, together
with all other terms (state.learning.user_model). Its variance falls with the weight of all feedback in the context, so
that no variance has to be stored.
"""

from collections.abc import Collection, Sequence

from state.learning.answer_part import AnswerPart
from state.row.layout import ROWS
from state.row.row import Row

VARIANCE = 0.12
"""Prior variance of an effect."""
KNOWN_PER_WEIGHT = 0.01
"""Growth of an effect's precision by feedback of weight 1 in its context, in units of the prior precision."""
KEPT = 0.995
"""Share of an effect and of a row's weight that survives a piece of feedback in the context."""
REPLACED_BELOW = 1.0
"""Weight below which a new context replaces the context of least weight, once all rows are taken."""
FADED = 0.9
"""Share of each weight that survives the arrival of a context without a row."""

UNIT = 1.0 / 8192
"""Unit of stored effects."""

_ROWS, _VARIANCE, _KNOWN_PER_WEIGHT, _KEPT = ROWS, VARIANCE, KNOWN_PER_WEIGHT, KEPT
_REPLACED_BELOW, _FADED, _UNIT = REPLACED_BELOW, FADED, UNIT
_MOST = 32_767.0
_NEAREST = 1.5 * 2**52
"""Added and subtracted, it rounds to the nearest whole number, and of two to the even one, as `round` does."""


class ContextEffects:
    """The effects of a user by row and term (`NumberedCatalogue.context_terms`)."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.terms = row.layout.sizes.terms

    @property
    def keys(self) -> list[int]:
        """Row → context (`NumberedCatalogue.topic_keys`, `surface_keys`); 0: a free row."""
        found: list[int] = self.row.numbers("context_keys")
        return found

    @property
    def weights(self) -> list[float]:
        """Row → discounted weight of feedback."""
        found: list[float] = self.row.numbers("context_weights")
        return found

    @property
    def effects(self) -> list[list[int]]:
        """Row → effects by term, in fixed point."""
        found: list[list[int]] = self.row.numbers("effects")
        return found

    def begin(self) -> None:
        """Start without contexts."""
        for row in range(_ROWS):
            self._begin(row, 0)

    def clear(self) -> None:
        """Zero all fields."""
        self.begin()
        self.row.terms_check[self.row.at] = 0

    def row_of(self, key: int) -> int:
        """Return the row of a context; −1 without one."""
        for row in range(_ROWS):
            if self.row.context_keys[self.row.at, row] == key:
                return row
        return -1

    def find(self, contexts: Sequence[int]) -> list[int]:
        """Return the rows of contexts that have one."""
        found = []
        for key in contexts:
            row = self.row_of(key)
            if row >= 0:
                found.append(row)
        return found

    def open(self, contexts: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return the rows of contexts, and those that are new: a context without a row gets one, if there is room."""
        rows, opened = self.find(contexts), []
        if len(rows) < len(contexts):
            for key in contexts:
                if self.row_of(key) < 0:
                    row = self._open(key, rows)
                    if row >= 0:
                        rows.append(row)
                        opened.append(row)
        return rows, opened

    def _open(self, key: int, kept: Sequence[int]) -> int:
        """Return the row that a context gets, none of the kept rows; −1 if there is no room."""
        at, row = self.row.at, self.row_of(0)
        if row < 0:
            for row in range(_ROWS):
                self.row.context_weights[at, row] = _FADED * float(self.row.context_weights[at, row])
            row = self._least(kept)
            if float(self.row.context_weights[at, row]) >= _REPLACED_BELOW:
                return -1
        self._begin(row, key)
        return row

    def _least(self, kept: Sequence[int]) -> int:
        """Return the row of least weight that is not kept, of several the first."""
        at, found = self.row.at, -1
        for row in range(_ROWS):
            weight = float(self.row.context_weights[at, row])
            if row not in kept and (found < 0 or weight < float(self.row.context_weights[at, found])):
                found = row
        return found

    def _begin(self, row: int, key: int) -> None:
        at = self.row.at
        self.row.context_keys[at, row], self.row.context_weights[at, row] = key, 0.0
        for term in range(self.terms):
            self.row.effects[at, row, term] = 0

    def variance(self, row: int) -> float:
        """Return the variance of each effect of a row."""
        return _VARIANCE / (1.0 + _KNOWN_PER_WEIGHT * float(self.row.context_weights[self.row.at, row]))

    def effect(self, row: int, term: int) -> float:
        """Return an effect."""
        return self.row.effects[self.row.at, row, term] * _UNIT

    def add_to(self, part: AnswerPart, rows: Sequence[int]) -> None:
        """Add the effects of an answer's contexts to the user's part of the prediction, given their rows."""
        at, terms, mean, variance = self.row.at, part.terms, 0.0, 0.0
        for row in rows:
            squares = 0.0
            for index in range(part.count):
                slot = part.slots[index]
                x = terms.factors[slot]
                effect = x * self.row.effects[at, row, terms.effects[slot]] * _UNIT
                part.shares[terms.facet_of[slot]] += effect
                mean += effect
                squares += x * x
            variance += squares * self.variance(row)
        part.mean += mean
        part.variance += variance

    def update(self, part: AnswerPart, rows: Sequence[int], mean_step: float, weight: float) -> None:
        """Train with a like or dislike of an answer, of a weight.

        `mean_step` is per unit of variance, as for every belief.
        """
        terms = part.terms
        for row in rows:
            step = self.step(row, mean_step)
            for index in range(part.count):
                slot = part.slots[index]
                if part.is_trained[terms.facet_of[slot]]:
                    self.move(row, terms.effects[slot], terms.factors[slot], step)
            self.weigh(row, weight)

    def step(self, row: int, mean_step: float) -> float:
        """Return the step of the effects of a row, in their unit; `mean_step` is per unit of variance."""
        return self.variance(row) * mean_step / _UNIT

    def move(self, row: int, term: int, x: float, step: float) -> None:
        """Train an effect with a `step`, by the factor of the value in the answer."""
        at = self.row.at
        mean = _KEPT * (self.row.effects[at, row, term] + x * step)
        self.row.effects[at, row, term] = int(max(-_MOST, min(_MOST, mean)) + _NEAREST - _NEAREST)

    def weigh(self, row: int, weight: float) -> None:
        """Count feedback of a weight in the context of a row."""
        at = self.row.at
        self.row.context_weights[at, row] = _KEPT * float(self.row.context_weights[at, row]) + weight

    def grow(self, terms: int) -> None:
        """Begin the terms that the catalogue gained since there were so many."""
        for row in range(_ROWS):
            for term in range(terms, self.terms):
                self.row.effects[self.row.at, row, term] = 0

    def forget(self, terms: Collection[int]) -> None:
        """Reset some terms to 0 in all contexts."""
        for row in range(_ROWS):
            for term in terms:
                self.row.effects[self.row.at, row, term] = 0

    def drop(self, contexts: Collection[int]) -> list[int]:
        """Free the rows of some contexts, and return these rows."""
        rows = [row for row, key in enumerate(self.keys) if key in contexts]
        for row in rows:
            self._begin(row, 0)
        return rows
