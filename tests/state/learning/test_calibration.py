"""Calibration error: the paper's definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.calibration import BINS, CalibrationSums

Predictions = list[tuple[bool, int]]
"""Predictions as (liked, predicted chance in per mille)."""

PREDICTIONS = st.lists(st.tuples(st.booleans(), st.integers(0, 1000)), min_size=1, max_size=60)


def reference(predictions: Predictions) -> float:
    """Return the mean over bins of |share of likes − mean p|, weighted by the count of predictions."""
    error = 0.0
    for lowest in range(0, 1000, 1000 // BINS):
        highest = 1000 if lowest == 900 else lowest + 99
        found = [(liked, p / 1000) for liked, p in predictions if lowest <= p <= highest]
        if found:
            likes = sum(liked for liked, _ in found) / len(found)
            error += len(found) / len(predictions) * abs(likes - sum(p for _, p in found) / len(found))
    return error


def error_of(predictions: Predictions) -> float:
    sums = CalibrationSums()
    for liked, p in predictions:
        sums.add(liked, p / 1000)
    return sums.error


@given(PREDICTIONS)
def test_error_follows_the_definition(predictions: Predictions) -> None:
    assert error_of(predictions) == pytest.approx(reference(predictions), abs=1e-9)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_calibrated_predictions_have_no_error(likes: list[int]) -> None:
    """Of 50 answers that were predicted k/50, k are liked."""
    predictions = [(answer < k, 20 * k) for k in likes for answer in range(50)]
    assert error_of(predictions) == pytest.approx(0.0, abs=1e-9)


def test_wrong_certainty_has_the_largest_error() -> None:
    assert error_of([(False, 1000), (True, 0)]) == 1.0


def test_opposite_errors_cancel_only_within_a_bin() -> None:
    assert error_of([(True, 550), (False, 550)]) == pytest.approx(0.05)
    assert error_of([(True, 450), (False, 550)]) == pytest.approx(0.55)


def test_no_predictions_have_no_error() -> None:
    assert CalibrationSums().error == 0.0
