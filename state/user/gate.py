"""The gate of a user's state, as Redis keeps it."""

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from state.user.consent import EXPLORE, LEARN, USE, Consent
from state.user.pins import Pins
from tacit.contract.gates import ConsentState, Gate, GatePin, ScopeConsent
from tacit.contract.versions import version

STATES: tuple[ConsentState, ...] = ("unasked", "granted", "lapsed", "denied")
"""Number of a state (state.user.consent) → name."""


def gate_of(consent: Consent, pins: Pins, catalogue: NumberedCatalogue) -> Gate:
    """Return the gate: wipes, consent by scope, and pins by name."""
    names = catalogue.facet_names
    return Gate(
        consent.wiped_ms,
        consent.forgotten_ms,
        scope_consent(consent, LEARN),
        scope_consent(consent, USE),
        scope_consent(consent, EXPLORE),
        {
            names[facet]: GatePin(None if slot == NONE else catalogue.slots[slot].value, at_ms)
            for facet, (slot, at_ms) in pins.items()
        },
        {names[facet]: version(at_ms, seq) for facet, (at_ms, seq) in consent.wiped.items()},
    )


def scope_consent(consent: Consent, scope: int) -> ScopeConsent:
    """Return state and time of one scope."""
    return ScopeConsent(STATES[consent.states[scope]], consent.since_ms[scope])
