"""Decisions: from beliefs to the best value of a facet, in general and in contexts."""

from bisect import bisect_right
from collections.abc import Sequence
from math import fsum, sqrt
from statistics import NormalDist
from typing import NamedTuple

from state.learning.population_prior import Prior
from state.learning.probit import normal_cdf
from tests.reference.activity import Windows
from tests.reference.beliefs import OwnBeliefs
from tests.reference.contexts import ROWS, UNIT

SHARPNESS = 1.2
LAPSE = 0.05
SURE_FROM = (0.7, 0.85)
LEAST_VARIANCE = 1e-12
HINT_FROM = 0.6
APPLY_FROM = 0.8
MAX_CONTEXTS = 8

STEPS = [NormalDist().inv_cdf((confidence - LAPSE / 2) / (1.0 - LAPSE)) for confidence in SURE_FROM]


class Decision(NamedTuple):
    """The decision on a facet; the tier is 0 for `default`, 1 for `hint`, 2 for `apply`."""

    slot: int
    runner_up: int
    confidence: float
    tier: int


MAX_TOPICS = 3


class Context(NamedTuple):
    """A topic or surface: key, row of the user's effects if there is one, and the population's addition by value."""

    key: int
    row: int | None
    shift: Sequence[float]


def leaning(prior: Prior, topics: Sequence[int], weights: Sequence[float]) -> Sequence[float]:
    """Return by slot the average effect of a user's main topics; empty without any."""
    main = sorted(zip(weights, topics, strict=True), reverse=True)[:MAX_TOPICS]
    total = fsum([weight for weight, _ in main])
    if total <= 0:
        return ()
    found = [0.0] * len(prior.means)
    for weight, topic in main:
        share, effects = weight / total, prior.topic_effects(topic).means
        found = [one + share * effect for one, effect in zip(found, effects, strict=True)]
    return found


