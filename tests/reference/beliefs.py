"""Beliefs about a user: the difference from the population (Graepel, Candela, Borchert, Herbrich, ICML 2010)."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue, Shape
from tests.reference.contexts import UNIT, ContextEffects, Mood
from tests.reference.evidence import Log
from tests.reference.rounding import f32

BIAS_VARIANCE = 0.3
SLOPE_VARIANCE = 0.2
VALUE_VARIANCES = {Shape.SINGLE: 0.1, Shape.ORDERED: 0.03, Shape.MULTIPLE: 0.05}


class Part(NamedTuple):
    """Mean and variance of a part of a prediction."""

    mean: float
    variance: float


class UserPart(NamedTuple):
    """The user model's part of a prediction; `shares` is by facet."""

    mean: float
    variance: float
    bias: float
    shares: dict[int, float]


class OwnBeliefs:
    """Beliefs by term: the values, then the slope of each facet, then the bias."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        self.catalogue = catalogue
        slots, facets, _ = catalogue.sizes
        self.slopes = slots
        """Term of the first facet's slope."""
        self.priors = [VALUE_VARIANCES[shape] for shape in catalogue.slot_shapes]
        self.priors += [SLOPE_VARIANCE] * facets + [BIAS_VARIANCE]
        self.means = [0.0] * len(self.priors)
        self.variances = [f32(variance) for variance in self.priors]
        self.mood = Mood()
        self.contexts = ContextEffects(catalogue.terms_of(slots))
        self.log = Log(slots)
        self.feedback_count = 0
        self.population = 0

    def adopt(self, catalogue: NumberedCatalogue) -> bool:
        """Change to a later catalogue, and return whether effects of contexts start again: a facet became ordered."""
        before, slots = self.catalogue, len(self.catalogue.slots)
        new = OwnBeliefs(catalogue)
        for term in range(slots):
            new.means[term], new.variances[term] = self.means[term], self.variances[term]
        for facet in range(len(before.facet_names)):
            ours, theirs = self.slopes + facet, new.slopes + facet
            new.means[theirs], new.variances[theirs] = self.means[ours], self.variances[ours]
        new.means[-1], new.variances[-1] = self.means[-1], self.variances[-1]
        new.mood, new.feedback_count, new.population = self.mood, self.feedback_count, self.population
        self.log.grow(len(catalogue.slots))
        new.log = self.log
        starts_again = before.terms_check(slots) != catalogue.terms_check(slots)
        if not starts_again:
            self.contexts.grow(catalogue.terms_of(len(catalogue.slots)))
            new.contexts = self.contexts
        vars(self).update(vars(new))
        return starts_again

    def forget(self, facets: Collection[int]) -> None:
        """Reset facets; the bias stays, unless no other facet has feedback."""
        facet_of, new = self.catalogue.slot_facets, OwnBeliefs(self.catalogue)
        if not any(self.has_feedback(facet) for facet in range(len(self.catalogue.facet_names)) if facet not in facets):
            vars(self).update(vars(new))
            return
        slots = [slot for slot, facet in enumerate(facet_of) if facet in facets]
        for term in (*slots, *(self.slopes + facet for facet in facets)):
            self.means[term], self.variances[term] = new.means[term], new.variances[term]
        self.contexts.forget({self.catalogue.context_terms[slot][0] for slot in slots})
        self.log.forget(facets, facet_of)

    def has_feedback(self, facet: int) -> bool:
        return self.log.has_feedback(slot for slot, its in enumerate(self.catalogue.slot_facets) if its == facet)

    def value(self, slot: int) -> Part:
        """Return the belief about a value."""
        place, slope = self.catalogue.slot_places[slot], self.slopes + self.catalogue.slot_facets[slot]
        mean = self.means[slot] + place * self.means[slope]
        return Part(mean, self.variances[slot] + place * place * self.variances[slope])

    def difference(self, slot: int, other: int) -> Part:
        """Return the belief about the difference between two values of a facet."""
        places, slope = self.catalogue.slot_places, self.slopes + self.catalogue.slot_facets[slot]
        step = places[slot] - places[other]
        mean = self.means[slot] - self.means[other] + step * self.means[slope]
        return Part(mean, self.variances[slot] + self.variances[other] + step * step * self.variances[slope])

    def lasting(self, slots: Sequence[int]) -> UserPart:
        """Return the part of a prediction that lasts: values, slopes and bias."""
        facet_of, places = self.catalogue.slot_facets, self.catalogue.slot_places
        mean, variance = self.means[-1], self.variances[-1]
        shares: dict[int, float] = {}
        for slot in slots:
            place, slope = places[slot], self.slopes + facet_of[slot]
            share = self.means[slot] + place * self.means[slope]
            variance += self.variances[slot]
            variance += place * place * self.variances[slope]
            mean += share
            shares[facet_of[slot]] = shares.get(facet_of[slot], 0.0) + share
        return UserPart(mean, variance, self.means[-1], shares)

    def present(self, lasting: UserPart, slots: Sequence[int], rows: Sequence[int]) -> UserPart:
        """Add the mood and the effects of contexts."""
        catalogue, shares, mean, variance = self.catalogue, dict(lasting.shares), 0.0, 0.0
        for row in rows:
            squares = 0.0
            for slot in slots:
                term, x = catalogue.context_terms[slot]
                effect = x * self.contexts.effects[row][term] * UNIT
                shares[catalogue.slot_facets[slot]] += effect
                mean += effect
                squares += x * x
            variance += squares * self.contexts.variance(row)
        return UserPart(
            lasting.mean + self.mood.mean + mean,
            lasting.variance + self.mood.variance + variance,
            lasting.bias + self.mood.mean,
            shares,
        )

    def keys_of(self, topic: int, surface: int) -> list[int]:
        """Return the contexts of an answer, the topic before the surface."""
        keys = self.catalogue.topic_keys.get(topic), self.catalogue.surface_keys.get(surface)
        return [key for key in keys if key is not None]
