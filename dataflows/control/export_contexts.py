"""Beliefs and emitted values of a user in contexts, for an export."""

from dataflows.control.export_document import ContextBeliefs, ContextEffect, MoodBelief
from state.catalogue.numbered import NumberedCatalogue, Shape
from state.learning.context_effects import ROWS, UNIT, ContextEffects
from state.learning.mood import Mood
from state.user.emitted import Emitted


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


def emitted_contexts(
    emitted: Emitted, facet: int, contexts: ContextEffects, catalogue: NumberedCatalogue
) -> dict[str, str | None]:
    """Return context → value of the last signal on a facet, where the value differed."""
    slots = catalogue.facet_slots[facet]
    found = {}
    for row, place in enumerate(emitted.contexts[ROWS * facet : ROWS * (facet + 1)]):
        if place:
            value = catalogue.slots[slots[place - 1]].value if place <= len(slots) else None
            found[_name(contexts.keys[row], catalogue)] = value
    return found


def _name(key: int, catalogue: NumberedCatalogue) -> str:
    return catalogue.context_names.get(key, str(key))


def _effects(contexts: ContextEffects, row: int, catalogue: NumberedCatalogue) -> tuple[ContextEffect, ...]:
    found: dict[int, ContextEffect] = {}
    for slot, (term, _) in enumerate(catalogue.context_terms):
        facet, value = catalogue.slots[slot]
        if effect := contexts.effects[row * contexts.terms + term]:
            is_slope = catalogue.slot_shapes[slot] is Shape.ORDERED
            found[term] = ContextEffect(catalogue.facet_names[facet], None if is_slope else value, effect * UNIT)
    return tuple(found.values())
