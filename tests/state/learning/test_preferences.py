"""state/learning/user_model, against the formulas written down a second time."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from state.learning.feedback_piece import Side
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian
from state.learning.prediction import CERTAIN, NOISE_VARIANCE, PopulationPart, StackingFactors
from state.learning.preferences import KEPT, MAX_FEEDBACK_COUNT, Preferences
from state.learning.terms import BIAS_VARIANCE, SLOPE_VARIANCE, VALUE_VARIANCES
from tests.support.factories import CATALOGUE, FILMS, Served, make_observation, slots
from tests.support.preferences_reference import NORMAL, Reference
from tests.support.user_models import BIAS, SLOPES, all_means, all_variances, set_mean

PRIOR = Prior(CATALOGUE)
FILM_CATALOGUE = NumberedCatalogue.parse(FILMS)
LENGTHS = CATALOGUE.facet_slots[0]
CONCISE, _, DETAILED = LENGTHS
FORMATS = CATALOGUE.facet_slots[1]
Feedback = tuple[dict[str, list[str]], bool, float, set[int], PopulationPart]
"""Served style, like or dislike, weight, named facets, and the population's part of the prediction."""


def learn(
    preferences: Preferences, feedback: str, served: Served, facets: Sequence[str] = (), weight: float = 1.0
) -> list[str]:
    """Learn from feedback; return the names of the facets that moved."""
    o = make_observation(served=served, feedback=feedback, facets=facets)
    moved = preferences.learn_feedback(o, CATALOGUE.feedback[feedback], weight, PRIOR).facets
    return [CATALOGUE.facet_names[facet] for facet in moved]


def moved_terms(preferences: Preferences) -> set[str]:
    """Return the values, slopes (`/length`) and `bias`, whose means are no longer the prior's."""
    names = [*(slot.value for slot in CATALOGUE.slots), *(f"/{name}" for name in CATALOGUE.facet_names), "bias"]
    return {name for name, mean in zip(names, all_means(preferences), strict=True) if mean}


# Formulas


def styles(catalogue: NumberedCatalogue) -> st.SearchStrategy[dict[str, list[str]]]:
    """Return a strategy for what is served: one value of a facet, or several where that may be."""
    several = {
        name: st.lists(st.sampled_from(f.values), min_size=1, max_size=3 if f.multiple else 1, unique=True)
        for name, f in catalogue.facets.items()
    }
    return st.fixed_dictionaries({}, optional=several)


def feedback(catalogue: NumberedCatalogue) -> st.SearchStrategy[list[Feedback]]:
    """Return a strategy for feedback with any population's prediction."""
    facets = range(len(catalogue.facets))
    factor = st.builds(Gaussian, st.floats(0.5, 1.5), st.just(0.0))
    factors = st.builds(
        StackingFactors,
        st.floats(-0.3, 0.3),
        st.floats(0.5, 1.5),
        st.floats(0.5, 1.5),
        st.tuples(*[factor for _ in facets]),
    )
    certain = st.just(StackingFactors(0.0, 1.0, 1.0, (CERTAIN,) * len(facets)))
    expected = st.builds(PopulationPart, st.floats(-0.8, 0.8), st.floats(1.0, 2.0), certain | factors)
    only = st.just(set[int]()) | st.sets(st.sampled_from(facets), max_size=2)
    weights = st.sampled_from([1.0, 0.6, 0.3])
    return st.lists(st.tuples(styles(catalogue), st.booleans() | st.just(True), weights, only, expected), max_size=60)


@pytest.mark.parametrize("catalogue", [CATALOGUE, FILM_CATALOGUE], ids=["copilot", "films"])
@given(st.data())
def test_learning_follows_the_formulas(catalogue: NumberedCatalogue, data: st.DataObject) -> None:
    """Predictions, means and variances are those of a second implementation."""
    preferences, reference = Preferences(catalogue), Reference(catalogue)
    for served, liked, weight, only, expected in data.draw(feedback(catalogue)):
        numbers = slots(served, catalogue)
        p = reference.predict(numbers, expected)
        _, predicted = preferences.learn(numbers, liked, weight, expected, only)
        assert predicted == pytest.approx(p, abs=1e-6)
        reference.learn(numbers, liked, weight, expected, only)
    assert all_means(preferences) == pytest.approx(list(reference.mean.values()), abs=1e-5)
    assert all_variances(preferences) == pytest.approx(list(reference.variance.values()), abs=1e-5)


