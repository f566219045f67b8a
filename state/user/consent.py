"""Registers of consent and wipes.

A "no" and a forget take effect at the newest time known of the user, so the order of arrival decides, and no clock
(state.user.control). A grant has its own time, and must be newer than the last "no" and the last forget.
"""

from collections.abc import Collection

from state.catalogue.numbered import NumberedCatalogue
from state.row.layout import RECENT_CONTROLS
from state.row.row import Row

UNASKED, GRANTED, LAPSED, DENIED = range(4)
"""State of a scope; a higher number is more restrictive, but for the first, which is no answer."""

LEARN, USE, EXPLORE = SCOPE_NUMBERS = range(3)
"""Numbers of `tacit.contract.gates.SCOPES`."""

_UNASKED, _GRANTED, _DENIED = UNASKED, GRANTED, DENIED
_LEARN, _USE, _EXPLORE, _SCOPES = LEARN, USE, EXPLORE, len(SCOPE_NUMBERS)
_CONTROLS = RECENT_CONTROLS


class Consent:
    """Consent and wipes of a user."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._facets = row.layout.sizes.facets

    # Consent

    @property
    def states(self) -> list[int]:
        """Scope → state."""
        found: list[int] = self._row.numbers("consent_states")
        return found

    @property
    def since_ms(self) -> list[int]:
        """Scope → time of the last change."""
        found: list[int] = self._row.numbers("consent_ms")
        return found

    @property
    def is_set(self) -> bool:
        """A control event on consent or a forget was accepted."""
        row, at = self._row, self._row.at
        if row.wiped_ms[at] or self.forgot_any():
            return True
        for scope in range(_SCOPES):
            if row.consent_states[at, scope] or row.consent_ms[at, scope]:
                return True
        return False

    @property
    def is_denied(self) -> bool:
        """A scope is denied."""
        return DENIED in self.states

    def allows(self, at_ms: int, catalogue: NumberedCatalogue) -> bool:
        """Return whether consent to `learn` holds and covers an event at that time."""
        row, at = self._row, self._row.at
        state = row.consent_states[at, _LEARN]
        if state == _GRANTED:
            return row.consent_ms[at, _LEARN] <= at_ms
        return state != _DENIED and catalogue.consent.default == "granted"

    def explores(self, catalogue: NumberedCatalogue) -> bool:
        """Return whether other values may be tried: consent to `explore` holds, and feedback on them is learned.

        A consent to `explore` that lapsed does not hold, whatever the catalogue's default.
        """
        row, at = self._row, self._row.at
        learn, explore = row.consent_states[at, _LEARN], row.consent_states[at, _EXPLORE]
        if catalogue.consent.default == "granted":
            return learn != _DENIED and explore in {_UNASKED, _GRANTED}
        return learn == _GRANTED and explore == _GRANTED

    @property
    def uses(self) -> bool:
        """Signals may be written: `use` is not denied."""
        return self._row.consent_states[self._row.at, _USE] != _DENIED

    def grant(self, scopes: Collection[int], at_ms: int) -> bool:
        """Grant scopes, and return whether one took the grant: it must be newer than its last answer and the forget.

        A forget keeps a "no" with its own, older time, so the time of the answer is not enough.
        """
        if at_ms <= self.forgotten_ms:
            return False
        states, since_ms = self.states, self.since_ms
        taken = [
            scope
            for scope in scopes
            if at_ms > since_ms[scope] or (at_ms == since_ms[scope] and states[scope] == GRANTED)
        ]
        self._set(taken, GRANTED, at_ms)
        return bool(taken)

    def deny(self, scopes: Collection[int], at_ms: int) -> None:
        """Deny scopes."""
        self._set(scopes, DENIED, at_ms)

    def lapse(self, at_ms: int) -> bool:
        """End the granted consents, and return whether there was one."""
        return self._change({GRANTED}, LAPSED, at_ms)

    def expire(self, at_ms: int) -> bool:
        """Drop granted and lapsed consents, as if never asked for, and return whether there was one."""
        return self._change({GRANTED, LAPSED}, UNASKED, at_ms)

    def _change(self, states: Collection[int], state: int, at_ms: int) -> bool:
        """Change the scopes in some states to another state, and return whether there was one."""
        scopes = [scope for scope, present in enumerate(self.states) if present in states]
        self._set(scopes, state, at_ms)
        return bool(scopes)

    def _set(self, scopes: Collection[int], state: int, at_ms: int) -> None:
        row, at = self._row, self._row.at
        for scope in scopes:
            row.consent_states[at, scope], row.consent_ms[at, scope] = state, at_ms

    # Wipes

    @property
    def wiped_ms(self) -> int:
        """Time of the last wipe: learned state is younger."""
        return self._row.wiped_ms[self._row.at]

    @wiped_ms.setter
    def wiped_ms(self, at_ms: int) -> None:
        self._row.wiped_ms[self._row.at] = at_ms

    @property
    def forgotten_ms(self) -> int:
        """Time of the last forget of everything: pins and granted consents are younger."""
        return self._row.forgotten_ms[self._row.at]

    @property
    def wiped(self) -> dict[int, tuple[int, int]]:
        """Facet → time and count of events at the last forget of the facet alone."""
        row, at = self._row, self._row.at
        return {
            facet: (row.facet_wiped_ms[at, facet], row.facet_wiped_seq[at, facet])
            for facet in range(self._facets)
            if row.facet_wiped[at, facet]
        }

    def forgot_any(self) -> bool:
        """Return whether a facet was forgotten alone."""
        row, at = self._row, self._row.at
        for facet in range(self._facets):
            if row.facet_wiped[at, facet]:
                return True
        return False

    def wiped_at(self, facet: int) -> int:
        """Return the time of the last forget of a facet alone; 0: none."""
        return self._row.facet_wiped_ms[self._row.at, facet]

    def forget(self, at_ms: int) -> None:
        """Register a forget of everything; granted scopes are open again, and a "no" stays."""
        row, at = self._row, self._row.at
        row.wiped_ms[at] = row.forgotten_ms[at] = at_ms
        self._clear_facets()
        self._change({UNASKED, GRANTED, LAPSED}, UNASKED, at_ms)

    def forget_facet(self, facet: int, at_ms: int, seq: int) -> None:
        """Register a forget of a facet alone; an earlier one of a later version stays, as Redis has it."""
        row, at = self._row, self._row.at
        if at_ms == row.facet_wiped_ms[at, facet]:
            seq = max(seq, row.facet_wiped_seq[at, facet])  # the count of events begins again at a wipe
        row.facet_wiped[at, facet] = 1
        row.facet_wiped_ms[at, facet], row.facet_wiped_seq[at, facet] = at_ms, seq

    def _clear_facets(self) -> None:
        row, at = self._row, self._row.at
        for facet in range(self._facets):
            row.facet_wiped[at, facet] = 0
            row.facet_wiped_ms[at, facet] = row.facet_wiped_seq[at, facet] = 0

    # Repeats

    @property
    def controls(self) -> list[int]:
        """64-bit hashes of the last control events, oldest first."""
        row = self._row
        found: list[int] = row.numbers("controls")
        return found[: row.control_count[row.at]]

    def remembers(self, control: int) -> bool:
        """Return whether a control event is among the last ones."""
        row, at = self._row, self._row.at
        for place in range(row.control_count[at]):
            if row.controls[at, place] == control:
                return True
        return False

    def remember(self, control: int) -> None:
        """Remember a control event, in place of the oldest once there is no room."""
        row, at = self._row, self._row.at
        place = row.control_count[at]
        if place < _CONTROLS:
            row.control_count[at] = place + 1
        else:
            place -= 1
            for earlier in range(place):
                row.controls[at, earlier] = row.controls[at, earlier + 1]
        row.controls[at, place] = control

    def clear(self) -> None:
        """Drop everything, as if the user had never been known."""
        row, at = self._row, self._row.at
        row.wiped_ms[at] = row.forgotten_ms[at] = 0
        self._set(SCOPE_NUMBERS, UNASKED, 0)
        self._clear_facets()
        for place in range(row.control_count[at]):
            row.controls[at, place] = 0
        row.control_count[at] = 0
