"""state/learning/preferences as a River estimator."""

from random import Random
from typing import Any

import pytest
from river import compose, dummy, evaluate, metrics
from river.checks import clf, common

from state.learning.preferences import Preferences
from tests.support.factories import CATALOGUE, slots
from tests.support.river_checks import GENERAL, NOT_APPLICABLE, WITH_DATA, Check

METRICS: Any = metrics
"""River's metrics come without types."""


def stream(length: int = 400) -> list[tuple[dict[Any, Any], bool]]:
    """Return served styles and feedback of a user with a taste for concise and formal answers."""
    random = Random(5)
    answers = []
    for _ in range(length):
        x = {name: random.choice(facet.values) for name, facet in CATALOGUE.facets.items()}
        liked = (
            0.5 + 0.3 * (x["length"] == "concise") - 0.3 * (x["length"] == "detailed") + 0.15 * (x["tone"] == "formal")
        )
        answers.append((x, random.random() < liked))
    return answers


def test_river_evaluates_it() -> None:
    """`progressive_val_score` with River's metrics beats the user's share of likes."""
    loss, auc, baseline = METRICS.LogLoss(), METRICS.ROCAUC(), METRICS.LogLoss()
    evaluate.progressive_val_score(stream(), Preferences(CATALOGUE), loss + auc)
    evaluate.progressive_val_score(stream(), dummy.PriorClassifier(), baseline)
    assert loss.get() < baseline.get() - 0.03
    assert auc.get() > 0.65


def test_it_is_the_end_of_a_pipeline() -> None:
    """River's selector passes only some facets; the pipeline is evaluated as a whole."""
    pipeline, by_hand = compose.Pipeline(compose.Select("length"), Preferences(CATALOGUE)), Preferences(CATALOGUE)
    auc = METRICS.ROCAUC()
    evaluate.progressive_val_score(stream(), pipeline, auc)
    for x, y in stream():
        by_hand.learn_one({"length": x["length"]}, y)
    x = {"length": "concise", "tone": "formal"}
    assert pipeline.predict_proba_one(x) == by_hand.predict_proba_one({"length": "concise"})
    assert by_hand.predict_proba_one(x) != by_hand.predict_proba_one({"length": "concise"})
    assert auc.get() > 0.65


def test_river_interface_learns_like_the_hot_path() -> None:
    """Names or slots, the beliefs are the same."""
    by_name, by_slot = Preferences(CATALOGUE), Preferences(CATALOGUE)
    for x, y in stream(50):
        by_name.learn_one(x, y, w=0.5)
        by_slot.learn(slots(x), y, 0.5)
    assert by_name.row.read() == by_slot.row.read()


def test_what_the_catalogue_does_not_know_is_ignored() -> None:
    """River's data may have more columns."""
    more, less = Preferences(CATALOGUE), Preferences(CATALOGUE)
    more.learn_one({"length": "endless", "mood": "sour", "tone": ["formal"]}, True)
    less.learn_one({"tone": "formal"}, True)
    assert more.row.read() == less.row.read()


@pytest.mark.parametrize("check", GENERAL)
def test_river_check_holds(check: Check) -> None:
    """River's own checks of what every estimator does."""
    check(Preferences(CATALOGUE))


@pytest.mark.parametrize("check", WITH_DATA)
def test_river_check_holds_on_answers(check: Check) -> None:
    """On answers instead of River's data sets, whose columns the catalogue does not know."""
    check(Preferences(CATALOGUE), stream())


def test_no_check_of_rivers_is_left_out() -> None:
    """A new one has to be looked at."""
    offered = {name for module in (common, clf) for name in vars(module) if name.startswith("check_")}
    done = {check.__name__ for check in [*GENERAL, *WITH_DATA]}
    assert offered == done | set(NOT_APPLICABLE)
    assert not done & set(NOT_APPLICABLE)
