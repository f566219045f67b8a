"""state/user/control: the order of arrival decides, and no clock."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state.counters import Outcome
from state.events.observation import Kind, Observation
from state.events.records import CLOCK_TOLERANCE_MS
from state.row.layout import RECENT_CONTROLS
from state.user.consent import DENIED, LEARN, SCOPE_NUMBERS, USE
from state.user.control import UNTIMED_MS
from state.user.user_state import UserState
from state.user.windows import DAY_MS, HOUR_MS
from tests.support.decoded_writes import Shown
from tests.support.factories import (
    CATALOGUE,
    RULES,
    START_MS,
    USER,
    control_events,
    interactions,
    make_observation,
    make_pin,
    pinned,
)

T = START_MS
AHEAD_MS = 3 * HOUR_MS
YEAR_MS = 365 * DAY_MS
SECONDS = T // 1000


def observe(*observations: Observation) -> UserState:
    state = UserState(CATALOGUE)
    for o in observations:
        state.observe(o, RULES)
    return state


def liked(at_ms: int) -> Observation:
    return make_observation(at_ms, served={"length": "concise"}, feedback="thumbs_up")


# The time of a "no"


@pytest.mark.parametrize(
    ("at_ms", "record_ms", "wiped_ms"),
    [
        (T + 20, T + 30, T + 20),  # plausible, and newer than all that is known
        (T + 5, T + 30, T + 10),  # a clock that is behind
        (SECONDS, T + 30, T + 10),  # seconds in place of milliseconds
        (0, T + 30, T + 10),  # unreadable
        (T + CLOCK_TOLERANCE_MS + 30, T + 30, T + CLOCK_TOLERANCE_MS + 30),  # within the tolerance
        (T + CLOCK_TOLERANCE_MS + 31, T + 30, T + 10),  # a clock that is ahead
        (T + 20, 0, T + 20),  # a file: the same as in a topic
        (T + DAY_MS, 0, T + DAY_MS),
        (T + 10 + YEAR_MS + CLOCK_TOLERANCE_MS, 0, T + 10 + YEAR_MS + CLOCK_TOLERANCE_MS),
        (T + 11 + YEAR_MS + CLOCK_TOLERANCE_MS, 0, T + 10),  # a clock that is years ahead
        (SECONDS, 0, T + 10),
    ],
)
@pytest.mark.parametrize("kind", [Kind.DENY, Kind.FORGET])
def test_no_takes_effect_at_its_plausible_time_or_the_newest_known(
    kind: Kind, at_ms: int, record_ms: int, wiped_ms: int
) -> None:
    """The clock of the run that reads is never asked."""
    state = observe(liked(T + 10), make_observation(at_ms, kind=kind, record_ms=record_ms))
    assert state.consent.wiped_ms == wiped_ms
    assert not state.has_preferences
    assert state.observe(liked(T + 10), RULES).outcome is Outcome.BEFORE_WIPE


def test_no_of_an_unknown_user_without_a_plausible_time_has_the_time_of_its_record() -> None:
    """Events of before are then rejected wherever they come from."""
    assert observe(make_observation(SECONDS, kind=Kind.DENY, record_ms=T)).consent.wiped_ms == T
    assert observe(make_observation(SECONDS, kind=Kind.DENY)).consent.states == [DENIED] * 3
    assert observe(make_observation(9_999_999_999_999, kind=Kind.FORGET)).consent.wiped_ms == UNTIMED_MS


def test_yes_ahead_of_its_record_has_the_time_of_the_record() -> None:
    """A phone three hours ahead sends the yes, and a server stamps the turns."""
    state = observe(make_observation(T + AHEAD_MS, kind=Kind.GRANT, record_ms=T))
    assert state.consent.since_ms == [T] * 3
    assert state.observe(liked(T + 1), RULES).outcome is Outcome.ACCEPTED


def test_forget_of_a_clock_that_is_ahead_takes_nothing_of_what_came_after() -> None:
    """The user grants again, and the feedback after it counts."""
    yes = make_observation(T, kind=Kind.GRANT, record_ms=T + 1)
    forget = make_observation(T + AHEAD_MS, kind=Kind.FORGET, record_ms=T + 2)
    again = make_observation(T + 3, kind=Kind.GRANT, record_ms=T + 3)
    state = observe(yes, forget, again, liked(T + 4))
    assert (state.consent.wiped_ms, state.seq) == (T, 3)
    assert state.has_preferences


# Repeats


@pytest.mark.parametrize("kind", [Kind.DENY, Kind.FORGET])
def test_repeat_of_a_no_leaves_a_later_yes(kind: Kind) -> None:
    """A producer that sends twice does not overrule the user."""
    no = make_observation(T, kind=kind)
    state = observe(no, make_observation(T + 1, kind=Kind.GRANT), *[liked(T + n) for n in range(2, 100)])
    assert state.observe(no, RULES).outcome is Outcome.DUPLICATE
    assert state.has_preferences


def test_repeats_are_recognized_among_the_last_control_events() -> None:
    """Interactions do not count, and one more control event is one too many."""
    first = make_observation(T, kind=Kind.DENY)
    state = observe(first, *[make_observation(T + n, kind=Kind.GRANT) for n in range(1, RECENT_CONTROLS)])
    assert state.observe(first, RULES).outcome is Outcome.DUPLICATE
    state.observe(make_observation(T + 100, kind=Kind.GRANT), RULES)
    assert state.observe(first, RULES).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("first", "refused"),
    [
        (make_observation(T + 5, kind=Kind.FORGET), make_pin(SECONDS, "tone", "formal")),
        (make_observation(T + 5, kind=Kind.DENY), make_observation(T + AHEAD_MS, kind=Kind.GRANT, record_ms=T + 5)),
        (make_pin(T + 5, "tone", "friendly"), replace(make_pin(T + AHEAD_MS, "tone", None), record_ms=T + 5)),
    ],
    ids=["pin after a forget", "yes after a no", "removal after a pin"],
)
def test_refused_control_event_is_refused_in_each_repeat(first: Observation, refused: Observation) -> None:
    """Its own time is implausible, and the record of the repeat is newer than what the user decided meanwhile."""
    state = observe(first)
    assert state.observe(refused, RULES).outcome is Outcome.BEFORE_WIPE
    state.observe(make_pin(T + 10, "tone", "friendly"), RULES)
    before = pinned(state), state.consent.states
    assert state.observe(replace(refused, record_ms=T + 20), RULES).outcome is Outcome.DUPLICATE
    assert (pinned(state), state.consent.states) == before


# Any order


@settings(max_examples=300)
@given(st.lists(control_events() | interactions(), max_size=30), st.lists(st.booleans(), min_size=30, max_size=30))
def test_redis_shows_the_pins_of_the_user(events: list[Observation], cuts: list[bool]) -> None:
    """After any events in any order and batches; without consent to use there is nothing at all."""
    state, shown = UserState(CATALOGUE), Shown()
    for o, cut in zip(events, cuts, strict=False):
        state.observe(o, RULES)
        if cut:
            shown.take(state.take_writes(USER, CATALOGUE))
    shown.take(state.take_writes(USER, CATALOGUE))
    assert shown.is_denied is (state.consent.states[USE] == DENIED)
    assert shown.pins == ({} if shown.is_denied else pinned(state))
    if shown.is_denied:
        assert shown.fields == {}
    if state.consent.states[LEARN] == DENIED:
        assert (state.has_windows, state.has_preferences, shown.fields) == (False, False, {})
    if not state.has_windows:
        assert "_profile" not in shown.fields


@given(st.lists(control_events() | interactions(), max_size=20), st.sampled_from([Kind.DENY, Kind.FORGET]))
def test_no_always_wins(events: list[Observation], kind: Kind) -> None:
    """After any history, a no with any time leaves nothing learned, and no earlier event is learned from again."""
    for at_ms in (0, SECONDS, T, T + 400 * DAY_MS):
        state = UserState(CATALOGUE)
        accepted = [o for o in events if state.observe(o, RULES).outcome is Outcome.ACCEPTED]
        state.observe(make_observation(at_ms, kind=kind, record_ms=T + DAY_MS), RULES)
        assert (state.has_windows, state.has_preferences) == (False, False)
        for o in events:
            if o.kind == Kind.INTERACTION and o in accepted:
                assert state.observe(o, RULES).outcome is not Outcome.ACCEPTED
            elif kind == Kind.FORGET and o.kind == Kind.PIN and o.slots:
                state.observe(o, RULES)
                assert pinned(state) == {}


@given(st.lists(control_events() | interactions(), max_size=30))
def test_clock_of_a_user_is_as_new_as_every_register(events: list[Observation]) -> None:
    """So the newest time known is one number."""
    state = observe(*events)
    registers = [
        state.consent.wiped_ms,
        state.consent.forgotten_ms,
        *state.consent.since_ms,
        *(pin.at_ms for pin in state.pins.values()),
        *(at_ms for at_ms, _ in state.consent.wiped.values()),
    ]
    assert state.newest_ms >= max(registers)
    assert len(state.consent.controls) <= RECENT_CONTROLS
    assert len(state.consent.states) == len(SCOPE_NUMBERS)


def test_equal_times_do_not_hide_the_later_pin() -> None:
    """Both come from a clock that is behind."""
    first, second = make_pin(T, "tone", "formal"), make_pin(T, "tone", "friendly")
    state = observe(liked(T + 9), first, second)
    assert pinned(state) == {"tone": "friendly"}
    assert Shown().take(state.take_writes(USER, CATALOGUE)).pins == {"tone": "friendly"}
    assert state.observe(replace(first), RULES).outcome is Outcome.DUPLICATE
