"""state/windows, against an oracle that keeps every event.

a clock at 10:07, and what each ring holds of the turns before it (x)

9:10  9:15                                      10:00 10:05 10:10
──┬─────┬─────┬─────┬─ … ─┬─────┬─────┬─────┬─────┬─────┬──┄┄┄┄
│     │ x   │     │     │     │     │     │  x  │ x   │x▲
──┴─────┴─────┴─────┴─ … ─┴─────┴─────┴─────┴─────┴─────┴──┄┄┄┄
12 panes of 5 minutes: 9:10 is the first that counts; the newest is still filling
"""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.signals import Profile
from state.windows import (
    DAY_MS,
    HOUR_MS,
    HOURS_KEPT_PER_DAY,
    MAX_TOPICS_KEPT,
    MINUTE_MS,
    PANES,
    SESSION_GAP_MS,
    TOPICS_KEPT_PER_DAY,
    Windows,
)
from tests.making import START_MS

TOPICS = tuple(f"topic-{number}" for number in range(30))


class Turn(NamedTuple):
    """When it was, and what about."""

    at_ms: int
    topic: int | None = None


class Clocked:
    """Windows with the clock that a person's state would keep."""

    def __init__(self, turns: Sequence[Turn] = ()) -> None:
        self.windows = Windows()
        self.newest_ms = 0
        for turn in turns:
            self.add(turn)

    def advance(self, at_ms: int) -> None:
        before_ms, self.newest_ms = self.newest_ms, max(self.newest_ms, at_ms)
        if before_ms and self.newest_ms > before_ms:
            self.windows.advance(before_ms, self.newest_ms)

    def add(self, turn: Turn) -> None:
        self.advance(turn.at_ms)
        self.windows.add_turn(turn.at_ms, self.newest_ms, turn.topic)

    def profile(self) -> Profile:
        return self.windows.profile("v", self.newest_ms, TOPICS)


GAPS = (
    st.sampled_from([0, 1, MINUTE_MS, 5 * MINUTE_MS - 1, 5 * MINUTE_MS, HOUR_MS, DAY_MS, 8 * DAY_MS])
    | st.integers(0, 2 * HOUR_MS)
    | st.integers(0, 3 * DAY_MS)
)  # fmt: skip


@st.composite
def streams(draw: st.DrawFn, out_of_order: bool = True, topics: int = MAX_TOPICS_KEPT) -> list[Turn]:
    """Return turns that arrive up to 24 h after what came before them."""
    clock_ms, turns = START_MS, []
    for gap_ms in draw(st.lists(GAPS, min_size=1, max_size=40)):
        late_ms = draw(st.just(0) | st.integers(0, DAY_MS)) if out_of_order else 0
        clock_ms += gap_ms
        turns.append(Turn(clock_ms - late_ms, draw(st.none() | st.integers(0, topics - 1))))
    return turns


