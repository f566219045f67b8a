"""Ledger: alone, and compared with the user state of the product, two independent accounts of the same events."""

import json
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from state.events.observation import Observation
from state.events.resolve import resolve, resolve_control
from state.user.gate import gate_of
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.writes import SignalWrite
from tacit.contract import events as contract
from tacit.contract.gates import encode_gate
from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tacit.contract.signals import PROFILE
from tests.chaos.account import ACCEPTED, DAY_MS, HOUR_MS, MINUTE_MS, Account
from tests.chaos.factories import Event, account, consent, pin, turn
from tests.chaos.ledger import Ledger, Line
from tests.chaos.ledger import pseudonym as pseudonym_by_formula
from tests.support.commands import SECRET
from tests.support.factories import REQUIRED, START_MS, USER

RULES = Rules(REQUIRED)


def outcomes(*events: Event) -> list[str]:
    entered = Account()
    return [entered.take(msgspec.convert(event, contract.Event)) for event in events]


def versions(entered: Account) -> list[tuple[int, int]]:
    return [(moment.clock_ms - START_MS, moment.seq) for moment in entered.moments]


def test_version_is_the_clock_and_the_count() -> None:
    """An older event raises the count alone."""
    assert versions(account(consent(0), turn(20), turn(10), turn(30))) == [(0, 1), (20, 2), (20, 3), (30, 4)]


def test_repeat_among_the_last_64_is_a_duplicate() -> None:
    """A duplicate changes nothing."""
    first, others = turn(1), [turn(2 + n) for n in range(64)]
    assert outcomes(consent(0), first, *others[:63], first)[-1] == "duplicate"
    assert outcomes(consent(0), first, *others, first)[-1] == "accepted"


def test_repeat_among_the_last_16_control_events_is_a_duplicate() -> None:
    """Interactions do not count; one more control event is one too many."""
    first, others = pin(1, "concise"), [pin(2 + n, "detailed", event_id=f"p-{n}") for n in range(16)]
    turns = [turn(100 + n) for n in range(20)]
    assert outcomes(consent(0), first, *others[:15], *turns, first)[-1] == "duplicate"
    assert outcomes(consent(0), first, *others, first)[-1] == "accepted"


def test_event_before_consent_or_wipe_does_not_count() -> None:
    """Nor does an event that is older than the clock by more than a day."""
    events = [turn(5), consent(10), turn(9), turn(2 * DAY_MS), turn(11), consent(3 * DAY_MS, granted=False), turn(12)]
    assert outcomes(*events) == [
        "unconsented", "accepted", "unconsented", "accepted", "late", "accepted", "before_wipe",
    ]  # fmt: skip


def test_turn_counts_once_in_each_window() -> None:
    """A turn counts at its first event; panes that the clock has left do not count."""
    events = [
        turn(0, turn_id="t-1"),
        turn(MINUTE_MS, turn_id="t-1"),
        turn(2 * HOUR_MS),
        turn(HOUR_MS),
        turn(25 * HOUR_MS),
    ]
    entered = account(consent(0), *events)
    assert entered.windows(4) == {"1h": 1, "24h": 3, "7d": 3}
    assert entered.windows(5) == {"1h": 1, "24h": 2, "7d": 4}


def test_profile_is_emitted_once_in_a_pane_of_the_clock() -> None:
    """The first interaction in a pane emits, even if another event moved the clock."""
    entered = account(consent(0), turn(1), turn(2), pin(5 * MINUTE_MS, "concise"), turn(3), turn(5 * MINUTE_MS + 1))
    assert [moment.emits_profile for moment in entered.moments] == [False, True, False, False, True, False]


def test_restrictive_event_holds_from_the_newest_time_of_the_user() -> None:
    """An older "yes" lifts no "no", and an older removal no pin."""
    opt_out, opt_in, unpin = consent(5, granted=False), consent(20), pin(19, None)
    assert outcomes(consent(0), turn(20), opt_out, opt_in, pin(1, "concise"), unpin) == [
        "accepted", "accepted", "accepted", "before_wipe", "accepted", "before_wipe",
    ]  # fmt: skip
    assert outcomes(consent(0), turn(20), opt_out, consent(21), opt_out)[-2:] == ["accepted", "duplicate"]


def test_wipe_restarts_the_count() -> None:
    """The gate holds the time of the wipe."""
    entered = account(consent(0), turn(1), consent(5, granted=False), consent(6), turn(7))
    assert versions(entered) == [(0, 1), (1, 2), (5, 1), (6, 2), (7, 3)]
    assert entered.gate == f"{START_MS + 5:013d}{0:013d}" + 3 * f"y{START_MS + 6:013d}"


