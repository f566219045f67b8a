"""Gates as control events leave them."""

from collections.abc import Collection

from state.user.writes import GateWrite
from tacit.contract.gates import SCOPES, ConsentState, Gate, GatePin, Scope, ScopeConsent
from tests.support.sample_signals import USER


def consent(
    state: ConsentState,
    since_ms: int,
    scopes: Collection[Scope] = SCOPES,
    *,
    wiped_ms: int = 0,
    forgotten_ms: int = 0,
    user: bytes = USER,
) -> GateWrite:
    """Return a gate with a consent in some scopes."""
    learn, use, explore = (ScopeConsent(state, since_ms) if scope in scopes else ScopeConsent() for scope in SCOPES)
    return GateWrite(user, Gate(wiped_ms, forgotten_ms, learn, use, explore))


def opt_out(at_ms: int, user: bytes = USER) -> GateWrite:
    """Return the gate of a user who denies every scope."""
    return consent("denied", at_ms, wiped_ms=at_ms, user=user)


def opt_in(at_ms: int, wiped_ms: int = 0, user: bytes = USER) -> GateWrite:
    """Return the gate of a user who grants every scope."""
    return consent("granted", at_ms, wiped_ms=wiped_ms, user=user)


def forget(at_ms: int, user: bytes = USER) -> GateWrite:
    """Return the gate of a user who was forgotten, without a consent."""
    return consent("unasked", at_ms, wiped_ms=at_ms, forgotten_ms=at_ms, user=user)


def pin(facet: str, value: str | None, at_ms: int, user: bytes = USER) -> GateWrite:
    """Return the gate of a user with one pin, or one removed pin."""
    return GateWrite(user, Gate(pins={facet: GatePin(value, at_ms)}))


def facet_wipe(facet: str, version: str, user: bytes = USER) -> GateWrite:
    """Return the gate of a user who had one facet forgotten."""
    return GateWrite(user, Gate(wiped={facet: version}))
