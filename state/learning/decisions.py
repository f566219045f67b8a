"""Decisions: from beliefs to the best value of a facet, with confidence and tier."""

import math
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

from state.learning.features import SURE_FROM
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.prior_table import NO_SLOT
from state.learning.probit import normal_cdf
from state.learning.side_sums import PER_WEIGHT
from state.row.layout import MAX_TOPICS_KEPT
from tacit.contract.limits import APPLY_FROM, HINT_FROM, Limit
from tacit.contract.signals import Tier

SHARPNESS = 1.2
"""Correction of confidences: variances overstate the doubt, because forgetting keeps variances large."""
LAPSE = 0.05
"""Share of preferences that beliefs cannot know: tastes change, and users err. Both numbers are fitted to
closed loops of simulations with the seeds 201 and 202 (docs/learning.md)."""
MAX_TOPICS = 3
"""Count of a user's main topics that a decision regards."""

_STEPS = [NormalDist().inv_cdf((confidence - LAPSE / 2) / (1.0 - LAPSE)) for confidence in SURE_FROM]
"""`SURE_FROM` as arguments of Φ."""

TIERS: tuple[Tier, ...] = ("default", "hint", "apply")

NO_ROW = -1
"""No row of effects of a context: the decision is general."""

_SHARPNESS = SHARPNESS
_LAPSE_HALF = LAPSE / 2
_NO_LAPSE = 1.0 - LAPSE
_LEAST_VARIANCE = 1e-12
"""Factors of 0 make all means equal, and each variance 0."""
_HINT_FROM = HINT_FROM
_APPLY_FROM = APPLY_FROM
_NO_ROW, _NO_SLOT, _MAX_TOPICS, _MAX_TOPICS_KEPT, _PER_WEIGHT = NO_ROW, NO_SLOT, MAX_TOPICS, MAX_TOPICS_KEPT, PER_WEIGHT


class Decision:
    """The decision on one facet, as far as a comparison with the last emitted decision needs."""

    def __init__(self, slot: int, runner_up: int, confidence: float, tier: int) -> None:
        self.slot = slot
        self.runner_up = runner_up
        self.confidence = confidence
        """Probability that `slot` beats `runner_up`."""
        self.tier = tier
        """Index into `TIERS`."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decision) and self._numbers() == other._numbers()

    def __hash__(self) -> int:
        return hash(self._numbers())

    def __repr__(self) -> str:
        return f"Decision{self._numbers()}"

    def _numbers(self) -> tuple[int, int, float, int]:
        return self.slot, self.runner_up, self.confidence, self.tier


class Beliefs:
    """All beliefs about the preferences of the present user."""

    def __init__(self, own: OwnBeliefs, prior: Prior) -> None:
        """Put a user's own beliefs and the population's together, without the user's topics (`lean`)."""
        self.own = own
        self.row = own.row
        room = len(prior.catalogue.slots)
        self.leaning = array("d", bytes(8 * room))
        """Part of the user's topics, by slot, if `leans`."""
        self.base = array("d", bytes(8 * room))
        """Mean of each value of a facet in general (`means`), in the catalogue's order."""
        self.there = array("d", bytes(8 * room))
        """Mean of each value in a context, likewise."""
        self.renew(prior)

    def renew(self, prior: Prior) -> None:
        """Begin with another prior or another user; topics have no part yet."""
        self.prior = prior
        self.table = prior.table
        self.leans = False

    def lean(self) -> None:
        """Let the user's main topics take part: the average of the population's effects there, by weight."""
        if not self.table.number:
            return
        row, leaning = self.row, self.leaning
        main = self._main_topics()
        total = math.fsum([float(row.topic_weights[row.at, place]) for place in main])
        if total <= 0:
            return
        for slot in range(len(leaning)):
            leaning[slot] = 0.0
        for place in main:
            share = float(row.topic_weights[row.at, place]) / total
            effects = self.prior.topic_effects(row.topic_ids[row.at, place]).means
            for slot in range(len(leaning)):
                leaning[slot] += share * effects[slot]
        self.leans = True

    def lean_like(self, other: "Beliefs") -> None:
        """Let the topics of other beliefs take part."""
        for slot in range(len(self.leaning)):
            self.leaning[slot] = other.leaning[slot]
        self.leans = other.leans

    def _main_topics(self) -> list[int]:
        """Return the places of the topics of most weight, the heaviest first; of equal weights the larger number."""
        main: list[int] = []
        for place in range(_MAX_TOPICS_KEPT):
            at = len(main)
            while at and self._is_heavier(place, main[at - 1]):
                at -= 1
            if at < _MAX_TOPICS:
                main.insert(at, place)
                del main[_MAX_TOPICS:]
        return main

    def _is_heavier(self, place: int, other: int) -> bool:
        row = self.row
        weight, others = float(row.topic_weights[row.at, place]), float(row.topic_weights[row.at, other])
        if weight != others:
            return weight > others
        return row.topic_ids[row.at, place] > row.topic_ids[row.at, other]

    def topics(self) -> list[int]:
        """Return the user's topics; other numbers may be among them."""
        found: list[int] = self.row.numbers("topic_ids")
        return found


class InContext(NamedTuple):
    """The decision in a context, where it differs from the general one."""

    key: int
    decision: Decision


