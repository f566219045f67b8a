"""state/user/user_state: what is written, and when nothing is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.events.observation import Observation
from state.learning.decisions import TIERS, decide
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import DAY_MS, MINUTE_MS, PANE_MS
from state.user.writes import GateWrite, SignalWrite
from tacit.contract.signals import PROFILE
from tacit.contract.versions import is_version
from tests.support.factories import (
    CATALOGUE,
    RULES,
    START_MS,
    USER,
    Served,
    control_events,
    interactions,
    make_observation,
    make_pin,
)

T = START_MS
HALF_TTL_MS = 15 * DAY_MS
CONCISE: Served = {"length": "concise"}


def like(at_ms: int, served: Served = CONCISE) -> Observation:
    return make_observation(at_ms, served=served, feedback="thumbs_up")


def emitted(state: UserState, *observations: Observation, rules: Rules = RULES) -> dict[str, dict[str, Any]]:
    """Observe an event, and return its write: field → decoded JSON."""
    for o in observations:
        state.observe(o, rules)
    fields: dict[str, dict[str, Any]] = {}
    for write in state.take_writes(USER, rules.catalogue):
        assert isinstance(write, SignalWrite)
        assert not fields
        fields = {name: json.loads(content) for name, content in write.fields}
        assert len(fields) == len(write.fields) > 0
    return fields


def test_new_user_has_no_writes() -> None:
    """A new user has neither signals nor a profile."""
    assert UserState(CATALOGUE).take_writes(USER, CATALOGUE) == []


def test_first_feedback_writes_its_facets_and_the_profile() -> None:
    """Only served facets are emitted, with the user's newest time and count as version."""
    state = UserState(CATALOGUE)
    fields = emitted(state, like(T), like(T + 1, {"length": "concise", "tone": "formal"}))
    assert set(fields) == {"length", "tone", PROFILE}
    assert fields["tone"]["v"] == f"{T + 1}-0000000002"
    assert (fields["tone"]["at"], fields["tone"]["value"]) == (T + 1, "formal")


def test_version_is_the_newest_time_seen_not_the_events() -> None:
    """A late event's signal has a newer version than earlier signals."""
    state = UserState(CATALOGUE)
    assert emitted(state, like(T + MINUTE_MS))["length"]["v"] == f"{T + MINUTE_MS}-0000000001"
    assert emitted(state, like(T, {"tone": "formal"}))["tone"]["v"] == f"{T + MINUTE_MS}-0000000002"


def test_nothing_is_written_twice() -> None:
    """Taking the writes empties the outbox."""
    state = UserState(CATALOGUE)
    assert emitted(state, like(T))
    assert emitted(state) == {}


def test_nothing_is_written_when_nothing_changed() -> None:
    """Examples: a turn without feedback in the same pane, a sensitive turn, an event that is not accepted."""
    state = UserState(CATALOGUE)
    emitted(state, like(T))
    quiet = [
        make_observation(T + 1),
        make_observation(T + 2, served=CONCISE, feedback="thumbs_up", topic="health"),
        make_observation(T - 2 * DAY_MS, served=CONCISE, feedback="thumbs_up"),
        make_observation(T + 3, served=CONCISE, feedback="shorter"),
    ]
    assert emitted(state, *quiet) == {}


LENGTHS = st.sampled_from(CATALOGUE.facets["length"].values)
ANSWERS = st.lists(st.tuples(LENGTHS, st.sampled_from(["thumbs_up", "thumbs_down", "edited"])), max_size=60)


@given(ANSWERS)
def test_signal_is_written_when_value_tier_confidence_or_evidence_moved(answers: list[tuple[str, str]]) -> None:
    """The oracle compares every decision with the last emitted one."""
    state = UserState(CATALOGUE)
    last: tuple[int, int, float, list[int]] | None = None
    for n, (value, feedback) in enumerate(answers):
        fields = emitted(state, make_observation(T + 1000 * n, served={"length": value}, feedback=feedback))
        assert state.preferences is not None
        decision = decide(state.beliefs(RULES.prior), 0)
        evidence = list(state.preferences.log.totals[2 * decision.slot : 2 * decision.slot + 2])
        differs = (
            last is None
            or last[:2] != (decision.slot, decision.tier)
            or abs(last[2] - decision.confidence) >= 0.05 - 1e-7
            or any(abs(now - then) >= max(150, then / 10) for now, then in zip(evidence, last[3], strict=True))
        )
        assert ("length" in fields) is differs
        if differs:
            last = (decision.slot, decision.tier, decision.confidence, evidence)
            assert fields["length"]["value"] == CATALOGUE.slots[decision.slot].value
            assert fields["length"]["tier"] == TIERS[decision.tier]
            assert fields["length"]["confidence"] == round(decision.confidence, 3)


