"""state/user/history: actions and changes of served values, event by event."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.errors import StateError
from state.events.observation import Kind, Observation
from state.user import codec
from state.user.consent import EXPLORE, LEARN, USE
from state.user.history import ENTRY, HEAD, MOST
from state.user.rules import IDLE_MS, Rules
from state.user.user_state import UserState
from state.user.windows import DAY_MS
from tacit.contract.history import History, decode_history
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

T, S = START_MS, 1000
LENGTH = CATALOGUE.facet_index["length"]
EVENTS = st.lists(interactions() | control_events(), max_size=30)


def like(at_ms: int, value: str = "concise", **members: Any) -> Observation:
    return make_observation(at_ms, served={"length": value}, feedback="thumbs_up", **members)


def control(kind: Kind, at_ms: int, *facets: str, scopes: Sequence[int] = (LEARN, USE, EXPLORE)) -> Observation:
    return make_observation(at_ms, kind=kind, facets=facets, scopes=scopes)


def observe(*events: Observation, state: UserState | None = None, rules: Rules = RULES) -> UserState:
    state = state or UserState(rules.catalogue)
    for o in events:
        state.observe(o, rules)
    return state


def document(state: UserState) -> dict[str, Any]:
    """Return the document that waits."""
    [*_, last] = state.take_writes(USER, CATALOGUE)
    assert last.history is not None
    found: dict[str, Any] = json.loads(last.history.content)
    return found


def changes(found: dict[str, Any]) -> list[tuple[str, str | None, str | None, str]]:
    return [(each["facet"], each["from"], each["to"], each["source"]) for each in found["changes"]]


# Actions


def test_actions_have_what_an_undo_needs() -> None:
    """The pinned value before, and the states of the scopes before."""
    state = observe(
        make_pin(T, "tone", "formal"),
        make_pin(T + S, "tone", "neutral"),
        make_pin(T + 2 * S, "tone", None),
        control(Kind.DENY, T + 3 * S, scopes=(EXPLORE,)),
        control(Kind.GRANT, T + 4 * S),
    )
    assert document(state)["actions"] == [
        {"at_ms": T, "action": "pin", "facet": "tone", "value": "formal"},
        {"at_ms": T + S, "action": "pin", "facet": "tone", "value": "neutral", "previous": "formal"},
        {"at_ms": T + 2 * S, "action": "unpin", "facet": "tone", "previous": "neutral"},
        {"at_ms": T + 3 * S, "action": "consent", "granted": False, "scopes": ["explore"], "states": ["unasked"]},
        {
            "at_ms": T + 4 * S,
            "action": "consent",
            "granted": True,
            "scopes": ["learn", "use", "explore"],
            "states": ["unasked", "unasked", "denied"],
        },
    ]


def test_rejected_and_repeated_control_events_are_no_actions() -> None:
    again = make_pin(T + S, "tone", "formal", event=7)
    state = observe(control(Kind.FORGET, T), make_pin(T - S, "tone", "formal"), again, again)
    assert [each["action"] for each in document(state)["actions"]] == ["forget", "pin"]


def test_last_twelve_of_each_kind_stay() -> None:
    values = CATALOGUE.facets["length"].values
    state = observe(*[make_pin(T + n * S, "length", values[n % 2]) for n in range(MOST + 5)])
    found = document(state)
    assert [each["at_ms"] for each in found["actions"]] == [T + n * S for n in range(5, MOST + 5)]
    assert len(found["changes"]) == MOST


# Changes of the served value


def test_change_is_noted_where_readers_serve_another_value() -> None:
    """Not when a signal of the same value is emitted again, and below a pin not at all."""
    first = observe(*[like(T + n * S) for n in range(5)])
    assert changes(document(first)) == [("length", None, "concise", "learned")]
    observe(make_pin(T + 10 * S, "length", "balanced"), state=first)
    observe(*[like(T + (20 + n) * S, "detailed") for n in range(40)], state=first)
    observe(make_pin(T + 90 * S, "length", None), state=first)
    assert changes(document(first)) == [
        ("length", None, "concise", "learned"),
        ("length", "concise", "balanced", "user"),
        ("length", "balanced", "detailed", "learned"),
    ]


def test_careful_facet_is_served_from_the_tier_hint_on() -> None:
    """With the tier `default`, readers serve the default."""
    facets = {**CATALOGUE.facets, "length": replace(CATALOGUE.facets["length"], careful=True)}
    careful = Rules(replace(CATALOGUE, facets=facets))
    state, tiers = UserState(careful.catalogue), set()
    for n in range(60):
        kind = "thumbs_up" if n % 20 < 8 else "thumbs_down"
        o = make_observation(T + n * S, served={"length": ["concise", "detailed"][n % 2]}, feedback=kind)
        observe(o, state=state, rules=careful)
        slot, tier = (state.row.numbers(name)[LENGTH] for name in ("emitted_slots", "emitted_tiers"))
        tiers.add(tier)
        last = state.history.entries[-1].third if state.history.entries else 0
        assert last == (careful.catalogue.slot_ranks[slot] if tier else 0)
    assert tiers >= {0, 1}


def test_value_that_is_used_again_is_no_change() -> None:
    """A "no" to `use` ends the record of emitted values; the same value returns with the "yes"."""
    state = observe(*[like(T + n * S) for n in range(5)], make_pin(T + 6 * S, "tone", "formal"))
    before = changes(document(state))
    observe(control(Kind.DENY, T + 7 * S, scopes=(USE,)), control(Kind.GRANT, T + 8 * S, scopes=(USE,)), state=state)
    assert changes(document(state)) == before


def test_pin_without_the_use_of_signals_is_served_with_the_next_yes() -> None:
    state = observe(control(Kind.DENY, T, scopes=(USE,)), make_pin(T + S, "tone", "formal"))
    assert changes(document(state)) == []
    observe(control(Kind.GRANT, T + 2 * S, scopes=(USE,)), state=state)
    assert changes(document(state)) == [("tone", None, "formal", "user")]


# One history of events, one document


@given(EVENTS, st.lists(st.booleans(), min_size=30, max_size=30))
def test_last_document_depends_on_events_alone(events: list[Observation], ends: list[bool]) -> None:
    """Batches, and loads in between, make no difference; versions rise with each document."""
    whole, parts = UserState(CATALOGUE), UserState(CATALOGUE)
    documents: list[bytes] = []
    for o, is_end in zip(events, ends, strict=False):
        whole.observe(o, RULES)
        parts.observe(o, RULES)
        if is_end:
            documents += _taken(parts)
            parts = codec.unpack(codec.pack(parts), CATALOGUE)
    documents += _taken(parts)
    assert documents[-1:] == _taken(whole)[-1:]
    versions = [json.loads(each)["v"] for each in documents]
    assert versions == sorted(set(versions))
    for each in documents:
        assert decode_history(each, CATALOGUE) == msgspec.json.decode(each, type=History)


def _taken(state: UserState) -> list[bytes]:
    return [write.history.content for write in state.take_writes(USER, CATALOGUE) if write.history is not None]


def test_history_is_written_again_before_it_expires() -> None:
    """An active user without a change keeps it."""
    state = observe(make_pin(T, "tone", "formal"))
    first = document(state)
    observe(make_observation(T + 14 * DAY_MS), state=state)
    assert state.take_writes(USER, CATALOGUE)[-1].history is None
    observe(make_observation(T + 16 * DAY_MS), state=state)
    again = document(state)
    assert again.pop("v") > first.pop("v")
    assert again == first


# Wipes and absences


def test_after_a_forget_only_the_forget_remains() -> None:
    state = observe(
        make_pin(T, "tone", "formal"), *[like(T + n * S) for n in range(5)], control(Kind.FORGET, T + 9 * S)
    )
    found = document(state)
    assert found["actions"] == [{"at_ms": T + 9 * S, "action": "forget"}]
    assert found["changes"] == []


def test_no_to_learning_ends_the_changes() -> None:
    """The user's own actions stay, as the pins do."""
    state = observe(make_pin(T, "tone", "formal"), *[like(T + n * S) for n in range(5)], control(Kind.DENY, T + 9 * S))
    found = document(state)
    assert [each["action"] for each in found["actions"]] == ["pin", "consent"]
    assert found["changes"] == []


