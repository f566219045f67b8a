"""state/user/consent: consent by scope and wipes, and the gates that they cause."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.counters import Outcome
from state.events.observation import Kind, Observation
from state.learning.feedback_piece import Side
from state.row.layout import RECENT_CONTROLS
from state.user.consent import DENIED, EXPLORE, GRANTED, LEARN, UNASKED, USE, Consent
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.writes import GateWrite, SignalWrite
from tacit.contract.activity import DAY_MS
from tacit.contract.gates import ScopeConsent
from tacit.contract.signals import PROFILE
from tests.support.decoded_writes import Shown
from tests.support.factories import (
    CATALOGUE,
    REQUIRED,
    RULES,
    START_MS,
    USER,
    make_observation,
    make_pin,
    pinned,
)
from tests.support.rows import is_empty, make_row

T = START_MS
STRICT = Rules(REQUIRED)
ALL = (LEARN, USE, EXPLORE)


def control(kind: Kind, at_ms: int, *scopes: int) -> Observation:
    return make_observation(at_ms, kind=kind, scopes=scopes or ALL)


def turn(at_ms: int) -> Observation:
    return make_observation(at_ms, served={"length": "concise"}, feedback="thumbs_up", topic="code")


def observe(*observations: Observation, rules: Rules = RULES) -> UserState:
    state = UserState(CATALOGUE)
    for o in observations:
        state.observe(o, rules)
    return state


def writes(state: UserState) -> list[GateWrite | SignalWrite]:
    return state.take_writes(USER, CATALOGUE)


def assert_nothing_learned(state: UserState) -> None:
    assert (state.has_windows, state.has_preferences) == (False, False)
    assert not state.turns.hashes


# Learning


@pytest.mark.parametrize(
    ("rules", "earlier", "at_ms", "outcome"),
    [
        (STRICT, [], T, Outcome.UNCONSENTED),
        (RULES, [], T, Outcome.ACCEPTED),
        (STRICT, [control(Kind.GRANT, T)], T - 1, Outcome.UNCONSENTED),
        (STRICT, [control(Kind.GRANT, T)], T, Outcome.ACCEPTED),
        (STRICT, [control(Kind.GRANT, T, USE, EXPLORE)], T, Outcome.UNCONSENTED),
        (STRICT, [control(Kind.GRANT, T, LEARN)], T, Outcome.ACCEPTED),
        (RULES, [control(Kind.GRANT, T)], T - 1, Outcome.UNCONSENTED),
        (RULES, [control(Kind.DENY, T)], T + 1, Outcome.UNCONSENTED),
        (RULES, [control(Kind.DENY, T, LEARN)], T + 1, Outcome.UNCONSENTED),
        (RULES, [control(Kind.DENY, T, USE)], T + 1, Outcome.ACCEPTED),
        (RULES, [control(Kind.DENY, T)], T, Outcome.BEFORE_WIPE),
        (STRICT, [control(Kind.DENY, T), control(Kind.GRANT, T + 5)], T + 4, Outcome.UNCONSENTED),
        (STRICT, [control(Kind.DENY, T), control(Kind.GRANT, T + 5)], T + 5, Outcome.ACCEPTED),
        (STRICT, [control(Kind.GRANT, T), control(Kind.FORGET, T + 1)], T + 2, Outcome.UNCONSENTED),
        (STRICT, [control(Kind.GRANT, T), control(Kind.FORGET, T)], T + 1, Outcome.UNCONSENTED),
        (RULES, [control(Kind.GRANT, T), control(Kind.FORGET, T + 1)], T + 2, Outcome.ACCEPTED),
        (RULES, [control(Kind.DENY, T), control(Kind.FORGET, T + 1)], T + 2, Outcome.UNCONSENTED),
        (STRICT, [control(Kind.FORGET, T), control(Kind.GRANT, T + 1)], T + 2, Outcome.ACCEPTED),
        (RULES, [control(Kind.FORGET, T)], T, Outcome.BEFORE_WIPE),
    ],
)
def test_training_needs_a_grant_that_is_not_younger(
    rules: Rules, earlier: list[Observation], at_ms: int, outcome: Outcome
) -> None:
    """Both defaults of a catalogue are covered; a wipe drops all earlier events."""
    state = observe(*earlier, rules=rules)
    before = state.seq
    assert state.observe(turn(at_ms), rules).outcome is outcome
    assert state.has_windows is (outcome is Outcome.ACCEPTED)
    assert state.seq == before + (outcome is Outcome.ACCEPTED)


@pytest.mark.parametrize("order", [(Kind.GRANT, Kind.DENY), (Kind.DENY, Kind.GRANT)])
def test_no_wins_over_a_yes_of_the_same_time(order: Sequence[Kind]) -> None:
    """The order of arrival has no effect."""
    assert observe(*[control(kind, T) for kind in order]).consent.states == [DENIED] * 3


def test_no_takes_effect_after_all_that_arrived_before() -> None:
    """Its own clock may be behind the one of the yes; a yes must be newer than the no."""
    state = observe(turn(T + 4), control(Kind.GRANT, T + 5), control(Kind.DENY, T))
    assert (state.consent.states, state.consent.since_ms) == ([DENIED] * 3, [T + 5] * 3)
    assert state.observe(control(Kind.GRANT, T + 5), RULES).outcome is Outcome.BEFORE_WIPE
    assert state.observe(control(Kind.GRANT, T + 6), RULES).outcome is Outcome.ACCEPTED
    assert state.consent.states == [GRANTED] * 3


def test_older_yes_does_not_undo_a_no() -> None:
    """It arrives late, and is counted as older than the no."""
    state = observe(control(Kind.DENY, T + 1))
    assert state.observe(control(Kind.GRANT, T), RULES).outcome is Outcome.BEFORE_WIPE
    assert state.consent.states == [DENIED] * 3


def test_no_to_learning_drops_everything_but_pins() -> None:
    """Learned state and waiting signals are dropped, and the pins are still in use."""
    state = observe(turn(T), make_pin(T + 1, "tone", "formal"))
    assert state.observe(control(Kind.DENY, T + 2, LEARN), RULES).wipes
    assert_nothing_learned(state)
    shown = Shown().take(writes(state))
    assert (shown.fields, shown.pins, shown.gate.wiped_ms) == ({}, {"tone": "formal"}, T + 2)


def test_no_of_a_new_user_is_a_wipe() -> None:
    """The state may be new because an absence freed it, and its older bytes are on disk until a compaction."""
    assert UserState(CATALOGUE).observe(control(Kind.DENY, T), RULES).wipes


def test_no_is_written_even_if_a_yes_follows_in_the_same_batch() -> None:
    """Otherwise another namespace would keep its signals."""
    state = observe(turn(T), control(Kind.DENY, T + 1), control(Kind.GRANT, T + 2))
    gates = [write.gate for write in writes(state) if isinstance(write, GateWrite)]
    assert [gate.use.state for gate in gates] == ["denied", "granted"]


@pytest.mark.parametrize(
    ("at_ms", "record_ms", "asked_ms"),
    [(T, 0, T), (T, T + 9, T), (T + 10**9, T + 9, T + 9), (0, T + 9, T + 9), (0, 0, 0)],
)
def test_gate_has_the_time_at_which_the_user_decided(at_ms: int, record_ms: int, asked_ms: int) -> None:
    """An implausible time of the event gives way to that of the record."""
    (gate,) = writes(observe(msgspec.structs.replace(control(Kind.DENY, at_ms), record_ms=record_ms)))
    assert isinstance(gate, GateWrite)
    assert gate.asked_ms == asked_ms


def test_gate_of_an_absence_has_no_time_of_a_control_event() -> None:
    """The absence is noted long after its end, and no user waits for it."""
    state = observe(control(Kind.GRANT, T - 100 * DAY_MS), control(Kind.DENY, T))
    gates = [write.asked_ms for write in writes(state) if isinstance(write, GateWrite)]
    assert gates == [T - 100 * DAY_MS, 0, T]


# Use and exploration


def test_no_to_use_withholds_signals_and_learns_on() -> None:
    """A later yes emits all that was learned meanwhile."""
    state = observe(turn(T))
    shown = Shown().take(writes(state))
    assert not state.observe(control(Kind.DENY, T + 1, USE), RULES).wipes
    state.observe(turn(T + 2), RULES)
    assert shown.take(writes(state)).fields == {}
    assert state.has_preferences
    state.observe(control(Kind.GRANT, T + 3, USE), RULES)
    assert shown.take(writes(state)).fields.keys() == {"length", PROFILE}
    assert shown.fields["length"]["evidence"] > 1


def test_signals_waiting_at_a_no_to_use_are_dropped() -> None:
    """The no comes in the same batch as the feedback."""
    state = observe(turn(T), control(Kind.DENY, T + 1, USE))
    assert [type(write) for write in writes(state)] == [GateWrite]


def test_no_to_exploration_is_written_into_every_signal() -> None:
    """Readers in other languages need not know the gate for that."""
    state = observe(turn(T))
    shown = Shown().take(writes(state))
    assert shown.fields["length"]["explore"] > 0
    state.observe(control(Kind.DENY, T + 1, EXPLORE), RULES)
    assert shown.take(writes(state)).fields["length"]["explore"] == 0
    state.observe(control(Kind.GRANT, T + 2), RULES)
    assert shown.take(writes(state)).fields["length"]["explore"] > 0


def test_exploration_needs_a_yes_where_consent_is_required() -> None:
    """A yes to learning and use is no yes to exploration."""
    state = observe(control(Kind.GRANT, T, LEARN, USE), turn(T + 1), rules=STRICT)
    assert Shown().take(state.take_writes(USER, REQUIRED)).fields["length"]["explore"] == 0


@pytest.mark.parametrize("answers", [[(Kind.GRANT, EXPLORE)], [(Kind.GRANT, LEARN, EXPLORE), (Kind.DENY, LEARN)]])
def test_exploration_needs_consent_to_learn(answers: list[tuple[Kind, *tuple[int, ...]]]) -> None:
    """Feedback on the other value would not be learned."""
    state = UserState(CATALOGUE)
    for number, (kind, *scopes) in enumerate(answers):
        state.observe(control(kind, T + number, *scopes), STRICT)
    assert not state.consent.explores(REQUIRED)


def test_lapsed_consent_to_explore_is_none() -> None:
    """Even where users are not asked first."""
    state = observe(control(Kind.GRANT, T))
    assert state.consent.explores(CATALOGUE)
    state.consent.lapse(T + 1)
    assert not state.consent.explores(CATALOGUE)


# Forgets


def test_forget_drops_pins_and_a_grant() -> None:
    """Only the time of the wipe is left, and the user has not been asked."""
    state = observe(control(Kind.GRANT, T), turn(T + 1), make_pin(T + 2, "tone", "formal"), control(Kind.FORGET, T + 3))
    assert_nothing_learned(state)
    assert not state.pins
    assert not state.consent.allows(T + 4, REQUIRED)
    assert state.consent.allows(T + 4, CATALOGUE)
    shown = Shown().take(writes(state))
    assert (shown.fields, shown.pins) == ({}, {})
    assert shown.gate.learn == ScopeConsent("unasked", T + 3)


def test_forget_keeps_a_no() -> None:
    """The user's no stays after the forget, as old as it was."""
    state = observe(control(Kind.DENY, T, USE), control(Kind.FORGET, T + 1))
    assert state.consent.states == [UNASKED, DENIED, UNASKED]
    assert Shown().take(writes(state)).gate.use == ScopeConsent("denied", T)


