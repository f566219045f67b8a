"""Facts about users in a state folder, by name, that every later format must keep."""

from pathlib import Path
from typing import Any

import msgspec

from dataflows.state_folder import read_vocabulary
from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from state.learning.decisions import TIERS
from state.learning.feedback_piece import Side
from state.learning.own_beliefs import OwnBeliefs
from state.storage.checkpoint_reader import CheckpointReader
from state.user.consent import LEARN
from state.user.history_document import history_document
from state.user.user_state import UserState
from tacit.contract.pseudonyms import pseudonym
from tests.formats import CATALOGUE, SHARDS, STATE
from tests.formats.history import USERS
from tests.support.commands import SECRET

# Keys of the JSON files, which never change.
RESUMED = "gone on"  # prose: such a key
EMITTED = "said"
FEEDBACK_COUNT = "judged"
EVIDENCE = "evidence by value"
LASTING = ("clock", "events", "wiped", "forgotten", "consent", "consent at", "pins")


def facts(folder: Path) -> dict[str, Any]:
    """Return the facts of each user in the state folder of an unpacked archive, as JSON types."""
    state_folder = folder / STATE
    catalogue = NumberedCatalogue.load(folder / CATALOGUE).numbered(read_vocabulary(state_folder))
    checkpoints = CheckpointReader(state_folder / "shards", SHARDS, catalogue)
    found = {user_id: checkpoints.get(pseudonym(user_id, SECRET.encode()))[0] for user_id in USERS}
    return {user_id: user_facts(state, catalogue) for user_id, state in found.items() if state is not None}


def lasting(users: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that follow from the contract alone, independent of the learned model."""
    return {user_id: {name: one[name] for name in LASTING} for user_id, one in users.items()}


def user_facts(state: UserState, catalogue: NumberedCatalogue) -> dict[str, Any]:
    """Return the facts of one user."""
    found: dict[str, Any] = {
        "clock": state.newest_ms,
        "events": state.seq,
        "wiped": state.consent.wiped_ms,
        "forgotten": state.consent.forgotten_ms,
        "consent": ["unsaid", "granted", "lapsed", "denied"][state.consent.states[LEARN]],
        "consent at": state.consent.since_ms[LEARN],
        "pins": {
            catalogue.facet_names[facet]: [None if pin.slot == NONE else catalogue.slots[pin.slot].value, pin.at_ms]
            for facet, pin in state.pins.items()
        },
    }
    if state.has_windows:
        profile = state.windows.profile("", state.newest_ms, catalogue.public_topics)
        found["profile"] = msgspec.to_builtins(profile)
    if state.preferences is not None:
        found["beliefs"] = _beliefs(state.preferences, catalogue)
        found[EMITTED] = _emitted(state, catalogue)
    if state.history.entries:
        found["history"] = msgspec.json.decode(history_document(state.history, catalogue).content)
    as_json: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))  # tuples become lists
    return as_json


def _beliefs(preferences: OwnBeliefs, catalogue: NumberedCatalogue) -> dict[str, Any]:
    names = [f"{catalogue.facet_names[slot.facet]}: {slot.value}" for slot in catalogue.slots]
    return {
        "likes": {
            name: [round(mean, 4), round(variance, 4)]
            for name, mean, variance in zip(names, preferences.means, preferences.variances, strict=True)
        },
        "leans": _by_facet([round(slope, 4) for slope in preferences.slopes], catalogue),
        FEEDBACK_COUNT: preferences.feedback_count,
        "by version": preferences.population,
        EVIDENCE: {name: [preferences.log.total(slot, side) for side in Side] for slot, name in enumerate(names)},
    }


def _emitted(state: UserState, catalogue: NumberedCatalogue) -> dict[str, Any]:
    names = ("emitted_slots", "emitted_tiers", "emitted_confidences", "emitted_ms")
    emitted = [
        None if slot == NONE else [catalogue.slots[slot].value, TIERS[tier], round(confidence, 3), at_ms]
        for slot, tier, confidence, at_ms in zip(*map(state.row.numbers, names), strict=True)
    ]
    return _by_facet(emitted, catalogue)


def _by_facet(values: Any, catalogue: NumberedCatalogue) -> dict[str, Any]:
    return dict(zip(catalogue.facet_names, values, strict=True))
