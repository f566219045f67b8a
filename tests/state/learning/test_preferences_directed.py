"""state/learning/user_model: directed feedback prefers the next value in a direction to the served value."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.example import DirectedFeedback
from state.learning.population_prior import Prior
from state.learning.prediction import NO_POPULATION
from state.learning.preferences import Learned, Preferences
from tests.state.learning.test_preferences import moved_terms
from tests.support.factories import CATALOGUE, Served, make_observation, slots
from tests.support.preferences_reference import PresentReference
from tests.support.sample_population import version
from tests.support.user_models import SLOPES, all_means, all_variances

PRIOR = Prior(CATALOGUE)
INDEX = CATALOGUE.slot_index["length"]
LENGTHS = CATALOGUE.facets["length"].values


def learn(
    preferences: Preferences, feedback: str, served: Served, facets: Sequence[str] = (), prior: Prior = PRIOR
) -> Learned:
    o = make_observation(served=served, feedback=feedback, facets=facets)
    return preferences.learn_feedback(o, CATALOGUE.feedback[feedback], 1.0, prior)


@given(st.lists(st.tuples(st.sampled_from(LENGTHS), st.sampled_from(["shorter", "longer", "liked"])), max_size=60))
def test_directed_feedback_follows_the_formulas(answers: list[tuple[str, str]]) -> None:
    """Means and variances are those of a second implementation, among likes."""
    preferences, reference = Preferences(CATALOGUE), PresentReference(CATALOGUE)
    for served, feedback in answers:
        if feedback == "liked":
            learn(preferences, "thumbs_up", {"length": served})
            reference.learn_present([INDEX[served]], True, 1.0, NO_POPULATION, ())
            continue
        learn(preferences, feedback, {"length": served, "tone": "formal"})
        preferred = LENGTHS.index(served) + (1 if feedback == "longer" else -1)
        if 0 <= preferred < len(LENGTHS):
            reference.compare_present(INDEX[served], INDEX[LENGTHS[preferred]], 1.0, NO_POPULATION, ())
    assert all_means(preferences) == pytest.approx(list(reference.mean.values()), abs=1e-5)
    assert all_variances(preferences) == pytest.approx(list(reference.variance.values()), abs=1e-5)


@pytest.mark.parametrize(
    ("feedback", "served", "preferred", "leans"),
    [
        ("shorter", "detailed", "balanced", -1),
        ("shorter", "balanced", "concise", -1),
        ("longer", "concise", "balanced", 1),
        ("longer", "balanced", "detailed", 1),
    ],
)
def test_directed_feedback_moves_only_its_facet(feedback: str, served: str, preferred: str, leans: int) -> None:
    """Both values and the slope, whatever else was served; not the bias."""
    preferences = Preferences(CATALOGUE)
    learned = learn(preferences, feedback, {"length": served, "tone": "formal"})
    assert [CATALOGUE.facet_names[facet] for facet in learned.facets] == ["length"]
    assert moved_terms(preferences) == {served, preferred, "/length"}
    assert preferences.means[INDEX[served]] < 0 < preferences.means[INDEX[preferred]]
    assert all_means(preferences)[SLOPES] * leans > 0


@pytest.mark.parametrize(
    ("feedback", "served", "facets"),
    [
        ("shorter", {"length": "concise", "tone": "formal"}, []),
        ("longer", {"length": "detailed", "tone": "formal"}, []),
        ("simpler", {"expertise": "novice"}, []),
        ("deeper", {"expertise": "expert"}, []),
        ("shorter", {"tone": "formal"}, []),
        ("shorter", {"length": "detailed"}, ["tone"]),
    ],
    ids=["shortest", "longest", "simplest", "deepest", "facet not served", "narrowed to another facet"],
)
def test_directed_feedback_beyond_the_scale_trains_nothing(feedback: str, served: Served, facets: list[str]) -> None:
    """Neighbours in the numbering belong to other facets."""
    preferences = Preferences(CATALOGUE)
    learned = learn(preferences, feedback, served, facets)
    assert (list(learned.facets), list(learned.directed)) == ([], [])
    assert moved_terms(preferences) == set()
    assert preferences.feedback_count == 0


def test_directed_feedback_carries_the_belief_from_before() -> None:
    """Mean and variance of the difference between the preferred and the served value."""
    preferences = Preferences(CATALOGUE)
    learn(preferences, "thumbs_up", {"length": "concise"})
    mean, variance = preferences.difference(INDEX["concise"], INDEX["balanced"])
    learned = learn(preferences, "shorter", {"length": "balanced"})
    assert learned.directed == [DirectedFeedback(INDEX["balanced"], INDEX["concise"], mean, variance)]
    assert mean > 0


def test_usual_directed_feedback_moves_a_user_model_less() -> None:
    """If all users like short answers, "shorter" moves a user model little."""
    same, other = Preferences(CATALOGUE), Preferences(CATALOGUE)
    learn(same, "shorter", {"length": "balanced"}, prior=Prior(CATALOGUE, version(80)))
    learn(other, "shorter", {"length": "balanced"})
    assert 0 < same.means[INDEX["concise"]] < other.means[INDEX["concise"]]


def test_prediction_is_from_before_directed_feedback() -> None:
    """The chance of a like of the answer as it was is what scores it."""
    preferences = Preferences(CATALOGUE)
    learn(preferences, "thumbs_up", {"length": "detailed", "tone": "formal"})
    served = slots({"length": "detailed", "tone": "formal"})
    chance = NO_POPULATION.chance(preferences.present(served))
    assert learn(preferences, "shorter", {"length": "detailed", "tone": "formal"}).p == pytest.approx(chance)
