"""state/learning/calibration: the error as the paper defines it, and a metric wherever River takes one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import evaluate, utils
from river.linear_model import LogisticRegression

from state.learning.calibration import BINS, Calibration

Judged = list[tuple[bool, int]]
"""(liked, per mille that were predicted)."""

JUDGED = st.lists(st.tuples(st.booleans(), st.integers(0, 1000)), min_size=1, max_size=60)
ROLLING: Any = utils.Rolling


def reference(feedback_count: Judged) -> float:
    """Return the error bin by bin: mean |share of likes − mean p|, weighted by how many predictions a bin has."""
    error = 0.0
    for lowest in range(0, 1000, 1000 // BINS):
        highest = 1000 if lowest == 900 else lowest + 99
        found = [(liked, p / 1000) for liked, p in feedback_count if lowest <= p <= highest]
        if found:
            likes = sum(liked for liked, _ in found) / len(found)
            error += len(found) / len(feedback_count) * abs(likes - sum(p for _, p in found) / len(found))
    return error


def metric_of(feedback_count: Judged) -> Calibration:
    metric = Calibration()
    for liked, p in feedback_count:
        metric.update(liked, p / 1000)
    return metric


@given(JUDGED)
def test_error_is_as_the_paper_defines_it(feedback_count: Judged) -> None:
    assert metric_of(feedback_count).get() == pytest.approx(reference(feedback_count), abs=1e-9)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_predictions_that_come_true_as_often_as_they_say_have_no_error(likes: list[int]) -> None:
    """Of 50 answers that were predicted k/50, k are liked."""
    feedback_count = [(answer < k, 20 * k) for k in likes for answer in range(50)]
    assert metric_of(feedback_count).get() == pytest.approx(0.0, abs=1e-9)


def test_certainty_that_is_always_wrong_is_the_greatest_error() -> None:
    assert metric_of([(False, 1000), (True, 0)]).get() == 1.0


def test_errors_one_way_make_up_for_the_other_only_within_a_bin() -> None:
    assert metric_of([(True, 550), (False, 550)]).get() == pytest.approx(0.05)
    assert metric_of([(True, 450), (False, 550)]).get() == pytest.approx(0.55)


def test_without_predictions_there_is_no_error() -> None:
    assert Calibration().get() == 0.0


@given(JUDGED)
def test_probabilities_of_both_outcomes_and_weights_are_taken(feedback_count: Judged) -> None:
    """A weight of 2 is to be there twice; River's classifiers predict both outcomes."""
    weighted = Calibration()
    for liked, p in feedback_count:
        weighted.update(liked, {True: p / 1000, False: 1 - p / 1000}, 2.0)
    assert weighted.get() == pytest.approx(metric_of(feedback_count + feedback_count).get(), abs=1e-9)


@given(JUDGED, JUDGED)
def test_what_is_taken_back_was_never_there(kept: Judged, reverted: Judged) -> None:
    metric = metric_of(reverted + kept)
    for liked, p in reverted:
        metric.revert(liked, p / 1000)
    assert metric.get() == pytest.approx(metric_of(kept).get(), abs=1e-9)


@given(JUDGED, st.integers(1, 60))
def test_rolls_over_the_latest_predictions(feedback_count: Judged, window: int) -> None:
    rolling = ROLLING(Calibration, window_size=window)
    for liked, p in feedback_count:
        rolling.update(liked, p / 1000)
    assert rolling.get() == pytest.approx(reference(feedback_count[-window:]), abs=1e-9)


def test_river_evaluates_with_it() -> None:
    """As `progressive_val_score` does with its own metrics; the model of one feature learns a rate of 70 %."""
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


def test_clone_begins_anew() -> None:
    used = metric_of([(True, 100)])
    assert used.clone().get() == 0.0
    assert used.get() > 0.0
