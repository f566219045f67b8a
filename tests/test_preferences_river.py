"""state/preferences as a River estimator."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from river import dummy, evaluate, metrics
from river.checks import clf, common

from state.preferences import Preferences
from tests.making import CATALOGUE, slots

Check = Callable[..., None]

GENERAL = [
    common.check_repr,
    common.check_str,
    common.check_tags,
    common.check_doc,
    common.check_clone_same_class,
    common.check_clone_is_idempotent,
    common.check_clone_changes_memory_addresses,
    common.check_clone_with_new_params_applies,
    common.check_repr_roundtrips_clone,
    common.check_get_params_matches_signature,
    common.check_init_has_default_params_for_tests,
    common.check_init_default_params_are_not_mutable,
    common.check_mutate_can_be_idempotent,
    common.check_pickling_supports_roundtrip,
    clf.check_multiclass_is_bool,
]
WITH_DATA = [
    common.check_learn_one,
    common.check_pickling,
    common.check_shuffle_features_no_impact,
    common.check_emerging_features,
    common.check_disappearing_features,
    common.check_radically_disappearing_features,
    common.check_predict_one_pure,
    common.check_predict_one_before_any_learn,
    common.check_no_state_aliasing_with_input,
    common.check_clone_is_independent,
    common.check_bounded_memory_growth,
    clf.check_predict_proba_one,
    clf.check_predict_proba_one_binary,
    clf.check_classifier_tracks_seen_labels,
]
OF_OTHERS = {
    "check_debug_one": "of models that can explain themselves",
    "check_has_tag": "a helper of other checks",
    "check_learn_many_matches_learn_one": "of models that learn from batches",
    "check_mutable_attributes_exist": "of models with parameters that can be changed later",
    "check_predict_many_matches_predict_one": "of models that learn from batches",
    "check_predict_proba_many_matches_predict_proba_one": "of models that learn from batches",
    "check_seeding_is_idempotent": "of models with randomness",
    "check_transform_many_matches_transform_one": "of transformers",
    "check_transform_one": "of transformers",
    "check_wrapper_accepts_kwargs": "of models around another model",
}
"""Checks that do not apply, and why."""
METRICS: Any = metrics
"""River's metrics come without types."""


def stream(length: int = 400) -> list[tuple[dict[Any, Any], bool]]:
    """Return what someone was served and liked, who likes concise and formal answers."""
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
    """`progressive_val_score` with River's own metrics; better than knowing only how often this person likes."""
    loss, auc, baseline = METRICS.LogLoss(), METRICS.ROCAUC(), METRICS.LogLoss()
    evaluate.progressive_val_score(stream(), Preferences(CATALOGUE), loss + auc)
    evaluate.progressive_val_score(stream(), dummy.PriorClassifier(), baseline)
    assert loss.get() < baseline.get() - 0.03
    assert auc.get() > 0.65


def test_river_interface_learns_like_the_hot_path() -> None:
    """Names or slots, the beliefs are the same."""
    by_name, by_slot = Preferences(CATALOGUE), Preferences(CATALOGUE)
    for x, y in stream(50):
        by_name.learn_one(x, y, w=0.5)
        by_slot.learn(slots(x), y, 0.5, 0)
    assert by_name.means == by_slot.means
    assert by_name.variances == by_slot.variances


def test_what_the_catalogue_does_not_know_is_ignored() -> None:
    """River's data may have more columns."""
    more, less = Preferences(CATALOGUE), Preferences(CATALOGUE)
    more.learn_one({"length": "endless", "mood": "sour", "tone": ["formal"]}, True)
    less.learn_one({"tone": "formal"}, True)
    assert more.means == less.means


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
    assert offered == done | set(OF_OTHERS)
    assert not done & set(OF_OTHERS)
