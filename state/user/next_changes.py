"""Feedback that would change a decision, found by observing it on a copy of the user's state."""

from collections.abc import Iterator
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE, Kind, Observation
from state.learning.decisions import TIERS, decide
from state.learning.population_prior import Prior
from state.user.rules import Rules
from state.user.user_state import UserState
from tacit.contract.catalogue import FeedbackKind
from tacit.contract.signals import Tier

MOST = 20
"""Pieces of feedback that are tried."""

_STEP_MS = 1_000


class Choice(NamedTuple):
    """The value that assistants serve; None: no value, and no default."""

    slot: int | None
    tier: Tier


class Change(NamedTuple):
    """Feedback that changes the choice of a facet, if nothing else happens."""

    kind: int
    """Feedback kind."""
    slot: int
    """Value of the answers that get the feedback."""
    pieces: int
    """Smallest number of pieces with this choice."""
    becomes: Choice


def choice(state: UserState, facet: int, prior: Prior) -> Choice:
    """Return the choice of a facet by its beliefs, in general; a pin is not regarded.

    Of a careful facet, the tier `default` gives the default. Of all others, it gives the value, with own feedback.
    """
    decision, own = decide(state.beliefs(prior), facet), state.model
    is_served = facet not in prior.catalogue.careful_facets and state.has_preferences and own.has_feedback(facet)
    slot = decision.slot if decision.tier or is_served else prior.default_slots[facet]
    return Choice(slot, TIERS[decision.tier])


def changes(state: UserState, facet: int, rules: Rules) -> list[Change]:
    """Return feedback that would change the choice of a facet, the least first; empty if nothing is learned.

    Tried are likes of each value, dislikes of the value, and directed feedback on it: up to `MOST` pieces on answers of
    which only this facet is known. Of the kinds of likes and dislikes, the one of the largest weight is tried. Of each,
    the first change is returned, and the first change of the value.
    """
    if not state.consent.allows(state.newest_ms, rules.catalogue):
        return []
    decided = decide(state.beliefs(rules.prior), facet).slot
    found = [
        change
        for kind, slot in _tried(rules.catalogue, facet, decided)
        for change in _changes(state, facet, kind, slot, rules)
    ]
    return sorted(found, key=lambda change: change.pieces)


def _tried(catalogue: NumberedCatalogue, facet: int, decided: int) -> Iterator[tuple[int, int]]:
    """Yield feedback kind and served value."""
    kinds, name = catalogue.feedback_kinds, catalogue.facet_names[facet]
    like, dislike = (_heaviest(kinds, label) for label in (True, False))
    if like is not None:
        yield from ((like, slot) for slot in catalogue.facet_slots[facet])
    if dislike is not None:
        yield dislike, decided
    for number, kind in kinds.items():
        if name in kind.moves:
            yield number, decided


def _heaviest(kinds: dict[int, FeedbackKind], label: bool) -> int | None:
    numbers = [number for number, kind in kinds.items() if kind.label is label]
    return max(numbers, key=lambda number: kinds[number].weight, default=None)


def _changes(state: UserState, facet: int, kind: int, slot: int, rules: Rules) -> Iterator[Change]:
    twin = state.copy()
    before = last = choice(twin, facet, rules.prior)
    for pieces in range(1, MOST + 1):
        twin.observe(_feedback(twin, pieces, kind, slot), rules)
        after = choice(twin, facet, rules.prior)
        if after.slot != before.slot or (after != before and last == before):
            yield Change(kind, slot, pieces, after)
        if after.slot != before.slot:
            return
        last = after if last == before else last


def _feedback(state: UserState, number: int, kind: int, slot: int) -> Observation:
    """Return a piece of feedback a second after the user's newest event, on an answer of its own."""
    event = next(hash_ for hash_ in range(number, number + 1_000) if hash_ not in state.events)
    return Observation(
        user=bytes(16),
        at_ms=state.newest_ms + _STEP_MS,
        kind=Kind.INTERACTION,
        event=event,
        turn=0,
        topic=NONE,
        surface=NONE,
        item=0,
        feedback=kind,
        slots=[slot],
        facets=(),
        acted=(),
    )
