"""Population model as a River estimator."""

from random import Random
from typing import Any

import pytest
from river import compose, dummy, evaluate, metrics, preprocessing

from state.learning.population_model import PopulationModel
from tests.support.river_checks import GENERAL, WITH_DATA, Check

METRICS: Any = metrics
"""River's metrics have no types."""


def stream(length: int = 400) -> list[tuple[dict[Any, Any], bool]]:
    """Return answers as active features; users like concise answers, and tables on code."""
    random = Random(5)
    answers = []
    for _ in range(length):
        length_, format_ = random.choice(["concise", "detailed"]), random.choice(["prose", "table"])
        on_code = random.random() < 0.5
        liked = 0.4 + 0.3 * (length_ == "concise") + 0.25 * (on_code and format_ == "table")
        x: dict[Any, Any] = {f"length={length_}": 1, f"format={format_}": 1}
        answers.append((x | {f"topic:code&format={format_}": 1} if on_code else x, random.random() < liked))
    return answers


def test_river_evaluates_the_model() -> None:
    """`progressive_val_score` takes the model, which beats the rate of likes."""
    loss, auc, baseline = METRICS.LogLoss(), METRICS.ROCAUC(), METRICS.LogLoss()
    evaluate.progressive_val_score(stream(), PopulationModel(), loss + auc)
    evaluate.progressive_val_score(stream(), dummy.PriorClassifier(), baseline)
    assert loss.get() < baseline.get() - 0.02
    assert auc.get() > 0.62


def test_model_is_the_end_of_a_pipeline() -> None:
    """River's encoder makes the same features as by hand."""
    examples = [({"length": "concise" if n % 2 else "detailed", "topic": "code"}, n % 3 > 0) for n in range(60)]
    pipeline, by_hand = compose.Pipeline(preprocessing.OneHotEncoder(), PopulationModel()), PopulationModel()
    for x, y in examples:
        pipeline.learn_one(x, y)
        by_hand.learn_one({f"length_{x['length']}": 1, "topic_code": 1}, y)
    found = pipeline.predict_proba_one({"length": "concise", "topic": "code"})[True]
    assert found == pytest.approx(by_hand.predict_proba_one({"length_concise": 1, "topic_code": 1})[True])
    assert found > 0.5


def test_weight_counts() -> None:
    """River passes the weight as `w`."""
    whole, part = PopulationModel(), PopulationModel()
    whole.learn_one({"length=concise": 1}, True)
    part.learn_one({"length=concise": 1}, True, w=0.25)
    assert part.means["length=concise"] == pytest.approx(0.25 * whole.means["length=concise"])


def test_inactive_features_have_no_influence() -> None:
    """0, False and an absent feature are equal."""
    one, other = PopulationModel(), PopulationModel()
    one.learn_one({"length=concise": 1, "length=detailed": 0, "tone=formal": False}, True)
    other.learn_one({"length=concise": 1}, True)
    assert one.means == other.means


@pytest.mark.parametrize("check", GENERAL)
def test_river_check_holds(check: Check) -> None:
    """River's checks of every estimator pass."""
    check(PopulationModel())


@pytest.mark.parametrize("check", WITH_DATA)
def test_river_check_holds_on_examples(check: Check) -> None:
    """River's checks on examples pass."""
    check(PopulationModel(), stream())
