"""State of one user as the document of `tacit state show --json`."""

from math import sqrt
from typing import Any

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.learning.decisions import TIERS, Beliefs, decide, limits
from state.learning.feedback_piece import Side
from state.learning.population_prior import Prior
from state.storage.checkpoint_reader import Checkpoint
from state.user.consent import SCOPE_NUMBERS
from state.user.gate import scope_consent
from state.user.user_state import UserState
from tacit.contract.gates import SCOPES
from tacit.contract.pseudonyms import pseudonym_text
from tacit.contract.versions import version


def user_as_dict(user: bytes, state: UserState, checkpoint: Checkpoint, prior: Prior) -> dict[str, Any]:
    """Return the state of a user without the hashes of recent events; times are epoch milliseconds.

    Beliefs are those of the user model, relative to the prior; decisions combine both.
    """
    catalogue = prior.catalogue
    return {
        "user": pseudonym_text(user),
        "shard": checkpoint.manifest.shard,
        "checkpoint": checkpoint.manifest.number,
        "checkpoint_at_ms": checkpoint.made_ms,
        "consent": {
            name: scope_consent(state.consent, scope)._asdict()
            for name, scope in zip(SCOPES, SCOPE_NUMBERS, strict=True)
        },
        "learns": state.consent.allows(state.newest_ms, catalogue),
        "wiped_ms": state.consent.wiped_ms,
        "forgotten_ms": state.consent.forgotten_ms,
        "newest_ms": state.newest_ms,
        "seq": state.seq,
        "pins": _pins(state, catalogue),
        **_activity(state, catalogue),
        "beliefs": _beliefs(state, prior),
    }


def _pins(state: UserState, catalogue: NumberedCatalogue) -> dict[str, Any]:
    """Return the pins by facet; None as a value: removed."""
    return {
        catalogue.facet_names[facet]: {
            "value": catalogue.slots[pin.slot].value if pin.slot >= 0 else None,
            "at_ms": pin.at_ms,
            "in_force": state.pins.is_set(facet, catalogue),
        }
        for facet, pin in state.pins.items()
    }


def _activity(state: UserState, catalogue: NumberedCatalogue) -> dict[str, Any]:
    clock_ms = state.newest_ms
    profile = state.windows.profile(version(clock_ms, state.seq), clock_ms, catalogue.public_topics)
    shown = msgspec.to_builtins(profile)
    return {name: shown[name] for name in ("activity", "session", "topics", "hours")}


def _beliefs(state: UserState, prior: Prior) -> dict[str, Any]:
    """Return the beliefs by facet; empty before the first feedback."""
    if not state.has_preferences:
        return {}
    beliefs = state.beliefs(prior)
    return {name: _belief(beliefs, facet) for name, facet in prior.catalogue.facet_index.items()}


def _belief(beliefs: Beliefs, facet: int) -> dict[str, Any]:
    own, catalogue, decision = beliefs.own, beliefs.own.catalogue, decide(beliefs, facet)
    values = {}
    for slot in catalogue.facet_slots[facet]:
        mean, variance = own.value(slot)
        values[catalogue.slots[slot].value] = {
            "mean": round(mean, 4),
            "sd": round(sqrt(variance), 4),
            "evidence": round(own.log.total(slot, Side.FOR), 2),
            "against": round(own.log.total(slot, Side.AGAINST), 2),
        }
    return {
        "decision": {
            "value": catalogue.slots[decision.slot].value,
            "confidence": round(decision.confidence, 3),
            "tier": TIERS[decision.tier],
            "limited_by": list(limits(beliefs, facet, decision)),
        },
        "values": values,
    }
