"""state/user/windows, against an oracle that keeps every event.

a clock at 10:07, and what each ring holds of the turns before it (x)

9:10  9:15                                      10:00 10:05 10:10
──┬─────┬─────┬─────┬─ … ─┬─────┬─────┬─────┬─────┬─────┬──┄┄┄┄
│     │ x   │     │     │     │     │     │  x  │ x   │x▲
──┴─────┴─────┴─────┴─ … ─┴─────┴─────┴─────┴─────┴─────┴──┄┄┄┄
12 panes of 5 minutes: 9:10 is the first that counts; the newest is still filling
"""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from state.events.observation import NONE
from state.row.layout import MAX_SESSIONS, MAX_TOPICS_KEPT, PANES, Part
from state.user.windows import DAY_MS, HOUR_MS, MINUTE_MS, PANE_MS, Windows, rounded
from tacit.contract.signals import Profile
from tests.support.activity_oracle import ActivityOracle, Turn
from tests.support.factories import START_MS
from tests.support.rows import is_empty, make_row

TOPICS = tuple(f"topic-{number}" for number in range(30))


class Clocked:
    """Windows with the clock of a user's state."""

    def __init__(self, turns: Sequence[Turn] = ()) -> None:
        self.row = make_row()
        self.windows = Windows(self.row)
        self.windows.begin()
        self.newest_ms = 0
        for turn in turns:
            self.add(turn)

    def advance(self, at_ms: int) -> None:
        before_ms, self.newest_ms = self.newest_ms, max(self.newest_ms, at_ms)
        if before_ms and self.newest_ms > before_ms:
            self.windows.advance(before_ms, self.newest_ms)

    def add(self, turn: Turn) -> None:
        before_ms, self.newest_ms = self.newest_ms or turn.at_ms, max(self.newest_ms, turn.at_ms)
        topic = NONE if turn.topic is None else turn.topic
        self.windows.observe(before_ms, self.newest_ms, turn.at_ms, True, topic, False)

    def profile(self) -> Profile:
        return self.windows.profile("v", self.newest_ms, TOPICS)


EDGES_MS = [1, PANE_MS - 1, PANE_MS, HOUR_MS - 1, HOUR_MS, DAY_MS - 1, DAY_MS]
STEPS_MS = (
    st.sampled_from([0, *EDGES_MS, 7 * DAY_MS, 8 * DAY_MS, 400 * DAY_MS, 20 * 365 * DAY_MS])
    | st.integers(0, 2 * HOUR_MS)
    | st.integers(0, 3 * DAY_MS)
)
LATE_MS = st.just(0) | st.sampled_from(EDGES_MS) | st.integers(0, DAY_MS)


@st.composite
def streams(draw: st.DrawFn, topics: int = MAX_TOPICS_KEPT) -> list[Turn]:
    """Return turns in their order of arrival, up to 24 h late; the first is at an edge of panes, or anywhere."""
    clock_ms, turns = START_MS + draw(st.just(0) | st.integers(0, DAY_MS)), []
    steps = st.tuples(STEPS_MS, LATE_MS, st.none() | st.integers(0, topics - 1))
    for step_ms, late_ms, topic in draw(st.lists(steps, min_size=1, max_size=40)):
        clock_ms += step_ms
        turns.append(Turn(clock_ms - late_ms, topic))
    return turns


@settings(max_examples=300)
@given(streams())
@example([Turn(START_MS)])
@example([Turn(START_MS + HOUR_MS, 1), Turn(START_MS, 2), Turn(START_MS + 5 * MINUTE_MS - 1, 1)])
def test_windows_are_those_of_an_oracle_that_keeps_all_turns(turns: list[Turn]) -> None:
    """After each turn, counts, session, hours and topics are equal, in any order within a day and after any absence."""
    clocked, oracle = Clocked(), ActivityOracle()
    for turn in turns:
        clocked.add(turn)
        oracle.add_turn(turn)
        oracle.check(clocked.profile(), TOPICS)


@given(streams(), st.integers(0, 8 * DAY_MS))
def test_clock_that_moves_on_alone_empties_the_windows(turns: list[Turn], further_ms: int) -> None:
    """A pin or a consent event is no turn, and moves the clock."""
    clocked, oracle = Clocked(turns), ActivityOracle()
    for turn in turns:
        oracle.add_turn(turn)
    oracle.clock_ms += further_ms
    clocked.advance(oracle.clock_ms)
    oracle.check(clocked.profile(), TOPICS)


@given(streams(), st.randoms(use_true_random=False))
def test_counts_do_not_depend_on_the_order_of_turns(turns: list[Turn], random: Random) -> None:
    """The newest turn may come first."""
    shuffled = random.sample(turns, len(turns))
    assert Clocked(shuffled).profile().activity == Clocked(turns).profile().activity


