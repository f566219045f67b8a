"""state/learning/value_evidence, against a plain list of all feedback."""

from datetime import UTC, datetime

import pytest
from hypothesis import given

from state.learning.feedback_piece import Piece, Side
from state.learning.preferences import Preferences
from state.learning.value_evidence import value_evidence
from tests.state.learning.test_feedback_log import FACET_OF, HISTORIES, add, oracle
from tests.support.factories import CATALOGUE


def user_with(pieces: list[Piece]) -> Preferences:
    own = Preferences(CATALOGUE)
    add(own.log, pieces)
    return own


@given(HISTORIES)
def test_evidence_fades_as_the_beliefs_do(pieces: list[Piece]) -> None:
    """The weight of a side is that of all feedback, discounted piece by piece, rounding of earlier sums apart."""
    for slot, evidence in value_evidence(user_with(pieces)).items():
        for side in Side:
            assert evidence[side].weight == pytest.approx(oracle(pieces, slot, side), abs=0.1, rel=0.01)
            assert evidence[side].weight >= evidence[side].earlier >= 0


@given(HISTORIES)
def test_evidence_has_the_time_of_its_newest_piece(pieces: list[Piece]) -> None:
    """The time is exact while the piece is in the log, and its day afterwards."""
    for slot, evidence in value_evidence(user_with(pieces)).items():
        for side in Side:
            times = [p.at_ms for p in pieces if p.sides(FACET_OF).get(slot) is side]
            newest_ms, known = evidence[side].newest_ms, evidence[side].kinds.total() > 0
            assert newest_ms == (max(times) if known else day(max(times)) if times else 0)


def day(at_ms: int) -> int:
    midnight = datetime.fromtimestamp(at_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return round(midnight.timestamp() * 1000)
