"""Second implementation of a user model: adPredictor (eq. 8 to 12) with forgetting, a mood, and effects of contexts."""

import math
import struct
from collections.abc import Collection, Mapping, Sequence
from statistics import NormalDist

from state.catalogue.numbered import NumberedCatalogue, Shape
from state.learning.prediction import NO_POPULATION, PopulationPart

NORMAL = NormalDist()
KEPT = 0.995
VALUE_VARIANCES = {Shape.SINGLE: 0.1, Shape.ORDERED: 0.03, Shape.MULTIPLE: 0.05}
Term = tuple[str, int]
BIAS: Term = ("bias", 0)
MOOD: Term = ("mood", 0)
MOOD_VARIANCE, MOOD_KEPT = 0.1, 0.9
EFFECT_VARIANCE, EFFECT_KNOWN = 0.12, 0.01


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
        self.mood = (0.0, as_float32(MOOD_VARIANCE))
        """Mean and variance; the feedback of a test has one time."""
        self.weights: dict[int, float] = {}
        """Context → weight of feedback there."""
        self.effects: dict[tuple[int, int], float] = {}
        """(Context, term) → effect."""

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


class PresentReference(Reference):
    """With the mood and the effects of contexts, which the training of all other terms takes as given."""

    def present(self, served: Sequence[int], expected: PopulationPart, contexts: Collection[int]) -> PopulationPart:
        """Return all parts of a prediction but the lasting ones."""
        terms = [self.catalogue.context_terms[slot] for slot in served]
        mean = math.fsum(x * self.effects.get((key, term), 0.0) for key in contexts for term, x in terms)
        variance = math.fsum(x * x * self.effect_variance(key) for key in contexts for _, x in terms)
        return PopulationPart(
            expected.mean + self.mood[0] + mean, expected.variance + self.mood[1] + variance, expected.factors
        )

    def effect_variance(self, context: int) -> float:
        """Return the variance of each effect of a context."""
        return EFFECT_VARIANCE / (1 + EFFECT_KNOWN * self.weights.get(context, 0.0))

    def predict_present(self, served: Sequence[int], expected: PopulationPart, contexts: Collection[int]) -> float:
        """Return the probability of a like now."""
        factors, x = expected.factors, self._features(served)
        mean = self._trusted(x, expected) + factors.bias * self.mood[0]
        for slot in served:
            term, place = self.catalogue.context_terms[slot]
            own = factors.own[self.catalogue.slot_facets[slot]].mean
            mean += own * place * math.fsum(self.effects.get((key, term), 0.0) for key in contexts)
        present = self.present(served, expected, contexts)
        return NORMAL.cdf(mean / self._scale(served, present))

    def learn_present(
        self, served: Sequence[int], liked: bool, weight: float, expected: PopulationPart, contexts: Collection[int]
    ) -> None:
        """Train with a like or a dislike."""
        present, x = self.present(served, expected, contexts), self._features(served)
        step, shrink = self._steps(x, 1 if liked else -1, weight, present)
        self._learn(x, 1 if liked else -1, weight, present)
        mean, variance = self.mood
        self.mood = (
            as_float32(MOOD_KEPT * (mean + variance * step)),
            as_float32(MOOD_KEPT**2 * variance * (1 - variance * shrink) + (1 - MOOD_KEPT**2) * MOOD_VARIANCE),
        )
        self._move(contexts, [self.catalogue.context_terms[slot] for slot in served], step, weight)

    def compare_present(
        self, served: int, preferred: int, weight: float, expected: PopulationPart, contexts: Collection[int]
    ) -> None:
        """Train with directed feedback in contexts."""
        (term, place), (_, other) = self.catalogue.context_terms[preferred], self.catalogue.context_terms[served]
        step = place - other
        present = PopulationPart(
            expected.mean + step * math.fsum(self.effects.get((key, term), 0.0) for key in contexts),
            expected.variance + step**2 * math.fsum(map(self.effect_variance, contexts)),
            expected.factors,
        )
        places = self.catalogue.slot_places
        slope = ("slope", self.catalogue.slot_facets[served])
        x = {("value", preferred): 1.0, ("value", served): -1.0, slope: places[preferred] - places[served]}
        moved, _ = self._steps(x, 1, weight, present)
        self.comparison(served, preferred, weight, present)
        self._move(contexts, [(term, step)], moved, weight)

    def _steps(self, x: Mapping[Term, float], y: int, weight: float, expected: PopulationPart) -> tuple[float, float]:
        variance = expected.variance + math.fsum(size**2 * self.variance[term] for term, size in x.items())
        mean = expected.mean + math.fsum(size * self.mean[term] for term, size in x.items())
        t = max(-5.0, min(5.0, y * mean / math.sqrt(variance)))
        n = NORMAL.pdf(t) / NORMAL.cdf(t)
        return weight * y * n / math.sqrt(variance), weight * n * (n + t) / variance

    def _move(self, contexts: Collection[int], terms: Sequence[tuple[int, float]], step: float, weight: float) -> None:
        for key in contexts if terms else ():
            variance = self.effect_variance(key)
            for term, x in terms:
                self.effects[key, term] = KEPT * (self.effects.get((key, term), 0.0) + x * variance * step)
            self.weights[key] = KEPT * self.weights.get(key, 0.0) + weight
