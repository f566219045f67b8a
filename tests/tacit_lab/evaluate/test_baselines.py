"""Baselines: they learn what is there to be learned, and never see a piece of feedback before they were asked for it."""

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
from tests.support.examples import WISH, make_example, tastes

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
def test_no_prediction_knows_its_judgement(name: str, seed: int, flipped: int) -> None:
    """With one piece of feedback turned round, nothing that was predicted up to it is another."""
    examples = tastes(40, users=3, items=4, seed=seed)
    turned = list(examples)
    turned[flipped] = replace(turned[flipped], liked=not turned[flipped].liked)
    assert _predictions(name, turned)[: flipped + 1] == _predictions(name, examples)[: flipped + 1]


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
    """Strictly between 0 and 1, whatever comes, items or none, styles or none."""
    assert all(0.0 < p < 1.0 for p in _predictions(name, examples))


@pytest.mark.parametrize("name", NAMES)
def test_first_prediction_is_one_half(name: str) -> None:
    """Nothing is known of anybody."""
    assert _predictions(name, [make_example(item=7)]) == [pytest.approx(0.5)]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_stream_gives_the_same_predictions(name: str) -> None:
    """Whatever is drawn is drawn from a seed."""
    examples = tastes(200, items=10)
    assert _predictions(name, examples) == _predictions(name, examples)


def test_whoever_knows_more_does_better() -> None:
    """On users with tastes of their own, and items that are better than others."""
    loss = _log_losses(compare([tastes(6_000, items=12)], baselines()))
    assert loss["ad_predictor_full"] < loss["ad_predictor"] < loss["user_mean"] < loss["constant"] + 0.005
    assert loss["logistic_regression"] < loss["constant"] - 0.01
    assert loss["biased_mf"] < loss["constant"] - 0.01


def test_topics_tell_values_apart() -> None:
    """To a user of whom nothing is known."""
    examples = [
        make_example(user, liked=topic == slot, slots=(slot,), topic=topic)
        for user in range(200)
        for topic, slot in ((user % 2, 0), (user % 2, 1))
    ]
    assert _predictions("ad_predictor_full", [*examples, make_example(999, slots=(1,), topic=1)])[-1] > 0.8
    assert 0.4 < _predictions("ad_predictor", [*examples, make_example(999, slots=(1,), topic=1)])[-1] < 0.6


def test_constant_is_the_rate_so_far() -> None:
    """With one like and one dislike assumed."""
    examples = [make_example(liked=liked) for liked in (True, True, False)]
    assert _predictions("constant", examples) == [pytest.approx(p) for p in (1 / 2, 2 / 3, 3 / 4)]


def test_mean_of_a_person_is_shrunk_to_everybodys() -> None:
    """By four pieces of feedback' worth."""
    examples = [make_example(1, liked=True) for _ in range(8)] + [make_example(2, liked=False)]
    found = _predictions("user_mean", [*examples, make_example(2)])
    assert all(earlier < later for earlier, later in pairwise(found[:8]))
    assert found[8] == pytest.approx(9 / 10)
    assert found[9] == pytest.approx(4 * 9 / 11 / 5)


def test_models_of_what_is_not_there_are_left_out() -> None:
    """Where no answer has an item or a topic; where some do they are there."""
    without = compare([tastes(20)], baselines())
    assert {model.name for model in without.models} == {"tacit", *NAMES} - {"biased_mf", "ad_predictor_full"}
    with_topics = compare([[make_example(topic=2)]], baselines())
    assert {model.name for model in with_topics.models} == {"tacit", *NAMES} - {"biased_mf"}
    late = compare([tastes(20), tastes(20, items=3)], baselines())
    assert {model.name for model in late.models} == {"tacit", *NAMES}
    assert {len(model.p) for model in late.models} == {40}


def test_wish_is_a_dislike_of_the_answer_as_it_was() -> None:
    """For the deployed model and for all others alike."""
    directed = [make_example(99, liked=False, p=0.2, directed=(WISH,)) for _ in range(30)]
    dislikes = [make_example(99, liked=False, p=0.2) for _ in range(30)]
    preferred, disliked = compare([directed], baselines()), compare([dislikes], baselines())
    assert [model.p for model in preferred.models] == [model.p for model in disliked.models]
    assert len(preferred.feedback) == 30


def test_batches_do_not_matter() -> None:
    """Nor do empty ones."""
    examples, random = tastes(60, items=3), Random(3)
    cuts = [0, *sorted(random.randrange(60) for _ in range(5)), 60]
    batches = [examples[start:end] for start, end in pairwise(cuts)]
    whole, cut = compare([examples], baselines()), compare([[], *batches], baselines())
    assert [model.p for model in cut.models] == [model.p for model in whole.models]
    assert cut.feedback.numbers == whole.feedback.numbers