@given(feedback(CATALOGUE))
def test_probabilities_are_probabilities_whatever_was_learned(answers: list[Feedback]) -> None:
    """Variances stay between nothing and the prior's."""
    preferences = Preferences(CATALOGUE)
    for served, liked, weight, only, expected in answers:
        _, predicted = preferences.learn(slots(served), liked, weight, expected, only)
        p = preferences.predict_proba_one(served)
        assert 0 < p[True] < 1
        assert 0 < predicted < 1
        assert p[True] + p[False] == pytest.approx(1)
    bounds = all_variances(Preferences(CATALOGUE))
    assert all(0 < v <= bound * (1 + 1e-6) for v, bound in zip(all_variances(preferences), bounds, strict=True))


def test_prediction_before_any_learning_is_even() -> None:
    """The prior knows nothing."""
    assert Preferences(CATALOGUE).predict_proba_one({"length": "concise"}) == {True: 0.5, False: 0.5}


def test_surprise_far_out_is_clipped() -> None:
    """At five standard deviations: beyond, the correction is always the same."""
    correction = NORMAL.pdf(5) / NORMAL.cdf(-5)
    slot, variance = FORMATS[0], VALUE_VARIANCES[CATALOGUE.slot_shapes[FORMATS[0]]]
    for mean in (20.0, 50.0):
        preferences = Preferences(CATALOGUE)
        set_mean(preferences, BIAS, mean)
        preferences.learn([slot], False, 1.0)
        scale = math.sqrt(NOISE_VARIANCE + BIAS_VARIANCE + variance)
        assert preferences.means[slot] == pytest.approx(-KEPT * variance * correction / scale, rel=1e-6)


def test_way_back_from_certainty_is_open() -> None:
    """Ten thousand likes and one dislike."""
    preferences, served = Preferences(CATALOGUE), slots({"length": "concise"})
    for _ in range(10_000):
        preferences.learn(served, True, 1.0)
    before, _ = preferences.value(CONCISE)
    preferences.learn(served, False, 1.0)
    assert 0 < before - preferences.value(CONCISE)[0] < 1


@given(st.sampled_from([0.1, 0.3, 0.6]))
def test_smaller_weight_moves_less(weight: float) -> None:
    """In proportion, for the mean."""
    whole, part = Preferences(CATALOGUE), Preferences(CATALOGUE)
    whole.learn([0], True, 1.0)
    part.learn([0], True, weight)
    assert part.means[0] == pytest.approx(weight * whole.means[0], rel=1e-5)
    assert part.variances[0] > whole.variances[0]


def test_belief_is_forgotten_toward_the_prior() -> None:
    """Repeated events reduce the weight of old ones: a belief does not freeze."""
    preferences = Preferences(CATALOGUE)
    for _ in range(100):
        preferences.learn([0], True, 1.0)
    mean, variance = preferences.means[0], preferences.variances[0]
    for _ in range(1000):
        preferences.learn([0], True, 0.0)
    assert 0 < preferences.means[0] < 0.01 * mean
    assert variance < preferences.variances[0]
    assert preferences.variances[0] == pytest.approx(Preferences(CATALOGUE).variances[0], rel=1e-3)


# Scales


def test_who_likes_one_end_of_a_scale_is_taken_to_dislike_the_other() -> None:
    """By the slope, without having seen the other end."""
    preferences = Preferences(CATALOGUE)
    learn(preferences, "thumbs_up", {"length": "concise"})
    (liked, _), (middling, _), (disliked, _) = map(preferences.value, LENGTHS)
    assert liked > middling == 0 > disliked
    assert preferences.slopes[0] < 0


