"""state/user/interaction: activity of a user, against an oracle that keeps every event.

                allowed lateness
       ┌───────────────────────────────┐
───────┼───────────────────────────────▲────────────────────────────────────────────▲──▶
  x    │    x        x x       x    clock      an absence of more than 90 days      clock
late     counted where they belong            nothing from before it counts any more
"""

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state.counters import Outcome
from state.events.observation import Kind, Observation
from state.events.records import Reason
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import DAY_MS, HOUR_MS, MINUTE_MS, PANE_MS
from tests.support.activity_oracle import ActivityOracle, Turn
from tests.support.factories import CATALOGUE, START_MS, make_observation, make_pin

PLAIN_TOPICS = [topic for topic in CATALOGUE.topics.values if topic not in CATALOGUE.topics.sensitive][:7]
SENSITIVE = CATALOGUE.topics.sensitive[0]
TURN_IDS = 12
"""The ring of recent turns holds all of these turns."""

STEPS_MS = st.sampled_from([0, 1, PANE_MS, HOUR_MS, DAY_MS, 90 * DAY_MS, 90 * DAY_MS + 1]) | st.integers(0, 2 * HOUR_MS)
LATE_MS = st.just(0) | st.sampled_from([1, HOUR_MS, HOUR_MS + 1, DAY_MS, DAY_MS + 1]) | st.integers(0, 2 * DAY_MS)


class Arrival(NamedTuple):
    """An event, and its kind in the oracle's view."""

    o: Observation
    topic: int | None
    disliked: bool


@st.composite
def streams(draw: st.DrawFn) -> list[Arrival]:
    """Return events in their order of arrival: some late, some too late, some repeated, some pins."""
    clock_ms = START_MS
    given: list[Arrival] = []
    for number in range(draw(st.integers(1, 40))):
        if given and draw(st.integers(0, 4)) == 0:
            given.append(draw(st.sampled_from(given)))
            continue
        clock_ms += draw(STEPS_MS)
        at_ms = clock_ms - draw(LATE_MS)
        given.append(_pin(at_ms, number) if draw(st.integers(0, 7)) == 0 else _turn(draw, at_ms, number))
    return given


def _pin(at_ms: int, event: int) -> Arrival:
    pin = replace(make_pin(at_ms, "tone", "formal", event=event), record_ms=at_ms)
    return Arrival(pin, None, disliked=False)


def _turn(draw: st.DrawFn, at_ms: int, event: int) -> Arrival:
    topic = draw(st.none() | st.sampled_from([*PLAIN_TOPICS, SENSITIVE]))
    feedback = draw(st.sampled_from([None, "thumbs_up", "thumbs_down", "edited"]))
    o = make_observation(at_ms, event=event, turn=draw(st.integers(0, TURN_IDS)), topic=topic, feedback=feedback)
    counted = None if topic in (None, SENSITIVE) else CATALOGUE.topic_index[topic or ""]
    return Arrival(o, counted, disliked=feedback in ("thumbs_down", "edited"))


class UserOracle(ActivityOracle):
    """An oracle that keeps all accepted interactions since the last absence, and all pins."""

    def __init__(self, lateness_ms: int) -> None:
        self.lateness_ms = lateness_ms
        self.pins: list[Observation] = []
        super().__init__()

    def restart(self) -> None:
        super().restart()
        self.accepted: list[Observation] = []
        self.disliked_turns: set[int] = set()

    def observe(self, arrival: Arrival) -> Outcome | Reason:
        o = arrival.o
        if self.clock_ms and o.at_ms > self.clock_ms + 90 * DAY_MS:
            self.restart()
        if o in self.accepted or o in self.pins:
            return Outcome.DUPLICATE
        if o.kind == Kind.INTERACTION and o.at_ms < self.clock_ms - self.lateness_ms:
            return Reason.LATE
        is_known_turn = o.turn != 0 and any(o.turn == other.turn for other in self.accepted)
        (self.pins if o.kind == Kind.PIN else self.accepted).append(o)
        self.clock_ms = max(self.clock_ms, o.at_ms)
        if o.kind == Kind.INTERACTION:
            self._interact(arrival, is_known_turn)
        return Outcome.ACCEPTED

    def _interact(self, arrival: Arrival, is_known_turn: bool) -> None:
        o = arrival.o
        if not is_known_turn:
            self.add_turn(Turn(o.at_ms, arrival.topic))
        if o.topic in CATALOGUE.sensitive_topics:
            self.disliked_turns |= {o.turn} - {0}
        elif arrival.disliked and o.turn not in self.disliked_turns:
            self.add_dislike(o.at_ms)
            self.disliked_turns |= {o.turn} - {0}


@settings(max_examples=150)
@given(streams(), st.sampled_from([HOUR_MS, DAY_MS]))
def test_activity_is_that_of_an_oracle_that_keeps_all_events(stream: Sequence[Arrival], lateness_ms: int) -> None:
    """Outcome and profile are equal after every event: late or repeated events, dislikes, pins and absences."""
    rules = Rules(CATALOGUE, lateness_ms=lateness_ms)
    state, oracle = UserState(CATALOGUE), UserOracle(lateness_ms)
    for arrival in stream:
        assert state.observe(arrival.o, rules).outcome is oracle.observe(arrival)
        if not state.has_windows:
            assert oracle.turns == []
            continue
        oracle.check(state.windows.profile("v", state.newest_ms, CATALOGUE.topics.values), CATALOGUE.topics.values)


def test_late_event_bridges_two_sessions() -> None:
    """The merged session has the dislikes of both."""
    minutes = [(0, "thumbs_down"), (10, None), (50, "thumbs_down"), (60, None), (30, None)]
    state = UserState(CATALOGUE)
    for minute, feedback in minutes:
        state.observe(make_observation(START_MS + minute * MINUTE_MS, feedback=feedback), Rules(CATALOGUE))
    assert state.has_windows
    session = state.windows.sessions.newest()
    assert (session.started_at, session.turns, session.negative_share) == (START_MS, 5, 0.4)
