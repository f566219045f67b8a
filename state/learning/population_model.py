"""What is believed of everybody: River's AdPredictor with weights, a prior per kind of term, and slow forgetting."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from math import sqrt
from typing import Any

from river import base, linear_model

from state.learning.features import BIAS, prior_variance
from state.learning.population_version import Gaussian
from state.learning.probit import corrections, normal_cdf

KEPT = 0.999999
"""Share of a mean that survives a judgement which touches it; the variance goes back toward the prior alike.

AdPredictor's own `epsilon` forgets toward N(0, 1); without any, beliefs freeze over months.
"""
CONTRIBUTORS = 20
"""A term is published once so many different people have contributed to it."""
MAX_TERMS = 65_536
"""Of more than these, the least known are dropped."""

_KEPT_TERMS = MAX_TERMS * 3 // 4


class PopulationModel(linear_model.AdPredictor):
    """A Gaussian belief per term: Graepel, Candela, Borchert, Herbrich, ICML 2010, as River has it, and more.

    What it adds: an example weight, a prior variance by the kind of term (state.learning.features), forgetting toward that prior,
    what others already say of the same judgement (a person's own beliefs), bounded memory, and the people who
    contributed to a term. As a River classifier it takes features whose truthy values are active; `bias` always is.

    Parameters
    ----------
    kept
        Share of a mean that survives a judgement which touches it.

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
        """Term → hashes of the people who contributed, while these are fewer than `CONTRIBUTORS`."""
        self.public: set[str] = set()
        """Terms with enough contributors."""

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"kept": KEPT}

    def belief(self, term: str) -> Gaussian:
        """Return what is believed of a term."""
        mean = self.means.get(term)
        return Gaussian(0.0, prior_variance(term)) if mean is None else Gaussian(mean, self.variances[term])

    def expect(self, terms: Iterable[str]) -> tuple[float, float]:
        """Return mean and variance of all terms together, without the noise."""
        means, variances = self.means, self.variances
        mean = variance = 0.0
        for term in terms:
            known = means.get(term)
            if known is None:
                variance += prior_variance(term)
            else:
                mean += known
                variance += variances[term]
        return mean, variance

    def learn(
        self,
        terms: Iterable[str],
        liked: bool,
        weight: float,
        rest: tuple[float, float] = (0.0, 1.0),
        against: Iterable[str] = (),
    ) -> None:
        """Learn from one judgement.

        `rest` is mean and variance of what else it rested on, the noise included, and is left alone. What is
        `against` counts with the opposite sign: the judgement is that `terms` are better (or, if not `liked`, worse).
        """
        means, variances = self.means, self.variances
        mean, variance = rest
        beliefs = []
        for x, active in ((1.0, terms), (-1.0, against)):
            for term in active:
                prior = prior_variance(term)
                m, v = means.get(term, 0.0), variances.get(term, prior)
                mean += x * m
                variance += v
                beliefs.append((term, x, m, v, prior))
        scale = sqrt(variance)
        sign = 1.0 if liked else -1.0
        gain, shrink = corrections(sign * mean / scale)
        mean_step, variance_step = weight * sign * gain / scale, weight * shrink / variance
        kept = self.kept
        kept_variance = kept * kept
        for term, x, m, v, prior in beliefs:
            means[term] = kept * (m + x * v * mean_step)
            variances[term] = kept_variance * v * (1.0 - v * variance_step) + (1.0 - kept_variance) * prior
        if len(means) > MAX_TERMS:
            self._make_room()

    def _make_room(self) -> None:
        """Drop the terms of which least is known, private ones first: what judgements have narrowed down least."""

        def unknown(term: str) -> tuple[bool, float]:
            return term not in self.public, self.variances[term] / prior_variance(term)

        for term in sorted(self.means, key=unknown)[_KEPT_TERMS:]:
            del self.means[term], self.variances[term]
            self.contributors.pop(term, None)
            self.public.discard(term)

    def contributed(self, terms: Iterable[str], person: int) -> None:
        """Note that a person, given as a 32-bit hash, has contributed to terms that were learned of."""
        for term in terms:
            if term in self.public or term not in self.means:  # there may have been no room for it
                continue
            people = self.contributors.setdefault(term, array("I"))
            if person in people:
                continue
            people.append(person)
            if len(people) >= CONTRIBUTORS:
                self.public.add(term)
                del self.contributors[term]

    def published(self) -> dict[str, Gaussian]:
        """Return the beliefs to which enough people have contributed, to six digits."""
        return {
            term: Gaussian(round(self.means[term], 6), round(self.variances[term], 6))
            for term in sorted(self.public)
            if term in self.means
        }

    def restore(self, terms: Mapping[str, Gaussian]) -> None:
        """Begin with published beliefs."""
        for term, (mean, variance) in terms.items():
            self.means[term], self.variances[term] = mean, variance
            self.public.add(term)

    def learn_one(self, x: dict[Any, Any], y: base.typing.ClfTarget, w: float = 1.0) -> None:
        """Learn from one judgement, as River calls it; magnitudes do not matter."""
        self.learn(_active(x), bool(y), w)

    def predict_proba_one(self, x: dict[Any, Any], **_: Any) -> dict[base.typing.ClfTarget, float]:
        """Return the probability of a like and of a dislike."""
        mean, variance = self.expect(_active(x))
        p = normal_cdf(mean / sqrt(self.beta**2 + variance))
        return {True: p, False: 1.0 - p}


def _active(x: dict[Any, Any]) -> list[str]:
    return [BIAS, *(str(feature) for feature, value in x.items() if value)]
