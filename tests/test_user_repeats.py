"""state/user: late and repeated events, and what bounds a person's state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import codec
from state.counters import Outcome
from state.observation import Kind, Observation
from state.recent import RECENT_EVENTS, RECENT_TURNS
from state.records import Reason
from state.user import Rules, UserState
from state.windows import DAY_MS, HOUR_MS, MINUTE_MS
from tests.making import CATALOGUE, RULES, START_MS, USER, interactions, make_observation, make_pin, words

T = START_MS


def observe(*observations: Observation, state: UserState | None = None, rules: Rules = RULES) -> UserState:
    state = state or UserState()
    for o in observations:
        state.observe(o, rules)
    return state


@pytest.mark.parametrize(("back_ms", "outcome"), [(DAY_MS, Outcome.ACCEPTED), (DAY_MS + 1, Reason.LATE)])
def test_interaction_is_late_after_a_day(back_ms: int, outcome: Outcome | Reason) -> None:
    """Against the person's own newest event, not a wall clock."""
    state = observe(make_observation(T))
    assert state.observe(make_observation(T - back_ms), RULES) is outcome


def test_allowed_lateness_is_a_setting() -> None:
    """An hour, here."""
    rules = Rules(CATALOGUE, lateness_ms=HOUR_MS)
    state = observe(make_observation(T), rules=rules)
    assert state.observe(make_observation(T - HOUR_MS - 1), rules) is Reason.LATE


def test_late_event_changes_nothing() -> None:
    """It is a reject, so it must leave no trace."""
    state = observe(make_observation(T, served={"length": "concise"}, feedback="thumbs_up"))
    before = codec.pack(state)
    state.observe(make_observation(T - 2 * DAY_MS, served={"length": "concise"}, feedback="thumbs_up"), RULES)
    assert codec.pack(state) == before


def test_first_event_may_be_of_any_age() -> None:
    """History is read with the clock of its own time."""
    assert UserState().observe(make_observation(MINUTE_MS), RULES) is Outcome.ACCEPTED


def test_repeat_is_known_among_the_last_64_events() -> None:
    """After that many others an id may come again."""
    others = [make_observation(T + n) for n in range(1, RECENT_EVENTS)]
    state = observe(make_observation(T, event=7), *others)
    assert state.observe(make_observation(T, event=7), RULES) is Outcome.DUPLICATE
    observe(make_observation(T + 99), state=state)
    assert state.observe(make_observation(T, event=7), RULES) is Outcome.ACCEPTED


@pytest.mark.parametrize("kind", [Kind.GRANT, Kind.DENY, Kind.FORGET])
def test_repeated_word_is_a_duplicate(kind: Kind) -> None:
    """And is not written again."""
    o = make_observation(T, kind=kind)
    state = observe(o)
    state.take_writes(o.user, CATALOGUE)
    assert state.observe(o, RULES) is Outcome.DUPLICATE
    assert state.take_writes(o.user, CATALOGUE) == []


@st.composite
def repeated(draw: st.DrawFn) -> tuple[list[Observation], list[Observation]]:
    """Return a person's events, and the same with each a second time, somewhere after the first."""
    pins = words().filter(lambda o: o.kind == Kind.PIN)
    once = draw(st.lists(interactions() | pins, max_size=RECENT_EVENTS // 2, unique_by=lambda o: o.event))
    twice: list[Observation] = []
    for o in reversed(once):
        twice.insert(0, o)
        twice.insert(draw(st.integers(1, len(twice))), o)
    return once, twice


@given(repeated())
def test_each_event_twice_is_each_event_once(streams: tuple[list[Observation], list[Observation]]) -> None:
    """State to the byte, counts and what is written."""
    calm, state = UserState(), UserState()
    once, twice = ([one.observe(o, RULES) for o in events] for one, events in zip((calm, state), streams, strict=True))
    assert codec.pack(state) == codec.pack(calm)
    assert twice.count(Outcome.ACCEPTED) == twice.count(Outcome.DUPLICATE) == once.count(Outcome.ACCEPTED)
    assert state.take_writes(USER, CATALOGUE) == calm.take_writes(USER, CATALOGUE)


@given(st.lists(interactions() | words(), max_size=40))
def test_events_that_are_not_accepted_change_nothing(events: list[Observation]) -> None:
    """Not a byte: the store need not keep them."""
    state = UserState()
    for o in events:
        before = codec.pack(state)
        if state.observe(o, RULES) is not Outcome.ACCEPTED:
            assert codec.pack(state) == before


@given(st.lists(interactions() | words(), max_size=60))
def test_rings_are_bounded(events: list[Observation]) -> None:
    """Whatever comes, and however much of it."""
    state = observe(*events, *[make_observation(T + n, turn=n) for n in range(80)])
    assert len(state.events.hashes) <= RECENT_EVENTS
    assert len(state.turns.hashes) == len(state.turns.learned) <= RECENT_TURNS
    assert len(state.pins) <= len(CATALOGUE.facets)


def test_pin_moves_the_clock() -> None:
    """It is an event like any other."""
    state = observe(make_observation(T), make_pin(T + 2 * DAY_MS, "tone", "formal"))
    assert state.observe(make_observation(T), RULES) is Reason.LATE
    assert state.windows is not None
    assert not any(state.windows.panes[:36])
