"""state/user/emitted: the record of emitted decisions in the present row."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.decisions import Decision
from state.learning.side_sums import PER_WEIGHT
from state.row.layout import ROWS
from state.user.emitted import NEVER, Emitted
from tests.support.factories import CATALOGUE, START_MS
from tests.support.rows import is_empty, make_row

INDEX = CATALOGUE.slot_index["length"]
LENGTH = CATALOGUE.facet_index["length"]
FACETS = range(len(CATALOGUE.facet_names))
LATER_MS = START_MS + 1000


def decision(slot: int = 2, runner_up: int = 1, confidence: float = 0.7, tier: int = 1) -> Decision:
    return Decision(slot, runner_up, confidence, tier)


FIRST = decision()


def set_totals(sent: Emitted, weight: float = 20) -> None:
    """Let all values have as much evidence for them as against them."""
    sent.row.array["totals"][sent.row.at] = round(weight * PER_WEIGHT)


def nothing_sent(room: int = 1) -> Emitted:
    """Return the record of a user who has preferences and no signals."""
    sent = Emitted(make_row(room))
    sent.retract_all()
    set_totals(sent)
    return sent


def sent_first() -> Emitted:
    sent = nothing_sent()
    sent.record(0, FIRST, START_MS)
    return sent


def due(sent: Emitted, before_ms: int) -> list[int]:
    return [facet for facet in FACETS if sent.is_due(facet, before_ms)]


# Differences


def test_first_decision_differs() -> None:
    """Every first decision differs."""
    assert nothing_sent().differs(0, FIRST)


def test_same_decision_does_not_differ() -> None:
    """An unchanged decision is not emitted; facets are independent."""
    assert not sent_first().differs(0, FIRST)
    assert sent_first().differs(1, FIRST)


def test_other_value_or_tier_differs() -> None:
    """Another runner-up alone makes no difference."""
    assert sent_first().differs(0, decision(slot=1))
    assert sent_first().differs(0, decision(tier=2))
    assert not sent_first().differs(0, decision(runner_up=0))


def test_confidence_that_moved_by_5_hundredths_differs() -> None:
    """The confidence may rise or fall."""
    for moved, differs in ((0.049, False), (0.051, True), (-0.049, False), (-0.051, True)):
        assert sent_first().differs(0, decision(confidence=0.7 + moved)) is differs


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [(20, 21.9, False), (20, 22, True), (20, 18, True), (1, 1.4, False), (1, 1.5, True), (0, 0.5, True)],
)
def test_evidence_that_moved_by_a_tenth_differs(side: int, before: float, after: float, differs: bool) -> None:
    """The tenth is of the evidence as emitted, and at least a weight of 0.5; other values do not count."""
    sent, place = nothing_sent(), 2 * FIRST.slot + side
    totals = sent.row.array["totals"][0]
    totals[place] = round(before * PER_WEIGHT)
    sent.record(0, FIRST, START_MS)
    totals[place] = round(after * PER_WEIGHT)
    assert sent.differs(0, FIRST) is differs
    totals[place] = round(before * PER_WEIGHT)
    totals[0], totals[1] = 0, 3 * totals[1]
    assert not sent.differs(0, FIRST)


def test_small_steps_add_up_to_a_difference() -> None:
    """A decision is compared with the last emitted one, not with the last one."""
    sent = sent_first()
    found = [step for step in range(1, 11) if sent.differs(0, decision(confidence=0.7 + step / 100))]
    assert found == [5, 6, 7, 8, 9, 10]


def test_retracted_facet_differs_again() -> None:
    """It is not due, because nothing is to be repeated."""
    sent = sent_first()
    sent.retract(0)
    assert sent.differs(0, FIRST)
    assert due(sent, LATER_MS) == []


# Repeats


def test_due_facets_are_those_emitted_before_a_time() -> None:
    """A facet that was emitted at that time or later is not due."""
    sent = sent_first()
    sent.record(1, FIRST, START_MS + 5)
    assert due(sent, START_MS) == []
    assert due(sent, START_MS + 1) == [0]
    assert due(sent, START_MS + 6) == [0, 1]


@given(
    st.lists(
        st.tuples(st.sampled_from(["record", "retract", "due"]), st.integers(0, 2), st.integers(1, 100)), max_size=30
    )
)
def test_due_agrees_with_a_dict_of_times(steps: list[tuple[str, int, int]]) -> None:
    """Due facets are recorded again, as in the state."""
    sent, times = nothing_sent(), dict[int, int]()
    for step, facet, at_ms in steps:
        if step == "record":
            sent.record(facet, FIRST, at_ms)
            times[facet] = at_ms
        elif step == "retract":
            sent.retract(facet)
            times.pop(facet, None)
        else:
            found = due(sent, at_ms)
            assert found == sorted(facet for facet, sent_ms in times.items() if sent_ms < at_ms)
            for facet in found:
                sent.record(facet, FIRST, at_ms)
                times[facet] = at_ms


@pytest.mark.parametrize(("slots", "expected"), [({2}, [0]), ({1}, []), ({0, 1, 2}, [0]), (set(), [])])
def test_expired_values_are_due_at_once(slots: set[int], expected: list[int]) -> None:
    """A value that left the catalogue is replaced at the next event, however new its signal is."""
    sent = sent_first()
    sent.record(1, decision(slot=3), START_MS)
    sent.expire(slots)
    assert due(sent, START_MS) == expected


# Contexts


def test_values_in_contexts_begin_with_the_general_one() -> None:
    """A new decision has no value in any context until one is recorded."""
    sent = sent_first()
    sent.record_in(0, 3, 2)
    assert [sent.rank(0, place) for place in range(ROWS)] == [0, 0, 0, 2, 0, 0]
    assert [sent.rank(1, place) for place in range(ROWS)] == [0] * ROWS
    sent.record(0, FIRST, LATER_MS)
    assert [sent.rank(0, place) for place in range(ROWS)] == [0] * ROWS


def test_row_with_another_context_has_no_value() -> None:
    """Other rows and facets keep theirs, and nothing is due."""
    sent = sent_first()
    for place in range(ROWS):
        sent.record_in(0, place, 1 + place)
        sent.record_in(1, place, 1 + place)
    sent.free(0, [1, 4])
    assert [sent.rank(0, place) for place in range(ROWS)] == [1, 0, 3, 4, 0, 6]
    assert [sent.rank(1, place) for place in range(ROWS)] == [1, 2, 3, 4, 5, 6]
    sent.free_all()
    assert not sent.row.array["emitted_ranks"].any()
    assert due(sent, START_MS) == []


def test_ended_context_is_due_where_it_had_a_value() -> None:
    """Facets without a value there are not emitted again."""
    sent = sent_first()
    sent.record(1, FIRST, START_MS)
    sent.record_in(0, 2, 1)
    sent.end([2, 5])
    assert sent.rank(0, 2) == 0
    assert due(sent, START_MS) == [0]


# Served values


def sent_length(value: str, tier: int = 1) -> Emitted:
    sent = nothing_sent()
    sent.record(LENGTH, decision(slot=INDEX[value], tier=tier), START_MS)
    return sent


def served(sent: Emitted, careful: list[int], rows: tuple[int, ...] = ()) -> int:
    return array("h", sent.served(careful, rows, CATALOGUE.ranked_slots))[LENGTH]


@pytest.mark.parametrize(("tier", "expected"), [(0, NEVER), (1, INDEX["concise"])])
def test_careful_facet_is_served_from_the_tier_hint_on(tier: int, expected: int) -> None:
    """All other facets are served whatever the tier, and the record stays."""
    sent = sent_length("concise", tier)
    assert served(sent, [LENGTH]) == expected
    assert served(sent, []) == INDEX["concise"]
    assert sent.row.numbers("emitted_slots")[LENGTH] == INDEX["concise"]


def test_first_context_with_a_value_is_served() -> None:
    """The topic comes before the surface; a row without a value gives the general one."""
    sent = sent_length("concise")
    for place, value in ((1, "balanced"), (4, "detailed")):
        sent.record_in(LENGTH, place, CATALOGUE.slot_ranks[INDEX[value]])
    assert served(sent, [], (1, 4)) == INDEX["balanced"]
    assert served(sent, [], (4, 1)) == INDEX["detailed"]
    assert served(sent, [], (0, 4)) == INDEX["detailed"]
    assert served(sent, [], (0,)) == INDEX["concise"]


def test_value_that_left_is_not_served_in_a_context() -> None:
    """Readers skip it, too."""
    sent = sent_length("concise")
    rank = CATALOGUE.slot_ranks[INDEX["balanced"]]
    sent.record_in(LENGTH, 0, rank)
    ranked = [list(slots) for slots in CATALOGUE.ranked_slots]
    ranked[LENGTH][rank - 1] = None
    assert array("h", sent.served([], (0,), ranked))[LENGTH] == INDEX["concise"]


def test_nothing_emitted_serves_nothing() -> None:
    """So a log of choices shows the values that readers had, and none of a new user."""
    sent = nothing_sent()
    assert list(array("h", sent.served([], (), CATALOGUE.ranked_slots))) == [NEVER] * len(FACETS)
    assert list(array("f", sent.confidences())) == [0.0] * len(FACETS)


def test_confidences_are_those_emitted() -> None:
    """By facet, rounded to 32 bits."""
    sent = sent_first()
    assert list(array("f", sent.confidences())) == [pytest.approx(0.7), 0.0, 0.0, 0.0, 0.0]


# The row


def test_cleared_record_is_zero() -> None:
    """Users without preferences have equal bytes, whatever was emitted before."""
    sent = sent_first()
    sent.record_in(0, 1, 1)
    sent.clear()
    sent.row.array["totals"] = 0
    assert is_empty(sent.row)


def test_records_of_users_are_independent() -> None:
    """The cursor decides whose record is read and written."""
    sent = nothing_sent(room=3)
    sent.row.move_to(1)
    sent.retract_all()
    set_totals(sent)
    sent.record(0, FIRST, START_MS)
    assert not sent.differs(0, FIRST)
    before = sent.row.read()
    sent.row.move_to(0)
    assert sent.differs(0, FIRST)
    sent.record(0, decision(slot=1), LATER_MS)
    sent.row.move_to(1)
    assert sent.row.read() == before
    sent.row.move_to(2)
    assert is_empty(sent.row)
