"""The reference behind the interface of the comparison, as `tests.reference.product` is for the product."""

from copy import deepcopy
from itertools import chain
from typing import Any

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import Observation
from state.learning.population_prior import Prior
from state.learning.population_version import PopulationVersion
from state.user.rules import Rules
from tacit.contract.activity import WINDOWS
from tacit.contract.gates import encode_gate
from tests.reference import signals
from tests.reference.activity import PANE_MS, Windows
from tests.reference.consent import gate_of
from tests.reference.control import User
from tests.reference.emission import Outbox
from tests.reference.training import Preferences
from tests.reference.user import Observed, Write


def new_user(_: NumberedCatalogue) -> User:
    """Return an unknown user."""
    return User()


def observe(state: User, o: Observation, rules: Rules) -> Observed:
    """Take in an event."""
    return state.observe(o, rules)


def take_writes(state: User, user: bytes, rules: Rules) -> list[Write]:
    """Return the writes that wait."""
    return state.take_writes(user, rules.catalogue)


def reload(state: User, catalogue: NumberedCatalogue) -> User:
    """Return a copy of a user under the same or a later catalogue."""
    before = state.preferences.catalogue if state.preferences is not None else catalogue
    twin = deepcopy(state, {id(before): before})
    twin.adopt(catalogue)
    return twin


def all_writes(state: User, user: bytes, rules: Rules) -> list[Write]:
    """Return the gate and all signals of a user at rest, for a Redis that lost data."""
    outbox, consent = Outbox(), state.consent
    state.emit_all(rules.prior, outbox)
    writes = []
    history = state.history.document(rules.catalogue) if state.history.written[1] else None
    if consent.is_set or state.pins:
        gate = encode_gate(gate_of(consent, state.pins, rules.catalogue))
        writes.append(Write(user, gate, history=history))
        history = None
    if outbox:
        times = (emitted.at_ms for emitted in state.outbox.emitted)
        at_ms = max(state.outbox.profile_pane * PANE_MS, *times, 0)
        fields = outbox.take(rules.catalogue, consent.explores(rules.catalogue))
        writes.append(Write(user, b"", consent.wiped_ms, at_ms, fields, history))
    return writes


def default_signals(prior: Prior, version: PopulationVersion) -> tuple[tuple[str, bytes], ...]:
    """Return (facet, JSON) of the signals of an unknown user."""
    return signals.default_signals(prior, version.at)


def content(state: User) -> dict[str, Any]:
    """Return all that a user's state holds, by name."""
    consent = state.consent
    found: dict[str, Any] = {
        "clock": (state.newest_ms, state.seq),
        "consent": list(zip(consent.states, consent.since_ms, strict=True)),
        "wipes": (consent.wiped_ms, consent.forgotten_ms, consent.wiped),
        "controls": consent.controls,
        "pins": dict(state.pins),
        "events": {*state.recent.events},
        "turns": {turn.id_hash: (turn.learned, turn.is_disliked) for turn in state.recent.turns},
        "profile pane": state.outbox.profile_pane,
        "history": (state.history.written, len(state.history.actions), len(state.history.changes)),
    }
    if state.windows is not None:
        found |= _windows(state.windows, state.newest_ms)
    if state.preferences is not None:
        found |= _beliefs(state.preferences, state.outbox)
    return found


def _windows(windows: Windows, newest_ms: int) -> dict[str, Any]:
    clocks = [
        (panes, newest_ms // w.panes.width_ms, w.panes.number) for w, panes in zip(WINDOWS, windows.panes, strict=True)
    ]
    return {
        "panes": [[panes.get(now - ago, 0) for ago in range(number)] for panes, now, number in clocks],
        "hours": windows.hours,
        "topics": list(zip(windows.topic_ids, windows.topic_weights, strict=True)),
        "sessions": [(visit.first_ms, visit.last_ms, visit.turns, visit.dislikes) for visit in windows.visits],
    }


def _beliefs(own: Preferences, outbox: Outbox) -> dict[str, Any]:
    log, contexts = own.log, own.contexts
    return {
        "means": own.means,
        "variances": own.variances,
        "mood": (own.mood.mean, own.mood.variance, own.mood.at_s),
        "contexts": (contexts.keys, contexts.weights, list(chain(*contexts.effects))),
        "feedback count": (own.feedback_count, own.population),
        "pieces": [(*piece[:3], piece.hundredths / 100, *piece[4:]) for piece in log.pieces],
        "sums": tuple(list(chain(*numbers)) for numbers in (log.totals, log.sums, log.days)),
        "emitted": [(one.slot, one.tier, one.confidence, one.at_ms) for one in outbox.emitted],
        "emitted evidence": list(chain(*(one.evidence for one in outbox.emitted))),
        "emitted contexts": list(chain(*(one.ranks for one in outbox.emitted))),
    }