class Finding:
    """A decision to emit, with all numbers of the signal.

    Only the last finding of a facet in a batch is written, so signals are made when writes are taken.
    """

    def __init__(
        self,
        decision: Decision,
        liked: float,
        runner_up_liked: float,
        default: int | None,
        evidence: float,
        against: float,
        is_learned: bool,
        pieces: bytes,
        population: int,
        at_ms: int,
        seq: int,
        contexts: Sequence[InContext] = (),
    ) -> None:
        self.decision = decision
        self.liked = liked
        """Chance of a like of an answer with the decision's value, 0–1."""
        self.runner_up_liked = runner_up_liked
        self.default = default
        """Slot."""
        self.evidence = evidence
        """Aged weight of the feedback for the value."""
        self.against = against
        self.is_learned = is_learned
        """Some feedback of the user concerned the facet."""
        self.pieces = pieces
        """Snapshot of the log of feedback."""
        self.population = population
        """Version."""
        self.at_ms = at_ms
        self.seq = seq
        self.contexts = contexts


def decide(beliefs: Beliefs, facet: int) -> Decision:
    """Return the best value of a facet in general."""
    fill_means(beliefs, facet)
    return decided(beliefs, facet, False, _NO_ROW)


def decided(beliefs: Beliefs, facet: int, is_there: bool, row: int) -> Decision:
    """Return the best value of a facet by the means in `beliefs.base`, or in `beliefs.there` if `is_there`.

    Of equal values the default wins, then the first in the catalogue.
    """
    table = beliefs.table
    found = beliefs.there if is_there else beliefs.base
    start, count = table.starts[facet], table.starts[facet + 1] - table.starts[facet]
    default = table.defaults[facet]
    best, default_place = 0, _NO_SLOT
    for place in range(count):
        if found[place] > found[best]:
            best = place
        if table.slots[start + place] == default:
            default_place = place
    if default_place >= 0 and found[default_place] == found[best]:
        best = default_place
    second = 1 if best == 0 else 0
    for place in range(count):
        if place != best and found[place] > found[second]:
            second = place
    slot, runner_up = table.slots[start + best], table.slots[start + second]
    sure = confidence(beliefs, slot, runner_up, found[best] - found[second], row)
    beats = sure
    if default_place >= 0 and default_place != best and default_place != second:
        beats = confidence(beliefs, slot, default, found[best] - found[default_place], row)
    tier = 0 if table.uninformative[facet] else _tier(sure, beats)
    return Decision(slot, runner_up, sure, tier)


def fill_means(beliefs: Beliefs, facet: int) -> None:
    """Put the mean of each value of a facet in general into `beliefs.base`, in the catalogue's order."""
    table, terms, row, base = beliefs.table, beliefs.own.terms, beliefs.row, beliefs.base
    start, factor, own_factor = table.starts[facet], table.population, table.own_factors[facet]
    slope = float(row.slopes[row.at, facet])
    for place in range(table.starts[facet + 1] - start):
        slot = table.slots[start + place]
        mean = own_factor * (float(row.means[row.at, slot]) + terms.places[slot] * slope)
        if table.number:
            shared = table.means[slot] + beliefs.leaning[slot] if beliefs.leans else table.means[slot]
            mean = factor * shared + mean
        base[place] = mean


def confidence(beliefs: Beliefs, slot: int, other: int, difference: float, row: int) -> float:
    """Return the probability that the user likes `slot` better than `other`, in general or in a row's context.

    `difference` is that of the means, at least 0. The prior's shift for the confidence without a shift is added; it
    changes the difference by its own size at most, so the better value stays the better one.
    """
    own, table = beliefs.own, beliefs.table
    terms = own.terms
    facet = terms.facet_of[slot]
    mean, variance = own.mean_difference(slot, other), own.variance_difference(slot, other)
    if row != _NO_ROW:
        x, y = terms.factors[slot], terms.factors[other]
        squares = math.pow(x - y, 2.0) if terms.effects[slot] == terms.effects[other] else x * x + y * y
        variance += squares * own.contexts.variance(row)
    variance = table.own_squares[facet] * variance + table.own_variances[facet] * mean * mean
    variance += table.population_square * (table.variances[slot] + table.variances[other])
    scale = _SHARPNESS / math.sqrt(max(variance, _LEAST_VARIANCE))
    if beliefs.prior.shifts:
        difference = _shifted(difference, scale, beliefs.prior.shifts)
    return _LAPSE_HALF + _NO_LAPSE * normal_cdf(scale * difference)


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
    tier = 0
    if confidence >= _HINT_FROM or beats_default >= _HINT_FROM:
        tier += 1
    if confidence >= _APPLY_FROM:
        tier += 1
    return tier


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
    own, prior, slot = beliefs.own, beliefs.prior, decision.slot
    row, log = beliefs.row, own.log
    return Finding(
        decision,
        liking(beliefs, slot),
        liking(beliefs, decision.runner_up),
        prior.default_slots[facet],
        row.totals[row.at, 2 * slot] / _PER_WEIGHT,
        row.totals[row.at, 2 * slot + 1] / _PER_WEIGHT,
        log.has_feedback(prior.catalogue.facet_slots[facet]),
        log.snapshot(),
        prior.number,
        at_ms,
        seq,
        contexts,
    )


def liking(beliefs: Beliefs, slot: int) -> float:
    """Return the chance of a like of an answer of which only the value is known."""
    own, table, row = beliefs.own, beliefs.table, beliefs.row
    count = row.feedback_count[row.at]
    mean = table.count_means[count] + table.means[slot]
    if beliefs.leans:
        mean += beliefs.leaning[slot]
    variance = table.count_variances[count] + table.variances[slot]
    bias, share = float(row.bias[row.at]), own.mean(slot)
    stacked = table.offset + table.population * mean + table.bias_factor * bias
    stacked += table.own_factors[own.terms.facet_of[slot]] * share
    own_variance = float(row.bias_variance[row.at]) + own.variance(slot)
    return normal_cdf(stacked / math.sqrt(variance + own_variance))
