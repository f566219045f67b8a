"""state/learning/mood: a bias that passes within hours."""

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.mood import DECAY_S, KEPT, MAX_S, VARIANCE, Mood
from state.row.layout import Sizes, layout_of
from state.row.row import Row
from tests.support.factories import START_MS

STEPS = st.tuples(st.floats(-1.0, 1.0), st.floats(0.0, 0.6), st.integers(0, 10**8))


def new_mood() -> Mood:
    mood = Mood(Row(layout_of(Sizes(slots=16, facets=5, terms=10))))
    mood.begin()
    return mood


def disliked(at_ms: int = START_MS) -> Mood:
    mood = new_mood()
    mood.move_to(at_ms)
    mood.update(mean_step=-0.8, variance_step=0.5)
    return mood


def test_feedback_moves_the_mood_by_its_variance() -> None:
    """As every belief, and it keeps nine tenths."""
    mean, variance = disliked().belief
    assert mean == pytest.approx(KEPT * -0.8 * VARIANCE)
    assert 0 < variance < VARIANCE


def test_mood_decays_within_hours() -> None:
    """After two hours 1/e of the mean is left, and after a day nothing is known."""
    mood, (mean, _) = disliked(), disliked().belief
    mood.move_to(START_MS + DECAY_S * 1000)
    assert mood.belief[0] == pytest.approx(mean * exp(-1), rel=1e-6)
    mood.move_to(START_MS + 24 * 3_600_000)
    assert mood.belief == pytest.approx([0.0, VARIANCE], abs=1e-6)


def test_earlier_time_changes_nothing() -> None:
    """Feedback out of order finds the mood of the newest feedback."""
    mood = disliked()
    mood.move_to(START_MS - 3_600_000)
    assert (mood.belief, mood.at_s) == (disliked().belief, START_MS // 1000)


def test_latest_time_of_events_fits() -> None:
    """The state has 32 bits for the time."""
    assert disliked(9_999_999_999_999).at_s == MAX_S


@given(st.lists(STEPS, max_size=60))
def test_variance_stays_between_nothing_and_the_prior(steps: list[tuple[float, float, int]]) -> None:
    """For any feedback at any times."""
    mood = new_mood()
    for mean_step, variance_step, at_s in steps:
        mood.move_to(START_MS + at_s)
        mood.update(mean_step, variance_step)
        assert 0 < mood.belief[1] <= VARIANCE * (1 + 1e-6)
