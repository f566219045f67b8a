"""Belief → signal: which value, how sure, what Copilot may do with it, and why."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.learning import drift
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion, PopulationWrite, encode_version
from state.learning.prediction import Expected, Own
from state.learning.preferences import MODEL_VERSION, Preferences
from state.learning.probit import normal_cdf
from tacit.contract.signals import Signal, Source, Tier, encode
from tacit.contract.versions import version

HINT_FROM = 0.6
"""Probability of beating the default from which Copilot may lean towards a value."""
APPLY_FROM = 0.8
"""Probability of beating the runner-up from which it may apply it."""
SHARPNESS = 1.5
"""By how much preferences are surer than variances say, which forgetting keeps large: measured in simulations, in which
0.8 is right four times in five."""
EXPLORE = 0.05
"""Share of conversations in which another value of the facet should be tried."""
MOVED = 0.05
"""A signal is emitted again when its confidence has moved by this much."""
MAX_REASONS = 3

TIERS: tuple[Tier, ...] = ("default", "hint", "apply")


class Beliefs(NamedTuple):
    """All that is believed of one person's taste."""

    own: Preferences
    prior: Prior
    leaning: Sequence[float] = ()
    """What their topics add, by slot; empty: nothing (`Prior.leaning`)."""


class Decision(NamedTuple):
    """What is believed of one facet now: what is needed to tell whether it has to be said anew."""

    slot: int
    runner_up: int
    confidence: float
    """Probability that `slot` beats `runner_up`."""
    tier: int
    """Index into `TIERS`."""


class Finding(NamedTuple):
    """A decision that is news, with all that its signal will say, as numbers.

    Of a person's findings in one batch only the last is written, so putting them into words waits until then.
    """

    decision: Decision
    liked: float
    """The chance of a like of an answer with the decision's value, 0–1."""
    runner_up_liked: float
    default: int | None
    """Slot."""
    evidence: float
    drift_at_ms: int
    reasons: Sequence[int]
    """Count by feedback kind."""
    population: int
    """Version."""
    at_ms: int
    seq: int


def decide(beliefs: Beliefs, facet: int) -> Decision:
    """Return the best value of a facet. Of equals the default wins, then the first in the catalogue."""
    own, prior, leaning = beliefs
    catalogue, means, population = own.catalogue, own.means, prior.means
    everybody, trust = prior.factors.population, prior.factors.own[facet]
    places, slope = catalogue.slot_places, means[len(population) + facet]
    best, second = -1, -1
    best_mean = second_mean = float("-inf")
    default, default_mean = prior.default_slots[facet], 0.0
    for slot in catalogue.facet_slots[facet]:
        shared = population[slot] + leaning[slot] if leaning else population[slot]
        mean = everybody * shared + trust.mean * (means[slot] + places[slot] * slope)
        if slot == default:
            default_mean = mean
        if mean > best_mean:
            best, best_mean, second, second_mean = slot, mean, best, best_mean
        elif mean > second_mean:
            second, second_mean = slot, mean
    if default is not None and default != best and default_mean == best_mean:
        best, second = default, best
    confidence = beats = _confidence(beliefs, best, second, best_mean - second_mean, trust)
    if default is not None and default not in (best, second):
        beats = _confidence(beliefs, best, default, best_mean - default_mean, trust)
    tier = 0 if facet in prior.silent else _tier(confidence, beats, own.fresh[facet])
    return Decision(best, second, confidence, tier)


def _confidence(beliefs: Beliefs, slot: int, other: int, difference: float, trust: Gaussian) -> float:
    """Return the probability that the person likes one value better than another, given by how much on average."""
    own, prior, _ = beliefs
    mean, variance = own.difference(slot, other)
    variance = trust.mean**2 * variance + trust.variance * mean * mean
    variance += prior.factors.population**2 * (prior.variances[slot] + prior.variances[other])
    return normal_cdf(SHARPNESS * difference / sqrt(variance))


def _tier(confidence: float, beats_default: float, fresh: int) -> int:
    """Return the tier: what Copilot would do without a hint is to use the default, so that is what has to be beaten."""
    tier = (max(confidence, beats_default) >= HINT_FROM) + (confidence >= APPLY_FROM)
    return max(0, tier - 1) if fresh < drift.SETTLED else tier


