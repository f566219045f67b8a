"""state/learning/feedback_log: the log of feedback, against a plain list of all feedback."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.feedback_log import FeedbackLog, kinds_by_side
from state.learning.feedback_piece import Form, Piece, Side
from state.learning.side_sums import KEPT_PER_MILLE, PER_WEIGHT
from state.row.layout import MAX_PIECES, layout_of, sizes_of
from state.row.row import Row
from tests.support.factories import CATALOGUE, START_MS

SLOTS, FACETS, _ = CATALOGUE.sizes
FACET_OF = CATALOGUE.slot_facets
LAYOUT = layout_of(sizes_of(CATALOGUE))
KEPT = KEPT_PER_MILLE / 1000
DAY_MS = 86_400_000
SIDES = [(slot, side) for slot in range(SLOTS) for side in Side]
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


def new_log() -> FeedbackLog:
    return log_in(Row(LAYOUT))


def log_in(row: Row) -> FeedbackLog:
    return FeedbackLog(row, FACET_OF)


def add(log: FeedbackLog, pieces: Sequence[Piece]) -> FeedbackLog:
    for p in pieces:
        log.add(p.at_ms, p.kind, p.form, p.weight, p.mean, p.variance, p.slots, p.only)
    return log


def log_of(pieces: Sequence[Piece]) -> FeedbackLog:
    return add(new_log(), pieces)


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
def test_totals_fade_as_the_beliefs_do(pieces: list[Piece]) -> None:
    """The total of a side is that of all feedback, discounted piece by piece, rounding apart."""
    log = log_of(pieces)
    for slot, side in SIDES:
        assert log.total(slot, side) == pytest.approx(oracle(pieces, slot, side), abs=0.1, rel=0.01)
        assert log.totals[2 * slot + side] == round(log.total(slot, side) * PER_WEIGHT)


@given(HISTORIES)
def test_earlier_sums_are_those_of_the_pieces_that_left(pieces: list[Piece]) -> None:
    """With the day of the newest one."""
    log, left = log_of(pieces), pieces[:-MAX_PIECES]
    before = log_of(left)
    for slot, side in SIDES:
        newest_ms = max([p.at_ms for p in left if p.sides(FACET_OF).get(slot) is side], default=0)
        assert log.earlier(slot, side) == (before.total(slot, side), newest_ms // DAY_MS * DAY_MS)


@given(HISTORIES, st.sets(st.sampled_from(range(FACETS)), min_size=1))
def test_forgotten_facets_leave_no_trace(pieces: list[Piece], facets: set[int]) -> None:
    """No piece stays, since a piece shows all values of an answer; the sums of other facets stay."""
    row = Row(LAYOUT)
    log, before = add(log_in(row), pieces), log_of(pieces)
    log.forget(facets)
    assert not log.pieces
    assert not any(np.any(row.array[name]) for name in row.layout.offsets if name.startswith("piece_"))
    for slot, side in SIDES:
        kept = 0.0 if FACET_OF[slot] in facets else before.total(slot, side)
        assert log.total(slot, side) == kept
        assert log.earlier(slot, side)[0] == pytest.approx(kept, abs=0.1, rel=0.01)
        assert FACET_OF[slot] not in facets or not log.earlier(slot, side)[1]


@given(HISTORIES)
def test_cleared_log_has_the_bytes_of_a_new_one(pieces: list[Piece]) -> None:
    """Nothing stays."""
    row = Row(LAYOUT)
    add(log_in(row), pieces).clear()
    assert not any(row.read())


@given(HISTORIES.filter(bool))
def test_dropped_piece_leaves_the_pieces_before(pieces: list[Piece]) -> None:
    """Totals return within a unit of each piece's; its place has zeros."""
    row, twin = Row(LAYOUT), Row(LAYOUT)
    log, before = add(log_in(row), pieces), add(log_in(twin), pieces[:-1])
    log.drop_last()
    assert log.pieces == pieces[-MAX_PIECES:-1]
    assert log.totals == pytest.approx(before.totals, abs=1)
    if len(pieces) <= MAX_PIECES:
        row.array["totals"] = twin.array["totals"]
        assert row.read() == twin.read()


@given(HISTORIES)
def test_recounted_totals_are_near_the_counted_ones(pieces: list[Piece]) -> None:
    """Each piece is added again to the earlier sums."""
    row = Row(LAYOUT)
    log = add(log_in(row), pieces)
    counted = log.totals
    row.array["totals"] = 0
    log.recount()
    assert log.totals == counted


@given(HISTORIES)
def test_feedback_on_a_value_is_found(pieces: list[Piece]) -> None:
    """Of any piece so far."""
    log = log_of(pieces)
    for slots in CATALOGUE.facet_slots:
        assert log.has_feedback(slots) == any(slot in p.sides(FACET_OF) for p in pieces for slot in slots)


def test_uncounted_feedback_shows_in_the_means() -> None:
    """A mean alone shows no feedback where all of it is counted."""
    row = Row(LAYOUT)
    log = log_in(row)
    row.array["means"][0, 1] = 0.5
    assert not log.has_feedback((0, 1))
    row.array["uncounted"] = 1
    assert log.has_feedback((0, 1))
    assert not log.has_feedback((0, 2))
    assert log.uncounted
    assert not log.is_complete


@given(HISTORIES)
def test_snapshot_has_the_kinds_by_side(pieces: list[Piece]) -> None:
    """A snapshot stays as it is when the log changes."""
    log, kinds = new_log(), range(len(CATALOGUE.feedback_names))
    pieces = [piece._replace(kind=n % len(kinds)) for n, piece in enumerate(pieces)]
    snapshot = add(log, pieces).snapshot()
    log.clear()
    for slot in range(SLOTS):
        found = kinds_by_side(snapshot, slot, (SLOTS, FACETS), FACET_OF)
        for side in Side:
            held = [piece.kind for piece in pieces[-MAX_PIECES:] if piece.sides(FACET_OF).get(slot) is side]
            assert found[side] == Counter(held)


@given(HISTORIES, HISTORIES)
def test_rows_of_a_table_have_logs_of_their_own(pieces: list[Piece], others: list[Piece]) -> None:
    """The log is the present row's."""
    row = Row(LAYOUT, 2)
    log = log_in(row)
    for at, history in ((0, pieces), (1, others)):
        row.move_to(at)
        add(log, history)
    for at, history in ((0, pieces), (1, others)):
        row.move_to(at)
        assert log.pieces == history[-MAX_PIECES:]
        assert log.totals == log_of(history).totals
        assert log.newest_s() == (history[-1].at_ms // 1000 if history else 0)


def test_hostile_population_does_not_stop_the_worker() -> None:
    """A mean or variance beyond a half float is bounded."""
    log = log_of([Piece(START_MS, 0, Form.LIKE, 1.0, mean, 1e30, (), (0,)) for mean in (1e30, -1e30)])
    assert [(piece.mean, piece.variance) for piece in log.pieces] == [(0.0, 60_000.0)] * 2


def test_far_time_does_not_stop_the_worker() -> None:
    """Events may have times up to the year 2286; the log holds times up to 2106."""
    log = log_of([Piece(9_999_999_999_999, 0, Form.LIKE, 1.0, 0.0, 1.0, (), (0,))] * (MAX_PIECES + 2))
    assert {piece.at_ms for piece in log.pieces} == {(2**32 - 1) * 1000}
    assert log.earlier(0, Side.FOR)[0] > 1
