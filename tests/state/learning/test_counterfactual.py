"""state/learning/counterfactual: a user model without some of its feedback is the one that never had it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.events.observation import NONE, Observation
from state.learning.counterfactual import undo_all, without
from state.learning.decisions import Beliefs, decide, find
from state.learning.feedback_piece import Piece, Side
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion
from state.learning.preferences import Preferences
from state.learning.value_evidence import value_evidence
from state.row.layout import MAX_PIECES
from tests.support.factories import CATALOGUE, START_MS, make_observation
from tests.support.user_models import all_means, all_variances

ALONE = Prior(CATALOGUE)
POPULATION = Prior(
    CATALOGUE,
    PopulationVersion(
        4, 2, START_MS, 1000,
        {"bias": Gaussian(0.3, 0.01), "length=concise": Gaussian(0.4, 0), "topic:code&tone=formal": Gaussian(0.6, 0)},
        {"population": Gaussian(1.1, 0.0), "own:length": Gaussian(1.3, 0.0)}, (),
    ),
)  # fmt: skip
WEEK_MS = 7 * 24 * 3_600_000
CONCISE = CATALOGUE.slot_index["length"]["concise"]
_VALUES = {name: st.sampled_from(facet.values) for name, facet in CATALOGUE.facets.items()}
FEEDBACK = st.builds(
    make_observation,
    topic=st.sampled_from([None, "code"]),
    served=st.fixed_dictionaries({"length": _VALUES.pop("length")}, optional=_VALUES),
    feedback=st.sampled_from(CATALOGUE.feedback_names),
    facets=st.just(()) | st.just(()) | st.lists(st.sampled_from(CATALOGUE.facet_names), max_size=2),
)
SHORT = st.lists(FEEDBACK, max_size=MAX_PIECES // 2)
"""Histories that the log holds whole: a directed feedback may be more than one piece."""
LONG = st.lists(FEEDBACK, min_size=MAX_PIECES, max_size=40)


def learn(own: Preferences, history: Sequence[Observation], prior: Prior = ALONE) -> Preferences:
    for o in history:
        kind = CATALOGUE.feedback_kinds[o.feedback]
        own.learn_feedback(o, kind, kind.weight, prior)
    return own


def learned(history: Sequence[Observation], prior: Prior = ALONE) -> Preferences:
    return learn(Preferences(CATALOGUE), history, prior)


def numbered(history: Sequence[Observation]) -> list[Observation]:
    """Return a history with a week per observation, so that moods pass and a test can name pieces by their time.

    There is no surface, and no topic: effects of contexts stay as they were trained.
    """
    history = [replace(o, topic=NONE, surface=NONE) for o in history]
    return [replace(o, at_ms=START_MS + n * WEEK_MS) for n, o in enumerate(history)]


def names(chosen: Sequence[bool], at_ms: int) -> bool:
    """Return whether the observation of that time is chosen."""
    number = (at_ms - START_MS) // WEEK_MS
    return number < len(chosen) and chosen[number]


CHOSEN = st.lists(st.booleans(), max_size=MAX_PIECES)


@given(SHORT.map(numbered), CHOSEN)
def test_short_history_is_retrained_exactly(history: list[Observation], chosen: list[bool]) -> None:
    """All numbers, evidence and log equal those of a model that never saw the removed feedback."""
    retrained = without(learned(history), lambda piece: names(chosen, piece.at_ms))
    never = learned([o for o in history if not names(chosen, o.at_ms)])
    assert retrained.is_complete
    ours, theirs = held(retrained.own), held(never)
    for name in ("means", "variances"):
        assert ours.pop(name) == pytest.approx(theirs.pop(name), abs=5e-4)
    assert [parts(piece) for piece in retrained.own.log.pieces] == [parts(piece) for piece in never.log.pieces]
    assert ours == theirs


def parts(piece: Piece) -> Piece:
    """Return a piece without the rest of its prediction, which is rounded twice after a retraining."""
    return piece._replace(mean=0.0, variance=0.0)


def held(own: Preferences) -> dict[str, object]:
    beliefs = {"means": all_means(own), "variances": all_variances(own)}
    return {**beliefs, "evidence": own.log.totals, "feedback": own.feedback_count}


@given(SHORT.map(numbered), CHOSEN)
def test_prediction_without_evidence_agrees_under_a_population(history: list[Observation], chosen: list[bool]) -> None:
    """The oracle trains with the population's parts as they were, in full precision: within 0.002 of each number."""
    own, never = Preferences(CATALOGUE), Preferences(CATALOGUE)
    for o in history:
        count = own.feedback_count
        kind = CATALOGUE.feedback_kinds[o.feedback]
        own.learn_feedback(o, kind, kind.weight, POPULATION)
        if not names(chosen, o.at_ms):
            now = never.feedback_count
            never.row.array["feedback_count"] = count
            facets = never.learn_feedback(o, kind, kind.weight, POPULATION).facets
            never.row.array["feedback_count"] = now + bool(facets)
    retrained = without(own, lambda piece: names(chosen, piece.at_ms)).own
    assert all_means(retrained) == pytest.approx(all_means(never), abs=2e-3)
    assert all_variances(retrained) == pytest.approx(all_variances(never), abs=2e-3)
    for facet in range(len(CATALOGUE.facet_names)):
        ours, theirs = (
            find(Beliefs(model, POPULATION), facet, decide(Beliefs(model, POPULATION), facet), 0, 0)
            for model in (retrained, never)
        )
        assert ours.decision.confidence == pytest.approx(theirs.decision.confidence, abs=5e-3)
        assert ours.liked == pytest.approx(theirs.liked, abs=5e-3)


