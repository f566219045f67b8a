"""All signals of a user at rest, for a Redis that lost data.

Each facet that was ever emitted gets its current decision, with the version of the user's last event. The last
emitted version may be older.
"""

from collections.abc import Collection

from state.learning.population_prior import Prior
from state.user.outbox import Outbox
from state.user.user_state import UserState
from state.user.windows import PANE_MS, Windows
from state.user.writes import GateWrite, SignalWrite


def gate_of(user: bytes, state: UserState) -> GateWrite | None:
    """Return the gate of a user; None for a user without a wipe and without a choice on consent."""
    consent = state.consent
    if not consent.wiped_ms and not consent.at_ms:
        return None
    return GateWrite(user, consent.wiped_ms, consent.at_ms, consent.opted_out)


def pins_of(user: bytes, state: UserState, prior: Prior) -> SignalWrite | None:
    """Return the pins, and the learned decisions in place of removed pins; None without a signal."""
    return _write(user, state, prior, state.pins.keys(), Outbox())


def learned_of(user: bytes, state: UserState, prior: Prior) -> SignalWrite | None:
    """Return the learned decisions of the other facets, and the profile; None without a signal."""
    outbox, emitted = Outbox(), state.outbox.emitted
    if state.outbox.profile_pane:
        outbox.emit_profile(state.windows or Windows(), state.newest_ms, state.seq)
    facets = {facet for facet, at_ms in enumerate(emitted.at_ms) if at_ms} if emitted else set()
    return _write(user, state, prior, facets - state.pins.keys(), outbox)


def _write(user: bytes, state: UserState, prior: Prior, facets: Collection[int], outbox: Outbox) -> SignalWrite | None:
    state.emit_settings(facets, prior, outbox)
    if state.consent.opted_out or not outbox:
        return None
    return SignalWrite(user, state.consent.wiped_ms, _emitted_ms(state), outbox.take(prior.catalogue))


def _emitted_ms(state: UserState) -> int:
    """Return the event time of the last emitted signal, the start of the time to live, at most a pane too early.

    The user's clock may be newer. Of the profile, only the pane is known.
    """
    emitted = state.outbox.emitted
    learned_ms = max(emitted.at_ms, default=0) if emitted else 0
    return max(learned_ms, state.pins.newest_ms(), state.outbox.profile_pane * PANE_MS)
