"""Figures, against brute force."""

from math import isclose, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit_lab.evaluate import ALL, BUCKETS, figures_of
from tacit_lab.evaluate.figures import CALIBRATION_BINS, FeedbackOutcomes, auc, scored_from

# Few different chances, so that there are ties; both ends, and places where bins meet.
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
def test_figures_are_what_they_are_defined_as(predictions: list[tuple[bool, float]]) -> None:
    """Log loss, accuracy and calibration by their sums, the area by all pairs, ties counting half."""
    found = figures_of([liked for liked, _ in predictions], [p for _, p in predictions])
    n = len(predictions)
    assert found.n == n
    assert found.accuracy == pytest.approx(sum(liked == (p >= 0.5) for liked, p in predictions) / n)
    assert found.ece == pytest.approx(_calibration_error(predictions), abs=1e-9)
    assert found.auc == pytest.approx(_area_by_pairs(predictions))
    if all(1e-12 < p < 1 - 1e-12 for _, p in predictions):
        assert found.log_loss is not None
        assert isclose(found.log_loss, -sum(log(p if liked else 1 - p) for liked, p in predictions) / n, rel_tol=1e-9)


def test_sure_and_wrong_costs_much_but_not_everything() -> None:
    """A chance of 0 is kept from it by so little that it hardly counts."""
    found = figures_of([1], [0.0])
    assert found.log_loss is not None
    assert 20 < found.log_loss < 100


def test_nothing_judged_has_no_figures() -> None:
    """And of likes alone there is no area."""
    assert figures_of([], []).as_dict() == {"n": 0, "log_loss": None, "auc": None, "accuracy": None, "ece": None}
    assert auc([1, 1], [0.2, 0.9]) is None


def test_order_of_ties_does_not_matter() -> None:
    """Predicting the same of everything is worth nothing, whatever comes first."""
    assert auc([1, 1, 0, 0], [0.5] * 4) == auc([0, 0, 1, 1], [0.5] * 4) == 0.5


@given(st.lists(st.integers(1, 256), max_size=50), st.integers(0, 50))
def test_every_judgement_is_in_one_bucket(numbers: list[int], start: int) -> None:
    """And in that of all."""
    feedback = FeedbackOutcomes()
    for number in numbers:
        feedback.add(True, number)
    found = {bucket.name: list(feedback.within(bucket, start)) for bucket in BUCKETS}
    together = sorted(place for places in found.values() for place in places)
    assert together == list(feedback.within(ALL, start)) == list(range(start, len(numbers)))
    for name, first, last in (("1-5", 1, 5), ("6-20", 6, 20), ("21+", 21, 256)):
        assert all(first <= numbers[place] <= last for place in found[name])


def test_last_70_percent_are_scored() -> None:
    """Of a hundred thousand all but the first thirty thousand."""
    assert [scored_from(n) for n in (0, 1, 3, 4, 100_000)] == [0, 0, 0, 1, 30_000]
