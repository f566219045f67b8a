"""Decisions: from beliefs to the best value of a facet, with confidence and tier."""

from collections.abc import Collection, Sequence
from math import sqrt
from typing import NamedTuple

from state.learning.feedback_piece import Side
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian
from state.learning.prediction import PopulationPart, UserPart
from state.learning.probit import normal_cdf
from tacit.contract.limits import APPLY_FROM, HINT_FROM, Limit
from tacit.contract.signals import Tier

SHARPNESS = 1.5
"""Correction of confidences: variances overstate the doubt, because forgetting keeps variances large. Measured in
simulations; with the factor 1.5, a confidence of 0.8 is right four times in five."""

TIERS: tuple[Tier, ...] = ("default", "hint", "apply")


class Beliefs(NamedTuple):
    """All beliefs about a user's preferences."""

    own: OwnBeliefs
    prior: Prior
    leaning: Sequence[float] = ()
    """Part of the user's topics, by slot; empty: no part (`Prior.leaning`)."""


class Decision(NamedTuple):
    """The decision on one facet, as far as a comparison with the last emitted decision needs."""

    slot: int
    runner_up: int
    confidence: float
    """Probability that `slot` beats `runner_up`."""
    tier: int
    """Index into `TIERS`."""


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


def decide_each(beliefs: Beliefs, facets: Collection[int]) -> list[Decision]:
    """Return the decision on each given facet."""
    return [decide(beliefs, facet) for facet in facets]


def decide(beliefs: Beliefs, facet: int) -> Decision:
    """Return the best value of a facet. Of equal values the default wins, then the first in the catalogue."""
    own, prior, leaning = beliefs
    catalogue, means, population = own.catalogue, own.means, prior.means
    population_factor, own_factor = prior.factors.population, prior.factors.own[facet]
    places, slope = catalogue.slot_places, means[len(population) + facet]
    best, second = -1, -1
    best_mean = second_mean = float("-inf")
    default, default_mean = prior.default_slots[facet], 0.0
    for slot in catalogue.facet_slots[facet]:
        shared = population[slot] + leaning[slot] if leaning else population[slot]
        mean = population_factor * shared + own_factor.mean * (means[slot] + places[slot] * slope)
        if slot == default:
            default_mean = mean
        if mean > best_mean:
            best, best_mean, second, second_mean = slot, mean, best, best_mean
        elif mean > second_mean:
            second, second_mean = slot, mean
    if default is not None and default != best and default_mean == best_mean:
        best, second = default, best
    confidence = beats = _confidence(beliefs, best, second, best_mean - second_mean, own_factor)
    if default is not None and default not in (best, second):
        beats = _confidence(beliefs, best, default, best_mean - default_mean, own_factor)
    tier = 0 if facet in prior.uninformative else _tier(confidence, beats)
    return Decision(best, second, confidence, tier)


def _confidence(beliefs: Beliefs, slot: int, other: int, difference: float, own_factor: Gaussian) -> float:
    """Return the probability that the user likes `slot` better than `other`; `difference` of means."""
    own, prior, _ = beliefs
    mean, variance = own.difference(slot, other)
    variance = own_factor.mean**2 * variance + own_factor.variance * mean * mean
    variance += prior.factors.population**2 * (prior.variances[slot] + prior.variances[other])
    return normal_cdf(SHARPNESS * difference / sqrt(variance))


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


def find(beliefs: Beliefs, facet: int, decision: Decision, at_ms: int, seq: int) -> Finding:
    """Return a decision with the current numbers behind it."""
    own, prior, _ = beliefs
    log, slot = own.log, decision.slot
    return Finding(
        decision,
        liking(beliefs, slot),
        liking(beliefs, decision.runner_up),
        prior.default_slots[facet],
        log.total(slot, Side.FOR),
        log.total(slot, Side.AGAINST),
        own.has_feedback(facet),
        log.rows,
        prior.number,
        at_ms,
        seq,
    )


def liking(beliefs: Beliefs, slot: int) -> float:
    """Return the chance of a like of an answer of which only the value is known."""
    own, prior, leaning = beliefs
    mean, variance = prior.by_feedback_count[own.feedback_count]
    mean += prior.means[slot]
    share, own_variance = own.value(slot)
    bias, facet = own.means[-1], own.catalogue.slot_facets[slot]
    expected = PopulationPart(
        mean + leaning[slot] if leaning else mean, variance + prior.variances[slot], prior.factors
    )
    return expected.chance(UserPart(bias + share, own.variances[-1] + own_variance, bias, {facet: share}))
