"""Beliefs and emitted values of a user in contexts, for an export."""

from dataflows.control.export_document import ContextBeliefs, ContextEffect, MoodBelief
from state.catalogue.numbered import NumberedCatalogue, Shape
from state.learning.context_effects import UNIT, ContextEffects
from state.learning.mood import Mood
from state.user.user_state import UserState


def mood_belief(mood: Mood) -> MoodBelief:
    """Return the mood as of the newest feedback."""
    mean, variance = mood.belief
    return MoodBelief(mean, variance, mood.at_s * 1000)


def context_beliefs(contexts: ContextEffects, catalogue: NumberedCatalogue) -> tuple[ContextBeliefs, ...]:
    """Return the effects of each context with a row."""
    return tuple(
        ContextBeliefs(_name(key, catalogue), contexts.weights[row], _effects(contexts, row, catalogue))
        for row, key in enumerate(contexts.keys)
        if key
    )


def emitted_contexts(state: UserState, facet: int) -> dict[str, str | None]:
    """Return context → value of the last signal on a facet, where the value differed."""
    catalogue, keys = state.catalogue, state.model.contexts.keys
    slots = catalogue.facet_slots[facet]
    found = {}
    for key, rank in zip(keys, state.row.numbers("emitted_ranks")[facet], strict=True):
        if rank:
            value = catalogue.slots[slots[rank - 1]].value if rank <= len(slots) else None
            found[_name(key, catalogue)] = value
    return found


def _name(key: int, catalogue: NumberedCatalogue) -> str:
    return catalogue.context_names.get(key, str(key))


def _effects(contexts: ContextEffects, row: int, catalogue: NumberedCatalogue) -> tuple[ContextEffect, ...]:
    found: dict[int, ContextEffect] = {}
    for slot, (term, _) in enumerate(catalogue.context_terms):
        facet, value = catalogue.slots[slot]
        if effect := contexts.effects[row][term]:
            is_slope = catalogue.slot_shapes[slot] is Shape.ORDERED
            found[term] = ContextEffect(catalogue.facet_names[facet], None if is_slope else value, effect * UNIT)
    return tuple(found.values())