@pytest.mark.parametrize(("at_ms", "state"), [(T + 3, DENIED), (T + 5, DENIED), (T + 6, GRANTED)])
def test_yes_must_be_newer_than_a_forget_after_a_no(at_ms: int, state: int) -> None:
    """The yes of a delayed or repeated record lifts nothing."""
    user = observe(control(Kind.DENY, T), control(Kind.FORGET, T + 5), control(Kind.GRANT, at_ms))
    assert user.consent.states == [state] * 3


def test_forget_with_an_older_time_takes_effect_at_once() -> None:
    """A clock that is behind does not save what was learned."""
    state = observe(turn(T), turn(T + 1))
    assert state.observe(control(Kind.FORGET, T - 10_000), RULES).outcome is Outcome.ACCEPTED
    assert_nothing_learned(state)
    assert state.consent.wiped_ms == T + 1
    assert state.observe(turn(T + 1), RULES).outcome is Outcome.BEFORE_WIPE


def test_repeat_of_a_forget_changes_nothing() -> None:
    """The same control event, read again after what the user did later."""
    forget = control(Kind.FORGET, T)
    state = observe(forget, turn(T + 1))
    assert state.observe(forget, RULES).outcome is Outcome.DUPLICATE
    assert state.has_windows


def test_forget_of_a_facet_keeps_the_others() -> None:
    """Its pin and its signals end; the rest stays as it was."""
    both = make_observation(T, served={"length": "concise", "tone": "formal"}, feedback="thumbs_up")
    state = observe(both, make_pin(T + 1, "tone", "neutral"))
    shown = Shown().take(writes(state))
    forget = make_observation(T + 2, kind=Kind.FORGET, facets=["tone"])
    assert state.observe(forget, RULES).wipes
    shown.take(writes(state))
    assert set(shown.fields) == {"length", PROFILE}
    assert (shown.pins, pinned(state)) == ({}, {})
    assert state.has_preferences
    assert not state.model.has_feedback(CATALOGUE.facet_index["tone"])
    state.observe(make_observation(T + 3, served={"tone": "formal"}, feedback="thumbs_up"), RULES)
    assert shown.take(writes(state)).fields["tone"]["evidence"] == 1


