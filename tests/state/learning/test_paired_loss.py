"""Paired log losses: exact means, and an interval that respects users."""

from hashlib import blake2b
from math import log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.paired_loss import LossDifference, PairedLoss, log_loss

CHANCES = st.floats(0.0, 1.0)


def pseudonym(number: int) -> bytes:
    return blake2b(str(number).encode(), digest_size=16).digest()


def result(losses: PairedLoss) -> LossDifference:
    found = losses.result()
    assert found is not None
    return found


@given(st.lists(st.tuples(st.integers(0, 500), st.booleans(), CHANCES, CHANCES), min_size=1, max_size=60))
def test_difference_is_the_mean_of_the_differences(feedback: list[tuple[int, bool, float, float]]) -> None:
    """Buckets have no influence on means; the interval holds the difference."""
    losses = PairedLoss()
    for user, liked, first, second in feedback:
        losses.add(pseudonym(user), liked, first, second)
    found = result(losses)
    firsts = [log_loss(liked, first) for _, liked, first, _ in feedback]
    seconds = [log_loss(liked, second) for _, liked, _, second in feedback]
    assert found.n == len(feedback)
    assert found.first == pytest.approx(sum(firsts) / len(feedback))
    assert found.second == pytest.approx(sum(seconds) / len(feedback), abs=1e-9)
    assert found.difference == pytest.approx(found.second - found.first)
    if found.low is not None and found.high is not None:
        assert found.low <= found.difference <= found.high


def test_no_feedback_gives_no_result_and_few_users_no_interval() -> None:
    """An interval of one user would be about this user alone."""
    losses = PairedLoss()
    assert losses.result() is None
    for _ in range(100):
        losses.add(pseudonym(1), True, 0.5, 0.6)
    assert result(losses)[4:] == (None, None, 1)


def test_equal_models_have_a_difference_of_zero() -> None:
    """The interval is the difference itself."""
    losses = PairedLoss()
    for user in range(200):
        losses.add(pseudonym(user), user % 3 == 0, 0.4, 0.4)
    assert result(losses)[3:6] == (0.0, 0.0, 0.0)


def test_certain_and_wrong_prediction_has_a_finite_loss() -> None:
    """As in River's log loss."""
    assert log_loss(True, 0.0) == -log(1e-15)


def test_interval_covers_the_true_difference_where_users_differ() -> None:
    """In about 95% of histories, although a model suits all feedback of a user, or none."""
    random, covered = Random(7), 0
    for history in range(300):
        losses = PairedLoss()
        for user in range(150):
            second = 0.6 if random.random() < 0.5 else 0.4
            for _ in range(12):  # likes are as frequent as the second model predicts for half of the users
                losses.add(pseudonym(history * 1_000 + user), random.random() < 0.6, 0.5, second)
        found = result(losses)
        truth = -0.5 * (log(0.6) + log(0.4)) - log(2)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert 0.92 <= covered / 300 <= 0.98
