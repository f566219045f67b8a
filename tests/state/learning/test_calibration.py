"""Calibration error: the paper's definition, and River's interface of a metric."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import evaluate, utils
from river.linear_model import LogisticRegression

from state.learning.calibration import BINS, Calibration

Predictions = list[tuple[bool, int]]
"""Predictions as (liked, predicted chance in per mille)."""

PREDICTIONS = st.lists(st.tuples(st.booleans(), st.integers(0, 1000)), min_size=1, max_size=60)
ROLLING: Any = utils.Rolling


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


def metric_of(predictions: Predictions) -> Calibration:
    metric = Calibration()
    for liked, p in predictions:
        metric.update(liked, p / 1000)
    return metric


@given(PREDICTIONS)
def test_error_follows_the_definition(predictions: Predictions) -> None:
    assert metric_of(predictions).get() == pytest.approx(reference(predictions), abs=1e-9)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_calibrated_predictions_have_no_error(likes: list[int]) -> None:
    """Of 50 answers that were predicted k/50, k are liked."""
    predictions = [(answer < k, 20 * k) for k in likes for answer in range(50)]
    assert metric_of(predictions).get() == pytest.approx(0.0, abs=1e-9)


def test_wrong_certainty_has_the_largest_error() -> None:
    assert metric_of([(False, 1000), (True, 0)]).get() == 1.0


def test_opposite_errors_cancel_only_within_a_bin() -> None:
    assert metric_of([(True, 550), (False, 550)]).get() == pytest.approx(0.05)
    assert metric_of([(True, 450), (False, 550)]).get() == pytest.approx(0.55)


def test_no_predictions_have_no_error() -> None:
    assert Calibration().get() == 0.0


@given(PREDICTIONS)
def test_weights_and_probabilities_of_both_outcomes_are_accepted(predictions: Predictions) -> None:
    """A weight of 2 counts twice; River's classifiers predict both outcomes."""
    weighted = Calibration()
    for liked, p in predictions:
        weighted.update(liked, {True: p / 1000, False: 1 - p / 1000}, 2.0)
    assert weighted.get() == pytest.approx(metric_of(predictions + predictions).get(), abs=1e-9)


@given(PREDICTIONS, PREDICTIONS)
def test_reverted_predictions_have_no_influence(kept: Predictions, reverted: Predictions) -> None:
    metric = metric_of(reverted + kept)
    for liked, p in reverted:
        metric.revert(liked, p / 1000)
    assert metric.get() == pytest.approx(metric_of(kept).get(), abs=1e-9)


@given(PREDICTIONS, st.integers(1, 60))
def test_rolling_metric_covers_the_latest_predictions(predictions: Predictions, window: int) -> None:
    rolling = ROLLING(Calibration, window_size=window)
    for liked, p in predictions:
        rolling.update(liked, p / 1000)
    assert rolling.get() == pytest.approx(reference(predictions[-window:]), abs=1e-9)


def test_river_evaluates_with_the_metric() -> None:
    """`progressive_val_score` takes the metric; a model with one feature learns a rate of 70 %."""
    stream: list[tuple[dict[Any, Any], bool]] = [({"always": 1.0}, turn % 10 < 7) for turn in range(5_000)]
    metric = Calibration()
    assert metric.works_with(LogisticRegression())
    found = evaluate.progressive_val_score(stream, LogisticRegression(), metric)
    assert found is metric
    assert sum(metric.weights) == len(stream)
    assert 0.0 < metric.get() < 0.12


def test_less_is_better() -> None:
    good, bad = metric_of([(True, 900)]), metric_of([(True, 100)])
    assert good.is_better_than(bad)
    assert not bad.is_better_than(good)


def test_clone_starts_empty() -> None:
    used = metric_of([(True, 100)])
    assert used.clone().get() == 0.0
    assert used.get() > 0.0