class Beliefs:
    """All beliefs about a user's preferences."""

    def __init__(self, own: OwnBeliefs, prior: Prior, windows: Windows | None) -> None:
        self.own, self.prior, self.catalogue = own, prior, own.catalogue
        self.topics: Sequence[int] = ()
        self.leaning: Sequence[float] = ()
        if windows is not None and prior.number:
            self.topics = windows.topic_ids
            self.leaning = leaning(prior, windows.topic_ids, windows.topic_weights)

    def means(self, facet: int) -> list[float]:
        """Return the mean of each value of a facet in general, in the catalogue's order."""
        own, prior, places = self.own, self.prior, self.catalogue.slot_places
        slope, found = own.means[own.slopes + facet], []
        for slot in self.catalogue.facet_slots[facet]:
            mean = prior.factors.own[facet].mean * (own.means[slot] + places[slot] * slope)
            shared = prior.means[slot] + (self.leaning[slot] if self.leaning else 0.0)
            found.append(prior.factors.population * shared + mean)
        return found

    def decide(self, facet: int, means: Sequence[float], row: int | None = None) -> Decision:
        """Return the best value; of equal values the default wins, then the first in the catalogue."""
        slots, default = self.catalogue.facet_slots[facet], self.prior.default_slots[facet]
        by_slot = dict(zip(slots, means, strict=True))
        best = max(slots, key=lambda slot: (by_slot[slot], slot == default))
        runner_up = max((slot for slot in slots if slot != best), key=by_slot.__getitem__)
        sure = beats = self.confidence(best, runner_up, by_slot[best] - by_slot[runner_up], row)
        if default is not None and default not in (best, runner_up):
            beats = self.confidence(best, default, by_slot[best] - by_slot[default], row)
        tier = (max(sure, beats) >= HINT_FROM) + (sure >= APPLY_FROM)
        return Decision(best, runner_up, sure, 0 if facet in self.prior.uninformative else tier)

    def confidence(self, slot: int, other: int, difference: float, row: int | None) -> float:
        """Return the probability that the user likes `slot` better than `other`, in general or in a row's context."""
        factor = self.prior.factors.own[self.catalogue.slot_facets[slot]]
        mean, variance = self.own.difference(slot, other)
        if row is not None:
            (term, x), (other_term, y) = self.catalogue.context_terms[slot], self.catalogue.context_terms[other]
            squares = (x - y) ** 2 if term == other_term else x * x + y * y
            variance += squares * self.own.contexts.variance(row)
        variance = factor.mean**2 * variance + factor.variance * mean * mean
        variance += self.prior.factors.population**2 * (self.prior.variances[slot] + self.prior.variances[other])
        scale = SHARPNESS / sqrt(max(variance, LEAST_VARIANCE))
        if self.prior.shifts:
            difference = _shifted(difference, scale, self.prior.shifts)
        return LAPSE / 2 + (1.0 - LAPSE) * normal_cdf(scale * difference)

    def liking(self, slot: int) -> float:
        """Return the chance of a like of an answer of which only the value is known."""
        own, prior = self.own, self.prior
        mean, variance = prior.by_feedback_count[own.feedback_count]
        mean += prior.means[slot]
        if self.leaning:
            mean += self.leaning[slot]
        share, factors = own.value(slot), prior.factors
        stacked = factors.offset + factors.population * mean + factors.bias * own.means[-1]
        stacked += factors.own[self.catalogue.slot_facets[slot]].mean * share.mean
        return normal_cdf(stacked / sqrt(variance + prior.variances[slot] + (own.variances[-1] + share.variance)))

    def contexts(self, rows: Sequence[int] = range(ROWS)) -> list[Context]:
        """Return the user's contexts: those of rows, then topics without a row."""
        own, catalogue, found = self.own, self.catalogue, []
        for row in rows:
            key = own.contexts.keys[row]
            if key in catalogue.topics_by_key:
                found.append(Context(key, row, self._topic_shift(catalogue.topics_by_key[key])))
            elif key in catalogue.surfaces_by_key:
                found.append(Context(key, row, list(self.prior.surface_effects(catalogue.surfaces_by_key[key]).means)))
        for topic in self.topics:
            topic_key = catalogue.topic_keys.get(topic)
            if topic_key is not None and topic_key not in own.contexts.keys:
                found.append(Context(topic_key, None, self._topic_shift(topic)))
        return found[:MAX_CONTEXTS]

    def _topic_shift(self, topic: int) -> Sequence[float]:
        effects = list(self.prior.topic_effects(topic).means)
        if not self.leaning or not effects:
            return effects
        return [effect - general for effect, general in zip(effects, self.leaning, strict=True)]

    def decide_in(
        self, facet: int, general: Decision, contexts: Sequence[Context], above: float = 0.0
    ) -> list[tuple[Context, Decision]]:
        """Return the decisions in contexts, where another value than the general one is better with that confidence."""
        found, factors, own = [], self.prior.factors, self.own
        slots, base = self.catalogue.facet_slots[facet], self.means(facet)
        for context in contexts:
            means = base
            if context.row is not None:
                effects = own.contexts.effects[context.row]
                terms = [self.catalogue.context_terms[slot] for slot in slots]
                unit = factors.own[facet].mean * UNIT
                means = [mean + unit * x * effects[term] for mean, (term, x) in zip(means, terms, strict=True)]
            if context.shift:
                shifts = [factors.population * context.shift[slot] for slot in slots]
                means = [mean + shift for mean, shift in zip(means, shifts, strict=True)]
            lead = max(means) - means[slots.index(general.slot)]
            if lead > 0:
                decision = self.decide(facet, means, context.row)
                if self.confidence(decision.slot, general.slot, lead, context.row) >= above:
                    found.append((context, decision))
        return found


def _shifted(difference: float, scale: float, shifts: Sequence[float]) -> float:
    """Return a difference with the shift of its step; a step begins no lower than the one before has ended."""
    step = bisect_right(STEPS, scale * difference)
    shifted = difference + max(-difference, min(difference, shifts[step]))
    for end, shift in zip(STEPS[:step], shifts, strict=False):
        last = end / scale
        shifted = max(shifted, last + max(-last, min(last, shift)))
    return shifted