@given(LONG.map(numbered), st.sampled_from([ALONE, POPULATION]))
def test_undone_pieces_leave_the_earlier_beliefs(history: list[Observation], prior: Prior) -> None:
    """Undoing gives the beliefs from before the log; retraining gives the present ones."""
    own = learned(history, prior)
    before, pieces = undo_all(own)
    assert pieces == own.log.pieces
    earlier = [o for o in history if not pieces or o.at_ms < pieces[0].at_ms]
    whole = learned(earlier, prior)
    if not split(history, pieces):
        assert all_means(before) == pytest.approx(all_means(whole), abs=2e-3)
        assert all_variances(before) == pytest.approx(all_variances(whole), abs=2e-3)
    again = without(own, lambda _: False).own
    assert all_means(again) == pytest.approx(all_means(own), abs=2e-4)
    assert all_variances(again) == pytest.approx(all_variances(own), abs=2e-4)
    assert again.log.totals == pytest.approx(own.log.totals, abs=MAX_PIECES)
    assert again.feedback_count == own.feedback_count


def split(history: Sequence[Observation], pieces: Sequence[Piece]) -> bool:
    """Return whether a directed feedback was cut in two at the start of the log."""
    return bool(pieces) and pieces[0].is_directed and len(CATALOGUE.feedback_kinds[pieces[0].kind].moves) > 1


@given(LONG.map(numbered), CHOSEN)
def test_last_pieces_of_a_long_history_are_removed(history: list[Observation], chosen: list[bool]) -> None:
    """The model agrees with one that had the earlier feedback and never the removed pieces."""
    own = learned(history)
    pieces = own.log.pieces
    removed = {piece.at_ms for piece, choice in zip(pieces, chosen, strict=False) if choice}
    never = learned([o for o in history if o.at_ms not in removed])
    if split(history, pieces):
        return
    retrained = without(own, lambda piece: piece.at_ms in removed)
    assert all_means(retrained.own) == pytest.approx(all_means(never), abs=1e-3)
    assert all_variances(retrained.own) == pytest.approx(all_variances(never), abs=1e-3)


def test_value_without_its_likes_is_the_default() -> None:
    """Without what supports it, the value is no better than any other."""
    history = [make_observation(served={"length": "concise"}, feedback="thumbs_up") for _ in range(5)]
    own = learned(history)
    assert decide(Beliefs(own, ALONE), 0).slot == CONCISE
    facets = CATALOGUE.slot_facets
    retrained = without(own, lambda piece: piece.sides(facets).get(CONCISE) is Side.FOR)
    assert len(retrained.removed) == 5
    assert decide(Beliefs(retrained.own, ALONE), 0).slot == CATALOGUE.default_slots[0]
    assert value_evidence(retrained.own)[CONCISE].supporting.weight == 0
