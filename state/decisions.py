"""Belief → signal: which value, how sure, what Copilot may do with it, and why."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from state import drift
from state.catalogue import Catalogue
from state.preferences import MODEL_VERSION, NOISE_VARIANCE, Preferences, phi
from state.signals import Signal, Tier, version

HINT_FROM = 0.6
APPLY_FROM = 0.8
"""Confidence from which Copilot may lean towards a value, and from which it may apply it."""
EXPLORE = 0.05
"""Share of conversations in which another value of the facet should be tried."""
MOVED = 0.05
"""A signal is emitted again when its confidence has moved by this much."""
MAX_REASONS = 3

TIERS: tuple[Tier, ...] = ("default", "hint", "apply")


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
    bias: tuple[float, float]
    """Mean and variance, as the next two."""
    best: tuple[float, float]
    runner_up: tuple[float, float]
    evidence: float
    drift_at_ms: int
    reasons: Sequence[int]
    """Count by feedback kind."""
    at_ms: int
    seq: int


def decide(preferences: Preferences, facet: int) -> Decision:
    """Return the best value of a facet. Of equals the catalogue's default wins, then the first in the catalogue."""
    catalogue = preferences.catalogue
    means, slots = preferences.means, catalogue.facet_slots[facet]
    best, second = -1, -1
    best_mean = second_mean = float("-inf")
    for slot in slots:
        mean = means[slot]
        if mean > best_mean:
            best, best_mean, second, second_mean = slot, mean, best, best_mean
        elif mean > second_mean:
            second, second_mean = slot, mean
    default = catalogue.default_slots[facet]
    if default is not None and default != best and means[default] == best_mean:
        best, second = default, best
    variances = preferences.variances
    confidence = phi((best_mean - second_mean) / sqrt(variances[best] + variances[second]))
    return Decision(best, second, confidence, _tier(confidence, preferences.fresh[facet]))


def _tier(confidence: float, fresh: int) -> int:
    tier = (confidence >= HINT_FROM) + (confidence >= APPLY_FROM)
    return max(0, tier - 1) if fresh < drift.SETTLED else tier


def find(preferences: Preferences, facet: int, decision: Decision, at_ms: int, seq: int) -> Finding:
    """Return a decision with the numbers behind it, as they are now."""
    means, variances = preferences.means, preferences.variances
    best, runner_up, kinds = decision.slot, decision.runner_up, len(preferences.catalogue.feedback_names)
    return Finding(
        decision,
        (means[-1], variances[-1]),
        (means[best], variances[best]),
        (means[runner_up], variances[runner_up]),
        preferences.evidence[facet],
        preferences.drift_at_ms[facet],
        preferences.reasons[facet * kinds : (facet + 1) * kinds],
        at_ms,
        seq,
    )


def learned_signal(catalogue: Catalogue, finding: Finding) -> Signal:
    """Return the signal of a facet that was learned."""
    decision = finding.decision
    facet = catalogue.slot_facets[decision.slot]
    best, runner_up = _liking(finding.bias, finding.best), _liking(finding.bias, finding.runner_up)
    multiple = catalogue.facets[catalogue.facet_names[facet]].multiple
    return Signal(
        v=version(finding.at_ms, finding.seq),
        value=catalogue.slots[decision.slot].value,
        p=round(best, 3),
        confidence=round(decision.confidence, 3),
        tier=TIERS[decision.tier],
        source="learned",
        evidence=round(finding.evidence, 1),
        runner_up=catalogue.slots[decision.runner_up].value,
        gap=round(best - runner_up, 3),
        default=default_value(catalogue, facet),
        explore=0.0 if multiple else EXPLORE,
        drift_at=finding.drift_at_ms or None,
        why=reasons(catalogue, finding.reasons),
        by=versions(catalogue),
        at=finding.at_ms,
    )


def pinned_signal(catalogue: Catalogue, slot: int, at_ms: int, seq: int) -> Signal:
    """Return the signal of a facet that the person has set: it outranks everything learned."""
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
        default=default_value(catalogue, facet),
        explore=0.0,
        drift_at=None,
        why=(),
        by=versions(catalogue),
        at=at_ms,
    )


def default_value(catalogue: Catalogue, facet: int) -> str | None:
    """Return the value to use for someone of whom nothing is known; None: say nothing."""
    slot = catalogue.default_slots[facet]
    return None if slot is None else catalogue.slots[slot].value


def reasons(catalogue: Catalogue, counts: Sequence[int]) -> tuple[tuple[str, int], ...]:
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


def versions(catalogue: Catalogue) -> str:
    """Return what decided, as signals carry it: versions of model, catalogue and population belief."""
    return f"m{MODEL_VERSION}.c{catalogue.version}.p0"


def _liking(bias: tuple[float, float], value: tuple[float, float]) -> float:
    """Return the probability that an answer with this value is liked; beliefs are means and variances."""
    return phi((bias[0] + value[0]) / sqrt(NOISE_VARIANCE + bias[1] + value[1]))
