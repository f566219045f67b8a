"""The population model without privacy, for evaluations: each feedback moves the beliefs at once, without noise.

The difference between the figures of this model and those of the released one is the price of privacy. A version of
this model shows single pieces of feedback, so no command publishes it.
"""

from collections.abc import Mapping, Sequence
from math import sqrt

from state.learning.population_model import MAX_FEATURES, Feature, PopulationModel
from state.learning.population_version import Gaussian
from state.learning.probit import corrections
from state.learning.release import SLOPE
from state.learning.stacking import CONSTANT, Stacking

_COMMON = 3
_RESIDUAL_VARIANCE = 0.25


class ExactPopulation(PopulationModel):
    """Beliefs by feature that each feedback moves, as adPredictor does: no votes, blocks, noise or contributor rule.

    >>> population = ExactPopulation()
    >>> population.learn(1, ["length=concise"], True)
    >>> population.belief("length=concise").mean > 0.0
    True
    """

    def vote(
        self,
        user: int,
        features: list[Feature],
        against: list[Feature],
        liked: bool,
        mean: float,
        variance: float,
        share: float,  # noqa: ARG002  each feedback counts in full
    ) -> None:
        """Move the beliefs about the features of an answer."""
        active = [(feature, 1.0) for feature in features] + [(feature, -1.0) for feature in against]
        for feature, sign in active:
            mean += sign * feature.mean
            variance += feature.variance
            feature.contributors.add(feature.position(user))
        scale, direction = sqrt(variance), 1.0 if liked else -1.0
        gain, shrink = corrections(direction * mean / scale)
        for feature, sign in active:
            feature.is_public = True
            feature.mean += sign * direction * feature.variance * gain / scale
            feature.variance *= 1.0 - feature.variance * shrink / variance
        if len(self.features) > MAX_FEATURES:
            self._evict()

    def published(self) -> dict[str, Gaussian]:
        """Return all beliefs in all digits."""
        return {name: Gaussian(one.mean, one.variance) for name, one in sorted(self.features.items())}


class ExactStacking(Stacking):
    """Stacking factors that each example moves, by an extended Kalman filter's update."""

    def add(
        self,
        user: int,  # noqa: ARG002  examples count alike
        population: float,
        bias: float,
        shares: Mapping[int, float],
        residual: float,
        bias_residual: float | None = None,  # noqa: ARG002  the population's bias is a feature of its own here
    ) -> None:
        """Move the factors by an example."""
        numbers = [0, 1, 2, *[_COMMON + facet for facet in shares]]
        parts = [CONSTANT, population, bias, *shares.values()]
        spread = self._spread(numbers, parts)
        uncertainty = _RESIDUAL_VARIANCE / SLOPE**2
        for number, part in zip(numbers, parts, strict=True):
            uncertainty += part * spread[number]
        for row, one in enumerate(spread):
            gain = one / uncertainty
            self.means[row] += (CONSTANT if row == 0 else 1.0) * gain * residual / SLOPE
            self.covariance[row] = [
                before - gain * other for before, other in zip(self.covariance[row], spread, strict=True)
            ]
        self.released += 1

    def _spread(self, numbers: Sequence[int], parts: Sequence[float]) -> list[float]:
        """Return covariance · parts."""
        spread = [0.0] * len(self.parts)
        for number, part in zip(numbers, parts, strict=True):
            for row, value in enumerate(self.covariance[number]):
                spread[row] += part * value
        return spread

    def release_if_due(self) -> bool:
        """Return False: nothing waits for a release."""
        return False
