"""state/user/bounds: damaged rows are found when they are loaded, and never by a later event."""

from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state.catalogue.numbered import MAX_RANK, NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.errors import StateError
from state.events.observation import Kind, Observation
from state.learning.population_prior import Prior
from state.row.layout import FIELDS, HEADER, MAX_TOPICS_KEPT, RECENT_EVENTS, ROWS
from state.user import codec
from state.user.full_write import signals_write
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import MINUTE_MS
from tests.support.factories import (
    CATALOGUE,
    START_MS,
    USER,
    control_events,
    interactions,
    make_observation,
    make_pin,
)
from tests.support.sample_population import version

PRIORS = (Prior(CATALOGUE), Prior(CATALOGUE, version(7)))
TURNS = 2 * RECENT_EVENTS


def full_row() -> bytes:
    """Return the row of a user with every part."""
    state, served = UserState(CATALOGUE), {name: facet.values[0] for name, facet in CATALOGUE.facets.items()}
    for name, value in served.items():
        state.observe(make_pin(START_MS, name, value), Rules(CATALOGUE))
    for n in range(TURNS):
        topic = CATALOGUE.topics.values[n % len(CATALOGUE.topics.values)]
        kind = "thumbs_up" if n % 3 else "thumbs_down"
        o = make_observation(START_MS + n * MINUTE_MS, turn=1 + n, topic=topic, served=served, feedback=kind)
        state.observe(o, Rules(CATALOGUE))
    state.take_writes(USER, CATALOGUE)
    return codec.pack(state)


FULL = full_row()
NUMBERS = [field for field in FIELDS if field.name not in {"version", "slots", "facets", "terms"}]


def damaged(name: str, value: Any, place: int | tuple[int, ...] = 0) -> bytes:
    """Return the full row with another number at a place of a field."""
    state = codec.unpack(FULL, CATALOGUE)
    held = state.row.array[name]
    held[(0, *(place if isinstance(place, tuple) else (place,)))[: held.ndim]] = value
    return codec.pack(state)


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("parts", 255, 0),
        ("newest_ms", -1, 0),
        ("newest_ms", 2**62 + 1, 0),
        ("wiped_ms", -5, 0),
        ("consent_states", 4, 2),
        ("control_count", 17, 0),
        ("event_count", 65, 0),
        ("event_next", 64, 0),
        ("turn_count", 17, 0),
        ("turn_next", 16, 0),
        ("session_count", 9, 0),
        ("piece_count", 8, 0),
        ("piece_count", 255, 0),
        ("piece_facets", 1 << len(CATALOGUE.facet_names), (6, 0)),
        ("topic_ids", len(CATALOGUE.topics.values), 3),
        ("pin_slots", len(CATALOGUE.slots), 1),
        ("pin_slots", -2, 1),
        ("emitted_slots", len(CATALOGUE.slots), 4),
        ("emitted_slots", -2, 0),
        ("emitted_tiers", 3, 0),
        ("emitted_ranks", 100, (1, ROWS - 1)),
        ("means", float("nan"), 0),
        ("means", float("-inf"), 15),
        ("slopes", 1e30, 0),
        ("variances", -0.1, 2),
        ("variances", 1e9, 2),
        ("mood_variance", float("nan"), 0),
        ("hours", -1.0, 23),
        ("topic_weights", float("inf"), 0),
        ("session_turns", 0, 0),
    ],
)
def test_number_beyond_its_bounds_is_rejected(name: str, value: Any, place: Any) -> None:
    """The error names the field and the remedy."""
    if name == "session_turns":
        place = int(codec.unpack(FULL, CATALOGUE).row.numbers("session_count")) - 1
    cause = "parts or clock are" if name in {"parts", "newest_ms"} else f"{name} is"
    with pytest.raises(StateError, match=f"damaged: {cause} out of .*restore the state folder from a backup"):
        codec.unpack(damaged(name, value, place), CATALOGUE)


def test_weight_without_a_topic_is_rejected() -> None:
    """The profile would look for its name."""
    state = codec.unpack(FULL, CATALOGUE)
    state.row.array["topic_ids"][0, MAX_TOPICS_KEPT - 1] = 65_535
    with pytest.raises(StateError, match="topic_ids is out of its bounds"):
        codec.unpack(codec.pack(state), CATALOGUE)


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.name)
def test_numbers_of_a_field_are_checked_at_its_own_places(field: Any) -> None:
    """The largest number of a width is rejected in each bounded field, at its first and at its last place."""
    free = {"seq", "events", "turns", "panes", "context_keys", "terms_check", "effects", "totals", "sums", "days"}
    free |= {"facet_wiped_seq", "facet_wiped", "controls", "pin_known", "turns_disliked", "session_turns"}
    free |= {"session_dislikes", "feedback_count", "population", "mood_s", "piece_s", "piece_codes", "piece_means"}
    free |= {"piece_variances", "has_sums", "uncounted", "profile_pane", "emitted_evidence", "piece_slots"}
    held = UserState(CATALOGUE).row.array[field.name]
    width = int(field.code[1])
    for place in (0, held[0].size - 1) if held.ndim > 1 else (0,):
        state = codec.unpack(FULL, CATALOGUE)
        numbers = state.row.array[field.name].reshape(-1).view(f"u{width}")
        numbers[place] = 2 ** (8 * width) - 2
        if field.name in free:
            state.bounds.check(state.row)
        else:
            with pytest.raises(ValueError, match=r"out of .*bounds"):
                state.bounds.check(state.row)


