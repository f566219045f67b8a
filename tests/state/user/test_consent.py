"""state/user/consent: consent and wipes, and the gates that they cause."""

from collections.abc import Sequence

import pytest

from state.counters import Outcome
from state.events.observation import Kind, Observation
from state.user.consent import DENIED, GRANTED
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.writes import GateWrite, SignalWrite
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

T = START_MS
LENGTH, TONE = CATALOGUE.facet_index["length"], CATALOGUE.facet_index["tone"]
STRICT = Rules(REQUIRED)


def word(kind: Kind, at_ms: int) -> Observation:
    return make_observation(at_ms, kind=kind)


def turn(at_ms: int) -> Observation:
    return make_observation(at_ms, served={"length": "concise"}, feedback="thumbs_up", topic="code")


def observe(*observations: Observation, rules: Rules = RULES) -> UserState:
    state = UserState()
    for o in observations:
        state.observe(o, rules)
    return state


def writes(state: UserState) -> list[GateWrite | SignalWrite]:
    return state.take_writes(USER, CATALOGUE)


def assert_nothing_learned(state: UserState) -> None:
    assert (state.windows, state.preferences) == (None, None)
    assert not state.turns.hashes


# Consent


@pytest.mark.parametrize(
    ("rules", "earlier", "at_ms", "outcome"),
    [
        (STRICT, [], T, Outcome.UNCONSENTED),
        (RULES, [], T, Outcome.ACCEPTED),
        (STRICT, [word(Kind.GRANT, T)], T - 1, Outcome.UNCONSENTED),
        (STRICT, [word(Kind.GRANT, T)], T, Outcome.ACCEPTED),
        (RULES, [word(Kind.GRANT, T)], T - 1, Outcome.UNCONSENTED),
        (RULES, [word(Kind.DENY, T)], T + 1, Outcome.UNCONSENTED),
        (RULES, [word(Kind.DENY, T)], T, Outcome.BEFORE_WIPE),
        (STRICT, [word(Kind.DENY, T), word(Kind.GRANT, T + 5)], T + 4, Outcome.UNCONSENTED),
        (STRICT, [word(Kind.DENY, T), word(Kind.GRANT, T + 5)], T + 5, Outcome.ACCEPTED),
        (STRICT, [word(Kind.GRANT, T), word(Kind.FORGET, T + 1)], T + 2, Outcome.UNCONSENTED),
        (STRICT, [word(Kind.GRANT, T), word(Kind.FORGET, T)], T + 1, Outcome.UNCONSENTED),
        (RULES, [word(Kind.GRANT, T), word(Kind.FORGET, T + 1)], T + 2, Outcome.ACCEPTED),
        (RULES, [word(Kind.DENY, T), word(Kind.FORGET, T + 1)], T + 2, Outcome.UNCONSENTED),
        (STRICT, [word(Kind.FORGET, T), word(Kind.GRANT, T + 1)], T + 2, Outcome.ACCEPTED),
        (RULES, [word(Kind.FORGET, T)], T, Outcome.BEFORE_WIPE),
    ],
)
def test_training_needs_a_grant_that_is_not_younger(
    rules: Rules, earlier: list[Observation], at_ms: int, outcome: Outcome
) -> None:
    """Both defaults of a catalogue are covered; a wipe drops all earlier events."""
    state = observe(*earlier, rules=rules)
    before = state.seq
    assert state.observe(turn(at_ms), rules).outcome is outcome
    assert (state.windows is not None) is (outcome is Outcome.ACCEPTED)
    assert state.seq == before + (outcome is Outcome.ACCEPTED)


@pytest.mark.parametrize("order", [(Kind.GRANT, Kind.DENY), (Kind.DENY, Kind.GRANT)])
def test_opt_out_wins_over_a_grant_of_the_same_time(order: Sequence[Kind]) -> None:
    """The order of arrival has no effect."""
    assert observe(*[word(kind, T) for kind in order]).consent.choice == DENIED


def test_late_consent_event_does_not_undo_a_newer_one() -> None:
    """The event with the latest time decides."""
    assert observe(word(Kind.GRANT, T + 1), word(Kind.DENY, T)).consent.choice == GRANTED
    assert observe(word(Kind.DENY, T + 1), word(Kind.GRANT, T)).consent.choice == DENIED


