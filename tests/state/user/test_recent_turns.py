"""state/user/recent_turns: weight and dislikes of the last turns, against an oracle that keeps every turn."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.events.observation import NONE
from state.row.layout import RECENT_TURNS
from state.user.recent_turns import RecentTurns
from tests.support.rows import is_empty, make_row


class Event(NamedTuple):
    """An event of a turn, as `observe` takes it."""

    turn: int
    weight: float
    disliked: bool
    sensitive: bool


EVENTS = st.lists(
    st.builds(
        Event,
        turn=st.integers(0, 2**32 - 1) | st.integers(0, RECENT_TURNS),
        weight=st.sampled_from([0.0, 0.02, 0.4, 0.6, 1.0]),
        disliked=st.booleans(),
        sensitive=st.booleans(),
    ),
    max_size=60,
)


def recent(*turns: int) -> RecentTurns:
    """Return turns after an event of each without feedback."""
    found = RecentTurns(make_row())
    for turn in turns:
        found.observe(turn, 0.0, False, False)
    return found


@given(EVENTS)
def test_turns_are_those_of_an_oracle(events: list[Event]) -> None:
    """Of the last 16 turns, each is new once, is disliked once, and trains with a weight of 1 at most."""
    turns, known = RecentTurns(make_row()), dict[int, tuple[float, bool]]()
    for event in events:
        place, is_new, disliked, left = turns.observe(*event)
        if not event.turn:
            liked = not event.disliked or event.sensitive
            assert (place, is_new, disliked) == (NONE, True, not liked)
            assert left == (0.0 if event.sensitive else event.weight)
            continue
        assert is_new == (event.turn not in known)
        used, was_disliked = known.get(event.turn, (0.0, False))
        used, was_disliked = (1.0, True) if event.sensitive else (used, was_disliked)
        assert disliked == (event.disliked and not was_disliked)
        assert left == pytest.approx(min(event.weight, 1.0 - used), abs=1e-4)
        assert turns.used(place) == pytest.approx(used, abs=1e-5)
        if left:
            turns.use(place, left)
        known[event.turn] = (used + left, was_disliked or event.disliked)
        for oldest in [*known][:-RECENT_TURNS]:
            del known[oldest]
        assert sorted(turns.hashes) == sorted(known)


def test_new_turn_takes_the_place_of_the_oldest() -> None:
    """Weight and dislike of the earlier turn are gone."""
    turns = recent(*range(1, RECENT_TURNS + 1))
    place, *_ = turns.observe(1, 1.0, True, False)
    turns.use(place, 1.0)
    assert turns.disliked == 1
    assert turns.observe(99, 1.0, False, False) == (0, True, False, 1.0)
    assert (turns.hashes[0], turns.learned[0], turns.disliked, turns.next) == (99, 0.0, 0, 1)


def test_rounding_leaves_no_weight() -> None:
    """The 32-bit sum of 0.4 and 0.6 is a little more than 1, and that of fifty times 0.02 a little less."""
    turns = recent(7)
    for _ in range(50):
        _, _, _, left = turns.observe(7, 0.02, False, False)
        turns.use(0, left)
    assert turns.observe(7, 1.0, False, False) == (0, False, False, 0.0)


@given(EVENTS)
def test_clear_leaves_no_bytes(events: list[Event]) -> None:
    """The row equals that of a new user."""
    row = make_row()
    turns = RecentTurns(row)
    for event in events:
        turns.observe(*event)
    turns.clear()
    assert is_empty(row)
