"""Decisions in contexts: topics and surfaces where another value is better than the general one."""

from collections.abc import Sequence
from typing import NamedTuple

from state.learning.context_effects import ROWS, UNIT
from state.learning.decisions import NO_ROW, Beliefs, Decision, InContext, confidence, decided

MAX_CONTEXTS = 8
"""Contexts of a user that signals distinguish: those with own effects, then topics with the population's alone."""
POPULATION_FROM = 0.75
"""Probability of beating the general value, in the context, from which a user without own feedback gets another value.

For all others the better one of two means counts: what is served teaches."""

_EVEN = 0.5
"""Probability that any higher mean reaches."""


class Context(NamedTuple):
    """A topic or a surface for a decision."""

    key: int
    """`NumberedCatalogue.topic_keys` or `surface_keys`."""
    row: int
    """Row of the user's own effects; `NO_ROW`: none."""
    shift: Sequence[float]
    """Population's addition to the general mean, by slot; empty: nothing."""


def contexts_of(beliefs: Beliefs) -> list[Context]:
    """Return the contexts of a user."""
    own, prior = beliefs.own, beliefs.prior
    found = contexts_at(beliefs, range(ROWS))
    if prior.number:
        keys, known = own.catalogue.topic_keys, own.contexts.keys
        others = [topic for topic in beliefs.topics if topic in keys and keys[topic] not in known]
        found += [Context(keys[topic], NO_ROW, _topic_shift(beliefs, topic)) for topic in others]
    return found[:MAX_CONTEXTS]


def contexts_at(beliefs: Beliefs, rows: Sequence[int]) -> list[Context]:
    """Return the contexts of rows, without free rows.

    A name that left the catalogue and a topic that became sensitive have no context.
    """
    keys, catalogue, found = beliefs.own.contexts.keys, beliefs.own.catalogue, []
    for row in rows:
        key = keys[row]
        if not key:
            continue
        if key in catalogue.topics_by_key:
            found.append(Context(key, row, _topic_shift(beliefs, catalogue.topics_by_key[key])))
        elif key in catalogue.surfaces_by_key:
            found.append(Context(key, row, beliefs.prior.surface_effects(catalogue.surfaces_by_key[key])))
    return found


def _topic_shift(beliefs: Beliefs, topic: int) -> Sequence[float]:
    effects, leaning = beliefs.prior.topic_effects(topic), beliefs.leaning
    if not leaning or not effects:
        return effects
    return [effect - general for effect, general in zip(effects, leaning, strict=True)]


def decide_in(
    beliefs: Beliefs,
    facet: int,
    general: Decision,
    base: Sequence[float],
    contexts: Sequence[Context],
    above: float = _EVEN,
) -> list[InContext]:
    """Return the decisions on a facet in contexts, where they differ from the general one.

    Args:
        beliefs: all beliefs about the user.
        facet: number of the facet.
        general: decision in general.
        base: mean of each value in general.
        contexts: contexts to decide in.
        above: probability of beating the general value from which a context has its own.
    """
    own, factors, found = beliefs.own, beliefs.prior.factors, []
    parts, place = own.catalogue.facet_terms[facet], own.catalogue.facet_slots[facet].index(general.slot)
    effects, terms, unit = own.contexts.effects, own.contexts.terms, factors.own[facet].mean * UNIT
    for key, row, shift in contexts:
        there = base
        if row != NO_ROW:
            start = row * terms
            there = [mean + unit * x * effects[start + term] for mean, (_, term, x) in zip(base, parts, strict=True)]
        if shift:
            population = factors.population
            there = [mean + population * shift[slot] for mean, (slot, _, _) in zip(there, parts, strict=True)]
        first = max(there)
        if first > there[place]:
            decision = decided(beliefs, facet, there, row)
            if above <= _EVEN or confidence(beliefs, decision.slot, general.slot, first - there[place], row) >= above:
                found.append(InContext(key, decision))
    return found