def test_difference_of_two_values_is_that_of_their_terms() -> None:
    """The slope counts by how far they are apart: 2 from end to end."""
    preferences = Preferences(CATALOGUE)
    set_mean(preferences, CONCISE, 0.5)
    set_mean(preferences, SLOPES, -0.25)
    mean, variance = preferences.difference(CONCISE, DETAILED)
    values = VALUE_VARIANCES[CATALOGUE.slot_shapes[CONCISE]]
    assert mean == pytest.approx(0.5 + 2 * 0.25)
    assert variance == pytest.approx(2 * values + 4 * SLOPE_VARIANCE)
    assert preferences.difference(DETAILED, CONCISE) == (-mean, variance)


def test_user_models_part_is_the_sum_of_its_terms() -> None:
    """By facet, and the bias apart."""
    preferences = Preferences(CATALOGUE)
    for slot, mean in ((CONCISE, 0.5), (FORMATS[1], -0.25), (SLOPES, -0.125), (BIAS, 0.0625)):
        set_mean(preferences, slot, mean)
    own = preferences.own([CONCISE, FORMATS[1]])
    assert own.shares == {0: 0.625, 1: -0.25}
    assert (own.bias, own.mean) == (0.0625, 0.4375)


# What moves


def test_like_moves_what_was_served_and_the_bias() -> None:
    """And the slopes of scales; nothing else."""
    preferences = Preferences(CATALOGUE)
    assert learn(preferences, "thumbs_up", {"length": "concise", "format": "table"}) == ["length", "format"]
    assert moved_terms(preferences) == {"concise", "/length", "table", "bias"}


def test_narrowed_feedback_moves_only_those_facets() -> None:
    """The bias stays, too: the feedback was on the format, not on the answer."""
    preferences = Preferences(CATALOGUE)
    assert learn(preferences, "thumbs_up", {"length": "concise", "format": "table"}, ["format"]) == ["format"]
    assert moved_terms(preferences) == {"table"}


def test_feedback_narrowed_to_a_facet_that_was_not_served_moves_nothing() -> None:
    """There is nothing that it could be about."""
    preferences = Preferences(CATALOGUE)
    assert learn(preferences, "thumbs_up", {"length": "concise"}, ["tone"]) == []
    assert moved_terms(preferences) == set()
    assert not any(preferences.log.totals)
    assert not preferences.log.pieces
    assert preferences.feedback_count == 0


def test_multiple_values_all_move() -> None:
    """A film of two genres was liked: both are."""
    preferences = Preferences(FILM_CATALOGUE)
    o = make_observation(served={"genre": ["action", "drama"]}, feedback="thumbs_up", catalogue=FILM_CATALOGUE)
    learned = preferences.learn_feedback(o, FILM_CATALOGUE.feedback["thumbs_up"], 1.0, Prior(FILM_CATALOGUE))
    assert list(learned.facets) == [0]
    assert preferences.means[0] == preferences.means[2] > 0 == preferences.means[1]


# What is counted


def test_evidence_is_an_aged_weight() -> None:
    """A value's two sides age with each piece on the value, and other values stay."""
    preferences = Preferences(CATALOGUE)
    for feedback, weight in (("thumbs_up", 1.0), ("thumbs_down", 1.0), ("thumbs_up", 0.4)):
        learn(preferences, feedback, {"length": "concise"}, weight=weight)
    learn(preferences, "thumbs_up", {"length": "balanced"})
    evidence = [preferences.log.total(CONCISE, side) for side in Side]
    assert evidence == pytest.approx([1 * KEPT * KEPT + 0.4, 1 * KEPT], abs=0.01)
    assert [facet for facet in range(len(CATALOGUE.facet_names)) if preferences.has_feedback(facet)] == [0]


def test_feedback_count_has_a_limit() -> None:
    """255 fit into a byte."""
    preferences = Preferences(CATALOGUE)
    for _ in range(300):
        learn(preferences, "thumbs_up", {"length": "balanced"})
    assert preferences.feedback_count == MAX_FEEDBACK_COUNT == 255
