"""state/user/codec: rows of a catalogue that has grown since are laid out again, field by field."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import Kind
from state.row.layout import FIELDS, ROWS, VERSION, sizes_in, sizes_of
from state.user import codec
from state.user.emitted import NEVER
from state.user.rules import Rules
from state.user.user_state import UserState
from tests.support.catalogue_changes import (
    FIRST,
    LONGER,
    CatalogueNames,
    Deployment,
    experienced,
    observe,
    pin,
    turn,
)
from tests.support.factories import START_MS, USER, make_observation

GROWN = replace(
    FIRST,
    facets={**{name: (*values, "auto", "off") for name, values in FIRST.facets.items()}, "format": ("low", "mid")},
)
HEADER = {"version", "slots", "facets", "terms"}


def lived(deployment: Deployment) -> UserState:
    """Return a user with all parts: preferences, windows, pins, a consent, and a forgotten facet."""
    state = experienced(deployment)
    observe(
        state,
        deployment,
        pin(deployment, START_MS + 50, "length", "mid"),
        make_observation(START_MS + 51, kind=Kind.GRANT),
        make_observation(
            START_MS + 52, kind=Kind.FORGET, facets=["tone"], record_ms=START_MS + 52, catalogue=deployment.catalogue
        ),
        *[turn(deployment, START_MS + 60 + n, {"tone": "low"}, "liked", "travel") for n in range(12)],
    )
    return state


def fields(state: UserState) -> dict[str, Any]:
    """Return the numbers of all fields but the counts in the header."""
    held = state.row.array[state.row.at]
    return {field.name: held[field.name].copy() for field in FIELDS if field.name not in HEADER}


def common(number: Any, other: Any) -> Any:
    """Return the part of an array that another, smaller one has."""
    return number[tuple(slice(size) for size in other.shape)] if other.shape else number


@pytest.mark.parametrize("file", [replace(FIRST, facets=LONGER), GROWN], ids=["a value", "values and a facet"])
def test_all_fields_keep_their_numbers(file: CatalogueNames) -> None:
    """New values and facets begin as those of a new user model; the check of terms follows the catalogue."""
    deployment = Deployment(FIRST)
    state = lived(deployment)
    before = fields(state)
    assert {name for name, numbers in before.items() if not numbers.any()} <= {
        "forgotten_ms", "wiped_ms", "uncounted", "population", "event_next", "turns", "turn_weights", "turns_disliked",
        "turn_count", "turn_next", "session_dislikes", "piece_facets",
    }  # fmt: skip
    after = deployment.change(state, file)
    new = UserState(deployment.catalogue)
    new.begin_preferences()
    begun = fields(new)
    for name, numbers in fields(after).items():
        if name == "terms_check":
            assert numbers == deployment.catalogue.terms_check(len(deployment.catalogue.slots))
            continue
        assert (common(numbers, before[name]) == before[name]).all(), name
        if numbers.shape:
            beyond = numbers.copy()
            common(beyond, before[name])[...] = 0
            expected = begun[name].copy()
            common(expected, before[name])[...] = 0
            assert (beyond == expected).all(), name


def test_row_of_a_grown_catalogue_is_stored_in_its_own_layout() -> None:
    """The next store writes the new counts, so a row is laid out again once."""
    deployment = Deployment(FIRST)
    state = deployment.change(lived(deployment), GROWN)
    packed = codec.pack(state)
    assert packed[0] == VERSION
    assert sizes_in(packed) == sizes_of(deployment.catalogue)
    assert codec.pack(codec.unpack(packed, deployment.catalogue)) == packed


def test_blank_row_grows_to_a_blank_row() -> None:
    """Without preferences, new values and facets have no prior and no record."""
    deployment = Deployment(FIRST)
    state = deployment.change(UserState(deployment.catalogue), GROWN)
    assert codec.pack(state) == codec.pack(UserState(deployment.catalogue))


def test_growth_in_steps_is_growth_at_once() -> None:
    """A user who was away meets several catalogues later."""
    steps, once = Deployment(FIRST), Deployment(FIRST)
    state, other = lived(steps), lived(once)
    packed = codec.pack(other)
    state = steps.change(steps.change(state, replace(FIRST, facets=LONGER)), GROWN)
    once.change(UserState(once.catalogue), replace(FIRST, facets=LONGER))
    once.change(UserState(once.catalogue), GROWN)
    grown, its = fields(codec.unpack(packed, once.catalogue)), fields(state)
    same = {name for name in grown if name not in {"controls", "events"}}  # hashes of other events
    assert all((grown[name] == its[name]).all() for name in same)


# Facets that become ordered

TEXT = """
schema = 1
[consent]
default = "granted"
[facets.a]
title = "A"
values = ["a1", "a2", "a3"]
[facets.b]
title = "B"
values = ["b1", "b2"]
[topics]
values = ["x", "y"]
[feedback.liked]
label = true
"""
ORDERED = TEXT.replace('"a3"]\n', '"a3"]\nordered = true\n')
ORDERED_AND_LONGER = ORDERED.replace('"b1", "b2"]', '"b1", "b2", "b3"]')


@pytest.mark.parametrize("text", [ORDERED, ORDERED_AND_LONGER], ids=["as many values", "with a new value"])
def test_facet_that_became_ordered_starts_effects_again(text: str) -> None:
    """Its values share a term now, so the row has fewer terms; beliefs, mood and log stay as they are."""
    before = NumberedCatalogue.parse(TEXT)
    catalogue = NumberedCatalogue.parse(text)
    vocabulary = before.vocabulary
    if vocabulary is not None:
        catalogue = catalogue.numbered(vocabulary.including(catalogue))
    state = UserState(before)
    for n in range(6):
        o = make_observation(
            START_MS + n, served={"a": "a2"}, feedback="liked", topic="x", turn=n + 1, catalogue=before
        )
        state.observe(o, Rules(before))
    state.take_writes(USER, before)
    state.emitted.record_in(0, 0, 1)
    grown = codec.unpack(codec.pack(state), catalogue)
    held, its = state.row, grown.row
    if text is ORDERED:
        assert sizes_of(catalogue).terms < sizes_of(before).terms
    assert any(map(any, held.numbers("effects")))
    assert not any(map(any, its.numbers("effects")))
    assert its.numbers("context_keys") == its.numbers("context_weights") == [0] * ROWS
    assert not any(map(any, its.numbers("emitted_ranks")))
    assert its.numbers("terms_check") == catalogue.terms_check(len(catalogue.slots)) != held.numbers("terms_check")
    for name in ("means", "slopes", "bias", "mood", "mood_s", "piece_s", "totals", "emitted_slots"):
        assert (common(its.array[name][0], held.array[name][0]) == held.array[name][0]).all(), name
    grown.observe(
        make_observation(START_MS + 9, served={"a": "a3"}, feedback="liked", topic="x", turn=9, catalogue=catalogue),
        Rules(catalogue),
    )
    assert any(map(any, its.numbers("effects")))


def test_new_facet_has_no_emitted_decision() -> None:
    """Its first decision differs from every emitted one."""
    deployment = Deployment(FIRST)
    state = deployment.change(lived(deployment), GROWN)
    assert state.row.numbers("emitted_slots")[-1] == NEVER
    assert not state.row.numbers("emitted_ms")[-1]


def test_msgspec_copy_of_a_catalogue_has_the_same_layout() -> None:
    """The counts decide, and no identity of a catalogue."""
    deployment = Deployment(FIRST)
    packed = codec.pack(lived(deployment))
    assert codec.pack(codec.unpack(packed, msgspec.structs.replace(deployment.catalogue))) == packed
