"""state/user/interaction: late and repeated events, and the bounds of a user's state."""

from itertools import chain
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state.counters import Outcome
from state.events.observation import Kind, Observation
from state.events.records import Reason
from state.row.layout import MAX_SESSIONS, RECENT_CONTROLS, RECENT_EVENTS, RECENT_TURNS
from state.user import codec
from state.user.rules import Rules
from state.user.sessions import SESSION_GAP_MS
from state.user.user_state import UserState
from state.user.windows import DAY_MS, HOUR_MS, MINUTE_MS
from tests.support.factories import (
    CATALOGUE,
    RULES,
    START_MS,
    USER,
    control_events,
    interactions,
    make_observation,
    make_pin,
)

T = START_MS


def observe(*observations: Observation, state: UserState | None = None, rules: Rules = RULES) -> UserState:
    state = state or UserState(CATALOGUE)
    for o in observations:
        state.observe(o, rules)
    return state


@pytest.mark.parametrize(("back_ms", "outcome"), [(DAY_MS, Outcome.ACCEPTED), (DAY_MS + 1, Reason.LATE)])
def test_interaction_is_late_after_a_day(back_ms: int, outcome: Outcome | Reason) -> None:
    """Lateness counts from the user's newest event, not from a wall clock."""
    state = observe(make_observation(T))
    assert state.observe(make_observation(T - back_ms), RULES).outcome is outcome


def test_allowed_lateness_is_a_setting() -> None:
    """The rules set the lateness; here it is an hour."""
    rules = Rules(CATALOGUE, lateness_ms=HOUR_MS)
    state = observe(make_observation(T), rules=rules)
    assert state.observe(make_observation(T - HOUR_MS - 1), rules).outcome is Reason.LATE


def test_late_event_changes_nothing() -> None:
    """A reject has no effect on the state."""
    state = observe(make_observation(T, served={"length": "concise"}, feedback="thumbs_up"))
    before = codec.pack(state)
    state.observe(make_observation(T - 2 * DAY_MS, served={"length": "concise"}, feedback="thumbs_up"), RULES)
    assert codec.pack(state) == before


def test_first_event_may_be_of_any_age() -> None:
    """A replay of history reads old events first."""
    assert UserState(CATALOGUE).observe(make_observation(MINUTE_MS), RULES).outcome is Outcome.ACCEPTED


def test_repeat_is_known_among_the_last_64_events() -> None:
    """After 64 other events, an id counts as new."""
    others = [make_observation(T + n) for n in range(1, RECENT_EVENTS)]
    state = observe(make_observation(T, event=7), *others)
    assert state.observe(make_observation(T, event=7), RULES).outcome is Outcome.DUPLICATE
    observe(make_observation(T + 99), state=state)
    assert state.observe(make_observation(T, event=7), RULES).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("kind", [Kind.GRANT, Kind.DENY, Kind.FORGET])
def test_repeated_consent_event_is_a_duplicate(kind: Kind) -> None:
    """It is not written again."""
    o = make_observation(T, kind=kind)
    state = observe(o)
    state.take_writes(o.user, CATALOGUE)
    assert state.observe(o, RULES).outcome is Outcome.DUPLICATE
    assert state.take_writes(o.user, CATALOGUE) == []