def test_opt_out_drops_everything_but_pins() -> None:
    """Learned state and waiting signals are dropped."""
    state = observe(turn(T), make_pin(T + 1, "tone", "formal"), word(Kind.DENY, T + 2))
    assert_nothing_learned(state)
    assert pinned(state) == {"tone": "formal"}
    assert writes(state) == [GateWrite(USER, T + 2, T + 2, opted_out=True)]


def test_opted_out_user_has_no_signals() -> None:
    """A pin is stored during the opt-out, and emitted after a later grant."""
    state = observe(word(Kind.DENY, T), make_pin(T + 1, "tone", "formal"), turn(T + 2))
    assert [type(write) for write in writes(state)] == [GateWrite]
    state.observe(word(Kind.GRANT, T + 3), RULES)
    gate, signals = writes(state)
    assert gate == GateWrite(USER, T, T + 3, opted_out=False)
    assert Shown().take([gate, signals]).fields["tone"]["value"] == "formal"


def test_late_opt_out_older_than_a_forget_drops_learned_state() -> None:
    """In order of time, the opt-out would have prevented the training."""
    state = observe(word(Kind.FORGET, T + 1), turn(T + 2), word(Kind.DENY, T))
    assert state.consent.opted_out
    assert state.consent.wiped_ms == T + 1
    assert_nothing_learned(state)
    assert writes(state) == [GateWrite(USER, T + 1, T, opted_out=True)]


def test_opt_out_is_written_even_if_a_grant_follows() -> None:
    """The opt-out is as old as the previous wipe, so only its own gate removes later signals."""
    state, shown = observe(word(Kind.FORGET, T), turn(T + 2)), Shown()
    assert shown.take(writes(state)).fields
    state.observe(word(Kind.DENY, T), RULES)
    state.observe(word(Kind.GRANT, T + 1), RULES)
    assert shown.take(writes(state)).fields == {}


# Wipes


def test_forget_drops_pins_and_a_grant() -> None:
    """Only the time of the wipe is left."""
    state = observe(word(Kind.GRANT, T), turn(T + 1), make_pin(T + 2, "tone", "formal"), word(Kind.FORGET, T + 3))
    assert_nothing_learned(state)
    assert state.pins == {}
    assert not state.consent.allows(T + 4, REQUIRED)
    assert state.consent.allows(T + 4, CATALOGUE)
    assert Shown().take(writes(state)).fields == {}


def test_forget_keeps_an_opt_out() -> None:
    """An opted-out user stays opted out."""
    state = observe(word(Kind.DENY, T), word(Kind.FORGET, T + 1))
    assert state.consent.opted_out
    assert writes(state) == [GateWrite(USER, T + 1, T, opted_out=True)]


def test_repeated_forget_changes_nothing() -> None:
    """An older forget changes nothing, either."""
    state = observe(word(Kind.FORGET, T), turn(T + 1))
    assert state.observe(word(Kind.FORGET, T), RULES).outcome is Outcome.BEFORE_WIPE
    assert state.observe(word(Kind.FORGET, T - 1), RULES).outcome is Outcome.BEFORE_WIPE
    assert state.windows is not None


def test_count_restarts_with_each_wipe() -> None:
    """Versions are compared between two wipes only, because the time of the wipe comes first."""
    state = observe(*[turn(T + n) for n in range(9)])
    assert state.seq == 9
    state.observe(word(Kind.FORGET, T + 20), RULES)
    state.observe(turn(T + 30), RULES)
    (gate, signals) = writes(state)
    assert isinstance(signals, SignalWrite)
    assert gate.wiped_ms == signals.wiped_ms == T + 20
    assert Shown().take([signals]).fields["length"]["v"] == f"{T + 30}-0000000002"


@pytest.mark.parametrize("kind", [Kind.GRANT, Kind.DENY, Kind.FORGET])
def test_control_event_is_never_late(kind: Kind) -> None:
    """A consent event that is a year old takes effect."""
    state = observe(turn(T))
    assert state.observe(word(kind, T - 365 * 86_400_000), RULES).outcome is Outcome.ACCEPTED
    assert isinstance(writes(state)[0], GateWrite)
