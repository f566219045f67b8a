"""Decisions: from beliefs to the best value of a facet, with confidence and tier."""

from bisect import bisect_right
from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

from state.learning.features import SURE_FROM
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.prediction import PopulationPart, UserPart
from state.learning.probit import normal_cdf
from state.learning.side_sums import PER_WEIGHT
from tacit.contract.limits import APPLY_FROM, HINT_FROM, Limit
from tacit.contract.signals import Tier

SHARPNESS = 1.2
"""Correction of confidences: variances overstate the doubt, because forgetting keeps variances large."""
LAPSE = 0.05
"""Share of preferences that beliefs cannot know: tastes change, and users err. Both numbers are fitted to
closed loops of simulations with the seeds 201 and 202 (docs/learning.md)."""

_STEPS = [NormalDist().inv_cdf((confidence - LAPSE / 2) / (1.0 - LAPSE)) for confidence in SURE_FROM]
"""`SURE_FROM` as arguments of Φ."""

_LEAST_VARIANCE = 1e-12
"""Factors of 0 make all means equal, and each variance 0."""

TIERS: tuple[Tier, ...] = ("default", "hint", "apply")


NO_ROW = -1
"""No row of effects of a context: the decision is general."""


class Beliefs(NamedTuple):
    """All beliefs about a user's preferences."""

    own: OwnBeliefs
    prior: Prior
    leaning: Sequence[float] = ()
    """Part of the user's topics, by slot; empty: no part (`Prior.leaning`)."""
    topics: Sequence[int] = ()
    """The user's main topics, in any order; other numbers may be among them."""


class Decision(NamedTuple):
    """The decision on one facet, as far as a comparison with the last emitted decision needs."""

    slot: int
    runner_up: int
    confidence: float
    """Probability that `slot` beats `runner_up`."""
    tier: int
    """Index into `TIERS`."""


class InContext(NamedTuple):
    """The decision in a context, where it differs from the general one."""

    key: int
    decision: Decision


class Finding(NamedTuple):
    """A decision to emit, with all numbers of the signal.

    Only the last finding of a facet in a batch is written, so signals are made when writes are taken.
    """

    decision: Decision
    liked: float
    """Chance of a like of an answer with the decision's value, 0–1."""
    runner_up_liked: float
    default: int | None
    """Slot."""
    evidence: float
    """Aged weight of the feedback for the value."""
    against: float
    is_learned: bool
    """Some feedback of the user concerned the facet."""
    pieces: bytes
    """Rows of the log of feedback."""
    population: int
    """Version."""
    at_ms: int
    seq: int
    contexts: Sequence[InContext] = ()


def decide(beliefs: Beliefs, facet: int) -> Decision:
    """Return the best value of a facet in general."""
    return decided(beliefs, facet, means(beliefs, facet))


def decided(beliefs: Beliefs, facet: int, found: Sequence[float], row: int = NO_ROW) -> Decision:
    """Return the best value of a facet, given the mean of each value.

    Of equal values the default wins, then the first in the catalogue.
    """
    slots = beliefs.own.catalogue.facet_slots[facet]
    first = max(found)
    place = found.index(first)
    default = beliefs.prior.default_slots[facet]
    if default is not None and found[slots.index(default)] == first:
        place = slots.index(default)
    others = [*found[:place], *found[place + 1 :]]
    second = max(others)
    other_place = others.index(second)
    best, runner_up = slots[place], slots[other_place + (other_place >= place)]
    sure = beats = confidence(beliefs, best, runner_up, first - second, row)
    if default is not None and default != best and default != runner_up:
        beats = confidence(beliefs, best, default, first - found[slots.index(default)], row)
    tier = 0 if facet in beliefs.prior.uninformative else _tier(sure, beats)
    return Decision(best, runner_up, sure, tier)


def means(beliefs: Beliefs, facet: int) -> list[float]:
    """Return the mean of each value of a facet in general, in the catalogue's order."""
    own, prior, leaning, _ = beliefs
    catalogue, own_means, population = own.catalogue, own.means, prior.means
    places, slope = catalogue.slot_places, own_means[len(population) + facet]
    slots, own_factor = catalogue.facet_slots[facet], prior.factors.own[facet].mean
    if not prior.number:
        return [own_factor * (own_means[slot] + places[slot] * slope) for slot in slots]
    factor = prior.factors.population
    shared = [population[slot] + leaning[slot] for slot in slots] if leaning else [population[slot] for slot in slots]
    return [
        factor * one + own_factor * (own_means[slot] + places[slot] * slope)
        for one, slot in zip(shared, slots, strict=True)
    ]


