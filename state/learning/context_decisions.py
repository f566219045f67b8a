"""Decisions in contexts: topics and surfaces where another value is better than the general one."""

from collections.abc import Sequence

from state.learning.context_effects import ROWS
from state.learning.decisions import NO_ROW, Beliefs, Context, Decision, InContext, confidence, decide, means

CONTEXT_FROM = 0.55
"""Probability of beating the general value, in the context, from which a context has its own value."""
MAX_CONTEXTS = 8
"""Contexts of a user that signals distinguish: those with own effects, then topics with the population's alone."""
POPULATION_FROM = 0.75
"""The same probability for users without own feedback: there the population's noise decides."""


def in_contexts(beliefs: Beliefs, facet: int, general: Decision, above: float = CONTEXT_FROM) -> list[InContext]:
    """Return the decisions on a facet in the user's contexts, where they differ from the general one."""
    found = [(context.key, _differing(beliefs, facet, general, context, above)) for context in _contexts(beliefs)]
    return [InContext(key, decision) for key, decision in found if decision is not None]


def places_at(
    beliefs: Beliefs, facets: Sequence[int], general: Sequence[Decision], rows: Sequence[int]
) -> list[list[tuple[int, int]]]:
    """Return for each facet (row, place of the value there): place among the facet's values, from 1.

    Place 0 is the general value.
    """
    keys, slots = beliefs.own.contexts.keys, beliefs.own.catalogue.facet_slots
    contexts = [context for row in rows if (context := _of_row(beliefs, row, keys[row]))]
    found = []
    for facet, decision in zip(facets, general, strict=True):
        places = []
        for context in contexts:
            there = _differing(beliefs, facet, decision, context, CONTEXT_FROM)
            places.append((context.row, 0 if there is None else 1 + slots[facet].index(there.slot)))
        found.append(places)
    return found


def _contexts(beliefs: Beliefs) -> list[Context]:
    own, prior = beliefs.own, beliefs.prior
    found = [_of_row(beliefs, row, own.contexts.keys[row]) for row in range(ROWS)]
    if prior.number:
        keys, known = own.catalogue.topic_keys, own.contexts.keys
        others = [topic for topic in beliefs.topics if topic in keys and keys[topic] not in known]
        found += [Context(keys[topic], NO_ROW, prior.topic_effects(topic)) for topic in others]
    return [context for context in found if context][:MAX_CONTEXTS]


def _of_row(beliefs: Beliefs, row: int, key: int) -> Context | None:
    """Return the context of a row.

    None for a free row, for a name that left the catalogue, and for a topic that became sensitive.
    """
    catalogue, prior = beliefs.own.catalogue, beliefs.prior
    topic = catalogue.topics_by_key.get(key)
    if topic is not None:
        return Context(key, row, prior.topic_effects(topic) if prior.number else ())
    surface = catalogue.surfaces_by_key.get(key)
    if surface is None:
        return None
    return Context(key, row, prior.surface_leaning(surface, beliefs.leaning) if prior.number else ())


def _differing(beliefs: Beliefs, facet: int, general: Decision, context: Context, above: float) -> Decision | None:
    """Return the decision on a facet in a context; None where the general value stays the best, or nearly."""
    slots, found = beliefs.own.catalogue.facet_slots[facet], means(beliefs, facet, context)
    first, ours = max(found), found[slots.index(general.slot)]
    if first <= ours:
        return None
    decision = decide(beliefs, facet, context)
    beats = confidence(beliefs, decision.slot, general.slot, first - ours, context)
    return decision if beats >= above else None
