"""Logged choices of an answer, for the proof that signals help."""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import Observation
from tests.reference.activity import SESSION_GAP_MS
from tests.reference.consent import Pins
from tests.reference.emission import Outbox
from tests.reference.training import Preferences

PRIME = 4_093
SAMPLED = 4

Choice = tuple[int, float, int]
"""Value, propensity, and runner-up."""


class Logged(NamedTuple):
    """The logged choices of an answer, and the signals before the feedback."""

    acted: Sequence[Choice] = ()
    proposed: Sequence[int] = ()
    signals: bytes = b""
    confidences: bytes = b""
    opens: bool = False
    """The first feedback of the user after half an hour without any."""

    @property
    def has_content(self) -> bool:
        return self != Logged()


def logged_choices(
    o: Observation, own: Preferences, outbox: Outbox, pins: Pins, catalogue: NumberedCatalogue
) -> Logged:
    """Return what an answer proves."""
    if not (o.acted or o.proposed or catalogue.holdout.share):
        return Logged()
    opens = o.at_ms - 1000 * own.log.newest_s >= SESSION_GAP_MS
    facet_of = catalogue.slot_facets
    acted = [choice for choice in _once(o.acted, facet_of) if not pins.is_set(facet_of[choice[0]], catalogue)]
    if not opens and o.at_ms % PRIME % SAMPLED:
        acted = [choice for choice in acted if choice[1] <= 0.5]
        if not (acted or o.proposed or catalogue.holdout.share):
            return Logged()
    signals = outbox.served(catalogue, own.contexts.find(own.keys_of(o.topic, o.surface)))
    confidences = array("f", [emitted.confidence for emitted in outbox.emitted]).tobytes()
    return Logged(acted, o.proposed, signals, confidences, opens)


def _once(acted: Sequence[Choice], facet_of: Sequence[int]) -> list[Choice]:
    """Return one entry per facet, without facets of which entries contradict each other, or have a propensity of 0."""
    found: list[Choice] = []
    for entry in acted:
        others = [other for other in acted if facet_of[other[0]] == facet_of[entry[0]]]
        if entry not in found and all(other == entry for other in others) and entry[1]:
            found.append(entry)
    return found