@given(st.lists(interactions() | control_events(), max_size=60))
def test_no_history_leaves_the_bounds(events: list[Observation]) -> None:
    """Each state that events make can be loaded."""
    state = UserState(CATALOGUE)
    for o in events:
        state.observe(o, Rules(CATALOGUE))
        state.bounds.check(state.row)


@st.composite
def damages(draw: st.DrawFn) -> bytes:
    """Draw the full row with any numbers at any places of a few fields."""
    row = bytearray(FULL)
    offsets = UserState(CATALOGUE).row.layout.offsets
    for field in draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=4)):
        start, size = offsets[field.name]
        width = int(field.code[1])
        place = start + width * draw(st.integers(0, size // width - 1))
        low, random = draw(st.booleans()), draw(st.binary(min_size=width, max_size=width))
        row[place : place + width] = bytes([random[0]]) + bytes(width - 1) if low else random
    return bytes(row)


@settings(max_examples=300)
@given(damages(), st.lists(interactions() | control_events(), max_size=12), st.sampled_from(PRIORS))
def test_loaded_damage_never_breaks_an_event(data: bytes, events: list[Observation], prior: Prior) -> None:
    """Damaged numbers are rejected when they are loaded, or observed as any others."""
    state = UserState(CATALOGUE)
    with suppress(StateError):
        state = codec.unpack(data, CATALOGUE)
    rules = Rules(CATALOGUE, population=prior, teaches=True, proves=True)
    before_ms = state.newest_ms
    shift = max(before_ms - START_MS, 0) if before_ms < 2**42 else 0
    for n, o in enumerate(events):
        state.observe(o if o.kind != Kind.INTERACTION else replace(o, at_ms=o.at_ms + shift + n), rules)
        state.take_writes(USER, CATALOGUE)
        signals_write(USER, state, prior)


@pytest.mark.parametrize("width", [8, 4, 2, 1])
def test_fields_of_a_width_follow_each_other(width: int) -> None:
    """The bounds compare all numbers of a width at once, and a mix would read a number of another one."""
    offsets = UserState(CATALOGUE).row.layout.offsets
    fields = [offsets[field.name] for field in FIELDS if int(field.code[1]) == width]
    places = sorted(place for place in fields if place[0] >= HEADER.size)
    assert all(start + size == following for (start, size), (following, _) in pairwise(places))
    assert np.gcd.reduce([start for start, _ in places]) % width == 0


def test_catalogue_without_topics_has_rows() -> None:
    """Their places hold 0, which is a topic nowhere."""
    catalogue = replace(CATALOGUE, topics=replace(CATALOGUE.topics, values=(), sensitive=()))
    state = codec.unpack(codec.pack(UserState(catalogue)), catalogue)
    state.observe(make_observation(START_MS), Rules(catalogue))
    codec.load(state, codec.pack(state))
    state.row.array["topic_ids"][0, 0], state.row.array["topic_weights"][0, 0] = 0, 1.0
    with pytest.raises(StateError, match="topic_ids is out of its bounds"):
        codec.unpack(codec.pack(state), catalogue)


def test_time_of_a_record_beyond_all_events_does_not_block_a_user() -> None:
    """Earlier versions took the clock of a "no" without a time from any record; the "no" must stay readable."""
    state = UserState(CATALOGUE)
    state.observe(replace(make_observation(0, kind=Kind.DENY), slots=(0, 1, 2), record_ms=2**51), Rules(CATALOGUE))
    assert codec.unpack(codec.pack(state), CATALOGUE).consent.is_denied
    state.emitter.emit_profile(state.waiting.outbox)


def test_ranks_of_a_facet_with_many_values_are_in_bounds() -> None:
    """A rank is a byte, and values beyond have none."""
    values = ", ".join(f'"v{number}"' for number in range(32))
    text = f'schema = 1\n[facets.tone]\ntitle = "Tone"\nvalues = [{values}]\n[feedback.up]\nlabel = true\n'
    vocabulary, catalogue = Vocabulary(), NumberedCatalogue.parse(text)
    for first in range(0, 288, 32):
        renamed = text.replace('"v', f'"w{first}-')
        catalogue = NumberedCatalogue.parse(renamed)
        vocabulary = vocabulary.including(catalogue)
    state = UserState(catalogue.numbered(vocabulary))
    state.begin_preferences()
    for rank in (1, 33, MAX_RANK):
        state.emitted.record_in(0, 1, rank)
        assert codec.unpack(codec.pack(state), state.catalogue).emitted.rank(0, 1) == rank
