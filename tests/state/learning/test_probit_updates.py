"""The updates of a user model, by a like or dislike and by directed feedback, follow the formula of the paper."""

from collections.abc import Mapping
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import Shape
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian
from state.learning.prediction import NEUTRAL_FACTORS, NOISE_VARIANCE, PopulationPart
from state.learning.preferences import KEPT, Preferences
from state.learning.probit import corrections
from state.learning.terms import BIAS_VARIANCE, SLOPE_VARIANCE, VALUE_VARIANCES
from tests.support.factories import CATALOGUE, make_observation
from tests.support.user_models import BIAS, SLOPES, all_means, all_variances, set_mean, set_variance

BULLETS = CATALOGUE.slot_index["format"]["bullets"]
CONCISE = CATALOGUE.slot_index["length"]["concise"]
BALANCED = CATALOGUE.slot_index["length"]["balanced"]
SLOPE = SLOPES + CATALOGUE.facet_index["length"]

ANSWER = {BULLETS: 1.0, CONCISE: 1.0, SLOPE: -1.0, BIAS: 1.0}
"""Inputs of an answer with bullets that is concise, which is the lower end of the scale."""
COMPARISON = {CONCISE: 1.0, BALANCED: -1.0, SLOPE: -1.0}
"""Inputs of feedback "shorter" on a balanced answer."""
PRIOR_VARIANCES = {
    BULLETS: VALUE_VARIANCES[Shape.SINGLE],
    CONCISE: VALUE_VARIANCES[Shape.ORDERED],
    BALANCED: VALUE_VARIANCES[Shape.ORDERED],
    SLOPE: SLOPE_VARIANCE,
    BIAS: BIAS_VARIANCE,
}

Beliefs = Mapping[int, Gaussian]


def beliefs(inputs: Mapping[int, float]) -> st.SearchStrategy[Beliefs]:
    """Draw a belief for each input."""
    belief = st.builds(Gaussian, st.floats(-1.5, 1.5, width=32), st.floats(0.015625, 0.5, width=32))
    return st.fixed_dictionaries(dict.fromkeys(inputs, belief))


def user_model(start: Beliefs) -> Preferences:
    preferences = Preferences(CATALOGUE)
    for number, (mean, variance) in start.items():
        set_mean(preferences, number, mean)
        set_variance(preferences, number, variance)
    return preferences


def without_forgetting(preferences: Preferences, numbers: Mapping[int, float]) -> dict[int, Gaussian]:
    """Return the beliefs before the forgetting that ends each update of a user model."""
    kept, means, variances = KEPT * KEPT, all_means(preferences), all_variances(preferences)
    return {
        number: Gaussian(
            means[number] / KEPT,
            (variances[number] - (1 - kept) * PRIOR_VARIANCES[number]) / kept,
        )
        for number in numbers
    }


def by_formula(
    start: Beliefs, inputs: Mapping[int, float], rest: Gaussian, liked: bool, weight: float
) -> dict[int, Gaussian]:
    """Apply equations 10 to 12 of the paper."""
    sign = 1.0 if liked else -1.0
    mean = rest.mean + sum(x * start[number].mean for number, x in inputs.items())
    variance = rest.variance + sum(x * x * start[number].variance for number, x in inputs.items())
    gain, shrink = corrections(sign * mean / sqrt(variance))
    return {
        number: Gaussian(
            start[number].mean + weight * sign * x * start[number].variance * gain / sqrt(variance),
            start[number].variance * (1 - weight * x * x * start[number].variance * shrink / variance),
        )
        for number, x in inputs.items()
    }


def assert_agree(found: Beliefs, expected: Beliefs) -> None:
    for number, belief in expected.items():
        assert found[number] == pytest.approx(belief, abs=2e-6)


@given(
    beliefs(ANSWER),
    st.builds(Gaussian, st.floats(-1.5, 1.5), st.floats(1.0, 3.0)),
    st.booleans(),
    st.floats(0.125, 1.0),
)
def test_like_and_dislike_update_by_the_formula(start: Beliefs, rest: Gaussian, liked: bool, weight: float) -> None:
    """The population's part of the prediction is the rest."""
    preferences = user_model(start)
    population = PopulationPart(rest.mean, rest.variance, NEUTRAL_FACTORS)
    preferences.learn([CONCISE, BULLETS], liked, weight, population)
    assert_agree(without_forgetting(preferences, ANSWER), by_formula(start, ANSWER, rest, liked, weight))


@given(beliefs(COMPARISON), st.floats(0.125, 1.0))
def test_directed_feedback_updates_by_the_formula(start: Beliefs, weight: float) -> None:
    """The preferred value counts for, and the served value counts against."""
    preferences = user_model(start)
    shorter = make_observation(served={"length": "balanced"}, feedback="shorter")
    preferences.learn_feedback(shorter, CATALOGUE.feedback["shorter"], weight, Prior(CATALOGUE))
    expected = by_formula(start, COMPARISON, Gaussian(0.0, NOISE_VARIANCE), True, weight)
    assert_agree(without_forgetting(preferences, COMPARISON), expected)
