"""state/user/pins: pins, and learned decisions next to pins."""

import pytest

from state.counters import Outcome
from state.events.observation import Kind, Observation
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


def test_pin_needs_no_consent() -> None:
    """A pin is the user's own setting."""
    state = observe(make_pin(T, "tone", "formal"), rules=STRICT)
    assert Shown().take(writes(state)).fields["tone"]["source"] == "user"


def test_pin_outranks_what_is_learned() -> None:
    """Training continues, and its result is emitted after the pin is removed."""
    state = observe(make_pin(T, "length", "detailed"), *[turn(T + n) for n in range(1, 20)])
    shown = Shown().take(writes(state))
    assert (shown.fields["length"]["value"], shown.fields["length"]["source"]) == ("detailed", "user")
    state.observe(make_pin(T + 50, "length", None), RULES)
    shown.take(writes(state))
    assert (shown.fields["length"]["value"], shown.fields["length"]["source"]) == ("concise", "learned")
    assert shown.fields["length"]["tier"] == "apply"


def test_older_pin_does_not_replace_a_newer_one() -> None:
    """The newest event time wins; of equal times, the last arrival."""
    assert pinned(observe(make_pin(T + 1, "tone", "formal"), make_pin(T, "tone", "friendly"))) == {"tone": "formal"}
    assert pinned(observe(make_pin(T + 1, "tone", "formal"), make_pin(T, "tone", None))) == {"tone": "formal"}
    assert pinned(observe(make_pin(T, "tone", "formal"), make_pin(T, "tone", "friendly"))) == {"tone": "friendly"}


def test_pin_from_before_a_known_wipe_is_dropped() -> None:
    """The same rule holds for every other event."""
    state = observe(word(Kind.DENY, T))
    assert state.observe(make_pin(T, "tone", "formal"), RULES).outcome is Outcome.BEFORE_WIPE
    assert state.pins == {}


@pytest.mark.parametrize("rules", [STRICT, RULES])
def test_removed_pin_of_a_new_user_leaves_the_default(rules: Rules) -> None:
    """Without consent, the signal has no exploration."""
    state = observe(make_pin(T, "tone", "formal"), make_pin(T + 1, "tone", None), rules=rules)
    tone = Shown().take(writes(state)).fields["tone"]
    assert (tone["value"], tone["tier"], tone["source"], tone["evidence"]) == ("neutral", "default", "learned", 0.0)
    assert tone["explore"] == (0.0 if rules is STRICT else 0.05)


def test_pin_younger_than_a_late_forget_is_emitted_again() -> None:
    """The wipe deletes the signal from Redis, and the pin stays in the state."""
    state = observe(make_pin(T + 2, "tone", "formal"))
    shown = Shown().take(writes(state))
    state.observe(word(Kind.FORGET, T + 1), RULES)
    assert shown.take(writes(state)).fields["tone"]["value"] == "formal"


def test_pin_is_emitted_again_after_an_older_opt_out() -> None:
    """The wipe removed the signal, and consent holds."""
    state = observe(make_pin(T, "tone", "formal"), word(Kind.GRANT, T + 5))
    shown = Shown().take(writes(state))
    state.observe(word(Kind.DENY, T + 2), RULES)
    assert shown.take(writes(state)).fields["tone"]["value"] == "formal"


def test_pin_that_outlives_a_wipe_has_a_newer_version() -> None:
    """A gate removes signals that are not newer than the last wipe; here the event is an old opt-out."""
    state = observe(make_pin(T + 2, "tone", "formal"), word(Kind.FORGET, T + 1))
    shown = Shown().take(writes(state))
    state.observe(word(Kind.GRANT, T), RULES)
    assert shown.take(writes(state)).fields["tone"]["v"] == f"{T + 2}-0000000001"


def test_pin_older_than_a_late_forget_is_removed() -> None:
    """This holds although a later wipe is known."""
    state = observe(make_pin(T, "tone", "formal"), word(Kind.DENY, T + 2), word(Kind.GRANT, T + 3))
    shown = Shown().take(writes(state))
    assert shown.fields["tone"]["source"] == "user"
    state.observe(word(Kind.FORGET, T + 1), RULES)
    assert shown.take(writes(state)).fields["tone"]["source"] == "learned"
