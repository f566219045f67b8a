"""Common parts of tests with long absences of users."""

from hypothesis import strategies as st
from msgspec.structs import replace

from state.events.observation import Kind, Observation
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import DAY_MS
from state.user.writes import GateWrite, SignalWrite
from tests.support.factories import (
    CATALOGUE,
    REQUIRED,
    RULES,
    START_MS,
    USER,
    control_events,
    interactions,
    make_observation,
    make_pin,
)

T = START_MS
STRICT = Rules(REQUIRED)
IDLE_MS = 90 * DAY_MS
BACK = T + 100 + IDLE_MS
"""More than 90 days after whatever is within a hundred milliseconds of the start."""
EVENTS = interactions() | control_events()


def control(kind: Kind, at_ms: int) -> Observation:
    """Return a control event of a topic, whose record has the event's time."""
    return make_observation(at_ms, kind=kind, record_ms=at_ms)


def pin(at_ms: int, facet: str, value: str | None) -> Observation:
    """Return a pin of a topic, whose record has the event's time."""
    return replace(make_pin(at_ms, facet, value), record_ms=at_ms)


def like(at_ms: int) -> Observation:
    return make_observation(at_ms, served={"length": "concise"}, feedback="thumbs_up", topic="code", turn=7)


def observe(*observations: Observation, rules: Rules = RULES) -> UserState:
    state = UserState(CATALOGUE)
    for o in observations:
        state.observe(o, rules)
    return state


def writes(state: UserState) -> list[GateWrite | SignalWrite]:
    return state.take_writes(USER, CATALOGUE)


def moved(o: Observation, after_ms: int) -> Observation:
    """Return a later event of a topic; of a control event, the content hash differs, too."""
    if o.kind == Kind.INTERACTION:
        return replace(o, at_ms=o.at_ms + after_ms)
    event = hash((o.event, after_ms)) & 0xFFFFFFFF
    return replace(o, at_ms=o.at_ms + after_ms, record_ms=o.at_ms + after_ms, event=event)


@st.composite
def lives(draw: st.DrawFn) -> list[Observation]:
    """Return events over several years, mostly in order, with absences of all lengths."""
    after_ms, events = 0, []
    for o in draw(st.lists(EVENTS, max_size=20)):
        after_ms += draw(st.sampled_from([0, 0, DAY_MS, 60 * DAY_MS, IDLE_MS, IDLE_MS + 1, 200 * DAY_MS]))
        events.append(moved(o, after_ms))
    return events