@given(streams(topics=len(TOPICS)))
def test_size_is_fixed_whatever_the_stream(turns: list[Turn]) -> None:
    """Passed panes are emptied; a new topic replaces the lightest one."""
    windows = Clocked(turns).windows
    assert len(windows.panes) == PANES == 43
    assert len(windows.hours) == 24
    assert len(windows.topic_ids) == len(windows.topic_weights) == MAX_TOPICS_KEPT
    assert 1 <= len(windows.sessions) <= MAX_SESSIONS


@given(streams(topics=len(TOPICS)))
def test_topic_never_weighs_more_than_it_should(turns: list[Turn]) -> None:
    """With more than eight topics, a replaced topic loses its weight, and no topic gains weight."""
    clocked, oracle = Clocked(turns), ActivityOracle()
    for turn in turns:
        oracle.add_turn(turn)
    weights = oracle.topic_weights()
    for topic, weight in zip(clocked.windows.topic_ids, clocked.windows.topic_weights, strict=True):
        assert weight <= weights.get(topic, 0.0) * 1.001


def test_sessions_are_freed_with_the_days() -> None:
    """Without later turns, only the newest session stays."""
    clocked = Clocked([Turn(START_MS + hour * HOUR_MS) for hour in range(20, 24)])
    assert len(clocked.windows.sessions) == 4
    clocked.advance(START_MS + 46 * HOUR_MS)
    assert len(clocked.windows.sessions) == 2
    clocked.advance(START_MS + 48 * HOUR_MS)
    assert len(clocked.windows.sessions) == 1


def test_hour_of_day_halves_in_30_days() -> None:
    """The weight of an hour of the day halves."""
    clocked = Clocked([Turn(START_MS + 9 * HOUR_MS)] * 100)
    clocked.advance(START_MS + 30 * DAY_MS)
    assert clocked.profile().hours[9] == pytest.approx(50, rel=0.01)


def test_topic_halves_in_7_days() -> None:
    """The weight of a topic halves."""
    clocked = Clocked([Turn(START_MS, 1)] * 2)
    clocked.add(Turn(START_MS + 7 * DAY_MS, 2))
    assert dict(clocked.profile().topics) == pytest.approx({"topic-1": 0.5, "topic-2": 0.5}, abs=0.002)


def test_everything_fades_in_a_thousand_years() -> None:
    """Nothing overflows, and nothing is divided by zero."""
    clocked = Clocked([Turn(START_MS, 1)])
    clocked.advance(START_MS + 365_000 * DAY_MS)
    profile = clocked.profile()
    assert profile.topics == ()
    assert profile.hours == (0.0,) * 24
    assert (profile.activity.hour, profile.activity.day, profile.activity.week) == (0, 0, 0)


def test_new_topic_replaces_the_lightest_one() -> None:
    """Eight topics are stored; the heaviest five are in the profile."""
    turns = [Turn(START_MS, topic) for topic in range(8) for _ in range(10 - topic)]
    profile = Clocked([*turns, Turn(START_MS, 20)]).profile()
    assert [name for name, _ in profile.topics] == ["topic-0", "topic-1", "topic-2", "topic-3", "topic-4"]
    kept = Clocked([*turns, *[Turn(START_MS, 20)] * 9]).profile().topics
    assert [name for name, _ in kept] == ["topic-0", "topic-1", "topic-20", "topic-2", "topic-3"]


def test_pane_stops_counting_at_its_limit() -> None:
    """The limit is 65,535 turns in five minutes."""
    clocked = Clocked([Turn(START_MS)])
    clocked.row.array["panes"][0, START_MS // (5 * MINUTE_MS) % 12] = 65_535
    clocked.add(Turn(START_MS))
    assert clocked.profile().activity.hour == 65_535


@given(streams(topics=len(TOPICS)))
def test_clear_leaves_no_bytes(turns: list[Turn]) -> None:
    """The row equals that of a new user; begun once more, the windows equal new ones."""
    clocked = Clocked(turns)
    assert clocked.row.numbers("parts") == Part.WINDOWS
    clocked.windows.clear()
    assert is_empty(clocked.row)
    clocked.windows.begin()
    assert clocked.row.read() == Clocked().row.read()


def test_dropped_topics_leave_room() -> None:
    """A topic that became sensitive has no weight any more."""
    clocked = Clocked([Turn(START_MS, topic) for topic in range(8)])
    clocked.windows.drop({1, 3, 20})
    assert sorted(clocked.windows.topic_weights) == [0.0] * 2 + [1.0] * 6
    clocked.add(Turn(START_MS, 9))
    assert clocked.windows.topic_ids[1] == 9


@settings(max_examples=1000)
@given(st.floats(0, 2**24, width=32) | st.integers(0, 2**24).map(lambda eighths: eighths / 8))
def test_hours_are_rounded_as_python_rounds(count: float) -> None:
    """Halves go to the even digit."""
    assert rounded(count) == round(count, 2)
