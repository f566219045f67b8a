"""state/learning/feedback_log and value_evidence: the log of feedback, against a plain list of all feedback."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.feedback_log import MAX_PIECES, FeedbackLog, row_size
from state.learning.feedback_piece import Form, Piece, Side
from state.learning.own_beliefs import OwnBeliefs
from state.learning.prediction import PopulationPart
from state.learning.preferences import KEPT
from state.learning.value_evidence import value_evidence
from tests.support.factories import CATALOGUE, START_MS

SLOTS, FACETS, KINDS = CATALOGUE.sizes
FACET_OF = CATALOGUE.slot_facets
MEAN = st.floats(-3, 3, width=16)


def likes() -> st.SearchStrategy[Piece]:
    """Return a strategy for likes and dislikes of an answer, some of them narrowed to facets it has."""
    answers = st.tuples(*[st.sampled_from(slots) for slots in CATALOGUE.facet_slots])
    some = st.sets(st.sampled_from(range(FACETS)), min_size=1).map(lambda facets: tuple(sorted(facets)))
    forms = st.sampled_from([Form.LIKE, Form.DISLIKE])
    return st.tuples(answers, forms, st.just(()) | some, weights(), MEAN).map(
        lambda drawn: Piece(START_MS, 0, drawn[1], drawn[3], drawn[4], 1.5, drawn[2], drawn[0])
    )


def comparisons() -> st.SearchStrategy[Piece]:
    """Return a strategy for directed feedback."""
    pairs = st.sampled_from([pair for pairs in CATALOGUE.next_slots.values() for pair in pairs.items()])
    return st.tuples(pairs, weights(), MEAN).map(
        lambda drawn: Piece(
            START_MS, 1, Form.PREFERS_HIGHER if drawn[0][1] > drawn[0][0] else Form.PREFERS_LOWER,
            drawn[1], drawn[2], 1.0, (), tuple(sorted(drawn[0])),
        )
    )  # fmt: skip


def weights() -> st.SearchStrategy[float]:
    return st.integers(1, 100).map(lambda hundredths: hundredths / 100)


def timed(pieces: Sequence[Piece]) -> list[Piece]:
    return [piece._replace(at_ms=START_MS + 100_000_000 * n) for n, piece in enumerate(pieces)]


HISTORIES = st.lists(likes() | comparisons(), max_size=40).map(timed)


def log_of(pieces: Sequence[Piece]) -> FeedbackLog:
    log = FeedbackLog(SLOTS, FACETS)
    for p in pieces:
        expected = PopulationPart(p.mean, p.variance, None)  # type: ignore[arg-type]  # factors are not logged
        log.add(p.at_ms, p.kind, p.form, p.weight, expected, p.slots, p.only, FACET_OF)
    return log


def oracle(pieces: Sequence[Piece], slot: int, side: Side) -> float:
    """Return the discounted weight of all feedback on one side of a value."""
    total = 0.0
    for piece in pieces:
        found = piece.sides(FACET_OF).get(slot)
        if found is not None:
            total = KEPT * total + piece.weight * (found is side)
    return total


@given(HISTORIES)
def test_log_holds_the_last_pieces(pieces: list[Piece]) -> None:
    """Each member comes back; the log is complete until a piece has left it."""
    log = log_of(pieces)
    assert log.pieces == pieces[-MAX_PIECES:]
    assert log.is_complete == (len(pieces) <= MAX_PIECES)


@given(HISTORIES)
def test_evidence_fades_as_the_beliefs_do(pieces: list[Piece]) -> None:
    """The weight of a side is that of all feedback, discounted piece by piece, rounding of earlier sums apart."""
    own = OwnBeliefs(CATALOGUE)
    own.log = log_of(pieces)
    for slot, evidence in value_evidence(own).items():
        for side in Side:
            assert evidence[side].weight == pytest.approx(oracle(pieces, slot, side), abs=0.1, rel=0.01)
            assert evidence[side].weight >= evidence[side].earlier >= 0


@given(HISTORIES)
def test_evidence_has_the_time_of_its_newest_piece(pieces: list[Piece]) -> None:
    """The time is exact while the piece is in the log, and its day afterwards."""
    own = OwnBeliefs(CATALOGUE)
    own.log = log_of(pieces)
    for slot, evidence in value_evidence(own).items():
        for side in Side:
            times = [p.at_ms for p in pieces if p.sides(FACET_OF).get(slot) is side]
            newest_ms, known = evidence[side].newest_ms, evidence[side].kinds.total() > 0
            assert newest_ms == (max(times) if known else day(max(times)) if times else 0)


def day(at_ms: int) -> int:
    midnight = datetime.fromtimestamp(at_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return round(midnight.timestamp() * 1000)


@given(HISTORIES, st.sets(st.sampled_from(range(FACETS)), min_size=1))
def test_forgotten_facets_leave_no_trace(pieces: list[Piece], facets: set[int]) -> None:
    """No row stays, since a row shows all values of an answer; the sums of other facets stay."""
    log, own, before = log_of(pieces), OwnBeliefs(CATALOGUE), OwnBeliefs(CATALOGUE)
    before.log = log.copy()
    log.forget(facets, FACET_OF)
    own.log = log
    assert not log.pieces
    known = value_evidence(before)
    for slot, evidence in value_evidence(own).items():
        for side in Side:
            kept = 0.0 if FACET_OF[slot] in facets else known[slot][side].weight
            assert evidence[side].weight == pytest.approx(kept, abs=0.1, rel=0.01)
            assert FACET_OF[slot] not in facets or not evidence[side].newest_ms


@given(HISTORIES)
def test_grown_log_has_the_same_pieces(pieces: list[Piece]) -> None:
    """Rows have room for more values and facets."""
    log, same = log_of(pieces), log_of(pieces)
    log.grow(SLOTS + 9, FACETS + 9)
    assert log.pieces == same.pieces
    assert all(log.earlier(slot, side) == same.earlier(slot, side) for slot in range(SLOTS) for side in Side)
    assert not any(log.earlier(slot, side)[1] for slot in range(SLOTS, SLOTS + 9) for side in Side)


def test_hostile_population_does_not_stop_the_worker() -> None:
    """A mean or variance beyond a half float is bounded."""
    log = log_of([Piece(START_MS, 0, Form.LIKE, 1.0, mean, 1e30, (), (0,)) for mean in (1e30, -1e30)])
    assert [(piece.mean, piece.variance) for piece in log.pieces] == [(0.0, 60_000.0)] * 2


def test_far_time_does_not_stop_the_worker() -> None:
    """Events may have times up to the year 2286; the log holds times up to 2106."""
    log = log_of([Piece(9_999_999_999_999, 0, Form.LIKE, 1.0, 0.0, 1.0, (), (0,))] * (MAX_PIECES + 2))
    assert {piece.at_ms for piece in log.pieces} == {(2**32 - 1) * 1000}
    assert log.earlier(0, Side.FOR)[0] > 1


def test_size_of_a_row() -> None:
    """With the shipped catalogue, seven rows, totals and sums take 286 bytes at most."""
    assert MAX_PIECES * row_size(16, 5) + 3 * 2 * 2 * 16 + 3 == 286