@st.composite
def repeated(draw: st.DrawFn) -> tuple[list[Observation], list[Observation]]:
    """Return events of a user, and the same events with a later repeat of each."""
    pins = control_events().filter(lambda o: o.kind == Kind.PIN)
    once = draw(st.lists(interactions() | pins, max_size=RECENT_EVENTS // 2, unique_by=lambda o: o.event))
    twice: list[Observation] = []
    for o in reversed(once):
        twice.insert(0, o)
        twice.insert(draw(st.integers(1, len(twice))), o)
    return once, twice


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # most control events are no pins
@given(repeated())
def test_repeats_change_nothing(streams: tuple[list[Observation], list[Observation]]) -> None:
    """State, counts and writes equal those without repeats."""
    calm, state = UserState(CATALOGUE), UserState(CATALOGUE)
    once, twice = streams
    changed = [o for o in once if calm.observe(o, RULES).changes]
    outcomes = [state.observe(o, RULES).outcome for o in twice]
    assert codec.pack(state) == codec.pack(calm)
    assert outcomes.count(Outcome.DUPLICATE) == len(changed)
    assert state.take_writes(USER, CATALOGUE) == calm.take_writes(USER, CATALOGUE)


def shuffled(once: list[Observation], random: Random) -> list[Observation]:
    """Return every event twice and out of order, each repeat among the 64 events after its first copy.

    A copy is put off by up to half of that many places, so that at most 62 other events come between the two.
    """
    reach = RECENT_EVENTS // 2 - 1
    places = [(place + random.uniform(0, reach), o) for place, o in enumerate(once)]
    places += [(place + random.uniform(0, reach), o) for place, o in places]
    return [o for _, o in sorted(places, key=lambda pair: pair[0])]


def life(user: bytes, random: Random) -> list[Observation]:
    """Return turns, feedback and pins of a user over months."""
    at_ms, events = T, [make_observation(T, kind=Kind.GRANT, user=user)]
    names = sorted(CATALOGUE.facets)
    for number in range(500):
        at_ms += random.choice([MINUTE_MS, MINUTE_MS, 20 * MINUTE_MS, 9 * HOUR_MS])
        facet = random.choice(names)
        value = random.choice(CATALOGUE.facets[facet].values)
        if random.random() < 0.05:
            events.append(make_pin(at_ms, facet, value, user=user))
            continue
        feedback, topic = random.choice([None, *CATALOGUE.feedback_names]), random.choice(CATALOGUE.topics.values)
        events.append(
            make_observation(
                at_ms, user=user, turn=1 + number // 3, served={facet: value}, feedback=feedback, topic=topic
            )
        )
    return events


@pytest.mark.parametrize("seed", range(8))
def test_shuffled_repeats_over_months_change_nothing(seed: int) -> None:
    """The states of several users equal those of the first copies alone."""
    random = Random(seed)
    users = [bytes([number]) * 16 for number in range(3)]
    streams = [shuffled(life(user, random), random) for user in users]
    twice, once = {user: UserState(CATALOGUE) for user in users}, {user: UserState(CATALOGUE) for user in users}
    seen: set[int] = set()
    for o in chain.from_iterable(zip(*streams, strict=True)):
        outcome = twice[o.user].observe(o, RULES).outcome
        if o.event not in seen:
            assert once[o.user].observe(o, RULES).outcome is outcome
            seen.add(o.event)
        else:
            assert outcome in {Outcome.DUPLICATE, Reason.LATE}
    for user in users:
        assert codec.pack(twice[user]) == codec.pack(once[user])
        assert twice[user].take_writes(user, CATALOGUE) == once[user].take_writes(user, CATALOGUE)


@given(
    st.lists(st.sampled_from(CATALOGUE.feedback_names), min_size=1, max_size=RECENT_EVENTS // 2),
    st.randoms(use_true_random=False),
)
def test_turn_with_much_feedback_sent_twice_is_one_turn(kinds: list[str], random: Random) -> None:
    """The turn counts once, has at most one dislike, and trains with a weight of at most 1."""
    served = {"length": "balanced"}
    events = [make_observation(T + n, turn=7, topic="code", served=served, feedback=f) for n, f in enumerate(kinds)]
    twice = random.sample(2 * events, 2 * len(events))
    state = observe(*twice)
    profile = state.windows.profile("v", state.newest_ms, CATALOGUE.topics.values)
    assert (profile.activity.hour, profile.session.turns) == (1, 1)
    assert state.windows.sessions.rows[-1][-1] <= 1
    assert state.turns.learned[0] <= 1.0
    assert state.seq == len(events)


@given(st.lists(interactions() | control_events(), max_size=40))
def test_events_without_a_change_change_nothing(events: list[Observation]) -> None:
    """Packed states are equal, so a store need not write them."""
    state = UserState(CATALOGUE)
    for o in events:
        before = codec.pack(state)
        if not state.observe(o, RULES).changes:
            assert codec.pack(state) == before


@given(st.lists(interactions() | control_events(), max_size=60))
def test_rings_are_bounded(events: list[Observation]) -> None:
    """The bound holds for any number of events."""
    state = observe(*events, *[make_observation(T + n, turn=n) for n in range(80)])
    assert len(state.events.hashes) <= RECENT_EVENTS
    assert len(state.turns.hashes) == len(state.turns.learned) <= RECENT_TURNS
    assert len(state.pins) <= len(CATALOGUE.facets)


def fullest() -> UserState:
    """Return a state with every part full: all facets pinned and forgotten, and a session every half hour."""
    everything = {name: facet.values[0] for name, facet in CATALOGUE.facets.items()}
    state = observe(*[make_pin(T - 3 * DAY_MS, name, value) for name, value in everything.items()])
    for number in range(2 * RECENT_EVENTS):
        at_ms = T - (2 * RECENT_EVENTS - number) * SESSION_GAP_MS
        topic = CATALOGUE.topics.values[number % len(CATALOGUE.topics.values)]
        o = make_observation(at_ms, turn=1 + number, topic=topic, served=everything, feedback="thumbs_up")
        observe(o, state=state)
    for control in range(RECENT_CONTROLS):
        state.consent.remember(control)
    for facet in range(len(CATALOGUE.facet_names)):
        state.consent.forget_facet(facet, T - 3 * DAY_MS, 1)
    state.take_writes(USER, CATALOGUE)
    return state


ROW_BYTES = 2_049
FULLEST = codec.pack(fullest())

half_hours = st.integers(-60, 60).map(lambda number: make_observation(T + number * SESSION_GAP_MS))


@given(st.lists(half_hours | interactions() | control_events(), max_size=60))
def test_row_never_grows(events: list[Observation]) -> None:
    """A new user and the fullest one have rows of 2 KB with the tests' catalogue, whatever they do."""
    new, full = UserState(CATALOGUE), codec.unpack(FULLEST, CATALOGUE)
    assert len(full.windows.sessions) == MAX_SESSIONS
    assert len(full.consent.controls) == RECENT_CONTROLS
    for o in events:
        observe(o, state=new)
        observe(o, state=full)
        assert max(len(codec.pack(new)), len(codec.pack(full))) <= ROW_BYTES


def test_pin_moves_the_clock() -> None:
    """The clock is the time of the user's newest event of any kind."""
    state = observe(make_observation(T), replace(make_pin(T + 2 * DAY_MS, "tone", "formal"), record_ms=T + 2 * DAY_MS))
    assert state.observe(make_observation(T), RULES).outcome is Reason.LATE
    assert not any(state.windows.panes[:36])
