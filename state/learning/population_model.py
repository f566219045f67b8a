"""The population model: River's AdPredictor with weights, a prior per kind of feature, and slow forgetting."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from math import sqrt
from typing import Any

from river import base, linear_model

from state.learning.features import BIAS, prior_variance
from state.learning.population_version import Gaussian
from state.learning.probit import corrections, normal_cdf

KEPT = 0.999999
"""Share of a mean that survives an update of its feature; the variance returns toward the prior at the same rate.

AdPredictor's own `epsilon` forgets toward N(0, 1). Without forgetting, beliefs freeze over months.
"""
CONTRIBUTORS = 20
"""A feature is published once so many different users have contributed."""
MAX_FEATURES = 65_536
"""Limit of features; above it the least known are evicted."""

_KEPT_FEATURES = MAX_FEATURES * 3 // 4


class PopulationModel(linear_model.AdPredictor):
    """A Gaussian belief per feature: Graepel, Candela, Borchert, Herbrich, ICML 2010, on River's AdPredictor.

    Additions to AdPredictor: example weights, a prior variance by kind of feature (state.learning.features), forgetting
    toward this prior, an offset from other beliefs about the same feedback (a user's own), bounded memory, and the
    contributors of each feature. As a River classifier the model takes features with truthy values as active; the
    feature `bias` is always active.

    Parameters
    ----------
    kept
        Share of a mean that survives an update, 0–1.

    Examples
    --------
    >>> population = PopulationModel()
    >>> for _ in range(20):
    ...     population.learn_one({"length=concise": 1}, True)
    ...     population.learn_one({"length=detailed": 1}, False, w=0.5)
    >>> round(population.predict_proba_one({"length=concise": 1})[True], 2)
    0.81
    >>> round(population.predict_proba_one({"length=detailed": 1})[True], 2)
    0.37

    """

    def __init__(self, kept: float = KEPT) -> None:
        super().__init__(beta=1.0, prior_probability=0.5, epsilon=0.0)
        self.kept = kept
        self.contributors: dict[str, array[int]] = {}
        """Feature → hashes of contributors, while these are fewer than `CONTRIBUTORS`."""
        self.public: set[str] = set()
        """Features with enough contributors."""

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"kept": KEPT}

    def belief(self, feature: str) -> Gaussian:
        """Return the belief about a feature."""
        mean = self.means.get(feature)
        return Gaussian(0.0, prior_variance(feature)) if mean is None else Gaussian(mean, self.variances[feature])

    def expect(self, features: Iterable[str]) -> tuple[float, float]:
        """Return mean and variance of the sum of features, without noise."""
        means, variances = self.means, self.variances
        mean = variance = 0.0
        for feature in features:
            known = means.get(feature)
            if known is None:
                variance += prior_variance(feature)
            else:
                mean += known
                variance += variances[feature]
        return mean, variance

    def learn(
        self,
        features: Iterable[str],
        liked: bool,
        weight: float,
        rest: tuple[float, float] = (0.0, 1.0),
        against: Iterable[str] = (),
    ) -> None:
        """Learn from one piece of feedback with a weight of 0–1.

        `rest` is mean and variance of all other parts of the prediction, noise included, and stays unchanged. The
        features of `against` count with the opposite sign: then the feedback compares `features` with `against`.
        """
        means, variances = self.means, self.variances
        mean, variance = rest
        beliefs = []
        for x, active in ((1.0, features), (-1.0, against)):
            for feature in active:
                prior = prior_variance(feature)
                m, v = means.get(feature, 0.0), variances.get(feature, prior)
                mean += x * m
                variance += v
                beliefs.append((feature, x, m, v, prior))
        scale = sqrt(variance)
        sign = 1.0 if liked else -1.0
        gain, shrink = corrections(sign * mean / scale)
        mean_step, variance_step = weight * sign * gain / scale, weight * shrink / variance
        kept = self.kept
        kept_variance = kept * kept
        for feature, x, m, v, prior in beliefs:
            means[feature] = kept * (m + x * v * mean_step)
            variances[feature] = kept_variance * v * (1.0 - v * variance_step) + (1.0 - kept_variance) * prior
        if len(means) > MAX_FEATURES:
            self._evict()

    def _evict(self) -> None:
        """Evict the least known features, unpublished ones first: those with the least reduced variance."""

        def unknown(feature: str) -> tuple[bool, float]:
            return feature not in self.public, self.variances[feature] / prior_variance(feature)

        for feature in sorted(self.means, key=unknown)[_KEPT_FEATURES:]:
            del self.means[feature], self.variances[feature]
            self.contributors.pop(feature, None)
            self.public.discard(feature)

    def add_contributor(self, features: Iterable[str], user: int) -> None:
        """Count a user, given as a 32-bit hash, as a contributor of features."""
        for feature in features:
            if feature in self.public or feature not in self.means:  # evicted meanwhile
                continue
            users = self.contributors.setdefault(feature, array("I"))
            if user in users:
                continue
            users.append(user)
            if len(users) >= CONTRIBUTORS:
                self.public.add(feature)
                del self.contributors[feature]

    def published(self) -> dict[str, Gaussian]:
        """Return the beliefs with enough contributors, rounded to six digits."""
        return {
            feature: Gaussian(round(self.means[feature], 6), round(self.variances[feature], 6))
            for feature in sorted(self.public)
            if feature in self.means
        }

    def restore(self, features: Mapping[str, Gaussian]) -> None:
        """Start from published beliefs."""
        for feature, (mean, variance) in features.items():
            self.means[feature], self.variances[feature] = mean, variance
            self.public.add(feature)

    def learn_one(self, x: dict[Any, Any], y: base.typing.ClfTarget, w: float = 1.0) -> None:
        """Learn from one example (River's interface); magnitudes are ignored."""
        self.learn(_active(x), bool(y), w)

    def predict_proba_one(self, x: dict[Any, Any], **_: Any) -> dict[base.typing.ClfTarget, float]:
        """Return the probabilities of a like (True) and of a dislike (False)."""
        mean, variance = self.expect(_active(x))
        p = normal_cdf(mean / sqrt(self.beta**2 + variance))
        return {True: p, False: 1.0 - p}


def _active(x: dict[Any, Any]) -> list[str]:
    return [BIAS, *(str(feature) for feature, value in x.items() if value)]
