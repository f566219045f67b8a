"""Calibration error: River's interface of a metric."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import evaluate, utils
from river.linear_model import LogisticRegression

from tacit_lab.evaluate.calibration import Calibration
from tests.state.learning.test_calibration import PREDICTIONS, Predictions, reference

ROLLING: Any = utils.Rolling


def metric_of(predictions: Predictions) -> Calibration:
    metric = Calibration()
    for liked, p in predictions:
        metric.update(liked, p / 1000)
    return metric


@given(PREDICTIONS)
def test_metric_is_the_error_of_the_sums(predictions: Predictions) -> None:
    assert metric_of(predictions).get() == pytest.approx(reference(predictions), abs=1e-9)


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
    assert sum(metric.sums.weights) == len(stream)
    assert 0.0 < metric.get() < 0.12


def test_less_is_better() -> None:
    good, bad = metric_of([(True, 900)]), metric_of([(True, 100)])
    assert good.is_better_than(bad)
    assert not bad.is_better_than(good)


def test_clone_starts_empty() -> None:
    used = metric_of([(True, 100)])
    assert used.clone().get() == 0.0
    assert used.get() > 0.0