def find(beliefs: Beliefs, facet: int, decision: Decision, at_ms: int, seq: int) -> Finding:
    """Return a decision with the numbers behind it, as they are now."""
    own, prior, _ = beliefs
    kinds = len(own.catalogue.feedback_names)
    return Finding(
        decision,
        _liking(beliefs, decision.slot),
        _liking(beliefs, decision.runner_up),
        prior.default_slots[facet],
        own.evidence[facet],
        own.drift_at_s[facet] * 1000,
        own.reasons[facet * kinds : (facet + 1) * kinds],
        prior.number,
        at_ms,
        seq,
    )


def _liking(beliefs: Beliefs, slot: int) -> float:
    """Return the chance of a like of an answer of which this value is all that is known."""
    own, prior, leaning = beliefs
    mean, variance = prior.of_value(slot, own.feedback_count)
    share, own_variance = own.value(slot)
    bias, facet = own.means[-1], own.catalogue.slot_facets[slot]
    expected = Expected(mean + leaning[slot] if leaning else mean, variance, prior.factors)
    return expected.chance(Own(bias + share, own.variances[-1] + own_variance, bias, {facet: share}))


def learned_signal(catalogue: NumberedCatalogue, finding: Finding) -> Signal:
    """Return the signal of what is believed of a facet."""
    decision = finding.decision
    facet = catalogue.slot_facets[decision.slot]
    multiple = catalogue.facets[catalogue.facet_names[facet]].multiple
    source: Source = "learned" if finding.evidence or not finding.population else "population"
    return Signal(
        v=version(finding.at_ms, finding.seq),
        value=catalogue.slots[decision.slot].value,
        p=round(finding.liked, 3),
        confidence=round(decision.confidence, 3),
        tier=TIERS[decision.tier],
        source=source,
        evidence=round(finding.evidence, 1),
        runner_up=catalogue.slots[decision.runner_up].value,
        gap=round(finding.liked - finding.runner_up_liked, 3),
        default=_value(catalogue, finding.default),
        explore=0.0 if multiple else EXPLORE,
        drift_at=finding.drift_at_ms or None,
        why=reasons(catalogue, finding.reasons),
        by=versions(catalogue, finding.population),
        at=finding.at_ms,
    )


def pinned_signal(slot: int, prior: Prior, at_ms: int, seq: int) -> Signal:
    """Return the signal of a facet that the person has set: it outranks everything learned."""
    catalogue = prior.catalogue
    facet, value = catalogue.slots[slot]
    return Signal(
        v=version(at_ms, seq),
        value=value,
        p=None,
        confidence=None,
        tier="apply",
        source="user",
        evidence=0.0,
        runner_up=None,
        gap=None,
        default=_value(catalogue, prior.default_slots[facet]),
        explore=0.0,
        drift_at=None,
        why=(),
        by=versions(catalogue, prior.number),
        at=at_ms,
    )


def population_signals(prior: Prior, at_ms: int) -> list[tuple[str, Signal]]:
    """Return (facet, signal) for someone of whom nothing is known, of each facet of the catalogue."""
    catalogue = prior.catalogue
    beliefs = Beliefs(Preferences(catalogue), prior)
    return [
        (name, learned_signal(catalogue, find(beliefs, facet, decide(beliefs, facet), at_ms, prior.number)))
        for name, facet in catalogue.facet_index.items()
    ]


def population_write(prior: Prior, published: PopulationVersion) -> PopulationWrite:
    """Return a version, of which `prior` was made, as it is written to Redis."""
    defaults = [(name, encode(signal)) for name, signal in population_signals(prior, published.at)]
    return PopulationWrite(published.n, published.at, published.examples, encode_version(published), tuple(defaults))


def _value(catalogue: NumberedCatalogue, slot: int | None) -> str | None:
    return None if slot is None else catalogue.slots[slot].value


def reasons(catalogue: NumberedCatalogue, counts: Sequence[int]) -> tuple[tuple[str, int], ...]:
    """Return the feedback kinds that weigh most, heaviest first, with their counts; `counts` is by kind.

    Kinds that are no longer in the catalogue count for nothing.
    """
    names = catalogue.feedback_names
    weighed = [
        (-count * kind.weight, names[number], count)
        for number, kind in catalogue.feedback_kinds.items()
        if (count := counts[number])
    ]
    weighed.sort()
    return tuple([(name, count) for _, name, count in weighed[:MAX_REASONS]])


def versions(catalogue: NumberedCatalogue, population: int) -> str:
    """Return what decided, as signals carry it: versions of model, catalogue and population belief (0: none)."""
    return f"m{MODEL_VERSION}.c{catalogue.version}.p{population}"
