"""What following the signals is worth against using the defaults, from what Copilot did and what came of it.

Inverse propensity scoring (Horvitz, Thompson, JASA 47, 1952), self-normalised (Swaminathan, Joachims, "The
self-normalized estimator for counterfactual learning", NeurIPS 2015): a judged answer counts for a policy if it had
what the policy would have chosen, and the more the less likely it was to have it. Each facet is looked at by itself,
the others being as they were, and only where its signal and its default differ. Of an answer whose choice was certain
there is nothing to compare with, so it does not count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import sqrt

from state.learning.example import Acted
from state.learning.population_version import OffPolicy
from state.user.sent import Sent

MIN_PROPENSITY = 0.01
"""Smaller ones count as this: one answer must not outweigh a hundred (Ionides, JCGS 17(2), 2008)."""
MIN_ANSWERS = 30
"""Of each policy; with fewer there is no estimate."""

_Z95 = 1.96


def compared(
    acted: Iterable[tuple[int, float]], sent: Sent, defaults: Sequence[int | None], facets: Sequence[int]
) -> list[Acted]:
    """Return the facets of an answer in which the signal and the default differ, and its choice was not certain.

    `acted` is (slot, propensity) as the event has it, `defaults` facet → slot, `facets` slot → facet.
    """
    found = []
    for slot, propensity in acted:
        facet = facets[slot]
        signal, default = sent.slot[facet] if sent.tier[facet] else None, defaults[facet]
        if signal is not None and signal != default and 0.0 < propensity < 1.0:
            found.append(Acted(facet, slot == signal, slot == default, propensity))
    return found


@dataclass(slots=True)
class _Arm:
    """A policy's sums over the answers that had what it would have chosen."""

    n: int = 0
    weight: float = 0.0
    liked: float = 0.0
    squares: float = 0.0
    """Of the weights of all, and below, of the liked."""
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
        """Of the mean, by the delta method: Σ w²(r − mean)² / (Σ w)²."""
        mean = self.mean
        return (self.liked_squares * (1 - 2 * mean) + mean * mean * self.squares) / self.weight**2


@dataclass(slots=True)
class Comparison:
    """The estimate for one facet.

    >>> comparison = Comparison()
    >>> for turn in range(400):
    ...     comparison.add(Acted(0, turn % 10 > 0, turn % 10 == 0, 0.9 if turn % 10 else 0.1), liked=turn % 3 > 0)
    >>> comparison.estimate().n
    400
    """

    _followed: _Arm = field(default_factory=_Arm)
    _default: _Arm = field(default_factory=_Arm)

    def add(self, acted: Acted, liked: bool) -> None:
        """Take in one judged answer."""
        if acted.followed:
            self._followed.add(liked, acted.propensity)
        elif acted.used_default:
            self._default.add(liked, acted.propensity)

    def estimate(self) -> OffPolicy | None:
        """Return the estimate; None with too few answers."""
        followed, default = self._followed, self._default
        if min(followed.n, default.n) < MIN_ANSWERS:
            return None
        difference = followed.mean - default.mean
        margin = _Z95 * sqrt(followed.variance + default.variance)
        return OffPolicy(
            followed.n + default.n, followed.mean, default.mean, difference, (difference - margin, difference + margin)
        )
