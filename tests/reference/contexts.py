"""Passing parts of a user's liking: the effects of topics and surfaces, and the mood."""

from collections.abc import Collection, Sequence
from math import exp

from tests.reference.rounding import f32

ROWS = 6
EFFECT_VARIANCE = 0.12
KNOWN_PER_WEIGHT = 0.01
KEPT = 0.995
REPLACED_BELOW = 1.0
FADED = 0.9
UNIT = 1.0 / 8192
MOST = 32_767

MOOD_VARIANCE = 0.1
MOOD_KEPT = 0.9
MOOD_DECAY_S = 2 * 3_600
MOOD_MAX_S = 2**32 - 1


class ContextEffects:
    """The effects of contexts, a row each."""

    def __init__(self, terms: int) -> None:
        self.keys = [0] * ROWS
        """Context by row; 0: a free row."""
        self.weights = [0.0] * ROWS
        """Discounted weight of feedback by row."""
        self.effects = [[0] * terms for _ in range(ROWS)]
        """By row and term, in units of `UNIT`."""

    def find(self, contexts: Sequence[int]) -> list[int]:
        """Return the rows of contexts that have one."""
        return [self.keys.index(key) for key in contexts if key in self.keys]

    def open(self, contexts: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return the rows of contexts, the new ones last, and the new ones; there may be no room.

        A new context never takes the row of the answer's other context.
        """
        rows = self.find(contexts)
        opened: list[int] = []
        for key in contexts:
            if key not in self.keys and (row := self._open(key, [*rows, *opened])) is not None:
                opened.append(row)
        return rows + opened, opened

    def _open(self, key: int, kept: Collection[int]) -> int | None:
        if 0 in self.keys:
            row = self.keys.index(0)
        else:
            self.weights = [f32(FADED * weight) for weight in self.weights]
            row = min((row for row in range(ROWS) if row not in kept), key=self.weights.__getitem__)
            if self.weights[row] >= REPLACED_BELOW:
                return None
        self.begin(row, key)
        return row

    def begin(self, row: int, key: int) -> None:
        """Give a row to a context, without effects."""
        self.keys[row], self.weights[row] = key, 0.0
        self.effects[row] = [0] * len(self.effects[row])

    def variance(self, row: int) -> float:
        return EFFECT_VARIANCE / (1.0 + KNOWN_PER_WEIGHT * self.weights[row])

    def update(self, rows: Sequence[int], moved: Sequence[tuple[int, float]], mean_step: float, weight: float) -> None:
        """Train the effects of some terms, given as (term, factor)."""
        for row in rows:
            effects, step = self.effects[row], self.variance(row) * mean_step / UNIT
            for term, x in moved:
                effects[term] = round(max(-MOST, min(MOST, KEPT * (effects[term] + x * step))))
            self.weights[row] = f32(KEPT * self.weights[row] + weight)

    def grow(self, terms: int) -> None:
        self.effects = [effects + [0] * (terms - len(effects)) for effects in self.effects]

    def forget(self, terms: Collection[int]) -> None:
        for effects in self.effects:
            for term in terms:
                effects[term] = 0

    def drop(self, contexts: Collection[int]) -> list[int]:
        """Free the rows of some contexts, and return these rows."""
        rows = [row for row, key in enumerate(self.keys) if key in contexts]
        for row in rows:
            self.begin(row, 0)
        return rows


class Mood:
    """A bias that decays within hours."""

    def __init__(self) -> None:
        self.mean, self.variance = 0.0, f32(MOOD_VARIANCE)
        self.at_s = 0
        """Time of the newest feedback; 0: none."""

    def move_to(self, at_ms: int) -> None:
        """Let the mood decay until a time; an earlier time changes nothing."""
        at_s = min(at_ms // 1000, MOOD_MAX_S)
        if at_s <= self.at_s:
            return
        if self.at_s:
            kept = exp((self.at_s - at_s) / MOOD_DECAY_S)
            self.mean = f32(kept * self.mean)
            self.variance = f32(MOOD_VARIANCE + kept * kept * (self.variance - MOOD_VARIANCE))
        self.at_s = at_s

    def update(self, mean_step: float, variance_step: float) -> None:
        v, kept = self.variance, MOOD_KEPT * MOOD_KEPT
        self.mean = f32(MOOD_KEPT * (self.mean + v * mean_step))
        self.variance = f32(kept * v * (1.0 - v * variance_step) + (1.0 - kept) * MOOD_VARIANCE)
