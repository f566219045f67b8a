"""state/user/outbox: emitted decisions."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.decisions import Decision
from state.learning.side_sums import PER_WEIGHT
from state.user.emitted import Emitted
from tests.support.factories import CATALOGUE, START_MS

FIRST = Decision(slot=2, runner_up=1, confidence=0.7, tier=1)
INDEX = CATALOGUE.slot_index["length"]
LENGTH = CATALOGUE.facet_index["length"]
LATER_MS = START_MS + 1000
TOTALS = [20 * PER_WEIGHT] * 6
"""Evidence for and against each of three values."""


def sent_first() -> Emitted:
    sent = Emitted(facets=3)
    sent.record(0, FIRST, TOTALS, {}, START_MS)
    return sent


def test_first_decision_differs() -> None:
    """Every first decision differs."""
    assert Emitted(facets=3).differs(0, FIRST, TOTALS)


def test_same_decision_does_not_differ() -> None:
    """An unchanged decision is not emitted; facets are independent."""
    assert not sent_first().differs(0, FIRST, TOTALS)
    assert sent_first().differs(1, FIRST, TOTALS)


def test_other_value_or_tier_differs() -> None:
    """Another runner-up alone makes no difference."""
    assert sent_first().differs(0, FIRST._replace(slot=1), TOTALS)
    assert sent_first().differs(0, FIRST._replace(tier=2), TOTALS)
    assert not sent_first().differs(0, FIRST._replace(runner_up=0), TOTALS)


def test_confidence_that_moved_by_5_hundredths_differs() -> None:
    """The confidence may rise or fall."""
    for moved, differs in ((0.049, False), (0.051, True), (-0.049, False), (-0.051, True)):
        assert sent_first().differs(0, FIRST._replace(confidence=0.7 + moved), TOTALS) is differs


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [(20, 21.9, False), (20, 22, True), (20, 18, True), (1, 1.4, False), (1, 1.5, True), (0, 0.5, True)],
)
def test_evidence_that_moved_by_a_tenth_differs(side: int, before: float, after: float, differs: bool) -> None:
    """The tenth is of the evidence as emitted, and at least a weight of 0.5; other values do not count."""
    emitted, place = Emitted(facets=3), 2 * FIRST.slot + side
    totals = TOTALS[:]
    totals[place] = round(before * PER_WEIGHT)
    emitted.record(0, FIRST, totals, {}, START_MS)
    totals[place] = round(after * PER_WEIGHT)
    assert emitted.differs(0, FIRST, totals) is differs
    totals[place] = round(before * PER_WEIGHT)
    totals[0], totals[1] = 0, 3 * totals[1]
    assert not emitted.differs(0, FIRST, totals)


def test_small_steps_add_up_to_a_difference() -> None:
    """A decision is compared with the last emitted one, not with the last one."""
    sent = sent_first()
    found = [step for step in range(1, 11) if sent.differs(0, FIRST._replace(confidence=0.7 + step / 100), TOTALS)]
    assert found == [5, 6, 7, 8, 9, 10]


def test_retracted_facet_differs_again() -> None:
    """It is not due, because nothing is to be repeated."""
    sent = sent_first()
    sent.retract(0)
    assert sent.differs(0, FIRST, TOTALS)
    assert sent.due(LATER_MS) == []


def test_due_facets_are_those_emitted_before_a_time() -> None:
    """A facet that was emitted at that time or later is not due."""
    sent = sent_first()
    sent.record(1, FIRST, TOTALS, {}, START_MS + 5)
    assert sent.due(START_MS) == []
    assert sent.due(START_MS + 1) == [0]
    assert sent.due(START_MS + 6) == [0, 1]


@given(
    st.lists(
        st.tuples(st.sampled_from(["record", "retract", "due"]), st.integers(0, 2), st.integers(1, 100)), max_size=30
    )
)
def test_due_agrees_with_a_dict_of_times(steps: list[tuple[str, int, int]]) -> None:
    """The shortcut over the oldest time loses no facet; due facets are recorded again, as in the state."""
    sent, times = Emitted(facets=3), dict[int, int]()
    for step, facet, at_ms in steps:
        if step == "record":
            sent.record(facet, FIRST, TOTALS, {}, at_ms)
            times[facet] = at_ms
        elif step == "retract":
            sent.retract(facet)
            times.pop(facet, None)
        else:
            due = sent.due(at_ms)
            assert due == sorted(facet for facet, sent_ms in times.items() if sent_ms < at_ms)
            for facet in due:
                sent.record(facet, FIRST, TOTALS, {}, at_ms)
                times[facet] = at_ms


def sent(value: str, tier: int = 1) -> Emitted:
    emitted = Emitted(len(CATALOGUE.facet_names))
    emitted.slot[LENGTH], emitted.tier[LENGTH] = INDEX[value], tier
    return emitted


@pytest.mark.parametrize(("tier", "served"), [(0, -1), (1, INDEX["concise"])])
def test_careful_facet_is_served_from_the_tier_hint_on(tier: int, served: int) -> None:
    """All other facets are served whatever the tier."""
    emitted = sent("concise", tier)
    assert array("h", emitted.served([LENGTH], (), CATALOGUE.ranked_slots))[LENGTH] == served
    assert array("h", emitted.served([], (), CATALOGUE.ranked_slots))[LENGTH] == INDEX["concise"]
    assert emitted.slot[LENGTH] == INDEX["concise"]