@pytest.mark.parametrize(("at_ms", "teaches"), [(T + 1, False), (T + 2, False), (T + 3, True)])
def test_feedback_from_before_a_forget_of_a_facet_teaches_the_others_alone(at_ms: int, teaches: bool) -> None:
    """It arrives late, or once more after 64 others: the facet stays forgotten."""
    user = observe(turn(T), make_observation(T + 2, kind=Kind.FORGET, facets=["length"]))
    user.observe(make_observation(at_ms, served={"length": "concise", "tone": "formal"}, feedback="thumbs_up"), RULES)
    user.observe(make_observation(at_ms, served={"length": "detailed"}, feedback="shorter"), RULES)
    assert user.has_preferences
    assert user.model.log.total(CATALOGUE.slot_index["tone"]["formal"], Side.FOR) == 1
    assert user.model.has_feedback(CATALOGUE.facet_index["length"]) == teaches


def test_count_restarts_with_each_wipe() -> None:
    """Versions are compared between two wipes only, because the time of the wipe comes first."""
    state = observe(*[turn(T + n) for n in range(9)])
    assert state.seq == 9
    state.observe(control(Kind.FORGET, T + 20), RULES)
    state.observe(turn(T + 30), RULES)
    (gate, signals) = writes(state)
    assert isinstance(signals, SignalWrite)
    assert isinstance(gate, GateWrite)
    assert gate.gate.wiped_ms == signals.wiped_ms == T + 20
    assert Shown().take([signals]).fields["length"]["v"] == f"{T + 30}-0000000002"


