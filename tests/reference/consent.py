"""Consent by scope, wipes and pins, as events change them and gates show them."""

from collections.abc import Collection

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from tacit.contract.gates import SCOPES, ConsentState, Gate, GatePin, ScopeConsent
from tacit.contract.versions import version

UNASKED, GRANTED, LAPSED, DENIED = range(4)
LEARN, USE, EXPLORE = range(3)
RECENT_CONTROLS = 16

NAMES: tuple[ConsentState, ...] = ("unasked", "granted", "lapsed", "denied")


class Consent:
    """Consent and wipes of a user."""

    def __init__(self) -> None:
        self.states = [UNASKED] * len(SCOPES)
        self.since_ms = [0] * len(SCOPES)
        self.wiped_ms = 0
        self.forgotten_ms = 0
        self.wiped: dict[int, tuple[int, int]] = {}
        """Facet → time and count of events at the last forget of the facet alone."""
        self.controls: list[int] = []
        """Hashes of the last control events, oldest first."""

    @property
    def is_set(self) -> bool:
        return bool(self.wiped_ms or self.wiped or any(self.states) or any(self.since_ms))

    def allows(self, at_ms: int, catalogue: NumberedCatalogue) -> bool:
        """Return whether consent to `learn` covers an event."""
        if self.states[LEARN] == GRANTED:
            return self.since_ms[LEARN] <= at_ms
        return self.states[LEARN] != DENIED and catalogue.consent.default == "granted"

    def explores(self, catalogue: NumberedCatalogue) -> bool:
        """Return whether other values may be tried."""
        if catalogue.consent.default == "granted":
            return self.states[LEARN] != DENIED and self.states[EXPLORE] in {UNASKED, GRANTED}
        return self.states[LEARN] == GRANTED and self.states[EXPLORE] == GRANTED

    @property
    def uses(self) -> bool:
        return self.states[USE] != DENIED

    def grant(self, scopes: Collection[int], at_ms: int) -> bool:
        """Grant the scopes of which the last answer is older, and return whether there was one."""
        if at_ms <= self.forgotten_ms:
            return False
        taken = [
            scope
            for scope in scopes
            if at_ms > self.since_ms[scope] or (at_ms == self.since_ms[scope] and self.states[scope] == GRANTED)
        ]
        self.put(taken, GRANTED, at_ms)
        return bool(taken)

    def forget(self, at_ms: int) -> None:
        """Register a forget of everything; a "no" stays."""
        self.wiped_ms = self.forgotten_ms = at_ms
        self.wiped = {}
        self.put([scope for scope, state in enumerate(self.states) if state != DENIED], UNASKED, at_ms)

    def change(self, states: Collection[int], state: int, at_ms: int) -> bool:
        """Put scopes that are in one of some states into another state, and return whether there was one."""
        scopes = [scope for scope, present in enumerate(self.states) if present in states]
        self.put(scopes, state, at_ms)
        return bool(scopes)

    def put(self, scopes: Collection[int], state: int, at_ms: int) -> None:
        for scope in scopes:
            self.states[scope], self.since_ms[scope] = state, at_ms

    def remember(self, control: int) -> None:
        self.controls = [*self.controls, control][-RECENT_CONTROLS:]


class Pins(dict[int, tuple[int, int]]):
    """Facet → value (`NONE`: removed) and time of the last pin event."""

    def is_set(self, facet: int, catalogue: NumberedCatalogue) -> bool:
        """Return whether the facet is pinned to a value of the catalogue."""
        slot, _ = self.get(facet, (NONE, 0))
        return slot != NONE and slot not in catalogue.idle_slots

    @property
    def in_force(self) -> bool:
        return any(slot != NONE for slot, _ in self.values())


def gate_of(consent: Consent, pins: Pins, catalogue: NumberedCatalogue) -> Gate:
    """Return the gate of a user."""
    names = catalogue.facet_names
    learn, use, explore = (
        ScopeConsent(NAMES[state], since_ms) for state, since_ms in zip(consent.states, consent.since_ms, strict=True)
    )
    values = {slot: None if slot == NONE else catalogue.slots[slot].value for slot, _ in pins.values()}
    return Gate(
        consent.wiped_ms,
        consent.forgotten_ms,
        learn,
        use,
        explore,
        {names[facet]: GatePin(values[slot], at_ms) for facet, (slot, at_ms) in sorted(pins.items())},
        {names[facet]: version(at_ms, seq) for facet, (at_ms, seq) in sorted(consent.wiped.items())},
    )
