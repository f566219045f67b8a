"""Mood of a user: a bias that moves fast and decays within hours.

A user who dislikes one answer often dislikes the next ones too, without a new taste. The mood takes this in, so that
the beliefs about values do not.
"""

from array import array
from math import exp

VARIANCE = 0.1
"""Prior variance."""
KEPT = 0.9
"""Share of the mean that survives a piece of feedback; the variance returns toward the prior alike."""
DECAY_S = 2 * 3_600
"""Time in which the mean falls to 1/e."""
MAX_S = 2**32 - 1
"""Latest time that the state holds, in the year 2106; later times count as this one."""

_KEPT_VARIANCE = KEPT * KEPT


class Mood:
    """The mood at the time of the newest feedback."""

    __slots__ = ("at_s", "belief")

    def __init__(self) -> None:
        self.belief = array("f", (0.0, VARIANCE))
        """Mean and variance."""
        self.at_s = 0
        """Event time in seconds; 0: no feedback so far."""

    def move_to(self, at_ms: int) -> None:
        """Let the mood decay until a time; an earlier time changes nothing."""
        at_s = min(at_ms // 1000, MAX_S)
        if at_s <= self.at_s:
            return
        if self.at_s:
            kept = exp((self.at_s - at_s) / DECAY_S)
            mean, variance = self.belief
            self.belief[0] = kept * mean
            self.belief[1] = VARIANCE + kept * kept * (variance - VARIANCE)
        self.at_s = at_s

    def update(self, mean_step: float, variance_step: float) -> None:
        """Train with feedback; both steps are per unit of variance, as for every belief."""
        mean, v = self.belief
        self.belief[0] = KEPT * (mean + v * mean_step)
        self.belief[1] = _KEPT_VARIANCE * v * (1.0 - v * variance_step) + (1.0 - _KEPT_VARIANCE) * VARIANCE

    def copy(self) -> "Mood":
        """Return an independent copy."""
        twin = Mood()
        twin.belief, twin.at_s = self.belief[:], self.at_s
        return twin
