"""dataflows/control/export_contexts: moods and contexts by name."""

import pytest

from dataflows.control.export_contexts import context_beliefs, emitted_contexts, mood_belief
from state.learning.context_effects import UNIT
from state.row.layout import ROWS
from state.user.user_state import UserState
from tests.support.factories import CATALOGUE, RULES, START_MS, make_observation

TOPIC = CATALOGUE.topic_keys[CATALOGUE.topic_index["code"]]
LENGTH, FORMAT = (CATALOGUE.facet_index[name] for name in ("length", "format"))


def learned() -> UserState:
    """Return a state after likes of short code in tables."""
    state = UserState(CATALOGUE)
    for n in range(5):
        o = make_observation(
            START_MS + n, topic="code", served={"length": "concise", "format": "table"}, feedback="thumbs_up"
        )
        assert state.observe(o, RULES).changes
    return state


def test_effects_are_named_by_context_facet_and_value() -> None:
    """Effects along a scale have no value; what was not served has no effect."""
    own = learned().model
    (found,) = context_beliefs(own.contexts, CATALOGUE)
    assert found.context == "topic:code"
    assert found.weight == pytest.approx(5, abs=0.1)
    assert {(each.facet, each.value) for each in found.effects} == {("length", None), ("format", "table")}
    term, _ = CATALOGUE.context_terms[CATALOGUE.slot_index["format"]["table"]]
    assert own.contexts.effects[0][term] * UNIT in [each.effect for each in found.effects]


def test_context_that_left_the_catalogue_has_its_number() -> None:
    """Nothing that is held is left out."""
    state = learned()
    state.row.context_keys[0, 0] = 4_000_000_000
    assert context_beliefs(state.model.contexts, CATALOGUE)[0].context == "4000000000"


def test_emitted_values_are_named() -> None:
    """A place beyond the facet's values, after a change of the catalogue, has no name."""
    state = learned()
    assert state.model.contexts.keys[0] == TOPIC
    for facet in (LENGTH, FORMAT):
        state.emitted.free(facet, range(ROWS))
    for rank, value in ((1, "prose"), (99, None)):
        state.emitted.record_in(FORMAT, 0, rank)
        assert emitted_contexts(state, FORMAT) == {"topic:code": value}
    assert emitted_contexts(state, LENGTH) == {}


def test_mood_has_its_time() -> None:
    """Without feedback the time is 0."""
    state = UserState(CATALOGUE)
    state.begin_preferences()
    assert mood_belief(state.model.mood).at_ms == 0
    assert mood_belief(learned().model.mood).at_ms == START_MS
