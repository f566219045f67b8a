"""Explanation of a learned value: evidence for and against, the prediction without it, and feedback to change it."""

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import Literal, NamedTuple

from state.learning.decisions import TIERS, Beliefs, Decision, decide, liking, limits
from state.learning.evidence_removal import Basis, Removal, remove
from state.learning.feedback_piece import Side
from state.learning.population_prior import Prior
from state.learning.preferences import Preferences
from state.learning.value_evidence import ValueEvidence, value_evidence
from state.user.user_state import UserState
from tacit.contract.limits import Limit
from tacit.contract.signals import Tier

RemovalName = Literal["for", "against", "all"]
"""Feedback that a prediction leaves out: for the value, against it, or all on the facet."""


_SIDES: dict[RemovalName, Side | None] = {"for": Side.FOR, "against": Side.AGAINST, "all": None}


class Prediction(NamedTuple):
    """The decision on a facet with its numbers."""

    slot: int
    runner_up: int
    confidence: float
    tier: Tier
    liked: float
    """Chance of a like of an answer with the value."""
    runner_up_liked: float
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

    removal: RemovalName
    pieces: int
    """Pieces of feedback in the log that are removed."""
    prediction: Prediction
    earlier: float
    """Weight of earlier feedback that is removed."""
    basis: Basis


class Explanation(NamedTuple):
    """The explanation of one facet."""

    facet: int
    prediction: Prediction
    default: int | None
    """Value for an unknown user."""
    values: tuple[ValueBelief, ...]
    evidence: ValueEvidence
    """Evidence for and against the value of the prediction."""
    without: tuple[Without, ...]
    """Removals of different pieces, at least one each."""
    uncounted: bool
    """Some feedback came before evidence was counted per value."""


def explain(state: UserState, facet: int, prior: Prior) -> Explanation:
    """Return the explanation of a facet that is in the catalogue."""
    beliefs = state.beliefs(prior)
    own, evidence = beliefs.own, value_evidence(beliefs.own)
    decided = predict(beliefs, facet)
    values = [_belief(beliefs, slot, evidence[slot]) for slot in prior.catalogue.facet_slots[facet]]
    removed = _removed(state, facet, decided.slot, evidence, prior) if state.has_preferences else ()
    return Explanation(
        facet,
        decided,
        prior.default_slots[facet],
        tuple(values),
        evidence[decided.slot],
        tuple(removed),
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
        liking(beliefs, decision.runner_up),
        limits(beliefs, facet, decision),
    )


def _belief(beliefs: Beliefs, slot: int, evidence: ValueEvidence) -> ValueBelief:
    mean, variance = beliefs.own.value(slot)
    return ValueBelief(slot, liking(beliefs, slot), mean, sqrt(variance), evidence)


def _removed(
    state: UserState, facet: int, slot: int, evidence: Mapping[int, ValueEvidence], prior: Prior
) -> Iterator[Without]:
    own = Preferences.of(state.row.read(), prior.catalogue)
    known: list[set[tuple[int, Side]]] = [set()]
    present = {
        (each, side)
        for each in prior.catalogue.facet_slots[facet]
        for side in Side
        if evidence[each][side].weight or evidence[each][side].newest_ms
    }
    for name, side in _SIDES.items():
        removal = Removal(facet, slot, side)
        covered = {each for each in present if removal.covers(*each)}
        if covered not in known:
            known.append(covered)
            found = remove(own, removal)
            beliefs = Beliefs(found.own, prior)
            beliefs.lean_like(state.beliefs(prior))
            prediction = predict(beliefs, facet)
            yield Without(name, found.pieces, prediction, found.earlier, found.basis)
