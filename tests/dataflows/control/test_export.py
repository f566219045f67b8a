"""dataflows/control/export: the document has every part of a user's state, and nothing of other users."""

import json
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from dataflows.control.export import Read, exported
from dataflows.control.export_document import Export
from dataflows.control.schemas import documents
from state.catalogue.vocabulary import Vocabulary
from state.events.observation import Kind, Observation
from state.learning.population_prior import Prior
from state.storage.checkpoint_reader import Checkpoint
from state.storage.manifest import Manifest
from state.user import codec
from state.user.consent import USE
from state.user.user_state import UserState
from tests.support.factories import (
    CATALOGUE,
    RULES,
    START_MS,
    USER,
    control_events,
    interactions,
    make_observation,
    make_pin,
)

CHECKPOINT = Checkpoint(
    Path("c1"), Manifest(shard=3, shards=16, number=1, execution="x", users=1, sequence=1, files={}), START_MS
)
VALIDATOR = Draft202012Validator(json.loads(documents()["export.schema.json"]))
SERVED = {"length": "detailed", "tone": "formal"}


def export_of(state: UserState) -> Export:
    return exported(USER, Read(state, CHECKPOINT), RULES.prior, "eu", START_MS)


def document(state: UserState) -> dict[str, Any]:
    """Return what is held, as JSON: the predictions and explanations are left out, which follow from it."""
    found: dict[str, Any] = json.loads(msgspec.json.encode(export_of(state)))
    del found["inferred"]
    return found


def observe(history: list[Observation]) -> UserState:
    state = UserState()
    for o in history:
        state.observe(o, RULES)
    state.take_writes(USER, CATALOGUE)
    return state


def full_state() -> UserState:
    """Return a state with every part."""
    turns = [
        make_observation(
            START_MS + n * 60_000,
            turn=n + 1,
            topic="code",
            served=SERVED,
            feedback="thumbs_down" if n % 3 else "copied",
        )
        for n in range(40)
    ]
    later = START_MS + 41 * 60_000
    controls = [
        make_pin(later, "tone", "formal"),
        make_observation(later, kind=Kind.DENY, scopes=[USE]),
        make_observation(later, kind=Kind.GRANT),
    ]
    forget = make_observation(later, kind=Kind.FORGET, facets=["format"])
    last = [
        make_observation(later + n, turn=99 + n, served=SERVED, feedback="thumbs_up", topic="data") for n in range(2)
    ]
    return observe([*turns, *controls, forget, *last])


# Every attribute

NOT_OF_THE_USER = {
    "UserState.gates": "waits for Redis, and is empty in a checkpoint",
    "UserState.earlier": "waits for Redis, and is empty in a checkpoint",
    "Outbox.waiting": "waits for Redis, and is empty in a checkpoint",
    "Outbox.waiting_profile": "waits for Redis, and is empty in a checkpoint",
    "Outbox.at_ms": "time of what waits, and 0 in a checkpoint",
    "Preferences.catalogue": "the deployment's",
    "ContextEffects.terms": "a size of the catalogue's table",
    "FeedbackLog.slots": "a size of the catalogue's table",
    "FeedbackLog.facets": "a size of the catalogue's table",
    "FeedbackLog.layout": "follows from both sizes",
}
"""Attributes that are not exported, with the reason."""

PARTS = {
    "consent",
    "events",
    "turns",
    "windows",
    "sessions",
    "preferences",
    "outbox",
    "emitted",
    "log",
    "mood",
    "contexts",
}
"""Attributes that hold parts, whose own attributes count."""


def attributes(part: object, name: str) -> Iterator[tuple[str, object, str]]:
    """Yield (name in the table, object, attribute) of all that a state holds, part by part."""
    slots = [slot for kind in type(part).__mro__ for slot in getattr(kind, "__slots__", ())]
    for attribute in sorted({*slots, *getattr(part, "__dict__", {})}):
        held = getattr(part, attribute)
        if attribute in PARTS and not isinstance(held, array):
            yield from attributes(held, type(held).__name__)
        else:
            yield f"{name}.{attribute}", part, attribute


