"""Mood of a user: a bias that moves fast and decays within hours.

A user who dislikes one answer often dislikes the next ones too, without a new taste. The mood takes this in, so that
the beliefs about values do not.
"""

import math

from state.row.row import Row

VARIANCE = 0.1
"""Prior variance."""
KEPT = 0.9
"""Share of the mean that survives a piece of feedback; the variance returns toward the prior alike."""
DECAY_S = 2 * 3_600
"""Time in which the mean falls to 1/e."""
MAX_S = 2**32 - 1
"""Latest time that the state holds, in the year 2106; later times count as this one."""

_VARIANCE, _KEPT, _DECAY_S, _MAX_S = VARIANCE, KEPT, DECAY_S, MAX_S
_KEPT_VARIANCE = KEPT * KEPT
_REGAINED = 1.0 - _KEPT_VARIANCE


class Mood:
    """The mood at the time of the newest feedback."""

    def __init__(self, row: Row) -> None:
        self.row = row

    @property
    def belief(self) -> list[float]:
        """Mean and variance."""
        return [float(self.row.mood[self.row.at]), float(self.row.mood_variance[self.row.at])]

    @property
    def at_s(self) -> int:
        """Event time in seconds; 0: no feedback so far."""
        return self.row.mood_s[self.row.at]

    def begin(self) -> None:
        """Start without feedback."""
        row = self.row
        row.mood[row.at], row.mood_variance[row.at], row.mood_s[row.at] = 0.0, _VARIANCE, 0

    def clear(self) -> None:
        """Zero all fields."""
        row = self.row
        row.mood[row.at], row.mood_variance[row.at], row.mood_s[row.at] = 0.0, 0.0, 0

    def move_to(self, at_ms: int) -> None:
        """Let the mood decay until a time; an earlier time changes nothing."""
        row, at = self.row, self.row.at
        at_s, before_s = min(at_ms // 1000, _MAX_S), row.mood_s[at]
        if at_s <= before_s:
            return
        if before_s:
            kept = math.exp((before_s - at_s) / _DECAY_S)
            mean, variance = float(row.mood[at]), float(row.mood_variance[at])
            row.mood[at] = kept * mean
            row.mood_variance[at] = _VARIANCE + kept * kept * (variance - _VARIANCE)
        row.mood_s[at] = at_s

    def update(self, mean_step: float, variance_step: float) -> None:
        """Train with feedback; both steps are per unit of variance, as for every belief."""
        row, at = self.row, self.row.at
        mean, v = float(row.mood[at]), float(row.mood_variance[at])
        row.mood[at] = _KEPT * (mean + v * mean_step)
        row.mood_variance[at] = _KEPT_VARIANCE * v * (1.0 - v * variance_step) + _REGAINED * _VARIANCE
