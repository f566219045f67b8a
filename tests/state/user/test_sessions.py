"""state/user/sessions, against an oracle that keeps every turn.

two sessions, the pause between them, and late turns (░) that merge them

     10:00  10:10                       11:00   11:10
    ───┬──────┬───────────────────────────┬───────┬───▶
       x      x       ░         ░    ░    x       x      10:25: the first session lasts until then
       └──────┘     10:25     10:45 10:50 └───────┘      10:50: the second session begins then
                                                         both: 25 minutes are no pause, so one session
"""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.row.layout import MAX_SESSIONS
from state.user.sessions import KEPT_MS, MAX_COUNT, SESSION_GAP_MS, Sessions
from tests.support.activity_oracle import ActivityOracle, Turn, Visit
from tests.support.factories import START_MS
from tests.support.rows import is_empty, make_row

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

NEAR_GAP_MS = [SESSION_GAP_MS - 1, SESSION_GAP_MS, SESSION_GAP_MS + 1]
STEPS_MS = st.sampled_from([0, 1, *NEAR_GAP_MS, HOUR_MS, 2 * DAY_MS, 400 * DAY_MS]) | st.integers(0, 2 * HOUR_MS)
LATE_MS = st.sampled_from([0, 0, 1, *NEAR_GAP_MS, DAY_MS - 1, DAY_MS]) | st.integers(0, DAY_MS)
STREAMS = st.lists(st.tuples(STEPS_MS, LATE_MS, st.booleans()), min_size=1, max_size=60)
"""Step of the clock, lateness of the turn, and dislike."""


def sessions_of(minutes: Sequence[int], clock: int = 0) -> Sessions:
    """Return the sessions of turns, in minutes after the start; the clock is the newest turn, or `clock`."""
    sessions = Sessions(make_row())
    for number, minute in enumerate(minutes):
        clock = max(clock, *minutes[: number + 1])
        sessions.add_turn(START_MS + minute * MINUTE_MS, START_MS + clock * MINUTE_MS)
    return sessions


def visits(sessions: Sessions) -> list[Visit]:
    return [Visit(*row) for row in sessions.rows]


def minutes_of(sessions: Sessions) -> list[tuple[int, int, int]]:
    """Return the first turn, the last turn and the number of turns of each session, in minutes after the start."""
    return [
        ((visit.first_ms - START_MS) // MINUTE_MS, (visit.last_ms - START_MS) // MINUTE_MS, visit.turns)
        for visit in visits(sessions)
    ]


@settings(max_examples=300)
@given(STREAMS)
def test_sessions_are_those_of_an_oracle_that_keeps_all_turns(stream: list[tuple[int, int, bool]]) -> None:
    """After each turn, up to a day late, sessions and dislikes of the last day are equal, while they are eight or less.

    With more, the newest ones are kept, and the newest turn is in the newest session.
    """
    sessions, oracle = Sessions(make_row()), ActivityOracle()
    clock_ms, most = START_MS, 0
    for step_ms, late_ms, disliked in stream:
        clock_ms += step_ms
        oracle.clock_ms = clock_ms
        oracle.add_turn(Turn(clock_ms - late_ms))
        sessions.add_turn(clock_ms - late_ms, clock_ms)
        if disliked:
            oracle.add_dislike(clock_ms)
            sessions.add_dislike(clock_ms)
        known, kept = oracle.visits(), visits(sessions)
        in_reach = [visit for visit in known if visit.last_ms > clock_ms - KEPT_MS]
        most = max(most, len(in_reach))
        assert len(kept) <= MAX_SESSIONS
        assert kept[-1].last_ms == known[-1].last_ms
        if most <= MAX_SESSIONS:
            assert kept == known[-len(kept) :]
            assert len(in_reach or known[-1:]) <= len(kept)


@given(st.permutations(range(0, 4 * 60, 10)), st.sets(st.integers(0, 23), max_size=20))
def test_order_within_four_hours_makes_no_difference(minutes: list[int], absent: set[int]) -> None:
    """The same turns in any order give the same sessions: there is room for those of four hours."""
    present = [minute for minute in minutes if minute // 10 not in absent]
    assert minutes_of(sessions_of(present)) == minutes_of(sessions_of(sorted(present)))


# Late turns


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ((0, 10, 60, 70), [(0, 10, 2), (60, 70, 2)]),
        ((0, 10, 60, 70, 25), [(0, 25, 3), (60, 70, 2)]),
        ((0, 10, 60, 70, 50), [(0, 10, 2), (50, 70, 3)]),
        ((0, 10, 60, 70, 25, 50), [(0, 70, 6)]),
        ((0, 10, 60, 70, 50, 25), [(0, 70, 6)]),
        ((0, 59, 30), [(0, 0, 1), (30, 59, 2)]),
        ((0, 58, 29), [(0, 58, 3)]),
        ((0, 120, 60), [(0, 0, 1), (60, 60, 1), (120, 120, 1)]),
        ((60, 40, 80), [(40, 80, 3)]),
        ((0, 20, 10), [(0, 20, 3)]),
        ((30, 0), [(0, 0, 1), (30, 30, 1)]),
        ((29, 0), [(0, 29, 2)]),
    ],
)
def test_late_turn_joins_the_sessions_it_touches(minutes: Sequence[int], expected: list[tuple[int, int, int]]) -> None:
    """It may touch none, one or two; 30 minutes are a pause, one millisecond less is none."""
    assert minutes_of(sessions_of(minutes)) == expected