def count(turns: Sequence[Turn], width_ms: int, panes: int) -> int:
    newest = max(turn.at_ms for turn in turns) // width_ms
    return sum(newest - turn.at_ms // width_ms < panes for turn in turns)


@given(streams())
def test_sliding_counts_are_those_of_an_oracle_that_keeps_all_turns(turns: list[Turn]) -> None:
    """In any order within a day."""
    activity = Clocked(turns).profile().activity
    assert activity.hour == count(turns, 5 * MINUTE_MS, 12)
    assert activity.day == count(turns, HOUR_MS, 24)
    assert activity.week == count(turns, DAY_MS, 7)


@given(streams(), st.randoms(use_true_random=False))
def test_counts_do_not_depend_on_the_order_of_turns(turns: list[Turn], random: Random) -> None:
    """Also when the newest comes first."""
    shuffled = random.sample(turns, len(turns))
    assert Clocked(shuffled).profile().activity == Clocked(turns).profile().activity


@given(streams())
def test_hours_and_topics_are_discounted_by_the_days_since(turns: list[Turn]) -> None:
    """Each turn counts for what its age in days leaves of it."""
    profile = Clocked(turns).profile()
    today = max(turn.at_ms for turn in turns) // DAY_MS
    hours, topics = [0.0] * 24, [0.0] * len(TOPICS)
    for at_ms, topic in turns:
        hours[at_ms // HOUR_MS % 24] += HOURS_KEPT_PER_DAY ** (today - at_ms // DAY_MS)
        if topic is not None:
            topics[topic] += TOPICS_KEPT_PER_DAY ** (today - at_ms // DAY_MS)
    assert profile.hours == pytest.approx(hours, abs=0.006)
    shares = {TOPICS[topic]: weight / sum(topics) for topic, weight in enumerate(topics) if weight}
    for name, share in profile.topics:
        assert share == pytest.approx(shares[name], abs=0.001)
    assert len(profile.topics) == min(5, len(shares))


@given(streams(out_of_order=False))
def test_session_is_the_turns_since_the_last_gap(turns: list[Turn]) -> None:
    """A pause of 30 minutes ends it."""
    session = [turns[0]]
    for turn in turns[1:]:
        session = [*session, turn] if turn.at_ms - session[-1].at_ms < SESSION_GAP_MS else [turn]
    found = Clocked(turns).profile().session
    assert (found.started_at, found.turns) == (session[0].at_ms, len(session))


@given(streams(topics=len(TOPICS)))
def test_size_is_fixed_whatever_the_stream(turns: list[Turn]) -> None:
    """What falls out of a ring is gone; a new topic takes the lightest one's place."""
    windows = Clocked(turns).windows
    assert len(windows.panes) == PANES == 43
    assert len(windows.hours) == 24
    assert len(windows.topic_ids) == len(windows.topic_weights) == MAX_TOPICS_KEPT


def test_hour_of_day_halves_in_30_days() -> None:
    """A habit that was given up fades."""
    clocked = Clocked([Turn(START_MS + 9 * HOUR_MS)] * 100)
    clocked.advance(START_MS + 30 * DAY_MS)
    assert clocked.profile().hours[9] == pytest.approx(50, rel=0.01)


def test_topic_halves_in_7_days() -> None:
    """What someone talked about last week weighs half."""
    clocked = Clocked([Turn(START_MS, 1)] * 2)
    clocked.add(Turn(START_MS + 7 * DAY_MS, 2))
    assert dict(clocked.profile().topics) == pytest.approx({"topic-1": 0.5, "topic-2": 0.5}, abs=0.002)


def test_everything_fades_in_a_thousand_years() -> None:
    """No overflow, no division by nothing."""
    clocked = Clocked([Turn(START_MS, 1)])
    clocked.advance(START_MS + 365_000 * DAY_MS)
    profile = clocked.profile()
    assert profile.topics == ()
    assert profile.hours == (0.0,) * 24
    assert (profile.activity.hour, profile.activity.day, profile.activity.week) == (0, 0, 0)


def test_lightest_topic_makes_room() -> None:
    """Eight are kept and five are shown, heaviest first."""
    turns = [Turn(START_MS, topic) for topic in range(8) for _ in range(10 - topic)]
    profile = Clocked([*turns, Turn(START_MS, 20)]).profile()
    assert [name for name, _ in profile.topics] == ["topic-0", "topic-1", "topic-2", "topic-3", "topic-4"]
    kept = Clocked([*turns, *[Turn(START_MS, 20)] * 9]).profile().topics
    assert [name for name, _ in kept] == ["topic-0", "topic-1", "topic-20", "topic-2", "topic-3"]


def test_pane_stops_counting_at_its_limit() -> None:
    """65,535 turns in five minutes are a machine."""
    clocked = Clocked([Turn(START_MS)])
    clocked.windows.panes[START_MS // (5 * MINUTE_MS) % 12] = 65_535
    clocked.add(Turn(START_MS))
    assert clocked.profile().activity.hour == 65_535


# Sessions


def test_late_turn_before_a_session_starts_it_earlier() -> None:
    """If it is near enough to belong."""
    session = Clocked([Turn(START_MS + HOUR_MS), Turn(START_MS + HOUR_MS - 10 * MINUTE_MS)]).profile().session
    assert (session.started_at, session.turns) == (START_MS + HOUR_MS - 10 * MINUTE_MS, 2)


def test_late_turn_does_not_shorten_its_session() -> None:
    """The pause is counted from the newest turn."""
    turns = [Turn(START_MS + minute * MINUTE_MS) for minute in (60, 40, 80)]
    session = Clocked(turns).profile().session
    assert (session.started_at, session.turns) == (START_MS + 40 * MINUTE_MS, 3)


def test_late_turn_of_an_earlier_session_does_not_count_in_this_one() -> None:
    """It still counts in the sliding windows."""
    profile = Clocked([Turn(START_MS + 2 * HOUR_MS), Turn(START_MS)]).profile()
    assert (profile.session.started_at, profile.session.turns) == (START_MS + 2 * HOUR_MS, 1)
    assert profile.activity.day == 2


def test_first_turn_starts_a_session_whenever_it_is() -> None:
    """Also in the first minutes of 1970."""
    session = Clocked([Turn(MINUTE_MS)]).profile().session
    assert (session.started_at, session.turns) == (MINUTE_MS, 1)


def test_dislike_counts_in_the_session_it_comes_in() -> None:
    """Feedback mostly comes after its turn, as an event of its own."""
    clocked = Clocked([Turn(START_MS), Turn(START_MS + MINUTE_MS)])
    clocked.windows.add_negative(START_MS + 5 * MINUTE_MS)
    assert clocked.profile().session.negative_share == 0.5


@pytest.mark.parametrize("at_ms", [START_MS - 1, START_MS + SESSION_GAP_MS])
def test_dislike_outside_the_session_does_not_count(at_ms: int) -> None:
    """It belongs to a turn of another session."""
    clocked = Clocked([Turn(START_MS)])
    clocked.windows.add_negative(at_ms)
    assert clocked.profile().session.negative_share == 0.0


def test_share_of_dislikes_is_a_share() -> None:
    """Turns of an earlier session that are disliked only now do not make it more than all."""
    clocked = Clocked([Turn(START_MS)])
    for _ in range(3):
        clocked.windows.add_negative(START_MS)
    assert clocked.profile().session.negative_share == 1.0


def test_new_session_begins_without_dislikes() -> None:
    """What was before the pause is another session's."""
    clocked = Clocked([Turn(START_MS)])
    clocked.windows.add_negative(START_MS)
    clocked.add(Turn(START_MS + SESSION_GAP_MS))
    session = clocked.profile().session
    assert (session.started_at, session.turns, session.negative_share) == (START_MS + SESSION_GAP_MS, 1, 0.0)


def test_copy_stays_as_it_was() -> None:
    """It is read when the batch ends, and says what held when it was taken."""
    clocked = Clocked([Turn(START_MS, 1)])
    clocked.windows.add_negative(START_MS)
    twin = clocked.windows.copy()
    before = twin.profile("v", START_MS, TOPICS)
    assert before == clocked.profile()
    clocked.add(Turn(START_MS + 1, 2))
    clocked.windows.add_negative(START_MS)
    assert twin.profile("v", START_MS, TOPICS) == before
