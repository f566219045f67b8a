"""Decisions in contexts: topics and surfaces where another value is better than the general one."""

from collections.abc import Iterable

from state.learning.context_effects import UNIT
from state.learning.decisions import NO_ROW, Beliefs, Decision, InContext, confidence, decided
from state.learning.population_prior import Effects
from state.row.layout import ROWS

MAX_CONTEXTS = 8
"""Contexts of a user that signals distinguish: those with own effects, then topics with the population's alone."""
POPULATION_FROM = 0.75
"""Probability of beating the general value, in the context, from which a user without own feedback gets another value.

For all others the better one of two means counts: what is served teaches."""

_EVEN = 0.5
"""Probability that any higher mean reaches."""
_UNIT, _NO_ROW = UNIT, NO_ROW


class Context:
    """A topic or a surface for a decision."""

    def __init__(self, key: int, row: int, effects: Effects, leans: bool) -> None:
        self.key = key
        """`NumberedCatalogue.topic_keys` or `surface_keys`."""
        self.row = row
        """Row of the user's own effects; `NO_ROW`: none."""
        self.effects = effects
        """Population's effects."""
        self.leans = leans
        """They replace the part that the user's main topics have in the general means."""


def contexts_of(beliefs: Beliefs, others: Iterable[int] = ()) -> list[Context]:
    """Return the contexts of a user: those with own effects, then other topics, with the population's effects alone."""
    found = contexts_at(beliefs, range(ROWS))
    if beliefs.table.number:
        keys, known = beliefs.prior.catalogue.topic_keys, beliefs.own.contexts.keys
        unknown = [topic for topic in others if topic in keys and keys[topic] not in known]
        found += [_topic(beliefs, keys[topic], _NO_ROW, topic) for topic in unknown]
    return found[:MAX_CONTEXTS]


def contexts_at(beliefs: Beliefs, rows: Iterable[int]) -> list[Context]:
    """Return the contexts of rows, without free rows.

    A name that left the catalogue and a topic that became sensitive have no context.
    """
    row, catalogue = beliefs.row, beliefs.prior.catalogue
    topics, surfaces = catalogue.topics_by_key, catalogue.surfaces_by_key
    found: list[Context] = []
    for place in rows:
        key = row.context_keys[row.at, place]
        if not key:
            continue
        if key in topics:
            found.append(_topic(beliefs, key, place, topics[key]))
        elif key in surfaces:
            found.append(Context(key, place, beliefs.prior.surface_effects(surfaces[key]), False))
    return found


def _topic(beliefs: Beliefs, key: int, row: int, topic: int) -> Context:
    return Context(key, row, beliefs.prior.topic_effects(topic), beliefs.leans)


def decide_in(
    beliefs: Beliefs, facet: int, general: Decision, context: Context, above: float = _EVEN
) -> Decision | None:
    """Return the decision on a facet in a context, if it differs from the general one.

    Args:
        beliefs: all beliefs about the user, with the general means of the facet in `base`.
        facet: number of the facet.
        general: decision in general.
        context: context to decide in.
        above: probability of beating the general value from which a context has its own.
    """
    table, there = beliefs.table, beliefs.there
    start = table.starts[facet]
    count = table.starts[facet + 1] - start
    _fill_there(beliefs, facet, context)
    best, place = 0, 0
    for at in range(count):
        if there[at] > there[best]:
            best = at
        if table.slots[start + at] == general.slot:
            place = at
    if not there[best] > there[place]:
        return None
    decision = decided(beliefs, facet, True, context.row)
    if above > _EVEN:
        lead = there[best] - there[place]
        if confidence(beliefs, decision.slot, general.slot, lead, context.row) < above:
            return None
    return decision


def _fill_there(beliefs: Beliefs, facet: int, context: Context) -> None:
    """Put the mean of each value of a facet in a context into `beliefs.there`."""
    table, row, base, there = beliefs.table, beliefs.row, beliefs.base, beliefs.there
    effects, leaning, leans = context.effects.means, beliefs.leaning, context.leans
    start, shifts, unit = table.starts[facet], len(effects) > 0, table.own_factors[facet] * _UNIT
    terms = beliefs.own.terms
    for place in range(table.starts[facet + 1] - start):
        slot = table.slots[start + place]
        mean = base[place]
        if context.row != _NO_ROW:
            mean = mean + unit * terms.factors[slot] * row.effects[row.at, context.row, terms.effects[slot]]
        if shifts:
            mean = mean + table.population * (effects[slot] - leaning[slot] if leans else effects[slot])
        there[place] = mean


def decide_all(
    beliefs: Beliefs, facet: int, general: Decision, contexts: Iterable[Context], above: float = _EVEN
) -> list[InContext]:
    """Return the decisions on a facet in all contexts where they differ from the general one."""
    found = [(context.key, decide_in(beliefs, facet, general, context, above)) for context in contexts]
    return [InContext(key, decision) for key, decision in found if decision is not None]
