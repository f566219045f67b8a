"""Counts of a row at their limits: they stay there, compiled and uncompiled."""

from state.learning.population_prior import Prior
from state.learning.population_version import PopulationVersion
from state.user.rules import Rules
from state.user.user_state import UserState
from tests.support.factories import CATALOGUE, RULES, START_MS, make_observation

MOST = 2**32 - 1


def test_count_of_events_never_falls() -> None:
    """A count that began again would make versions older."""
    state = UserState(CATALOGUE)
    state.row.seq[0] = MOST - 1
    for number in range(3):
        state.observe(make_observation(START_MS + number, event=number + 1), RULES)
    assert state.seq == MOST


def test_version_of_the_population_is_cut_off() -> None:
    """The contract allows numbers of 53 bits."""
    version = PopulationVersion(2**53, 3, START_MS, 1_000, {}, {}, ())
    state = UserState(CATALOGUE)
    state.observe(
        make_observation(START_MS, served={"length": "concise"}, feedback="thumbs_up"),
        Rules(CATALOGUE, population=Prior(CATALOGUE, version)),
    )
    assert state.model.population == MOST
