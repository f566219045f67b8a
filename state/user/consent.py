"""Registers of consent and wipes.

A "no" and a forget take effect at the newest time known of the user, so the order of arrival decides, and no clock
(state.user.control). A grant has its own time, and must be newer than the last "no" and the last forget.
"""

from array import array
from collections.abc import Collection

from state.catalogue.numbered import NumberedCatalogue

UNASKED, GRANTED, LAPSED, DENIED = range(4)
"""State of a scope; a higher number is more restrictive, but for the first, which is no answer."""

LEARN, USE, EXPLORE = SCOPE_NUMBERS = range(3)
"""Numbers of `tacit.contract.gates.SCOPES`."""

RECENT_CONTROLS = 64
"""Number of last control events against which repeats are recognized."""


class Consent:
    """Consent and wipes of a user."""

    __slots__ = ("controls", "forgotten_ms", "since_ms", "states", "wiped", "wiped_ms")

    def __init__(self) -> None:
        self.states = [UNASKED] * len(SCOPE_NUMBERS)
        """Scope → state."""
        self.since_ms = [0] * len(SCOPE_NUMBERS)
        """Scope → time of the last change."""
        self.wiped_ms = 0
        """Time of the last wipe: learned state is younger."""
        self.forgotten_ms = 0
        """Time of the last forget of everything: pins and granted consents are younger."""
        self.wiped: dict[int, tuple[int, int]] = {}
        """Facet → time and count of events at the last forget of the facet alone."""
        self.controls = array("Q")
        """64-bit hashes of the last control events, oldest first."""

    @property
    def is_set(self) -> bool:
        """A control event on consent or a forget was accepted."""
        return bool(self.wiped_ms or self.wiped or any(self.states) or any(self.since_ms))

    @property
    def is_denied(self) -> bool:
        """A scope is denied."""
        return DENIED in self.states

    def allows(self, at_ms: int, catalogue: NumberedCatalogue) -> bool:
        """Return whether consent to `learn` holds and covers an event at that time."""
        if self.states[LEARN] == GRANTED:
            return self.since_ms[LEARN] <= at_ms
        return self.states[LEARN] != DENIED and catalogue.consent.default == "granted"

    def explores(self, catalogue: NumberedCatalogue) -> bool:
        """Return whether other values may be tried: consent to `explore` holds, and feedback on them is learned.

        A consent to `explore` that lapsed does not hold, whatever the catalogue's default.
        """
        learn, explore = self.states[LEARN], self.states[EXPLORE]
        if catalogue.consent.default == "granted":
            return learn != DENIED and explore in {UNASKED, GRANTED}
        return learn == explore == GRANTED

    @property
    def uses(self) -> bool:
        """Signals may be written: `use` is not denied."""
        return self.states[USE] != DENIED

    def grant(self, scopes: Collection[int], at_ms: int) -> bool:
        """Grant scopes, and return whether one took the grant: it must be newer than its last answer and the forget.

        A forget keeps a "no" with its own, older time, so the time of the answer is not enough.
        """
        if at_ms <= self.forgotten_ms:
            return False
        taken = [
            scope
            for scope in scopes
            if at_ms > self.since_ms[scope] or (at_ms == self.since_ms[scope] and self.states[scope] == GRANTED)
        ]
        self._set(taken, GRANTED, at_ms)
        return bool(taken)

    def deny(self, scopes: Collection[int], at_ms: int) -> None:
        """Deny scopes."""
        self._set(scopes, DENIED, at_ms)

    def forget(self, at_ms: int) -> None:
        """Register a forget of everything; granted scopes are open again, and a "no" stays."""
        self.wiped_ms = self.forgotten_ms = at_ms
        self.wiped = {}
        self._set([scope for scope in SCOPE_NUMBERS if self.states[scope] != DENIED], UNASKED, at_ms)

    def lapse(self, at_ms: int) -> bool:
        """End the granted consents, and return whether there was one."""
        granted = [scope for scope in SCOPE_NUMBERS if self.states[scope] == GRANTED]
        self._set(granted, LAPSED, at_ms)
        return bool(granted)

    def expire(self, at_ms: int) -> bool:
        """Drop granted and lapsed consents, as if never asked for, and return whether there was one."""
        answered = [scope for scope in SCOPE_NUMBERS if self.states[scope] in {GRANTED, LAPSED}]
        self._set(answered, UNASKED, at_ms)
        return bool(answered)

    def _set(self, scopes: Collection[int], state: int, at_ms: int) -> None:
        for scope in scopes:
            self.states[scope], self.since_ms[scope] = state, at_ms

    def remember(self, control: int) -> None:
        """Remember a control event, in place of the oldest once the ring is full."""
        self.controls.append(control)
        if len(self.controls) > RECENT_CONTROLS:
            del self.controls[0]
