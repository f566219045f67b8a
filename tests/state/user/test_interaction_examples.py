"""state/user/interaction: examples for the population, and feedback without an example."""

from array import array
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from state.counters import Outcome
from state.events.observation import Kind, Observation
from state.learning.example import DirectedFeedback, Example, pack_example, unpack_example
from state.learning.population_prior import Prior
from state.learning.prediction import NO_POPULATION
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import DAY_MS
from tacit.contract.catalogue import Holdout
from tests.support.factories import (
    CATALOGUE,
    REQUIRED,
    START_MS,
    USER,
    control_events,
    interactions,
    make_observation,
    make_pin,
    slots,
)
from tests.support.sample_population import version

RULES = Rules(CATALOGUE, teaches=True)
STYLE = {"length": "concise", "format": "table"}
LENGTH, FORMAT = CATALOGUE.facet_index["length"], CATALOGUE.facet_index["format"]
CONCISE, BALANCED, _ = CATALOGUE.facet_slots[LENGTH]


def like(at_ms: int = START_MS) -> Observation:
    return make_observation(at_ms, served=STYLE, feedback="thumbs_up", topic="code", surface="chat", item=7)


def taught(state: UserState, o: Observation, rules: Rules = RULES) -> Example | None:
    """Observe an event, and return its example."""
    return state.observe(o, rules).example


def test_example_holds_the_feedback() -> None:
    """The example has the user model's part and the prediction before training."""
    state = UserState(CATALOGUE)
    taught(state, like())
    assert state.preferences is not None
    own = state.model.present(slots(STYLE), rows=(0, 1))
    p = NO_POPULATION.chance(own)
    o = like(START_MS + 1)
    example = taught(state, o)
    assert example is not None
    assert structs.astuple(example)[:6] == (USER, START_MS + 1, o.topic, o.surface, 7, True)
    assert (example.weight, example.feedback_count, list(example.slots)) == (1.0, 1, slots(STYLE))
    assert example.p == pytest.approx(p)
    assert example.own == own
    assert own.mean > 0
    assert unpack_example(pack_example(example)).slots == slots(STYLE)


def test_prediction_includes_the_population() -> None:
    """A new user's prediction is the population's."""
    prior = Prior(CATALOGUE, version(40))
    example = taught(UserState(CATALOGUE), like(), replace(RULES, population=prior))
    assert example is not None
    expected = prior.expect(slots(STYLE), example.topic, example.surface, 7, 0)
    assert example.p == pytest.approx(expected.chance(example.own))
    assert example.p > 0.6


def test_no_example_is_created_without_population_training() -> None:
    """With `--population none` or a version number, no population model is trained."""
    assert taught(UserState(CATALOGUE), like(), Rules(CATALOGUE)) is None


def test_example_of_directed_feedback_is_a_comparison() -> None:
    """The example also is a dislike of the answer."""
    state = UserState(CATALOGUE)
    example = taught(state, make_observation(served={"length": "balanced", "format": "table"}, feedback="shorter"))
    assert example is not None
    assert not example.liked
    assert [comparison[:2] for comparison in example.directed] == [(BALANCED, CONCISE)]
    assert isinstance(example.directed[0], DirectedFeedback)


def test_example_keeps_the_named_facets() -> None:
    """Feedback with `facets` is about these facets only."""
    example = taught(UserState(CATALOGUE), make_observation(served=STYLE, feedback="thumbs_up", facets=["format"]))
    assert example is not None
    assert list(example.only) == [FORMAT]


# Who teaches nothing


@pytest.mark.parametrize(
    "o",
    [
        make_observation(served=STYLE),
        make_observation(feedback="thumbs_up"),
        make_observation(served=STYLE, feedback="thumbs_up", topic="health"),
        make_observation(served={"length": "concise"}, feedback="shorter"),
        make_observation(served={"length": "concise"}, feedback="thumbs_up", facets=["format"]),
        make_pin(START_MS, "format", "table"),
    ],
    ids=["no feedback", "no style", "sensitive", "directed beyond the scale", "narrowed to nothing", "a pin"],
)
def test_event_without_training_has_no_example(o: Observation) -> None:
    """The same rule decides about training and examples."""
    assert taught(UserState(CATALOGUE), o) is None


def test_event_without_consent_has_no_example() -> None:
    """Consent is missing before a grant, after an opt-out and after an absence."""
    state, rules = UserState(CATALOGUE), Rules(REQUIRED, teaches=True)
    consent = make_observation(START_MS + 10, kind=Kind.GRANT)
    assert taught(state, like(START_MS), rules) is None
    assert taught(state, consent, rules) is None
    assert taught(state, like(START_MS + 11), rules) is not None
    assert taught(state, make_observation(START_MS + 20, kind=Kind.DENY), rules) is None
    assert taught(state, like(START_MS + 21), rules) is None
    late = UserState(CATALOGUE)
    taught(late, consent, rules)
    assert taught(late, like(START_MS + 200 * DAY_MS), rules) is None


def test_repeated_and_late_events_have_no_example() -> None:
    """An event from before a wipe has none, either."""
    state, o = UserState(CATALOGUE), like(START_MS + 5 * DAY_MS)
    assert taught(state, o) is not None
    assert taught(state, o) is None
    assert taught(state, like(START_MS)) is None
    assert (
        taught(state, make_observation(START_MS + 6 * DAY_MS, kind=Kind.FORGET, record_ms=START_MS + 6 * DAY_MS))
        is None
    )
    assert taught(state, like(START_MS + 5 * DAY_MS + 1)) is None