def test_merged_sessions_keep_their_dislikes() -> None:
    """The dislikes of both sessions are added."""
    sessions = sessions_of([0, 50])
    for minute in (0, 29, 50):
        sessions.add_dislike(START_MS + minute * MINUTE_MS)
    sessions.add_turn(START_MS + 25 * MINUTE_MS, START_MS + 50 * MINUTE_MS)
    assert sessions.newest().turns == visits(sessions)[-1].dislikes == 3


def test_turn_that_is_later_than_a_day_does_not_reopen_a_session() -> None:
    """With a longer allowed lateness, a dropped session is not needed, and the turn's session is not the newest."""
    day = 24 * 60
    sessions = sessions_of([0, 3 * day])
    sessions.add_turn(START_MS + 10 * MINUTE_MS, START_MS + 3 * day * MINUTE_MS)
    assert minutes_of(sessions) == [(3 * day, 3 * day, 1)]


def test_first_turn_of_any_time_begins_a_session() -> None:
    """Examples: the first minutes of 1970, and a clock that a pin has moved far ahead."""
    sessions = Sessions(make_row())
    sessions.add_turn(MINUTE_MS, START_MS)
    assert (sessions.newest().started_at, sessions.newest().turns) == (MINUTE_MS, 1)


# Dislikes


@pytest.mark.parametrize(("minute", "dislikes"), [(-1, [0, 0]), (0, [1, 0]), (39, [1, 0]), (40, [0, 0]), (60, [0, 1]),
                                                  (99, [0, 1]), (100, [0, 0])])  # fmt: skip
def test_dislike_counts_in_the_session_that_covers_its_time(minute: int, dislikes: list[int]) -> None:
    """The session covers the time from its first turn to the end of the pause after its last turn."""
    sessions = sessions_of([0, 10, 60, 70])
    sessions.add_dislike(START_MS + minute * MINUTE_MS)
    assert [visit.dislikes for visit in visits(sessions)] == dislikes


def test_share_of_dislikes_is_a_share() -> None:
    """Late dislikes of an earlier session do not raise the share above 1."""
    sessions = sessions_of([0, 10])
    for expected in (0.5, 1.0, 1.0):
        sessions.add_dislike(START_MS)
        assert sessions.newest().negative_share == expected


def test_share_falls_again_with_turns_that_are_liked() -> None:
    """All dislikes are counted; only the share is limited to 1."""
    sessions = sessions_of([0])
    for _ in range(2):
        sessions.add_dislike(START_MS)
    sessions.add_turn(START_MS, START_MS)
    sessions.add_turn(START_MS, START_MS)
    assert sessions.newest().negative_share == 0.667


