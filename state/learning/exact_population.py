"""The population model without privacy, for evaluations: each feedback moves the beliefs at once, without noise.

The difference between the figures of this model and those of the released one is the price of privacy. A version of
this model shows single pieces of feedback, so no command publishes it.
"""

from collections.abc import Mapping, Sequence
from math import sqrt

from state.learning.features import ITEM, popularity_step, prior_variance
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian
from state.learning.probit import corrections
from state.learning.release import SLOPE
from state.learning.shard_votes import ShardVotes, VotedFeature
from state.learning.stacking import Stacking
from state.learning.stacking_sums import CONSTANT, StackingSums

_COMMON = 3
_RESIDUAL_VARIANCE = 0.25


class ExactVotes(ShardVotes):
    """Beliefs by feature that each feedback moves, as adPredictor does: no votes, blocks, noise or contributor rule.

    >>> votes = ExactVotes()
    >>> feature = votes.add("length=concise")
    >>> votes.vote(1, [feature], [], True, 0.0, 1.0, 1.0)
    >>> votes.belief("length=concise")[0] > 0.0
    True
    """

    def use(self, prior: Prior) -> None:
        """Keep the beliefs: they are newer than those of any version."""

    def begin(self, at_ms: int) -> None:
        """Keep the beliefs: there are no seasons."""

    def forget(self, user: int) -> None:
        """Keep the beliefs: an evaluation ends with its process."""

    def belief(self, name: str) -> tuple[float, float]:
        """Return mean and variance of a feature."""
        feature = self.features.get(name)
        return (feature.mean, feature.variance) if feature else (0.0, prior_variance(name))

    def vote(
        self,
        user: int,
        features: list[VotedFeature],
        against: list[VotedFeature],
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
            feature.mean += sign * direction * feature.variance * gain / scale
            feature.variance *= 1.0 - feature.variance * shrink / variance

    def published(self) -> dict[str, Gaussian]:
        """Return all beliefs in all digits."""
        return {name: Gaussian(one.mean, one.variance) for name, one in sorted(self.features.items())}

    def popularity(self) -> dict[str, int]:
        """Return the steps of popularity of all items."""
        return {
            name: popularity_step(len(feature.contributors))
            for name, feature in sorted(self.features.items())
            if name.startswith(ITEM)
        }


class ExactStacking(StackingSums):
    """Stacking factors that each example moves, by an extended Kalman filter's update."""

    def __init__(self, facets: Sequence[str]) -> None:
        """Start with the facets of a catalogue, in its order."""
        self.stacking = Stacking(facets)
        super().__init__(len(self.stacking.parts))

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
        stacking = self.stacking
        for row, one in enumerate(spread):
            gain = one / uncertainty
            stacking.means[row] += (CONSTANT if row == 0 else 1.0) * gain * residual / SLOPE
            stacking.covariance[row] = [
                before - gain * other for before, other in zip(stacking.covariance[row], spread, strict=True)
            ]
        stacking.released += 1

    def _spread(self, numbers: Sequence[int], parts: Sequence[float]) -> list[float]:
        """Return covariance · parts."""
        spread = [0.0] * len(self.stacking.parts)
        for number, part in zip(numbers, parts, strict=True):
            for row, value in enumerate(self.stacking.covariance[number]):
                spread[row] += part * value
        return spread
