"""Off-policy evaluation: the value of following signals against using defaults, estimated from logged choices.

Inverse propensity scoring (Horvitz, Thompson, JASA 47, 1952), self-normalised (Swaminathan, Joachims, "The
self-normalized estimator for counterfactual learning", NeurIPS 2015): an answer with feedback counts for a policy if
the answer had the policy's value, with a weight of 1 / propensity. Each facet is estimated separately, and only from
answers with different signal and default. An answer with a certain choice does not count: there is no alternative.
"""

from dataclasses import dataclass, field
from math import sqrt

from state.learning.example import Acted
from state.learning.population_version import OffPolicy

MIN_PROPENSITY = 0.01
"""Lower bound of a propensity: a single answer must not outweigh a hundred (Ionides, JCGS 17(2), 2008)."""
MIN_ANSWERS = 30
"""Answers of each policy that an estimate takes."""

_Z95 = 1.96


@dataclass(slots=True)
class _Arm:
    """Sums of a policy over the answers with the policy's value."""

    n: int = 0
    weight: float = 0.0
    liked: float = 0.0
    squares: float = 0.0
    """Sum of squared weights of all answers; `liked_squares` of the liked ones."""
    liked_squares: float = 0.0

    def add(self, liked: bool, propensity: float) -> None:
        weight = 1.0 / max(propensity, MIN_PROPENSITY)
        self.n += 1
        self.weight += weight
        self.squares += weight * weight
        if liked:
            self.liked += weight
            self.liked_squares += weight * weight

    @property
    def mean(self) -> float:
        return self.liked / self.weight

    @property
    def variance(self) -> float:
        """Variance of the mean, by the delta method: Σ w²(r − mean)² / (Σ w)²."""
        mean = self.mean
        return (self.liked_squares * (1 - 2 * mean) + mean * mean * self.squares) / self.weight**2


@dataclass(slots=True)
class Comparison:
    """The estimate for a facet.

    >>> comparison = Comparison()
    >>> for turn in range(400):
    ...     comparison.add(Acted(0, turn % 10 > 0, turn % 10 == 0, 0.9 if turn % 10 else 0.1), liked=turn % 3 > 0)
    >>> comparison.estimate().n
    400
    """

    _followed: _Arm = field(default_factory=_Arm)
    _default: _Arm = field(default_factory=_Arm)

    def add(self, acted: Acted, liked: bool) -> None:
        """Add an answer with feedback."""
        if acted.followed:
            self._followed.add(liked, acted.propensity)
        elif acted.used_default:
            self._default.add(liked, acted.propensity)

    def estimate(self) -> OffPolicy | None:
        """Return the estimate; None for too few answers."""
        followed, default = self._followed, self._default
        if min(followed.n, default.n) < MIN_ANSWERS:
            return None
        difference = followed.mean - default.mean
        margin = _Z95 * sqrt(followed.variance + default.variance)
        return OffPolicy(
            followed.n + default.n, followed.mean, default.mean, difference, (difference - margin, difference + margin)
        )
