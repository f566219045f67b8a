"""state/user/explanation: a value with its evidence, and predictions without some of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.events.observation import NONE, Observation
from state.learning.preferences import KEPT
from state.row.layout import MAX_PIECES
from state.user.explanation import Explanation, explain, predict
from state.user.user_state import UserState
from tests.support.factories import CATALOGUE, RULES, START_MS, interactions, make_observation

WEEK_MS = 7 * 24 * 3_600_000
"""Moods pass in a week."""

PRIOR = RULES.prior
LENGTH, TONE = CATALOGUE.facet_index["length"], CATALOGUE.facet_index["tone"]
CONCISE = CATALOGUE.slot_index["length"]["concise"]
FEEDBACK = st.builds(
    lambda o, kind: replace(o, feedback=CATALOGUE.feedback_index[kind]),
    interactions(),
    st.sampled_from(CATALOGUE.feedback_names),
)


def observe(history: list[Observation]) -> UserState:
    state = UserState(CATALOGUE)
    for o in history:
        state.observe(o, RULES)
    return state


def explained(history: list[Observation], facet: int = LENGTH) -> Explanation:
    return explain(observe(history), facet, PRIOR)


def feedback(kind: str, pieces: int, **served: str) -> list[Observation]:
    return [make_observation(served=served, feedback=kind) for _ in range(pieces)]


LIKED = feedback("thumbs_up", 4, length="concise", tone="formal")


def test_value_without_what_speaks_for_it() -> None:
    """The four likes are the evidence; without them the default is the best value."""
    found = explained(LIKED + feedback("thumbs_down", 1, length="concise"))
    concise = found.values[0]
    assert found.prediction.slot == concise.slot == CONCISE
    assert concise.evidence.supporting.kinds.total() == 4
    assert concise.evidence.opposing.kinds.total() == 1
    pieces = {each.removal: each.pieces for each in found.without}
    assert pieces == {"for": 4, "against": 1, "all": 5}
    without = {each.removal: each.prediction for each in found.without}
    assert without["all"].slot == CATALOGUE.default_slots[LENGTH]
    assert without["for"].liked < found.prediction.liked < without["against"].liked


def test_removals_of_the_same_pieces_are_named_once() -> None:
    """Without feedback against the value, all feedback on it is what speaks for it."""
    assert [each.removal for each in explained(LIKED).without] == ["for"]


def test_unknown_user_has_no_evidence() -> None:
    """The prediction is the population's."""
    found = explain(UserState(CATALOGUE), LENGTH, PRIOR)
    assert found.prediction.slot == found.default == CATALOGUE.default_slots[LENGTH]
    assert not found.without
    assert not any(value.evidence.supporting.weight or value.evidence.opposing.weight for value in found.values)


def test_earlier_feedback_is_removed_as_a_sum() -> None:
    """Of twenty likes, the pieces in the log and the sum of the others are removed."""
    found = explained(feedback("thumbs_up", 20, length="concise"))
    (without,) = found.without
    assert (without.pieces, without.basis) == (MAX_PIECES, "sums")
    assert without.prediction.slot == CATALOGUE.default_slots[LENGTH]
    supporting = found.values[0].evidence.supporting
    assert supporting.weight == pytest.approx((1 - KEPT**20) / (1 - KEPT), rel=0.01)
    assert 0 < supporting.earlier < without.earlier < supporting.weight


@given(st.lists(FEEDBACK, max_size=4))
def test_prediction_without_evidence_is_that_of_a_user_who_never_gave_it(history: list[Observation]) -> None:
    """An independent user with the other feedback alone gets the same prediction, number by number."""
    history = [
        replace(o, at_ms=START_MS + n * WEEK_MS, event=n + 1, turn=0, topic=NONE, surface=NONE)
        for n, o in enumerate(history)
    ]
    state = observe(history)
    for each in explain(state, LENGTH, PRIOR).without:
        assert state.preferences is not None
        gone = {piece.at_ms for piece in state.preferences.log.pieces if concerns(state, piece.at_ms, each.removal)}
        never = observe([o for o in history if o.at_ms not in gone])
        expected = predict(never.beliefs(PRIOR), LENGTH)
        assert each.prediction[:2] == expected[:2]
        assert each.prediction.liked == pytest.approx(expected.liked, abs=1e-3)
        assert each.prediction.confidence == pytest.approx(expected.confidence, abs=2e-3)


def concerns(state: UserState, at_ms: int, removal: str) -> bool:
    """Return whether the piece of that time is on the removed side of the value."""
    assert state.preferences is not None
    decided = explain(state, LENGTH, PRIOR).prediction.slot
    sides = [
        (slot, side.name)
        for piece in state.preferences.log.pieces
        if piece.at_ms == at_ms
        for slot, side in piece.sides(CATALOGUE.slot_facets).items()
    ]
    if removal == "all":
        return any(CATALOGUE.slot_facets[slot] == LENGTH for slot, _ in sides)
    return (decided, removal.upper()) in sides


def test_explaining_changes_nothing() -> None:
    """Two explanations of a state are the same."""
    state = observe(LIKED)
    assert explain(state, LENGTH, PRIOR) == explain(state, LENGTH, PRIOR)