def test_gate_has_the_pins_since_the_last_forget() -> None:
    """Removed pins stay, so that no older write brings them back."""
    entered = account(pin(1, "concise"), turn(2, type="forget"), pin(3, "detailed"), pin(4, None))
    consents = 3 * f"-{START_MS + 2:013d}"
    assert entered.gate == f'{2 * f"{START_MS + 2:013d}"}{consents}{{"pins":{{"length":[null,{START_MS + 4}]}}}}'


def test_ledger_predicts_rejects() -> None:
    """By partition and offset: broken records and late events."""
    ledger = Ledger(partitions=2)
    events = [consent(0), turn(2 * DAY_MS), turn(1)]
    for event in events:
        ledger.take(Line(1, b"ada", json.dumps(event).encode(), None))
    ledger.take(Line(0, b"", b"{", "not_json"))
    assert ledger.rejected == {(1, 2): "late", (0, 0): "not_json"}
    assert ledger.outcomes == {"accepted": 2, "late": 1, "not_json": 1}
    assert list(ledger.accounts) == [pseudonym_by_formula("ada")]


def test_pseudonym_is_the_one_in_keys() -> None:
    """docs/contract.md has the formula."""
    assert pseudonym_by_formula("ada") == pseudonym_text(pseudonym("ada", SECRET.encode()))


_TIMES = st.one_of(
    st.integers(0, 5 * HOUR_MS),
    st.integers(0, 300).map(lambda n: n * MINUTE_MS),
    st.integers(0, 30).map(lambda n: n * DAY_MS),
)
_IDS = st.integers(0, 150).map(lambda number: f"e-{number}")
_TURN_IDS = st.just(...) | st.integers(0, 24).map(lambda number: f"t-{number}")
_SERVED = st.just(...) | st.fixed_dictionaries({"length": st.sampled_from(["concise", "detailed"])})
_FEEDBACK = st.just(...) | st.sampled_from(REQUIRED.feedback_names).map(lambda kind: {"kind": kind})
_TURNS = st.builds(turn, _TIMES, event_id=_IDS, turn_id=_TURN_IDS, served=_SERVED, feedback=_FEEDBACK)
_CONTROLS = st.one_of(
    st.builds(consent, _TIMES, st.sampled_from([True, True, False]), event_id=_IDS),
    st.builds(pin, _TIMES, st.sampled_from(["concise", "detailed", None]), event_id=_IDS),
    st.builds(turn, _TIMES, event_id=_IDS, type=st.just("forget")),
)
_STREAMS = st.lists(_TURNS | _TURNS | _CONTROLS, max_size=60).map(lambda events: [consent(0, event_id="e-0"), *events])


@settings(max_examples=400)
@given(_STREAMS)
def test_ledger_and_state_agree_on_every_event(events: Sequence[Event]) -> None:
    """On the outcome, all counts, consent and pins, and the version of emitted signals."""
    entered, state = Account(), UserState(REQUIRED)
    for event in events:
        model = msgspec.convert(event, contract.Event)
        observation = _resolved(model)
        outcome = entered.take(model)
        assert state.observe(observation, RULES).outcome == outcome
        writes = state.take_writes(USER, REQUIRED)
        if outcome == ACCEPTED:
            _check_state(entered, state)
            _check_writes(entered, [write for write in writes if isinstance(write, SignalWrite)])
        else:
            assert writes == []


def _resolved(event: contract.Event) -> Observation:
    """Return the observation of an event in a record that is newer than every event."""
    if isinstance(event, contract.Interaction):
        return resolve(event, USER, REQUIRED)
    return resolve_control(event, USER, START_MS + 40 * DAY_MS, REQUIRED, is_foreign=False)


def _check_state(entered: Account, state: UserState) -> None:
    now = entered.moments[-1]
    consented = ("unasked", "granted", "lapsed", "denied")[state.consent.states[0]]
    assert (now.clock_ms, now.seq, now.wiped_ms) == (state.newest_ms, state.seq, state.consent.wiped_ms)
    assert (now.forgotten_ms, now.consent, now.consent_at_ms) == (
        state.consent.forgotten_ms,
        consented,
        state.consent.since_ms[0],
    )
    assert entered.gate is None or entered.gate.encode() == encode_gate(gate_of(state.consent, state.pins, REQUIRED))
    windows = entered.windows(len(entered.moments) - 1)
    if not state.has_windows:
        assert set(windows.values()) == {0}
        return
    shown = state.windows.profile(now.version, now.clock_ms, REQUIRED.topics.values).activity
    assert windows == {"1h": shown.hour, "24h": shown.day, "7d": shown.week}


def _check_writes(entered: Account, writes: Sequence[SignalWrite]) -> None:
    now = entered.moments[-1]
    emitted = {name: json.loads(value) for write in writes for name, value in write.fields}
    assert {field["v"] for field in emitted.values()} <= {now.version}
    assert (PROFILE in emitted) == now.emits_profile
    assert {field["source"] for name, field in emitted.items() if name != PROFILE} <= {"learned"}