def test_dislike_without_a_session_counts_nowhere() -> None:
    """No turn came before the dislike."""
    sessions = Sessions(make_row())
    sessions.add_dislike(START_MS)
    assert (len(sessions), sessions.newest().negative_share) == (0, 0.0)


# Limits


@given(st.lists(st.integers(0, 24 * 60), max_size=60))
def test_eight_sessions_are_kept(late: list[int]) -> None:
    """The limit holds for late turns, too."""
    minutes = list(range(0, 24 * 60 + 1, 60))
    sessions = sessions_of(minutes)
    assert minutes_of(sessions) == [(minute, minute, 1) for minute in minutes[-8:]]
    clock_ms = START_MS + minutes[-1] * MINUTE_MS
    for minute in late:
        sessions.add_turn(clock_ms - minute * MINUTE_MS, clock_ms)
        assert len(sessions) <= MAX_SESSIONS == 8


def test_ninth_session_replaces_the_oldest() -> None:
    """A late session finds its place among the others; one that is older than all of them is not kept."""
    sessions = sessions_of(range(0, 8 * 60, 60))
    sessions.add_turn(START_MS + 210 * MINUTE_MS, START_MS + 480 * MINUTE_MS)
    starts = [60, 120, 180, 210, 240, 300, 360, 420]
    assert minutes_of(sessions) == [(minute, minute, 1) for minute in starts]
    sessions.add_turn(START_MS + 10 * MINUTE_MS, START_MS + 480 * MINUTE_MS)
    assert minutes_of(sessions) == [(minute, minute, 1) for minute in starts]


def test_counts_stop_at_their_limit() -> None:
    """The limit is 65,535 turns and as many dislikes, also of two sessions that are joined."""
    row = make_row()
    sessions = Sessions(row)
    for minute in (0, 50):
        sessions.add_turn(START_MS + minute * MINUTE_MS, START_MS + minute * MINUTE_MS)
        row.array["session_turns"][0] = row.array["session_dislikes"][0] = MAX_COUNT
        sessions.add_turn(START_MS + minute * MINUTE_MS, START_MS + minute * MINUTE_MS)
        sessions.add_dislike(START_MS + minute * MINUTE_MS)
        assert visits(sessions)[-1][2:] == (MAX_COUNT, MAX_COUNT)
    sessions.add_turn(START_MS + 25 * MINUTE_MS, START_MS + 50 * MINUTE_MS)
    assert [visit[2:] for visit in visits(sessions)] == [(MAX_COUNT, MAX_COUNT)]


def test_sessions_are_freed_as_the_clock_moves_on() -> None:
    """A session is dropped when no late turn can touch it; the newest session stays."""
    sessions = sessions_of([0, 60, 120])
    sessions.free(START_MS + KEPT_MS - 1)
    assert len(sessions) == 3
    sessions.free(START_MS + KEPT_MS)
    assert minutes_of(sessions) == [(60, 60, 1), (120, 120, 1)]
    sessions.free(START_MS + 400 * DAY_MS)
    assert minutes_of(sessions) == [(120, 120, 1)]


@given(STREAMS)
def test_equal_sessions_have_equal_bytes(stream: list[tuple[int, int, bool]]) -> None:
    """Sessions that were dropped or joined leave nothing, and no other row changes."""
    row = make_row(room=2)
    row.move_to(1)
    sessions, clock_ms = Sessions(row), START_MS
    for step_ms, late_ms, disliked in stream:
        clock_ms += step_ms
        sessions.observe(clock_ms - late_ms, clock_ms, True, disliked)
        for name in ("session_first_ms", "session_last_ms", "session_turns", "session_dislikes"):
            assert not any(row.numbers(name)[len(sessions) :])
    sessions.clear()
    assert is_empty(row)
    row.move_to(0)
    assert is_empty(row)
