"""Second implementation of a user model: adPredictor (eq. 8 to 12) with forgetting."""

import math
import struct
from collections.abc import Collection, Mapping, Sequence
from statistics import NormalDist

from state.catalogue.numbered import NumberedCatalogue, Shape
from state.learning.prediction import NO_POPULATION, PopulationPart

NORMAL = NormalDist()
KEPT = 0.99
VALUE_VARIANCES = {Shape.SINGLE: 0.1, Shape.ORDERED: 0.03, Shape.MULTIPLE: 0.05}
Term = tuple[str, int]
BIAS: Term = ("bias", 0)


class Reference:
    """Term by term, in dicts; terms are `("value", slot)`, `("slope", facet)` and the bias."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        self.catalogue = catalogue
        self.prior: dict[Term, float] = {
            ("value", slot): VALUE_VARIANCES[shape] for slot, shape in enumerate(catalogue.slot_shapes)
        }
        self.prior |= {("slope", facet): 0.2 for facet in range(len(catalogue.facet_names))}
        self.prior[BIAS] = 0.3
        self.mean = dict.fromkeys(self.prior, 0.0)
        self.variance = {term: as_float32(variance) for term, variance in self.prior.items()}

    def predict(self, served: Sequence[int], expected: PopulationPart) -> float:
        """Return the probability of a like."""
        return NORMAL.cdf(self._trusted(self._features(served), expected) / self._scale(served, expected))

    def learn(
        self,
        served: Sequence[int],
        liked: bool,
        weight: float = 1.0,
        expected: PopulationPart = NO_POPULATION,
        only: Collection[int] = (),
    ) -> None:
        """Train with a like or a dislike."""
        self._learn(self._features(served), 1 if liked else -1, weight, expected, only)

    def comparison(self, served: int, preferred: int, weight: float, expected: PopulationPart = NO_POPULATION) -> None:
        """Train with directed feedback: another value is preferred to the served one."""
        places = self.catalogue.slot_places
        slope = ("slope", self.catalogue.slot_facets[served])
        x = {("value", preferred): 1.0, ("value", served): -1.0, slope: places[preferred] - places[served]}
        self._learn(x, 1, weight, expected)

    def _features(self, served: Sequence[int]) -> dict[Term, float]:
        x = {("value", slot): 1.0 for slot in served} | {BIAS: 1.0}
        for slot in served:
            if place := self.catalogue.slot_places[slot]:
                x["slope", self.catalogue.slot_facets[slot]] = place
        return x

    def _facet(self, term: Term) -> int | None:
        kind, number = term
        return None if term == BIAS else number if kind == "slope" else self.catalogue.slot_facets[number]

    def _shares(self, x: Mapping[Term, float]) -> dict[int, float]:
        shares: dict[int, float] = {}
        for term, size in x.items():
            facet = self._facet(term)
            if facet is not None:
                shares[facet] = shares.get(facet, 0.0) + size * self.mean[term]
        return shares

    def _trusted(self, x: Mapping[Term, float], expected: PopulationPart) -> float:
        factors = expected.factors
        bias = self.mean[BIAS] if BIAS in x else 0.0
        own = sum(factors.own[facet].mean * share for facet, share in self._shares(x).items())
        return factors.offset + factors.population * expected.mean + factors.bias * bias + own

    def _scale(self, served: Sequence[int], expected: PopulationPart) -> float:
        x = self._features(served)
        return math.sqrt(expected.variance + sum(size**2 * self.variance[term] for term, size in x.items()))

    def _learn(
        self, x: Mapping[Term, float], y: int, weight: float, expected: PopulationPart, only: Collection[int] = ()
    ) -> None:
        sigma = math.sqrt(expected.variance + sum(size**2 * self.variance[term] for term, size in x.items()))
        t = max(-5.0, min(5.0, y * (expected.mean + sum(size * self.mean[term] for term, size in x.items())) / sigma))
        n = NORMAL.pdf(t) / NORMAL.cdf(t)
        w = n * (n + t)
        for term, size in x.items():
            if only and self._facet(term) not in only:
                continue
            mean = self.mean[term] + weight * y * size * self.variance[term] / sigma * n
            variance = self.variance[term] * (1 - weight * size**2 * self.variance[term] / sigma**2 * w)
            self.mean[term] = as_float32(KEPT * mean)
            self.variance[term] = as_float32(KEPT**2 * variance + (1 - KEPT**2) * self.prior[term])


def as_float32(x: float) -> float:
    """Round a number to 32 bits, as the state does."""
    return float(struct.unpack("f", struct.pack("f", x))[0])
