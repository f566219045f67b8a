"""All signals of a user at rest, for a Redis that lost data.

Each facet with feedback gets its current decision, with the version of the user's last event. The last emitted version
may be older.
"""

from state.learning.population_prior import Prior
from state.user.gate import gate_of
from state.user.history_document import history_document
from state.user.outbox import Outbox
from state.user.user_state import UserState
from state.user.windows import PANE_MS
from state.user.writes import GateWrite, SignalWrite, StoredHistory


def gate_write(user: bytes, state: UserState, prior: Prior) -> GateWrite | None:
    """Return the gate of a user; None for a user without any control event."""
    if not state.consent.is_set and not state.pins:
        return None
    gate = gate_of(state.consent, state.pins, prior.catalogue)
    return GateWrite(user, gate, history=_history(state, prior))


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
    history = None if consent.is_set or state.pins else _history(state, prior)
    return SignalWrite(user, consent.wiped_ms, _emitted_ms(state), fields, history)


def _history(state: UserState, prior: Prior) -> StoredHistory | None:
    """Return the history, which is written with the gate or, without one, with the signals; None without an entry."""
    return history_document(state.history, prior.catalogue) if state.history.written[1] else None


def _emitted_ms(state: UserState) -> int:
    """Return the event time of the last emitted signal, the start of the time to live, at most a pane too early.

    The user's clock may be newer. Of the profile, only the pane is known.
    """
    row = state.row
    learned_ms = max(row.numbers("emitted_ms"), default=0) if state.has_preferences else 0
    return max(learned_ms, row.profile_pane[row.at] * PANE_MS)
