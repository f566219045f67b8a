"""All signals of a user at rest, for a Redis that lost data.

Each facet with feedback gets its current decision, with the version of the user's last event. The last emitted version
may be older.
"""

from state.learning.population_prior import Prior
from state.user.gate import gate_of
from state.user.outbox import Outbox
from state.user.user_state import UserState
from state.user.windows import PANE_MS
from state.user.writes import GateWrite, SignalWrite


def gate_write(user: bytes, state: UserState, prior: Prior) -> GateWrite | None:
    """Return the gate of a user; None for a user without any control event."""
    if not state.consent.is_set and not state.pins:
        return None
    return GateWrite(user, gate_of(state.consent, state.pins, prior.catalogue))


def signals_write(user: bytes, state: UserState, prior: Prior) -> SignalWrite | None:
    """Return the learned decisions and the profile; None without a signal."""
    outbox, consent = Outbox(), state.consent
    if consent.uses and state.has_preferences:
        state.emitter.emit_facets(outbox, prior, state.learned_facets(), False)
    if consent.uses and state.has_windows:
        state.emitter.emit_present_profile(outbox)
    if not outbox:
        return None
    fields = state.emitter.take(outbox, consent.explores(prior.catalogue))
    return SignalWrite(user, consent.wiped_ms, _emitted_ms(state), fields)


def _emitted_ms(state: UserState) -> int:
    """Return the event time of the last emitted signal, the start of the time to live, at most a pane too early.

    The user's clock may be newer. Of the profile, only the pane is known.
    """
    row = state.row
    learned_ms = max(row.numbers("emitted_ms"), default=0) if state.has_preferences else 0
    return max(learned_ms, row.profile_pane[row.at] * PANE_MS)
