"""River classifiers by import path."""

from hashlib import blake2b
from typing import Any

import pytest
from msgspec.structs import replace

from state.learning.example import Example
from state.learning.river_model import FEATURES, RiverModel, features_of, path_problem
from tacit.errors import ConfigurationError
from tests.support.examples import make_example, tastes

LOGISTIC = "river.linear_model.LogisticRegression"


def of_user(number: int, **more: Any) -> Example:
    user = blake2b(str(number).encode(), digest_size=16).digest()
    return replace(make_example(**more), user=user)


FAST = {"optimizer": {"class": "river.optim.SGD", "lr": 0.2}}


@pytest.mark.parametrize(
    ("path", "parameters"),
    [(LOGISTIC, FAST), ("river.linear_model.AdPredictor", {"beta": 1.0}), ("river.naive_bayes.BernoulliNB", {})],
)
def test_classifier_learns_who_likes_what(path: str, parameters: dict[str, Any]) -> None:
    """After training, likes have higher predictions than dislikes; before, a model predicts one half."""
    model = RiverModel(path, parameters)
    examples = tastes(1_500, users=4)
    assert model.predict(examples[0]) == 0.5
    found: dict[bool, list[float]] = {True: [], False: []}
    for number, example in enumerate(examples):
        if number >= 1_000:
            found[example.liked].append(model.predict(example))
        model.learn(example)
    likes, dislikes = (sum(found[liked]) / len(found[liked]) for liked in (True, False))
    assert likes > dislikes + 0.05


def test_parameters_reach_the_model() -> None:
    """A table with a class becomes an object of this class."""
    examples = tastes(50)
    slow = RiverModel(LOGISTIC, {"optimizer": {"class": "river.optim.SGD", "lr": 1e-9}, "intercept_lr": 0.0})
    fast = RiverModel(LOGISTIC, {"optimizer": {"class": "river.optim.SGD", "lr": 1.0}})
    for example in examples:
        slow.learn(example)
        fast.learn(example)
    assert slow.predict(examples[0]) == pytest.approx(0.5, abs=1e-6)
    assert abs(fast.predict(examples[0]) - 0.5) > 0.05


@pytest.mark.parametrize("path", ["os.system", "river", "river.os", "rivers.x.Y", "river.linear_model.", "river..x.Y"])
def test_path_outside_of_river_is_not_imported(path: str) -> None:
    """The error names an allowed path."""
    assert path_problem(path)
    with pytest.raises(ConfigurationError, match="is no import path below river; use one such as"):
        RiverModel(path)


@pytest.mark.parametrize(
    ("path", "parameters", "expected"),
    [
        ("river.linear_model.Missing", {}, "River has no such class; correct the path"),
        ("river.missing.Model", {}, "River has no such class; correct the path"),
        ("river.linear_model.LinearRegression", {}, "is no classifier of River"),
        ("river.optim.SGD", {}, "is no classifier of River"),
        ("river.linear_model.base.np", {}, "is no classifier of River"),
        (LOGISTIC, {"depth": 3}, "unexpected keyword argument 'depth'; correct the parameters in [models]"),
        (LOGISTIC, {"optimizer": {"class": "os.system"}}, "os.system is no import path below river"),
        (LOGISTIC, {"optimizer": {"class": "river.optim.base.abc"}}, "is no class of River"),
        ("river.compose.Pipeline", {}, "is no classifier of River"),
    ],
)
def test_wrong_class_or_parameter_is_an_error(path: str, parameters: dict[str, Any], expected: str) -> None:
    """The message has the place and a remedy."""
    with pytest.raises(ConfigurationError) as caught:
        RiverModel(path, parameters)
    assert expected in str(caught.value)


def test_features_are_bounded_and_differ() -> None:
    """Users, items, values, topics and values of a user each have a feature below the limit."""
    plain = features_of(of_user(1, slots=(0, 3)))
    assert len(plain) == 5
    assert len(features_of(of_user(1, slots=(0, 3), item=7))) == 6
    assert len(features_of(of_user(1, slots=(0, 3), item=7, topic=2))) == 8
    assert len(features_of(replace(of_user(1, slots=(0, 3)), surface=1))) == 7
    assert set(plain) & set(features_of(of_user(2, slots=(0, 3)))) == {
        f for f in plain if f in features_of(of_user(3, slots=(0, 3)))
    }
    for user in range(300):
        assert all(0 <= feature < FEATURES for feature in features_of(of_user(user, item=user * 99_991 % 2**32)))


def test_number_that_is_no_probability_is_an_error() -> None:
    """A model that diverged stops, as an evaluation of it would be no figure."""
    model = RiverModel(LOGISTIC, {"optimizer": {"class": "river.optim.SGD", "lr": float("nan")}})
    model.learn(make_example(liked=False, p=0.5))
    with pytest.raises(ArithmeticError, match="predicted a number that is no probability"):
        model.predict(make_example())
