"""How likely a person is to like an answer: what anybody would think of it and how this person differs, together."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from state.learning.population_version import Gaussian
from state.learning.probit import normal_cdf

NOISE_VARIANCE = 1.0
"""Variance of a single judgement."""


class Own(NamedTuple):
    """What a person's own beliefs add to a prediction."""

    mean: float
    variance: float
    bias: float
    """The bias's part of `mean`; the rest is in `shares`."""
    shares: dict[int, float]
    """By facet."""


class Factors(NamedTuple):
    """How much to make of each part of a prediction (state.learning.stacking)."""

    offset: float
    population: float
    bias: float
    own: Sequence[Gaussian]
    """By facet."""


CERTAIN = Gaussian(1.0, 0.0)
ALL_TRUSTED = Factors(0.0, 1.0, 1.0, (CERTAIN,) * 255)


class Expected(NamedTuple):
    """How anybody would judge an answer."""

    mean: float
    variance: float
    """Of one judgement: the noise included."""
    factors: Factors

    def trusted(self, own: Own) -> float:
        """Return the mean of this person's judgement, each part counting as much as it has proved to be worth."""
        offset, population, bias, trust = self.factors
        mean = offset + population * self.mean + bias * own.bias
        for facet, share in own.shares.items():
            mean += trust[facet].mean * share
        return mean

    def chance(self, own: Own) -> float:
        """Return the chance that this person likes the answer, 0–1."""
        return normal_cdf(self.trusted(own) / sqrt(self.variance + own.variance))


NOTHING_EXPECTED = Expected(0.0, NOISE_VARIANCE, ALL_TRUSTED)