def test_last_of_several_signals_in_a_batch_is_written() -> None:
    """The signal has the numbers of that event."""
    at_once, one_by_one = UserState(CATALOGUE), UserState(CATALOGUE)
    events = [like(T + n) for n in range(7)]
    last = [fields["length"] for event in events if "length" in (fields := emitted(one_by_one, event))][-1]
    assert emitted(at_once, *events)["length"] == last


# Half the time to live


def test_signal_is_repeated_after_half_its_time_to_live() -> None:
    """The user's next event emits the same content with a new version."""
    state = UserState(CATALOGUE)
    first = emitted(state, like(T), like(T, {"tone": "formal"}))
    assert set(emitted(state, make_observation(T + HALF_TTL_MS))) == {PROFILE}
    again = emitted(state, make_observation(T + HALF_TTL_MS + PANE_MS))
    assert set(again) == {"length", "tone", PROFILE}
    for name in ("length", "tone"):
        assert all(again[name][part] == first[name][part] for part in ("value", "tier", "confidence", "why"))
        assert again[name]["v"] > first[name]["v"]
    assert set(emitted(state, make_observation(T + HALF_TTL_MS + 2 * PANE_MS))) == {PROFILE}


def test_signal_without_a_time_to_live_is_not_repeated() -> None:
    """A signal that does not expire needs no repeat."""
    rules = Rules(CATALOGUE, ttl_ms=None)
    state = UserState(CATALOGUE)
    emitted(state, like(T), rules=rules)
    assert set(emitted(state, make_observation(T + 80 * DAY_MS), rules=rules)) == {PROFILE}


def test_decision_below_a_pin_is_repeated() -> None:
    """A decision below a pin is repeated, as the hash of the user expires."""
    state = UserState(CATALOGUE)
    state.observe(make_pin(T - 1, "length", "detailed"), RULES)
    state.take_writes(USER, CATALOGUE)
    emitted(state, like(T))
    assert set(emitted(state, make_observation(T + 20 * DAY_MS))) == {"length", PROFILE}


# The profile


def test_profile_is_written_in_each_pane_once() -> None:
    """A pane is five minutes of the user's clock."""
    state = UserState(CATALOGUE)
    written = [PROFILE in emitted(state, make_observation(T + n * MINUTE_MS)) for n in range(11)]
    assert written == [True, False, False, False, False] * 2 + [True]


def test_profile_is_that_of_the_start_of_its_pane() -> None:
    """Later events of the pane go into the next profile."""
    state = UserState(CATALOGUE)
    fields = emitted(state, make_observation(T, topic="code"), make_observation(T + 1, topic="email"))
    assert fields[PROFILE]["activity"] == {"1h": 1, "24h": 1, "7d": 1}
    assert fields[PROFILE]["topics"] == [["code", 1.0]]
    assert (fields[PROFILE]["v"], fields[PROFILE]["at"]) == (f"{T}-0000000001", T)


@given(st.lists(interactions(), max_size=40))
def test_no_pane_has_two_profiles(events: list[Observation]) -> None:
    """Events may come out of order."""
    state = UserState(CATALOGUE)
    panes = [fields[PROFILE]["at"] // PANE_MS for o in events if PROFILE in (fields := emitted(state, o))]
    assert panes == sorted(set(panes))


# Versions


@given(st.lists(interactions() | control_events(), max_size=60))
def test_versions_of_a_field_only_grow_between_wipes(events: list[Observation]) -> None:
    """The newest version wins in Redis, in any order of arrival."""
    state = UserState(CATALOGUE)
    newest: dict[tuple[int, str], str] = {}
    for o in events:
        state.observe(o, RULES)
        cleared = False
        for write in state.take_writes(USER, CATALOGUE):
            if isinstance(write, GateWrite):
                cleared = cleared or write.gate.use.state == "denied"
                continue
            for name, content in write.fields:
                v = json.loads(content)["v"]
                assert content.startswith(b'{"v":"' + v.encode())
                assert is_version(v)
                assert v > newest.get((write.wiped_ms, name), "")
                newest[write.wiped_ms, name] = v
        if cleared:
            newest.clear()  # the gate has cleared what was shown


@pytest.mark.parametrize("events", [[], [like(T)], [like(T), make_pin(T + 1, "tone", "formal")]])
def test_writes_carry_the_user_and_the_wipe(events: list[Observation]) -> None:
    """Every write has the pseudonym and the time of the last wipe."""
    state = UserState(CATALOGUE)
    for o in events:
        state.observe(o, RULES)
    for write in state.take_writes(USER, CATALOGUE):
        assert write.user == USER
        assert (write.gate if isinstance(write, GateWrite) else write).wiped_ms == 0
