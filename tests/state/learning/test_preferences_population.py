"""state/learning/user_model above a population: the user model holds the difference."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.features import item_feature
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion
from state.learning.preferences import Preferences
from tests.state.learning.test_preferences import styles
from tests.support.factories import CATALOGUE, START_MS, make_observation, slots
from tests.support.preferences_reference import PresentReference
from tests.support.sample_population import version
from tests.support.user_models import all_means, all_variances

LENGTHS = CATALOGUE.facets["length"].values
INDEX = CATALOGUE.slot_index["length"]
TERMS = {
    "bias": Gaussian(0.3, 0.01), **{f"judged:{step}": Gaussian(0.4 - 0.1 * step, 0.02) for step in range(11)},
    "length=concise": Gaussian(0.3, 0.02), "length=detailed": Gaussian(-0.2, 0.03),
    "topic:code&length=concise": Gaussian(0.4, 0.01), "topic:email&length=balanced": Gaussian(-0.3, 0.02),
    "surface:voice&length=concise": Gaussian(0.5, 0.01), "format=table": Gaussian(-0.4, 0.02),
    item_feature(7): Gaussian(0.6, 0.05),
}  # fmt: skip
TRUST = {
    "offset": Gaussian(0.2, 0.01), "population": Gaussian(0.8, 0.01), "own": Gaussian(0.7, 0.01),
    "own:length": Gaussian(1.4, 0.02), "own:format": Gaussian(0.6, 0.02),
}  # fmt: skip
PRIOR = Prior(CATALOGUE, PopulationVersion(4, 2, START_MS, 1000, TERMS, TRUST, ()))
FEEDBACK = st.fixed_dictionaries(
    {
        "served": styles(CATALOGUE),
        "feedback": st.sampled_from(["thumbs_up", "thumbs_down", "shorter", "longer"]),
        "topic": st.sampled_from([None, "code", "email"]),
        "surface": st.sampled_from([None, "voice", "chat"]),
        "item": st.sampled_from([0, 7, 8]),
    }
)
WEIGHTS = st.sampled_from([1.0, 0.6, 0.3])


@given(st.lists(st.tuples(FEEDBACK, WEIGHTS), max_size=40))
def test_learning_above_the_population_follows_the_formulas(answers: list[tuple[Mapping[str, object], float]]) -> None:
    """Likes and directed feedback on topics, surfaces and items; each part has its factor."""
    preferences, reference = Preferences(CATALOGUE), PresentReference(CATALOGUE)
    feedback_count = 0
    for fields, weight in answers:
        o = make_observation(**fields)  # type: ignore[arg-type]
        kind = CATALOGUE.feedback_kinds[o.feedback]
        expected = PRIOR.expect(o.slots, o.topic, o.surface, o.item, feedback_count)
        keys = (CATALOGUE.topic_keys.get(o.topic), CATALOGUE.surface_keys.get(o.surface))
        contexts = [key for key in keys if key is not None]
        p = reference.predict_present(o.slots, expected, contexts)
        learned = preferences.learn_feedback(o, kind, weight, PRIOR)
        if learned.facets:  # else the answer opens no context
            assert learned.p == pytest.approx(p, abs=2e-4)
        if kind.label is not None:
            reference.learn_present(o.slots, kind.label, weight, expected, contexts)
            feedback_count += bool(o.slots)
            continue
        served = next((value for value in LENGTHS if INDEX[value] in o.slots), None)
        preferred = LENGTHS.index(served) + (1 if kind.moves["length"] == "up" else -1) if served else -1
        if served and 0 <= preferred < len(LENGTHS):
            better = INDEX[LENGTHS[preferred]]
            compared = PRIOR.compare(better, INDEX[served], o.topic, o.surface)
            reference.compare_present(INDEX[served], better, weight, compared, contexts)
            feedback_count += 1
    assert all_means(preferences) == pytest.approx(list(reference.mean.values()), abs=2e-4)
    assert all_variances(preferences) == pytest.approx(list(reference.variance.values()), abs=1e-5)
    assert list(preferences.mood.belief) == pytest.approx(reference.mood, abs=1e-4)
    assert preferences.feedback_count == feedback_count


def test_popular_value_moves_a_user_model_less() -> None:
    """An expected like moves the user model little, a dislike much; the version is recorded."""
    prior = Prior(CATALOGUE, version(40))
    liked, disliked = Preferences(CATALOGUE), Preferences(CATALOGUE)
    for preferences, feedback in ((liked, "thumbs_up"), (disliked, "thumbs_down")):
        o = make_observation(served={"length": "concise"}, feedback=feedback)
        preferences.learn_feedback(o, CATALOGUE.feedback[feedback], 1.0, prior)
    assert 0 < liked.means[INDEX["concise"]] < -disliked.means[INDEX["concise"]]
    assert liked.population == prior.number == 40


def test_version_is_noted_only_where_something_was_learned() -> None:
    """Directed feedback beyond the scale's end trains nothing."""
    preferences = Preferences(CATALOGUE)
    o = make_observation(served={"length": "concise"}, feedback="shorter")
    preferences.learn_feedback(o, CATALOGUE.feedback["shorter"], 1.0, PRIOR)
    assert preferences.population == 0


def test_own_factors_change_the_prediction_and_not_what_is_learned() -> None:
    """Factors change predictions; training follows the model."""
    plain = Prior(CATALOGUE, PopulationVersion(4, 2, START_MS, 1000, TERMS, {}, ()))
    stacked_mean, believed = Preferences(CATALOGUE), Preferences(CATALOGUE)
    served = slots({"length": "concise"})
    for _ in range(3):
        _, p = stacked_mean.learn(served, True, 1.0, PRIOR.expect(served, 0, 0, 0, 3))
        _, plainly = believed.learn(served, True, 1.0, plain.expect(served, 0, 0, 0, 3))
        assert p != plainly
    assert all_means(stacked_mean) == all_means(believed)
    assert all_variances(stacked_mean) == all_variances(believed)