def confidence(beliefs: Beliefs, slot: int, other: int, difference: float, row: int = NO_ROW) -> float:
    """Return the probability that the user likes `slot` better than `other`, in general or in a row's context.

    `difference` is that of the means, at least 0. The prior's shift for the confidence without a shift is added; it
    changes the difference by its own size at most, so the better value stays the better one.
    """
    own, prior, _, _ = beliefs
    own_factor = prior.factors.own[own.catalogue.slot_facets[slot]]
    mean, variance = own.difference(slot, other)
    if row != NO_ROW:
        (term, x), (other_term, y) = own.catalogue.context_terms[slot], own.catalogue.context_terms[other]
        squares = (x - y) ** 2 if term == other_term else x * x + y * y
        variance += squares * own.contexts.variance(row)
    variance = own_factor.mean**2 * variance + own_factor.variance * mean * mean
    variance += prior.factors.population**2 * (prior.variances[slot] + prior.variances[other])
    scale = SHARPNESS / sqrt(max(variance, _LEAST_VARIANCE))
    if prior.shifts:
        difference = _shifted(difference, scale, prior.shifts)
    return LAPSE / 2 + (1.0 - LAPSE) * normal_cdf(scale * difference)


def _shifted(difference: float, scale: float, shifts: Sequence[float]) -> float:
    """Return a difference with the shift of its step; a larger difference never becomes the smaller one."""
    step = bisect_right(_STEPS, scale * difference)
    shifted = difference + max(-difference, min(difference, shifts[step]))
    for end, shift in zip(_STEPS[:step], shifts, strict=False):  # a step begins no lower than the one before has ended
        last = end / scale
        shifted = max(shifted, last + max(-last, min(last, shift)))
    return shifted


def _tier(confidence: float, beats_default: float) -> int:
    """Return the tier. Without a hint an assistant uses the default, so the value has to beat the default."""
    return (max(confidence, beats_default) >= HINT_FROM) + (confidence >= APPLY_FROM)


def limits(beliefs: Beliefs, facet: int, decision: Decision) -> tuple[Limit, ...]:
    """Return all limits that keep a decision's tier below `apply`; empty exactly for `apply`."""
    found: list[Limit] = []
    if facet in beliefs.prior.uninformative:
        found.append("uninformative_facet")
    if decision.confidence < APPLY_FROM:
        is_default = decision.slot == beliefs.prior.default_slots[facet]
        found.append("default_is_better" if is_default else "too_little_evidence")
    return tuple(found)


def find(
    beliefs: Beliefs, facet: int, decision: Decision, at_ms: int, seq: int, contexts: Sequence[InContext] = ()
) -> Finding:
    """Return a decision with the current numbers behind it."""
    own, prior, _, _ = beliefs
    log, slot, totals = own.log, decision.slot, own.log.totals
    return Finding(
        decision,
        liking(beliefs, slot),
        liking(beliefs, decision.runner_up),
        prior.default_slots[facet],
        totals[2 * slot] / PER_WEIGHT,
        totals[2 * slot + 1] / PER_WEIGHT,
        log.has_feedback(own.catalogue.facet_slots[facet], own.means),
        log.rows,
        prior.number,
        at_ms,
        seq,
        contexts,
    )


def liking(beliefs: Beliefs, slot: int) -> float:
    """Return the chance of a like of an answer of which only the value is known."""
    own, prior, leaning, _ = beliefs
    mean, variance = prior.by_feedback_count[own.feedback_count]
    mean += prior.means[slot]
    share, own_variance = own.value(slot)
    bias, facet = own.means[-1], own.catalogue.slot_facets[slot]
    expected = PopulationPart(
        mean + leaning[slot] if leaning else mean, variance + prior.variances[slot], prior.factors
    )
    return expected.chance(UserPart(bias + share, own.variances[-1] + own_variance, bias, {facet: share}))