@pytest.mark.parametrize("kind", [Kind.DENY, Kind.FORGET])
def test_no_is_never_late(kind: Kind) -> None:
    """A no that is a year old takes effect."""
    state = observe(turn(T))
    assert state.observe(control(kind, T - 365 * 86_400_000), RULES).outcome is Outcome.ACCEPTED
    assert isinstance(writes(state)[0], GateWrite)


@pytest.mark.parametrize("kind", [Kind.DENY, Kind.FORGET])
def test_no_of_another_region_counts_for_a_known_user(kind: Kind) -> None:
    """The user's data is here, so the no is meant for it; an unknown user gets no state."""
    foreign = make_observation(T + 1, kind=kind, scopes=ALL if kind == Kind.DENY else (), is_foreign=True)
    known, unknown = observe(turn(T)), UserState(CATALOGUE)
    assert known.observe(foreign, RULES).outcome is Outcome.ACCEPTED
    assert_nothing_learned(known)
    assert unknown.observe(foreign, RULES).outcome == "wrong_region"
    assert not unknown.consent.is_set


# The row


@given(st.lists(st.integers(0, 2**64 - 1), max_size=3 * RECENT_CONTROLS))
def test_last_control_events_are_remembered(controls: list[int]) -> None:
    """The oldest one makes room."""
    consent = Consent(make_row())
    for control in controls:
        consent.remember(control)
    kept = controls[-RECENT_CONTROLS:]
    assert consent.controls == kept
    assert all(consent.remembers(control) == (control in kept) for control in [*controls, 7])


def test_forgotten_facets_are_known_until_a_forget_of_everything() -> None:
    """Facets are in the order of their numbers."""
    consent = Consent(make_row())
    assert not consent.forgot_any()
    for facet in (2, 0):
        consent.forget_facet(facet, T + facet, 9)
    assert list(consent.wiped.items()) == [(0, (T, 9)), (2, (T + 2, 9))]
    assert [consent.wiped_at(facet) for facet in range(3)] == [T, 0, T + 2]
    assert consent.forgot_any()
    consent.forget(T + 5)
    assert not consent.forgot_any()
    assert (consent.wiped, consent.wiped_at(2)) == ({}, 0)


def test_cleared_consent_leaves_no_bytes() -> None:
    """The row equals that of a user who was never known."""
    row = make_row(room=2)
    consent = Consent(row)
    consent.grant(ALL, T)
    consent.deny([USE], T + 1)
    consent.forget(T + 2)
    consent.forget_facet(1, T + 3, 4)
    consent.remember(7)
    row.move_to(1)
    assert is_empty(row)
    row.move_to(0)
    assert consent.is_set
    consent.clear()
    assert is_empty(row)
