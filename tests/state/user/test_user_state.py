"""state/user/user_state: interactions — what counts, what is learned, what is dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.events.observation import Observation
from state.learning.feedback_piece import Side
from state.learning.preferences import KEPT, Preferences
from state.row.layout import RECENT_TURNS
from state.user.rules import Rules
from state.user.user_state import UserState
from tacit.contract.catalogue import FeedbackKind
from tacit.contract.signals import Profile
from tests.support.factories import CATALOGUE, RULES, START_MS, Served, interactions, make_observation
from tests.support.user_models import all_means

T = START_MS
CONCISE: Served = {"length": "concise"}


def observe(*observations: Observation, state: UserState | None = None, rules: Rules = RULES) -> UserState:
    state = state or UserState(CATALOGUE)
    for o in observations:
        state.observe(o, rules)
    return state


def profile(state: UserState) -> Profile:
    return state.windows.profile("v", state.newest_ms, CATALOGUE.topics.values)


def beliefs(state: UserState) -> list[float]:
    """Return the learned means; the last one is the bias."""
    return all_means(state.preferences or Preferences(CATALOGUE))


def evidence(state: UserState) -> float:
    """Return the evidence on the length with most of it."""
    if state.preferences is None:
        return 0.0
    log = state.preferences.log
    return max(log.total(slot, Side.FOR) + log.total(slot, Side.AGAINST) for slot in CATALOGUE.facet_slots[0])


# Activity


def test_interaction_without_feedback_moves_the_windows_only() -> None:
    """The event counts as activity and does not train."""
    state = observe(make_observation(T, served=CONCISE, topic="code"))
    assert profile(state).activity.hour == 1
    assert profile(state).topics == (("code", 1.0),)
    assert state.preferences is None


def test_feedback_without_a_served_style_does_not_train() -> None:
    """It counts as a turn and as a dislike."""
    state = observe(make_observation(T, feedback="thumbs_down"))
    assert profile(state).session.negative_share == 1.0
    assert state.preferences is None


@pytest.mark.parametrize(
    ("feedback", "disliked"),
    [("thumbs_up", 0), ("copied", 0), ("thumbs_down", 1), ("regenerated", 1), ("edited", 1), ("shorter", 1)],
)
def test_dislikes_are_negative_and_directed_feedback(feedback: str, disliked: int) -> None:
    """A request for a shorter answer is a dislike."""
    state = observe(make_observation(T, served={"length": "detailed"}, feedback=feedback))
    assert profile(state).session.negative_share == disliked


# Turns


def test_turn_counts_once_with_any_feedback() -> None:
    """An answer, a copy and a thumb are three events of one turn."""
    state = observe(
        make_observation(T, turn=7, topic="code"),
        make_observation(T + 1, turn=7, served=CONCISE, feedback="copied", topic="code"),
        make_observation(T + 2, turn=7, served=CONCISE, feedback="thumbs_up", topic="code"),
        make_observation(T + 3, turn=8),
        make_observation(T + 4),
        make_observation(T + 5),
    )
    assert profile(state).activity.hour == 4
    assert profile(state).session.turns == 4


def test_turn_trains_with_a_weight_of_one_at_most() -> None:
    """After weights of 0.4 and 0.6, further feedback does not train."""
    of_turn = [
        make_observation(T + n, turn=7, served=CONCISE, feedback=feedback)
        for n, feedback in enumerate(["copied", "accepted", "thumbs_up", "thumbs_down"])
    ]
    state = observe(*of_turn)
    assert beliefs(state) == beliefs(observe(*of_turn[:2]))
    assert evidence(state) == pytest.approx(0.4 * KEPT + 0.6, abs=0.005)
    assert list(state.turns.learned) == [1.0]


@given(st.lists(st.sampled_from(CATALOGUE.feedback_names), min_size=1, max_size=30))
def test_feedback_on_one_turn_never_weighs_more_than_one(kinds: list[str]) -> None:
    """The bound holds for any kinds of feedback in any order."""
    served = {"length": "balanced"}
    state = observe(*[make_observation(T + n, turn=7, served=served, feedback=kind) for n, kind in enumerate(kinds)])
    assert state.turns.learned[0] <= 1.0
    assert evidence(state) <= 1.0 + 1e-6


def test_rounding_leaves_no_weight() -> None:
    """Fifty feedbacks of weight 0.02 use the weight up, although their 32-bit sum is a little less than 1."""
    rules = Rules(replace(CATALOGUE, feedback={"nod": FeedbackKind(weight=0.02, label=True)}))
    state = UserState(CATALOGUE)
    for n in range(60):
        o = make_observation(T + n, turn=7, served=CONCISE, feedback="nod", catalogue=rules.catalogue)
        observe(o, state=state, rules=rules)
    assert state.preferences is not None
    assert evidence(state) == pytest.approx(0.02 * (1 - KEPT**50) / (1 - KEPT), abs=0.02)


def test_feedback_trains_with_the_rest_of_the_weight() -> None:
    """After a weight of 0.4, a like has a weight of 0.6."""
    state = observe(
        make_observation(T, turn=7, served=CONCISE, feedback="copied"),
        make_observation(T + 1, turn=7, served=CONCISE, feedback="thumbs_up"),
    )
    assert evidence(state) == pytest.approx(0.4 * KEPT + 0.6, abs=0.005)


def test_feedback_without_training_takes_no_weight() -> None:
    """No shorter value exists at the end of the scale, so the next thumb has its full weight."""
    state = observe(
        make_observation(T, turn=7, served=CONCISE, feedback="shorter"),
        make_observation(T + 1, turn=7, served=CONCISE, feedback="thumbs_up"),
    )
    assert evidence(state) == 1.0


def test_events_without_a_turn_have_their_full_weight() -> None:
    """Nothing connects these events."""
    state = observe(*[make_observation(T + n, served=CONCISE, feedback="thumbs_up") for n in range(2)])
    assert evidence(state) == pytest.approx(1 + KEPT, abs=0.005)


def test_turn_is_disliked_once() -> None:
    """A regeneration, an edit and a thumb down are one dislike of the turn."""
    events = [make_observation(T + n, turn=7, feedback=kind) for n, kind in enumerate(["edited", "thumbs_down"])]
    assert profile(observe(*events, make_observation(T + 5, turn=8))).session.negative_share == 0.5


def test_turn_is_found_among_the_last_sixteen() -> None:
    """Later feedback counts as a new turn."""
    turns = [make_observation(T + n, turn=100 + n) for n in range(RECENT_TURNS)]
    state = observe(*turns, make_observation(T + 50, turn=100, served=CONCISE, feedback="thumbs_up"))
    assert profile(state).activity.hour == RECENT_TURNS
    state = observe(*turns, make_observation(T + 50, turn=999), make_observation(T + 51, turn=100))
    assert profile(state).activity.hour == RECENT_TURNS + 2


def test_turn_in_a_reused_place_starts_empty() -> None:
    """Neither weight nor dislike of the earlier turn counts."""
    first = make_observation(T, turn=1, served=CONCISE, feedback="thumbs_down")
    others = [make_observation(T + n, turn=1 + n) for n in range(1, RECENT_TURNS)]
    state = observe(first, *others, make_observation(T + 60, turn=99, served=CONCISE, feedback="thumbs_down"))
    assert len(state.turns.hashes) == RECENT_TURNS
    assert evidence(state) == pytest.approx(1 + KEPT, abs=0.005)
    assert profile(state).session.negative_share == pytest.approx(2 / 17, abs=0.001)


# Sensitive topics


@pytest.mark.parametrize("turn", [0, 7])
def test_sensitive_turn_counts_without_topic_and_training(turn: int) -> None:
    """The turn counts as activity, and the topic is not stored. The same holds without a turn id."""
    state = observe(make_observation(T, turn=turn, topic="health", served=CONCISE, feedback="thumbs_up"))
    assert profile(state).activity.hour == 1
    assert profile(state).topics == ()
    assert state.preferences is None


@pytest.mark.parametrize("topic", [None, "code"])
def test_later_feedback_on_a_sensitive_turn_does_not_train(topic: str | None) -> None:
    """The feedback may have no topic, or another one."""
    state = observe(
        make_observation(T, turn=7, topic="health", served=CONCISE),
        make_observation(T + 1, turn=7, topic=topic, served=CONCISE, feedback="thumbs_up"),
    )
    assert state.preferences is None
    assert profile(state).topics == ()


def test_turn_that_becomes_sensitive_does_not_train_again() -> None:
    """The second event of the turn names the topic."""
    state = observe(
        make_observation(T, turn=7, served=CONCISE, feedback="copied"),
        make_observation(T + 1, turn=7, topic="finance"),
        make_observation(T + 2, turn=7, served=CONCISE, feedback="thumbs_up"),
    )
    assert evidence(state) == pytest.approx(0.4)


@given(st.lists(interactions(), max_size=40))
def test_sensitive_topics_are_never_counted(events: list[Observation]) -> None:
    """The property holds for any events."""
    state = observe(*events)
    if state.has_windows:
        assert not {name for name, _ in profile(state).topics} & set(CATALOGUE.topics.sensitive)
