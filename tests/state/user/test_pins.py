"""state/user/pins: pins, which the gate shows, next to learned decisions."""

from state.counters import Outcome
from state.events.observation import NONE, Kind, Observation
from state.user.pins import PinnedAt, Pins
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import DAY_MS
from state.user.writes import GateWrite, SignalWrite
from tacit.contract.gates import GatePin
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
TONE = CATALOGUE.facet_index["tone"]
STRICT = Rules(REQUIRED)


def control(kind: Kind, at_ms: int) -> Observation:
    return make_observation(at_ms, kind=kind)


def turn(at_ms: int) -> Observation:
    return make_observation(at_ms, served={"length": "concise"}, feedback="thumbs_up", topic="code")


def observe(*observations: Observation, rules: Rules = RULES) -> UserState:
    state = UserState(CATALOGUE)
    for o in observations:
        state.observe(o, rules)
    return state


def writes(state: UserState) -> list[GateWrite | SignalWrite]:
    return state.take_writes(USER, CATALOGUE)


def test_pin_needs_no_consent() -> None:
    """A pin is the user's own setting."""
    state = observe(make_pin(T, "tone", "formal"), rules=STRICT)
    assert Shown().take(writes(state)).pins == {"tone": "formal"}


def test_pin_is_no_signal() -> None:
    """Training continues below the pin, and its signals expire like all others."""
    state = observe(make_pin(T, "length", "detailed"), *[turn(T + n) for n in range(1, 20)])
    shown = Shown().take(writes(state))
    assert shown.pins == {"length": "detailed"}
    assert (shown.fields["length"]["value"], shown.fields["length"]["source"]) == ("concise", "learned")
    state.observe(make_pin(T + 50, "length", None), RULES)
    assert shown.take(writes(state)).pins == {}


def test_last_pin_to_arrive_wins() -> None:
    """Its clock does not matter."""
    assert pinned(observe(make_pin(T + 1, "tone", "formal"), make_pin(T, "tone", "friendly"))) == {"tone": "friendly"}
    assert pinned(observe(make_pin(T, "tone", "formal"), make_pin(T, "tone", "friendly"))) == {"tone": "friendly"}


def test_removal_must_be_newer_than_the_pin() -> None:
    """It takes something back that the user set, so an older one comes too late."""
    state = observe(make_pin(T + 1, "tone", "formal"))
    for at_ms in (T, T + 1):
        assert state.observe(make_pin(at_ms, "tone", None), RULES).outcome is Outcome.BEFORE_WIPE
    assert pinned(state) == {"tone": "formal"}
    assert state.observe(make_pin(T + 2, "tone", None), RULES).outcome is Outcome.ACCEPTED
    assert pinned(state) == {}
    assert Shown().take(writes(state)).gate.pins == {"tone": GatePin(None, T + 2)}


def test_pin_outlives_a_no_and_holds_again_after_a_yes() -> None:
    """The gate keeps the pin; a reader shows none without consent to use."""
    state = observe(make_pin(T, "tone", "formal"), control(Kind.DENY, T + 1))
    shown = Shown().take(writes(state))
    assert (pinned(state), shown.pins) == ({"tone": "formal"}, {})
    state.observe(control(Kind.GRANT, T + 2), RULES)
    assert shown.take(writes(state)).pins == {"tone": "formal"}


def test_forgotten_pin_does_not_come_back() -> None:
    """Neither as a repeat of the same pin, nor as another pin from before."""
    pin = make_pin(T, "tone", "formal")
    for forget in (control(Kind.FORGET, T + 1), make_observation(T + 1, kind=Kind.FORGET, facets=["tone"])):
        state = observe(pin, forget)
        assert state.observe(pin, RULES).outcome is Outcome.DUPLICATE
        assert state.observe(make_pin(T, "tone", "friendly"), RULES).outcome is Outcome.BEFORE_WIPE
        assert state.observe(make_pin(T // 1000, "tone", "friendly"), RULES).outcome is Outcome.BEFORE_WIPE
        assert pinned(state) == {}
        assert state.observe(make_pin(T + 2, "tone", "friendly"), RULES).outcome is Outcome.ACCEPTED


def test_pin_long_after_a_forget_is_in_force() -> None:
    """In a file no record has a time, so a pin holds from the user's newest event, which is the forget."""
    state = observe(control(Kind.FORGET, T), make_pin(T + 28 * DAY_MS, "tone", "formal"))
    assert Shown().take(writes(state)).pins == {"tone": "formal"}


def test_removal_stays_on_record() -> None:
    """Otherwise an older write to Redis could bring the pin back."""
    state = observe(make_pin(T, "tone", "formal"), make_pin(T + 1, "tone", None))
    assert state.pins[TONE] == (NONE, T + 1)


def test_pins_are_in_the_order_of_their_facets() -> None:
    """The order of the pins has no effect."""
    pins = Pins(make_row())
    for facet in (2, 0):
        pins.put(facet, 7, T + facet)
    pins.forget(2, T + 9)
    pins.forget(1, T + 9)
    assert pins.items() == [(0, PinnedAt(7, T)), (2, PinnedAt(NONE, T + 9))]
    assert [facet in pins for facet in range(3)] == [True, False, True]
    assert (len(pins), pins.in_force) == (2, True)


def test_cleared_pins_leave_no_bytes() -> None:
    """The row equals that of a new user."""
    row = make_row()
    pins = Pins(row)
    pins.put(1, NONE, T)
    assert pins
    assert not pins.in_force
    pins.clear()
    assert not pins
    assert is_empty(row)
