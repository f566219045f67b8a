"""The full write of a user at rest equals the contents of an undisturbed Redis."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import Kind, Observation
from state.learning.population_prior import Prior
from state.user import codec
from state.user.full_write import gate_write, signals_write
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import DAY_MS, MINUTE_MS, PANE_MS
from state.user.writes import GateWrite, SignalWrite, Write
from tacit.contract.gates import GatePin
from tacit.contract.signals import PROFILE
from tests.support.decoded_writes import Shown
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


def liked(at_ms: int, *facets: str) -> Observation:
    """Return feedback on a concise answer: a like for the named facets."""
    return make_observation(at_ms, served={"length": "concise"}, feedback="thumbs_up", facets=facets)


def lived(*events: Observation, rules: Rules = RULES) -> tuple[UserState, Shown]:
    """Return the state after events, as a checkpoint has it, and the contents of Redis."""
    state, shown = UserState(CATALOGUE), Shown()
    for o in events:
        state.observe(o, rules)
        shown.take(state.take_writes(USER, rules.catalogue))
    return codec.unpack(codec.pack(state), rules.catalogue), shown


def full_write(state: UserState, catalogue: NumberedCatalogue = CATALOGUE) -> list[Write]:
    """Return the full write of a user."""
    prior = Prior(catalogue)
    found = (gate_write(USER, state, prior), signals_write(USER, state, prior))
    return [write for write in found if write]


def emitted(fields: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Return the members of each signal that a rebuild must reproduce."""
    return {name: (one["value"], one["tier"], one["source"]) for name, one in fields.items() if name != PROFILE}


def test_full_write_has_the_newest_version_of_a_forgotten_facet() -> None:
    """A second forget has the same time, and a lower count of events, as a "no" came between."""
    events = [
        *(make_observation(START_MS, event=1) for _ in range(3)),
        make_observation(START_MS, event=11, kind=Kind.GRANT),
        make_observation(START_MS + 60_000, event=12, kind=Kind.FORGET, facets=["length"]),
        make_observation(START_MS, event=13, kind=Kind.DENY),
        make_observation(START_MS, event=14, kind=Kind.FORGET, facets=["length"]),
    ]
    state, shown = lived(*events)
    assert Shown().take(full_write(state)).gate == shown.gate


@given(st.lists(interactions() | control_events(), max_size=60), st.sampled_from([CATALOGUE, REQUIRED]))
def test_full_write_restores_an_emptied_redis(events: Sequence[Observation], catalogue: NumberedCatalogue) -> None:
    """Gate, values, tiers and sources are equal, and versions are not older. Only default signals may be missing."""
    state, shown = lived(*events, rules=Rules(catalogue))
    again = Shown().take(full_write(state, catalogue))
    assert again.gate == shown.gate
    assert again.fields.keys() <= shown.fields.keys()
    for name in shown.fields.keys() - again.fields.keys():
        assert (shown.fields[name]["tier"], shown.fields[name]["evidence"]) == ("default", 0.0)
    assert emitted(again.fields).items() <= emitted(shown.fields).items()
    assert all(one["v"] >= shown.fields[name]["v"] for name, one in again.fields.items())


@given(st.lists(interactions() | control_events(), min_size=1, max_size=60), interactions() | control_events())
def test_next_signal_is_newer_than_the_full_write(events: Sequence[Observation], last: Observation) -> None:
    """A rebuild does not block a running worker."""
    state, _ = lived(*events)
    again = Shown().take(full_write(state))
    state.observe(last, RULES)
    writes = state.take_writes(USER, CATALOGUE)
    found = {
        name: json.loads(content)
        for write in writes[-1:]
        if isinstance(write, SignalWrite)
        for name, content in write.fields
    }
    after = again.take(writes)
    if not after.is_denied:
        assert found.items() <= after.fields.items()


def test_new_user_has_no_full_write() -> None:
    """A new user has no gate, either."""
    assert full_write(UserState(CATALOGUE)) == []


def test_opted_out_user_has_only_a_gate() -> None:
    """Pins stay in the gate, for a later yes."""
    deny = make_observation(START_MS + 1, kind=Kind.DENY)
    state, _ = lived(make_pin(START_MS, "length", "concise"), deny)
    shown = Shown().take(full_write(state))
    assert (shown.is_denied, shown.gate.wiped_ms, shown.fields) == (True, START_MS + 1, {})
    assert shown.gate.pins == {"length": GatePin("concise", START_MS)}


def test_forgotten_user_has_only_a_gate() -> None:
    """The gate rejects signals from before the wipe."""
    state, _ = lived(liked(START_MS), make_observation(START_MS + 1, kind=Kind.FORGET))
    (write,) = full_write(state)
    assert isinstance(write, GateWrite)
    assert (write.gate.wiped_ms, write.gate.forgotten_ms) == (START_MS + 1, START_MS + 1)


def test_facet_without_a_signal_is_not_written() -> None:
    """Only facets with feedback are written."""
    state, shown = lived(liked(START_MS, "length"))
    again = Shown().take(full_write(state))
    assert again.fields.keys() == shown.fields.keys() == {"length", PROFILE}


def test_time_to_live_counts_from_the_last_signal() -> None:
    """Control events without signals do not count: they would revive expired signals."""
    grants = [make_observation(START_MS + days * DAY_MS, kind=Kind.GRANT) for days in (0, 20)]
    state, _ = lived(grants[0], liked(START_MS + MINUTE_MS), grants[1])
    _, learned = full_write(state)
    assert isinstance(learned, SignalWrite)
    assert learned.at_ms == START_MS + MINUTE_MS


def test_time_to_live_of_a_profile_counts_from_its_pane() -> None:
    """The exact time of the last profile is not stored."""
    state, _ = lived(make_observation(START_MS + PANE_MS + 7))
    (profile,) = full_write(state)
    assert isinstance(profile, SignalWrite)
    assert profile.at_ms == START_MS + PANE_MS