def test_forget_of_a_facet_ends_its_entries() -> None:
    events = (make_pin(T, "tone", "formal"), make_pin(T + S, "length", "concise"), *[like(T + 2 * S)])
    found = document(observe(*events, control(Kind.FORGET, T + 9 * S, "length")))
    assert found["actions"] == [
        {"at_ms": T, "action": "pin", "facet": "tone", "value": "formal"},
        {"at_ms": T + 9 * S, "action": "forget", "facet": "length"},
    ]
    assert {each["facet"] for each in found["changes"]} == {"tone"}


def test_absence_ends_the_changes() -> None:
    state = observe(make_pin(T, "tone", "formal"), *[like(T + n * S) for n in range(5)])
    state.take_writes(USER, CATALOGUE)
    observe(make_observation(T + IDLE_MS + DAY_MS), state=state)
    found = document(state)
    assert (len(found["actions"]), found["changes"]) == (1, [])


def test_user_without_a_history_has_no_bytes_for_it() -> None:
    state = observe(*[make_observation(T + n * S) for n in range(5)])
    assert len(codec.pack(state)) == state.row.layout.size


# Stored bytes

FULL = codec.pack(observe(make_pin(T, "tone", "formal"), like(T + S), control(Kind.GRANT, T + 2 * S)))
SIZE = UserState(CATALOGUE).row.layout.size


@pytest.mark.parametrize(
    ("place", "byte"),
    [(HEAD.size - 1, 1), (HEAD.size + 4, 9), (HEAD.size + 5, 200), (HEAD.size + 6, 100), (HEAD.size + 7, 100)],
)
def test_damaged_history_is_rejected(place: int, byte: int) -> None:
    """Number of entries, kind, facet and values."""
    data = bytearray(FULL)
    data[SIZE + place] = byte
    with pytest.raises(StateError, match="damaged"):
        codec.unpack(bytes(data), CATALOGUE)


def test_more_than_twelve_of_a_kind_are_rejected() -> None:
    entries = FULL[SIZE + HEAD.size :][: ENTRY.size] * (MOST + 1)
    data = FULL[:SIZE] + HEAD.pack(1, 1, MOST + 1) + entries
    with pytest.raises(StateError, match="history is out of its bounds"):
        codec.unpack(data, CATALOGUE)


def test_row_of_the_layout_before_is_read() -> None:
    """It has no history."""
    state = observe(*[make_observation(T + n * S, turn=1 + n, topic="code") for n in range(5)])
    packed = codec.pack(state)
    assert codec.pack(codec.unpack(b"\6" + packed[1:], CATALOGUE)) == packed
    assert codec.newest_ms(b"\6" + packed[1:]) == state.newest_ms
    assert codec.parts_held(b"\6" + packed[1 : codec.HEAD_BYTES]) == "learned"
    with pytest.raises(StateError, match="bytes of history do not fit"):
        codec.unpack(b"\6" + FULL[1:SIZE], CATALOGUE)
