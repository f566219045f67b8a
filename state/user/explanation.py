"""Explanation of a learned value: evidence for and against, the prediction without it, and what would change it."""

from collections.abc import Callable, Iterator, Sequence
from math import sqrt
from typing import Literal, NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.learning.counterfactual import Retrained, without
from state.learning.decisions import TIERS, Beliefs, Decision, decide, liking, limits
from state.learning.feedback_log import Piece, Side
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.preferences import Preferences
from state.learning.value_evidence import ValueEvidence, value_evidence
from state.user.beliefs import believe
from state.user.user_state import UserState
from tacit.contract.limits import Limit
from tacit.contract.signals import Tier

Removal = Literal["for", "against", "all"]
"""Feedback that a prediction leaves out: for the value, against it, or all on the facet."""


class Prediction(NamedTuple):
    """The decision on a facet with its numbers."""

    slot: int
    runner_up: int
    confidence: float
    tier: Tier
    liked: float
    """Chance of a like of an answer with the value."""
    limits: tuple[Limit, ...]


class ValueBelief(NamedTuple):
    """The belief about one value, and its evidence."""

    slot: int
    liked: float
    mean: float
    """Difference from the population."""
    sd: float
    evidence: ValueEvidence


class Without(NamedTuple):
    """The prediction with some feedback removed."""

    removal: Removal
    pieces: int
    """Pieces of feedback that are removed."""
    prediction: Prediction
    is_complete: bool
    """No feedback from before the log stays in the prediction."""


class Explanation(NamedTuple):
    """The explanation of one facet."""

    facet: int
    prediction: Prediction
    default: int | None
    """Value for an unknown user."""
    values: tuple[ValueBelief, ...]
    without: tuple[Without, ...]
    """Removals of different pieces, at least one each."""
    drift_at_ms: int
    uncounted: bool
    """Some feedback came before evidence was counted per value."""


def explain(state: UserState, facet: int, prior: Prior) -> Explanation:
    """Return the explanation of a facet that is in the catalogue."""
    beliefs = state.beliefs(prior)
    own, evidence = beliefs.own, value_evidence(beliefs.own)
    decided = predict(beliefs, facet)
    values = [_belief(beliefs, slot, evidence[slot]) for slot in prior.catalogue.facet_slots[facet]]
    removed = _removed(state, facet, decided.slot, prior) if state.preferences is not None else ()
    return Explanation(
        facet,
        decided,
        prior.default_slots[facet],
        tuple(values),
        tuple(removed),
        own.drift.at_s[facet] * 1000,
        own.log.uncounted,
    )


def predict(beliefs: Beliefs, facet: int) -> Prediction:
    """Return the decision on a facet with its numbers."""
    decision: Decision = decide(beliefs, facet)
    return Prediction(
        decision.slot,
        decision.runner_up,
        decision.confidence,
        TIERS[decision.tier],
        liking(beliefs, decision.slot),
        limits(beliefs, facet, decision),
    )


def _belief(beliefs: Beliefs, slot: int, evidence: ValueEvidence) -> ValueBelief:
    mean, variance = beliefs.own.value(slot)
    return ValueBelief(slot, liking(beliefs, slot), mean, sqrt(variance), evidence)


def _removed(state: UserState, facet: int, slot: int, prior: Prior) -> Iterator[Without]:
    assert state.preferences is not None  # noqa: S101  # the caller checks
    known: list[Sequence[Piece]] = [[]]
    for removal, removes in _removals(prior.catalogue, facet, slot).items():
        retrained = without(state.preferences, prior.factors, removes)
        if retrained.removed not in known:
            known.append(retrained.removed)
            yield _without(state, removal, retrained, facet, prior)


def _removals(catalogue: NumberedCatalogue, facet: int, slot: int) -> dict[Removal, Callable[[Piece], bool]]:
    facet_of = catalogue.slot_facets
    return {
        "for": lambda piece: piece.sides(facet_of).get(slot) is Side.FOR,
        "against": lambda piece: piece.sides(facet_of).get(slot) is Side.AGAINST,
        "all": lambda piece: any(facet_of[trained] == facet for trained in piece.sides(facet_of)),
    }


def _without(state: UserState, removal: Removal, retrained: Retrained, facet: int, prior: Prior) -> Without:
    own: OwnBeliefs | Preferences = retrained.own
    prediction = predict(believe(own, prior, state.windows), facet)
    return Without(removal, len(retrained.removed), prediction, retrained.is_complete)
