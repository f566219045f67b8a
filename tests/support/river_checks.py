"""River's checks of every estimator that apply to Tacit's models."""

from collections.abc import Callable

from river.checks import clf, common

Check = Callable[..., None]

GENERAL: list[Check] = [
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
WITH_DATA: list[Check] = [
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
NOT_APPLICABLE = {
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
"""Check that does not apply → reason."""
