"""Baselines: each learns its part of the truth, and predicts an example before it trains with the example."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.learning.example import Example
from tacit_lab.evaluate import Predictor, baselines, compare
from tacit_lab.evaluate.evaluation import Evaluation
from tacit_lab.evaluate.figures import ALL
from tests.support.examples import DIRECTED, make_example, tastes

NAMES = [predictor.name for predictor in baselines()]


def _named(name: str) -> Predictor:
    return next(predictor for predictor in baselines() if predictor.name == name)


def _predictions(name: str, examples: list[Example]) -> list[float]:
    predictor, found = _named(name), []
    for example in examples:
        found.append(predictor.predict(example))
        predictor.learn(example)
    return found


def _log_losses(evaluation: Evaluation) -> dict[str, float]:
    start = evaluation.scored_from
    return {model.name: evaluation.figures(model, ALL, start).log_loss or 0.0 for model in evaluation.models}


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 1000), flipped=st.integers(0, 39))
def test_no_prediction_depends_on_its_feedback(name: str, seed: int, flipped: int) -> None:
    """The reversal of one feedback changes no earlier prediction, nor its own."""
    examples = tastes(40, users=3, items=4, seed=seed)
    reversed_ = list(examples)
    reversed_[flipped] = replace(reversed_[flipped], liked=not reversed_[flipped].liked)
    assert _predictions(name, reversed_)[: flipped + 1] == _predictions(name, examples)[: flipped + 1]


@pytest.mark.parametrize("name", NAMES)
@given(
    st.lists(
        st.builds(
            make_example,
            st.integers(0, 3),
            liked=st.booleans(),
            slots=st.sampled_from([(), (0,), (0, 1), (1, 2, 3)]),
            item=st.integers(0, 3),
            topic=st.integers(-1, 2),
        ),
        max_size=40,
    )
)
def test_predictions_are_chances(name: str, examples: list[Example]) -> None:
    """Predictions are strictly between 0 and 1, with and without items and styles."""
    assert all(0.0 < p < 1.0 for p in _predictions(name, examples))


@pytest.mark.parametrize("name", NAMES)
def test_first_prediction_is_one_half(name: str) -> None:
    """No feedback has arrived yet."""
    assert _predictions(name, [make_example(item=7)]) == [pytest.approx(0.5)]


@pytest.mark.parametrize("name", NAMES)
def test_same_stream_gives_the_same_predictions(name: str) -> None:
    """Random starts come from a seed."""
    examples = tastes(200, items=10)
    assert _predictions(name, examples) == _predictions(name, examples)


def test_model_with_more_features_predicts_better() -> None:
    """Users have individual tastes, and some items are better than others."""
    loss = _log_losses(compare([tastes(6_000, items=12)], baselines()))
    assert loss["ad_predictor_full"] < loss["ad_predictor"] < loss["user_mean"] < loss["constant"] + 0.005
    assert loss["logistic_regression"] < loss["constant"] - 0.01
    assert loss["biased_mf"] < loss["constant"] - 0.01


def test_topics_distinguish_values() -> None:
    """The population's effect of a topic serves an unknown user."""
    examples = [
        make_example(user, liked=topic == slot, slots=(slot,), topic=topic)
        for user in range(200)
        for topic, slot in ((user % 2, 0), (user % 2, 1))
    ]
    assert _predictions("ad_predictor_full", [*examples, make_example(999, slots=(1,), topic=1)])[-1] > 0.8
    assert 0.4 < _predictions("ad_predictor", [*examples, make_example(999, slots=(1,), topic=1)])[-1] < 0.6


def test_constant_is_the_rate_so_far() -> None:
    """One like and one dislike are assumed at the start."""
    examples = [make_example(liked=liked) for liked in (True, True, False)]
    assert _predictions("constant", examples) == [pytest.approx(p) for p in (1 / 2, 2 / 3, 3 / 4)]


def test_mean_of_a_user_is_shrunk_to_the_mean_of_all() -> None:
    """The mean of all users counts like four answers."""
    examples = [make_example(1, liked=True) for _ in range(8)] + [make_example(2, liked=False)]
    found = _predictions("user_mean", [*examples, make_example(2)])
    assert all(earlier < later for earlier, later in pairwise(found[:8]))
    assert found[8] == pytest.approx(9 / 10)
    assert found[9] == pytest.approx(4 * 9 / 11 / 5)


def test_models_of_absent_features_are_left_out() -> None:
    """A model of items or topics is included if some answer has one."""
    without = compare([tastes(20)], baselines())
    assert {model.name for model in without.models} == {"tacit", *NAMES} - {"biased_mf", "ad_predictor_full"}
    with_topics = compare([[make_example(topic=2)]], baselines())
    assert {model.name for model in with_topics.models} == {"tacit", *NAMES} - {"biased_mf"}
    late = compare([tastes(20), tastes(20, items=3)], baselines())
    assert {model.name for model in late.models} == {"tacit", *NAMES}
    assert {len(model.p) for model in late.models} == {40}


def test_directed_feedback_is_a_dislike_of_the_answer() -> None:
    """The rule is the same for the deployed model and the baselines."""
    asked = [make_example(99, liked=False, p=0.2, directed=(DIRECTED,)) for _ in range(30)]
    dislikes = [make_example(99, liked=False, p=0.2) for _ in range(30)]
    preferred, disliked = compare([asked], baselines()), compare([dislikes], baselines())
    assert [model.p for model in preferred.models] == [model.p for model in disliked.models]
    assert len(preferred.feedback) == 30


def test_size_of_batches_has_no_influence() -> None:
    """Empty batches have none, either."""
    examples, random = tastes(60, items=3), Random(3)
    cuts = [0, *sorted(random.randrange(60) for _ in range(5)), 60]
    batches = [examples[start:end] for start, end in pairwise(cuts)]
    whole, cut = compare([examples], baselines()), compare([[], *batches], baselines())
    assert [model.p for model in cut.models] == [model.p for model in whole.models]
    assert cut.feedback.numbers == whole.feedback.numbers
