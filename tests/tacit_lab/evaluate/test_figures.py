"""Figures of predictions, compared with brute force."""

from math import isclose, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit_lab.evaluate import ALL, BUCKETS, figures_of
from tacit_lab.evaluate.figures import CALIBRATION_BINS, FeedbackOutcomes, auc, scored_from

# Few different chances give ties; both ends and the borders of bins are among them.
PREDICTIONS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 0.7, 1.0]) | st.floats(0.0, 1.0)),
    min_size=1,
    max_size=60,
)


def _area_by_pairs(predictions: list[tuple[bool, float]]) -> float | None:
    likes = [p for liked, p in predictions if liked]
    dislikes = [p for liked, p in predictions if not liked]
    wins = sum((like > dislike) + (like == dislike) / 2 for like in likes for dislike in dislikes)
    return wins / (len(likes) * len(dislikes)) if likes and dislikes else None


def _calibration_error(predictions: list[tuple[bool, float]]) -> float:
    error = 0.0
    for index in range(CALIBRATION_BINS):
        inside = [(liked, p) for liked, p in predictions if min(int(p * CALIBRATION_BINS), 9) == index]
        if inside:
            share = sum(liked for liked, _ in inside) / len(inside)
            mean = sum(p for _, p in inside) / len(inside)
            error += len(inside) / len(predictions) * abs(share - mean)
    return error


@given(PREDICTIONS)
def test_figures_follow_their_definitions(predictions: list[tuple[bool, float]]) -> None:
    """Log loss, accuracy and calibration are sums; the area is over all pairs, and a tie counts half."""
    found = figures_of([liked for liked, _ in predictions], [p for _, p in predictions])
    n = len(predictions)
    assert found.n == n
    assert found.accuracy == pytest.approx(sum(liked == (p >= 0.5) for liked, p in predictions) / n)
    assert found.ece == pytest.approx(_calibration_error(predictions), abs=1e-9)
    assert found.auc == pytest.approx(_area_by_pairs(predictions))
    if all(1e-12 < p < 1 - 1e-12 for _, p in predictions):
        assert found.log_loss is not None
        assert isclose(found.log_loss, -sum(log(p if liked else 1 - p) for liked, p in predictions) / n, rel_tol=1e-9)


def test_wrong_certainty_has_a_finite_log_loss() -> None:
    """A chance of 0 is replaced by a tiny one."""
    found = figures_of([1], [0.0])
    assert found.log_loss is not None
    assert 20 < found.log_loss < 100


def test_no_feedback_has_no_figures() -> None:
    """Likes alone have no area."""
    assert figures_of([], []).as_dict() == {"n": 0, "log_loss": None, "auc": None, "accuracy": None, "ece": None}
    assert auc([1, 1], [0.2, 0.9]) is None


def test_order_of_ties_has_no_influence() -> None:
    """Equal predictions have an area of one half in each order."""
    assert auc([1, 1, 0, 0], [0.5] * 4) == auc([0, 0, 1, 1], [0.5] * 4) == 0.5


@given(st.lists(st.integers(1, 256), max_size=50), st.integers(0, 50))
def test_each_example_is_in_one_bucket(numbers: list[int], start: int) -> None:
    """Each example is also in the bucket of all."""
    feedback = FeedbackOutcomes()
    for number in numbers:
        feedback.add(True, number)
    found = {bucket.name: list(feedback.within(bucket, start)) for bucket in BUCKETS}
    together = sorted(index for indices in found.values() for index in indices)
    assert together == list(feedback.within(ALL, start)) == list(range(start, len(numbers)))
    for name, first, last in (("1-5", 1, 5), ("6-20", 6, 20), ("21+", 21, 256)):
        assert all(first <= numbers[index] <= last for index in found[name])


def test_last_70_percent_are_scored() -> None:
    """The first 30% train the models only."""
    assert [scored_from(n) for n in (0, 1, 3, 4, 100_000)] == [0, 0, 0, 1, 30_000]
