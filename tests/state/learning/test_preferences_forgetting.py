"""state/learning/own_beliefs: the forget of some facets."""

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from state.events.observation import NONE, Observation
from state.learning.decisions import Beliefs, decide
from state.learning.feedback_piece import Side
from state.learning.population_prior import Prior
from state.learning.preferences import Preferences
from tests.support.factories import CATALOGUE, interactions, make_observation
from tests.support.user_models import SLOPES, all_means, all_variances

PRIOR = Prior(CATALOGUE)
FACETS = range(len(CATALOGUE.facet_names))
HISTORIES = st.lists(interactions(), max_size=60)
SOME_FACETS = st.sets(st.sampled_from(FACETS), min_size=1, max_size=2)


def learned(history: list[Observation]) -> Preferences:
    """Return a user model that was trained with the feedback of a history."""
    preferences = Preferences(CATALOGUE)
    for o in history:
        if o.feedback != NONE:
            kind = CATALOGUE.feedback_kinds[o.feedback]
            preferences.learn_feedback(o, kind, kind.weight, PRIOR)
    return preferences


def about(preferences: Preferences, facet: int) -> dict[str, object]:
    """Return all that a user model holds about a facet."""
    terms = [*CATALOGUE.facet_slots[facet], SLOPES + facet]
    return {
        "means": [all_means(preferences)[term] for term in terms],
        "variances": [all_variances(preferences)[term] for term in terms],
        "evidence": [[preferences.log.total(slot, side) for side in Side] for slot in CATALOGUE.facet_slots[facet]],
        "decision": decide(Beliefs(preferences, PRIOR), facet),
    }


@given(HISTORIES, SOME_FACETS)
def test_forgotten_facets_are_as_new(history: list[Observation], facets: Collection[int]) -> None:
    """A fresh model holds the same about the facets: beliefs, slope, evidence and decision."""
    preferences, new = learned(history), Preferences(CATALOGUE)
    preferences.forget(facets)
    for facet in facets:
        assert about(preferences, facet) == about(new, facet)


@given(HISTORIES, SOME_FACETS)
def test_other_facets_stay(history: list[Observation], facets: Collection[int]) -> None:
    """Beliefs and evidence of the other facets, and the bias, do not change while another facet has evidence."""
    preferences, before = learned(history), learned(history)
    preferences.forget(facets)
    others = set(FACETS) - set(facets)
    for facet in others:
        if before.has_feedback(facet):
            assert about(preferences, facet) == about(before, facet)
    if any(before.has_feedback(facet) for facet in others):
        assert (preferences.bias, preferences.bias_variance) == (before.bias, before.bias_variance)
        assert preferences.feedback_count == before.feedback_count


@given(HISTORIES)
def test_forget_of_all_facets_leaves_a_new_user_model(history: list[Observation]) -> None:
    """Bias and count of feedback go with the last facet that has evidence."""
    preferences = learned(history)
    preferences.forget(FACETS)
    assert preferences.row.read() == Preferences(CATALOGUE).row.read()


def test_forgotten_facet_learns_again() -> None:
    """Feedback after the forget trains the facet as it trains a new one."""
    preferences, new = learned([make_observation(served={"tone": "formal"}, feedback="thumbs_up")]), learned([])
    tone = CATALOGUE.facet_index["tone"]
    preferences.forget([tone])
    for model in (preferences, new):
        o = make_observation(served={"tone": "friendly"}, feedback="thumbs_up")
        model.learn_feedback(o, CATALOGUE.feedback["thumbs_up"], 1.0, PRIOR)
    assert about(preferences, tone) == about(new, tone)
