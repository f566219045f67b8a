"""state/learning/logged_choices: choices of an event, and the propensities that they imply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.events.observation import NONE
from state.learning.logged_choices import LoggedChoice, once, propensity_of
from tacit.contract.policy import propensities
from tests.support.factories import CATALOGUE

SLOTS = CATALOGUE.facet_slots[CATALOGUE.facet_index["format"]]
VALUES = CATALOGUE.facets["format"].values
ENTRIES = st.tuples(st.sampled_from(SLOTS), st.sampled_from([0.0, 0.1, 0.9, 1.0]), st.sampled_from([NONE, *SLOTS]))


@given(st.lists(ENTRIES, max_size=64))
def test_repeats_count_once_and_contradictions_not_at_all(entries: list[tuple[int, float, int]]) -> None:
    """64 repeats of one choice were counted as 64."""
    found = once(entries, CATALOGUE.slot_facets)
    different = set(entries)
    counts = len(different) == 1 and entries[0][1] > 0.0
    assert found == (entries[:1] if counts else [])


@pytest.mark.parametrize("explore", [0.02, 0.06, 0.1])
@pytest.mark.parametrize("runner_up", [None, 2])
def test_propensities_are_those_of_the_reader(explore: float, runner_up: int | None) -> None:
    """The served value, its propensity and the runner-up imply all others."""
    expected = propensities(VALUES[0], None if runner_up is None else VALUES[runner_up], VALUES, explore)
    choice = LoggedChoice(SLOTS[0], expected[VALUES[0]], NONE if runner_up is None else SLOTS[runner_up])
    for slot, value in zip(SLOTS[1:], VALUES[1:], strict=True):
        assert propensity_of(slot, choice, CATALOGUE) == expected.get(value, 0.0)


def test_certain_choice_has_no_alternative() -> None:
    """Nothing else could have been served."""
    assert propensity_of(SLOTS[1], LoggedChoice(SLOTS[0], 1.0, SLOTS[1]), CATALOGUE) == 0.0
