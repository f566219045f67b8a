"""state/user/next_changes: the feedback that is named changes the choice of the real state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.events.observation import Kind, Observation
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion
from state.user import codec
from state.user.next_changes import MOST, Change, changes, choice
from state.user.rules import Rules
from state.user.user_state import UserState
from tests.support.factories import CATALOGUE, REQUIRED, RULES, START_MS, interactions, make_observation

LENGTH = CATALOGUE.facet_index["length"]
VERSION = PopulationVersion(3, 2, START_MS, 1000, {"length=detailed": Gaussian(0.5, 0.01)}, {}, ())
POPULATION = Rules(CATALOGUE, population=Prior(CATALOGUE, VERSION))


def observe(history: list[Observation], rules: Rules = RULES) -> UserState:
    state = UserState(CATALOGUE)
    for o in history:
        state.observe(o, rules)
    return state


def give(state: UserState, change: Change, pieces: int, rules: Rules) -> None:
    """Give feedback to answers with the value of a change, two seconds apart."""
    slot = CATALOGUE.slots[change.slot]
    for _ in range(pieces):
        o = make_observation(
            state.newest_ms + 2000,
            served={CATALOGUE.facet_names[slot.facet]: slot.value},
            feedback=CATALOGUE.feedback_names[change.kind],
        )
        state.observe(o, rules)


@given(
    st.lists(interactions(), max_size=30),
    st.sampled_from(range(len(CATALOGUE.facet_names))),
    st.sampled_from([RULES, POPULATION]),
)
def test_named_feedback_changes_the_choice(history: list[Observation], facet: int, rules: Rules) -> None:
    """As many pieces give the named choice in the real state; one less does not."""
    state = observe(history, rules)
    before, packed = choice(state, facet, rules.prior), codec.pack(state)
    for change in changes(state, facet, rules):
        assert 1 <= change.pieces <= MOST
        real = codec.unpack(packed, CATALOGUE)
        give(real, change, change.pieces - 1, rules)
        assert choice(real, facet, rules.prior) != change.becomes
        give(real, change, 1, rules)
        assert choice(real, facet, rules.prior) == change.becomes != before
    assert codec.pack(state) == packed


def test_likes_that_make_a_value_are_named_to_a_new_user() -> None:
    """Likes of a value other than the default make it the choice."""
    found = changes(UserState(CATALOGUE), LENGTH, RULES)
    detailed = CATALOGUE.slot_index["length"]["detailed"]
    likes = [change for change in found if change.slot == detailed and change.becomes.slot == detailed]
    assert likes
    assert CATALOGUE.feedback_kinds[likes[0].kind].label is True


@pytest.mark.parametrize(
    "history", [[], [make_observation(kind=Kind.DENY)]], ids=["never asked for a required consent", "denied"]
)
def test_nothing_changes_without_consent(history: list[Observation]) -> None:
    """Feedback changes nothing, as nothing is learned."""
    rules = Rules(REQUIRED)
    assert not changes(observe(history, rules), LENGTH, rules)
