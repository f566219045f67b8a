"""dataflows/control/export: the document has every part of a user's state, and nothing of other users."""

import json
from collections.abc import Callable
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
from state.row.layout import FIELDS, Part
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
    state = UserState(CATALOGUE)
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


# Every field

NOT_OF_THE_USER = {
    "version": "the same for all users",
    "slots": "a size of the catalogue's table",
    "facets": "a size of the catalogue's table",
    "terms": "a size of the catalogue's table",
    "controls": "one-way hashes; their number is exported",
    "events": "one-way hashes; their number is exported",
    "turns": "one-way hashes; their number is exported",
    "terms_check": "the deployment's: a check of the catalogue",
    "has_sums": "follows from the sums, which are exported",
}
"""Fields outside of the export, with the reason."""


def changed(name: str, numbers: Any) -> Any:
    """Return other numbers for a field; arrays get another number in each place."""
    others: dict[str, Callable[[Any], Any]] = {
        "parts": lambda held: held & ~Part.PREFERENCES,
        "consent_states": lambda held: (held + 1) % 4,
        "facet_wiped": lambda held: 1 - held,
        "pin_known": lambda held: 1 - held,
        "pin_slots": lambda held: (held + 1) % len(CATALOGUE.slots),
        "topic_ids": lambda held: [9, *held[1:]],
        "piece_codes": lambda held: held ^ (1 << 9),
        "uncounted": lambda held: 1 - held,
        "emitted_slots": lambda held: (held + 1) % len(CATALOGUE.slots),
        "emitted_tiers": lambda held: (held + 1) % 3,
        "emitted_ranks": lambda held: 1 - held,
    }
    flipped = {"turns_disliked", "piece_facets", "piece_slots"}
    if name in flipped:
        return numbers ^ 1
    if name.endswith("_count") and name != "feedback_count":
        return numbers - 1
    return others.get(name, lambda held: held + 1)(numbers)


@pytest.mark.parametrize("name", [field.name for field in FIELDS if field.name not in NOT_OF_THE_USER])
def test_every_field_of_a_row_is_exported(name: str) -> None:
    """Other numbers give another document. A new field fails here until the export has it."""
    state = full_state()
    before = document(state)
    row = state.row
    row.array[name][row.at] = changed(name, row.array[name][row.at].copy())
    assert document(state) != before


def test_reasons_name_existing_fields() -> None:
    """A field that is gone leaves the table."""
    assert set(NOT_OF_THE_USER) <= {field.name for field in FIELDS}


def test_what_is_not_exported_is_empty_in_a_checkpoint() -> None:
    """A state that was stored holds no writes, and nothing else outside of its row."""
    state = codec.unpack(codec.pack(full_state()), CATALOGUE)
    assert not state.waiting.gates
    assert not state.waiting.earlier
    assert not state.waiting.outbox
    assert export_of(state) == export_of(full_state())


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