ALL = sorted({name for name, _, _ in attributes(full_state(), "UserState")})

OTHER: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: not value,
    int: lambda value: value + 1,
    list: lambda value: [(each + 1) % 4 if each < 4 else each + 1 for each in value],
    bytearray: lambda value: value[:-20],
}
"""Another value for a value of each type."""


def changed(name: str, value: Any) -> Any:
    """Return another value for an attribute; arrays get another number in each place."""
    if name == "FeedbackLog.rows":
        return value[:0]
    if name in {"UserState.pins", "Consent.wiped"}:
        return type(value)()
    if name == "Sessions.rows":
        return array("q", [START_MS, START_MS, 9, 9])
    if name == "Windows.topic_ids":
        return array("H", [9, *value[1:]])
    if name == "Emitted.slot":
        return array("h", [(slot + 1) % len(CATALOGUE.slots) for slot in value])
    if name == "Emitted.tier":
        return array("B", [(tier + 1) % 3 for tier in value])
    if name in {"RecentEvents.hashes", "RecentTurns.hashes", "Consent.controls"}:
        return value[:-1]  # counted
    if isinstance(value, array):
        return array(value.typecode, [number + 1 for number in value])
    return OTHER[type(value)](value)


@pytest.mark.parametrize("name", [name for name in ALL if name not in NOT_OF_THE_USER])
def test_every_attribute_of_a_state_is_exported(name: str) -> None:
    """Another value gives another document. An attribute that is new fails here until the export has it."""
    state = full_state()
    before = document(state)
    (found,) = ((part, attribute) for each, part, attribute in attributes(state, "UserState") if each == name)
    part, attribute = found
    setattr(part, attribute, changed(name, getattr(part, attribute)))
    if name == "RecentTurns.hashes":  # one weight per hash
        state.turns.learned = state.turns.learned[:-1]
    assert document(state) != before


def test_reasons_name_existing_attributes() -> None:
    """An attribute that is gone leaves the table."""
    assert set(NOT_OF_THE_USER) <= set(ALL)


def test_what_is_not_exported_is_empty_in_a_checkpoint() -> None:
    """A state that was stored holds no writes."""
    state = codec.unpack(codec.pack(full_state()), CATALOGUE)
    assert not state.gates
    assert not state.earlier
    assert not state.outbox


# The document


@given(st.lists(interactions() | control_events(), max_size=30))
def test_export_of_any_state_follows_the_schema(history: list[Observation]) -> None:
    """Each history of events gives a document of the published schema."""
    VALIDATOR.validate(json.loads(msgspec.json.encode(export_of(observe(history)))))


def test_unknown_user_has_an_export() -> None:
    """The document states that nothing is held, and where else to look."""
    found = exported(USER, None, RULES.prior, "eu", START_MS)
    VALIDATOR.validate(json.loads(msgspec.json.encode(found)))
    assert (found.checkpoint, found.consent, found.beliefs) == (None, None, None)
    assert found.elsewhere


def test_every_part_has_purpose_source_and_retention() -> None:
    """Art. 15 (1) of the GDPR asks for these."""
    found = export_of(full_state())
    for name in ("consent", "pins", "activity", "recent", "beliefs", "evidence", "emitted", "inferred"):
        about = getattr(found, name).about
        assert about.purpose
        assert about.source
        assert about.retention


def test_topic_that_left_the_catalogue_is_exported() -> None:
    """Its weight is still held, and so is the name."""
    state = full_state()
    vocabulary = Vocabulary().including(CATALOGUE)
    topics = replace(CATALOGUE.topics, values=("data",), sensitive=())
    smaller = replace(CATALOGUE, topics=topics).numbered(vocabulary)
    found = exported(USER, Read(state, CHECKPOINT), Prior(smaller), "eu", START_MS)
    assert found.activity is not None
    assert "code" in found.activity.topics