@given(st.lists(interactions() | control_events(), max_size=60))
def test_each_training_has_one_example(events: list[Observation]) -> None:
    """Other events have none."""
    state = UserState(CATALOGUE)
    for o in events:
        before = state.preferences.feedback_count if state.preferences else 0
        outcome, example, *_ = state.observe(o, RULES)
        if example is None:
            continue
        assert outcome is Outcome.ACCEPTED
        assert state.preferences is not None
        assert (example.feedback_count, state.preferences.feedback_count) == (before, before + 1)
        assert o.topic not in CATALOGUE.sensitive_topics
        assert 0 < example.p < 1


# Logged choices


PROVING = Rules(CATALOGUE, teaches=True, proves=True)
OPENING_MS = START_MS + 31 * 60_000
ACTED = [("length", "concise", 0.95), ("format", "prose", 0.05)]


def answer(at_ms: int, turn: int = 0, **members: Any) -> Observation:
    return make_observation(at_ms, served=STYLE, feedback="thumbs_up", acted=ACTED, turn=turn, **members)


def learned() -> UserState:
    """Return a user with signals."""
    state = UserState(CATALOGUE)
    for n in range(20):
        taught(state, like(START_MS + n))
    state.take_writes(USER, CATALOGUE)
    return state


def test_example_has_the_logged_choice_and_the_signals_before_the_feedback() -> None:
    """A pinned facet was not chosen."""
    state = learned()
    example = taught(state, answer(OPENING_MS), PROVING)
    assert example is not None
    assert example.logged is not None
    assert [slot for slot, _, _ in example.logged.acted] == slots({"length": "concise"}) + slots({"format": "prose"})
    signals = array("h", example.logged.signals)
    assert (signals[LENGTH], signals[FORMAT]) == (CONCISE, slots({"format": "table"})[0])
    assert len(array("f", example.logged.confidences)) == len(CATALOGUE.facets)
    taught(state, make_pin(OPENING_MS + 1, "length", "concise"))
    pinned = taught(state, answer(2 * OPENING_MS - START_MS), PROVING)
    assert pinned is not None
    assert pinned.logged is not None
    assert [slot for slot, _, _ in pinned.logged.acted] == slots({"format": "prose"})


def test_repeated_feedback_on_a_turn_proves_nothing_more() -> None:
    """The feedback still trains, up to a weight of 1 per turn."""
    state = UserState(CATALOGUE)
    copied = make_observation(START_MS, served=STYLE, feedback="copied", acted=ACTED, turn=7)
    first, second = taught(state, copied, PROVING), taught(state, answer(START_MS + 1, turn=7), PROVING)
    assert first is not None
    assert second is not None
    assert first.logged is not None
    assert second.logged is None
    assert second.weight == pytest.approx(0.6)


def test_first_feedback_after_half_an_hour_opens() -> None:
    """Later feedback of the conversation does not."""
    state = UserState(CATALOGUE)
    opens = []
    for at_ms in (START_MS, START_MS + 60_000, START_MS + 31 * 60_000 + 1_000, START_MS + 32 * 60_000):
        example = taught(state, answer(at_ms), PROVING)
        assert example is not None
        assert example.logged is not None
        opens.append(example.logged.opens)
    assert opens == [True, False, True, False]


def test_tried_values_always_count_and_preferred_ones_of_a_sample() -> None:
    """The first feedback after half an hour has all, for candidates."""
    state, counts = learned(), Counter[int]()
    for n in range(100):
        example = taught(state, answer(START_MS + 1_000 + n), PROVING)
        assert example is not None
        assert example.logged is not None
        counts.update(slot for slot, _, _ in example.logged.acted)
    assert counts[slots({"format": "prose"})[0]] == 100
    assert 20 <= counts[CONCISE] <= 30


def test_repeated_entries_count_once_and_contradicting_ones_not_at_all() -> None:
    """64 repeats of one choice were counted as 64."""
    for acted, expected in (
        ([ACTED[1]] * 64, slots({"format": "prose"})),
        ([ACTED[1], ("format", "table", 0.95)], []),
    ):
        repeated = make_observation(START_MS, served=STYLE, feedback="thumbs_up", acted=acted)
        example = taught(UserState(CATALOGUE), repeated, PROVING)
        assert example is not None
        assert example.logged is not None
        assert [slot for slot, _, _ in example.logged.acted] == expected


def test_without_training_only_answers_with_a_logged_choice_are_examples() -> None:
    """So `--population none` costs nothing where events log no choices and there is no holdout."""
    proving = Rules(CATALOGUE, proves=True)
    assert taught(UserState(CATALOGUE), like(), proving) is None
    assert taught(UserState(CATALOGUE), answer(START_MS), proving) is not None
    assert taught(UserState(CATALOGUE), answer(START_MS), Rules(CATALOGUE)) is None
    proposed = make_observation(served=STYLE, feedback="thumbs_up", proposed=[("length", "concise")])
    example = taught(UserState(CATALOGUE), proposed, proving)
    assert example is not None
    assert example.logged is not None
    assert list(example.logged.proposed) == [CONCISE]
    held_out = Rules(structs.replace(CATALOGUE, holdout=Holdout(0.1)), proves=True)
    assert taught(UserState(CATALOGUE), like(), held_out) is not None
