"""The choices that an event logs: per facet the served value, its propensity and the runner-up."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from tacit.contract.policy import MIN_PROPENSITY, propensities


class LoggedChoice(NamedTuple):
    """The choice of one facet of an answer."""

    slot: int
    propensity: float
    runner_up: int
    """Slot of the second best value; `NONE` for an event without it."""

    @property
    def is_preferred(self) -> bool:
        """The served value is the one that was believed best: the policy serves it in more than half of the cases."""
        return self.propensity > 0.5

    @property
    def weight(self) -> float:
        """Weight in an estimate: a single answer never outweighs a hundred (Ionides, JCGS 17(2), 2008)."""
        return 1.0 / max(self.propensity, MIN_PROPENSITY)


SAMPLED = 4
"""One of so many answers counts for preferred values."""

_PRIME = 4_093
"""Prime, so that times in whole seconds or minutes are mixed."""


def is_sampled(at_ms: int) -> bool:
    """Return whether the preferred values of an answer at that time count.

    Most values are the preferred ones, and estimates are as sure as their scarce side, the tried values: all of these
    count.
    """
    return at_ms % _PRIME % SAMPLED == 0


def once(acted: Sequence[tuple[int, float, int]], facets: Sequence[int]) -> Sequence[tuple[int, float, int]]:
    """Return one entry per facet; `facets` is slot → facet.

    A repeated entry counts once. Entries that contradict each other are left out, as is a propensity of 0.

    >>> once([(0, 0.9, 1), (0, 0.9, 1), (2, 0.9, 3), (3, 0.1, 2)], (0, 0, 1, 1))
    [(0, 0.9, 1)]
    """
    if len({facets[slot] for slot, _, _ in acted}) == len(acted) and all(entry[1] for entry in acted):
        return acted
    found: dict[int, tuple[int, float, int]] = {}
    contradictory = set()
    for entry in acted:
        facet = facets[entry[0]]
        if found.setdefault(facet, entry) != entry or not entry[1]:
            contradictory.add(facet)
    return [entry for facet, entry in found.items() if facet not in contradictory]


def choices(acted: Sequence[tuple[int, float, int]], facets: Sequence[int]) -> dict[int, LoggedChoice]:
    """Return facet → choice of the entries of `once`."""
    return {facets[entry[0]]: LoggedChoice(*entry) for entry in once(acted, facets)}


def propensity_of(slot: int, choice: LoggedChoice, catalogue: NumberedCatalogue) -> float:
    """Return the propensity of another value than the served one, where the served value is the preferred one."""
    if choice.propensity >= 1.0:
        return 0.0
    facet, slots = catalogue.facet_names[catalogue.slot_facets[slot]], catalogue.slots
    runner_up = None if choice.runner_up == NONE else slots[choice.runner_up].value
    values = catalogue.facets[facet].values
    return _propensities(slots[choice.slot].value, runner_up, values, 1.0 - choice.propensity).get(slots[slot].value, 0)


_propensities = lru_cache(maxsize=4_096)(propensities)
