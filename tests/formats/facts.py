"""What is known of people, by names: what must be found again under any later format."""

from pathlib import Path
from typing import Any

import msgspec

from dataflows.state_folder import read_vocabulary
from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from state.learning.decisions import TIERS
from state.learning.preferences import Preferences
from state.storage.checkpoint_reader import CheckpointReader
from state.user.outbox import Emitted
from state.user.user_state import UserState
from tacit.contract.pseudonyms import pseudonym
from tests.formats import CATALOGUE, SHARDS, STATE
from tests.formats.history import PEOPLE
from tests.support.commands import SECRET

LASTING = ("clock", "events", "wiped", "forgotten", "consent", "consent at", "pins")


def facts(folder: Path) -> dict[str, Any]:
    """Return what an unpacked archive's state folder holds of each person, as JSON has it."""
    state = folder / STATE
    catalogue = NumberedCatalogue.load(folder / CATALOGUE).numbered(read_vocabulary(state))
    shelf = CheckpointReader(state / "shards", SHARDS, catalogue)
    found = {who: shelf.get(pseudonym(who, SECRET.encode()))[0] for who in PEOPLE}
    return {who: person(one, catalogue) for who, one in found.items() if one is not None}


def lasting(people: dict[str, Any]) -> dict[str, Any]:
    """Return those facts that go by the contract alone, so that no later model finds them different."""
    return {who: {name: about[name] for name in LASTING} for who, about in people.items()}


def person(state: UserState, catalogue: NumberedCatalogue) -> dict[str, Any]:
    """Return one person's facts."""
    about: dict[str, Any] = {
        "clock": state.newest_ms,
        "events": state.seq,
        "wiped": state.consent.wiped_ms,
        "forgotten": state.consent.forgotten_ms,
        "consent": ["unsaid", "granted", "denied"][state.consent.choice],
        "consent at": state.consent.at_ms,
        "pins": {
            catalogue.facet_names[facet]: [None if pin.slot == NONE else catalogue.slots[pin.slot].value, pin.at_ms]
            for facet, pin in state.pins.items()
        },
    }
    if state.windows is not None:
        profile = state.windows.profile("", state.newest_ms, catalogue.topics_to_say)
        about["profile"] = msgspec.to_builtins(profile)
    if state.preferences is not None and state.outbox.emitted is not None:
        about["beliefs"] = _beliefs(state.preferences, catalogue)
        about["said"] = _said(state.outbox.emitted, catalogue)
    as_json: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(about))  # tuples become lists
    return as_json


def _beliefs(preferences: Preferences, catalogue: NumberedCatalogue) -> dict[str, Any]:
    names = [f"{catalogue.facet_names[slot.facet]}: {slot.value}" for slot in catalogue.slots]
    facets = catalogue.facet_names
    return {
        "likes": {
            name: [round(mean, 4), round(variance, 4)]
            for name, mean, variance in zip(names, preferences.means, preferences.variances, strict=False)
        },
        "leans": _by_facet([round(preferences.means[len(names) + n], 4) for n in range(len(facets))], catalogue),
        "judged": preferences.feedback_count,
        "by version": preferences.population,
        "evidence": _by_facet([round(evidence, 3) for evidence in preferences.evidence], catalogue),
        "changed at": _by_facet(preferences.drift.at_s, catalogue),
    }


def _said(sent: Emitted, catalogue: NumberedCatalogue) -> dict[str, Any]:
    said = [
        None if slot == NONE else [catalogue.slots[slot].value, TIERS[tier], round(confidence, 3), at_ms]
        for slot, tier, confidence, at_ms in zip(sent.slot, sent.tier, sent.confidence, sent.at_ms, strict=True)
    ]
    return _by_facet(said, catalogue)


def _by_facet(values: Any, catalogue: NumberedCatalogue) -> dict[str, Any]:
    return dict(zip(catalogue.facet_names, values, strict=True))
