"""The chance that a user likes an answer: the part of the population plus the part of the user."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from state.learning.population_version import Gaussian
from state.learning.probit import normal_cdf

NOISE_VARIANCE = 1.0
"""Variance of a single piece of feedback."""


class UserPart(NamedTuple):
    """The part of a prediction from a user's own beliefs."""

    mean: float
    variance: float
    bias: float
    """Share of the bias in `mean`; `shares` holds the rest."""
    shares: dict[int, float]
    """By facet."""


class StackingFactors(NamedTuple):
    """Weights of the parts of a prediction (state.learning.stacking)."""

    offset: float
    population: float
    bias: float
    own: Sequence[Gaussian]
    """By facet."""


CERTAIN = Gaussian(1.0, 0.0)
NEUTRAL_FACTORS = StackingFactors(0.0, 1.0, 1.0, (CERTAIN,) * 255)


class PopulationPart(NamedTuple):
    """The part of a prediction from the population model, for one answer."""

    mean: float
    variance: float
    """Variance of one piece of feedback, noise included."""
    factors: StackingFactors

    def stacked_mean(self, own: UserPart) -> float:
        """Return the mean of the user's feedback, each part weighted by its stacking factor."""
        offset, population, bias, own_factors = self.factors
        mean = offset + population * self.mean + bias * own.bias
        for facet, share in own.shares.items():
            mean += own_factors[facet].mean * share
        return mean

    def chance(self, own: UserPart) -> float:
        """Return the chance of a like, 0–1."""
        return normal_cdf(self.stacked_mean(own) / sqrt(self.variance + own.variance))


NO_POPULATION = PopulationPart(0.0, NOISE_VARIANCE, NEUTRAL_FACTORS)
