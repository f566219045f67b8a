"""dataflows/control/export_contexts: moods and contexts by name."""

import pytest

from dataflows.control.export_contexts import context_beliefs, emitted_contexts, mood_belief
from state.learning.context_effects import ROWS, UNIT
from state.learning.mood import Mood
from state.learning.preferences import Preferences
from state.user.emitted import Emitted
from tests.support.factories import CATALOGUE, RULES, START_MS, make_observation

TOPIC = CATALOGUE.topic_keys[CATALOGUE.topic_index["code"]]
LENGTH, FORMAT = (CATALOGUE.facet_index[name] for name in ("length", "format"))


def learned() -> Preferences:
    """Return a user model after likes of short code in tables."""
    own, kind = Preferences(CATALOGUE), CATALOGUE.feedback["thumbs_up"]
    for n in range(5):
        o = make_observation(
            START_MS + n, topic="code", served={"length": "concise", "format": "table"}, feedback="thumbs_up"
        )
        own.learn_feedback(o, kind, kind.weight, RULES.prior)
    return own


def test_effects_are_named_by_context_facet_and_value() -> None:
    """Effects along a scale have no value; what was not served has no effect."""
    own = learned()
    (found,) = context_beliefs(own.contexts, CATALOGUE)
    assert found.context == "topic:code"
    assert found.weight == pytest.approx(5, abs=0.1)
    assert {(each.facet, each.value) for each in found.effects} == {("length", None), ("format", "table")}
    term, _ = CATALOGUE.context_terms[CATALOGUE.slot_index["format"]["table"]]
    assert own.contexts.effects[term] * UNIT in [each.effect for each in found.effects]


def test_context_that_left_the_catalogue_has_its_number() -> None:
    """Nothing that is held is left out."""
    own = learned()
    own.contexts.keys[0] = 4_000_000_000
    assert context_beliefs(own.contexts, CATALOGUE)[0].context == "4000000000"


def test_emitted_values_are_named() -> None:
    """A place beyond the facet's values, after a change of the catalogue, has no name."""
    own, emitted = learned(), Emitted(len(CATALOGUE.facet_names))
    assert own.contexts.keys[0] == TOPIC
    for place, value in ((1, "prose"), (99, None)):
        emitted.contexts[ROWS * FORMAT] = place
        assert emitted_contexts(emitted, FORMAT, own.contexts, CATALOGUE) == {"topic:code": value}
    assert emitted_contexts(emitted, LENGTH, own.contexts, CATALOGUE) == {}


def test_mood_has_its_time() -> None:
    """Without feedback the time is 0."""
    assert mood_belief(Mood()).at_ms == 0
    assert mood_belief(learned().mood).at_ms == START_MS
