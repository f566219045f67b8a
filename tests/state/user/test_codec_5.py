"""state/user/codec_5: the packed states of layouts 3 to 5. The archives in tests/formats cover layouts 3 and 4, too."""

from contextlib import suppress
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.events.observation import Kind, Observation
from state.row.layout import MAX_SESSIONS, RECENT_CONTROLS
from state.user import codec, codec_5
from state.user.sessions import SESSION_GAP_MS
from state.user.user_state import UserState
from tests.support.factories import (
    CATALOGUE,
    FILMS,
    RULES,
    START_MS,
    USER,
    control_events,
    interactions,
    make_observation,
    make_pin,
)

EVENTS = st.lists(interactions() | control_events(), max_size=40)
STYLE = {name: facet.values[0] for name, facet in CATALOGUE.facets.items()}


def observe(events: list[Observation]) -> UserState:
    state = UserState(CATALOGUE)
    for o in events:
        state.observe(o, RULES)
    state.take_writes(USER, CATALOGUE)
    return state


def packed(
    state: UserState, controls: list[int] | None = None, sessions: list[tuple[int, int, int, int]] | None = None
) -> bytes:
    """Return a user as layout 5 packed it; that layout kept more control events and sessions than a row."""
    held, consent, events, turns = state.row.array[state.row.at], state.consent, state.events, state.turns
    controls = consent.controls if controls is None else controls
    sessions = state.windows.sessions.rows if sessions is None else sessions
    slots, facets, kinds = CATALOGUE.sizes if state.has_preferences else (0, 0, 0)
    since = [number for pair in zip(consent.states, consent.since_ms, strict=True) for number in pair]
    header = pack(
        "<BqIqqBqBqBqIBBBBHBBBBBHBBBI", 5, state.newest_ms, state.seq, consent.wiped_ms, consent.forgotten_ms, *since,
        held["profile_pane"], len(events.hashes), events.next, len(turns.hashes), turns.next, turns.disliked,
        len(controls), len(state.pins), len(consent.wiped), state.has_windows + 2 * state.has_preferences,
        len(sessions), slots, facets, kinds, held["feedback_count"], held["population"],
    )  # fmt: skip
    parts: list[bytes] = [header, held["events"][: len(events.hashes)].tobytes()]
    parts += [held[name][: len(turns.hashes)].tobytes() for name in ("turns", "turn_weights")]
    parts += [pack("<Q", control) for control in controls]
    parts += [pack("<Bhq", facet, *pin) for facet, pin in state.pins.items()]
    parts += [pack("<BqI", facet, *wipe) for facet, wipe in consent.wiped.items()]
    if state.has_windows:
        parts += [held[name].tobytes() for name in ("panes", "hours", "topic_ids", "topic_weights")]
        parts += [pack("<qqqq", *session) for session in sessions]
    if state.has_preferences:
        parts += [_beliefs(held), _log(held), _contexts(held)]
    return b"".join(parts)


def _beliefs(held: Any) -> bytes:
    names = (
        "means", "slopes", "bias", "variances", "slope_variances", "bias_variance", "emitted_slots", "emitted_tiers",
        "emitted_confidences", "emitted_evidence", "emitted_ms",
    )  # fmt: skip
    return b"".join(held[name].tobytes() for name in names)


def _log(held: Any) -> bytes:
    parts = [pack("<B??", held["piece_count"], held["has_sums"], held["uncounted"])]
    names = ("piece_s", "piece_codes", "piece_means", "piece_variances", "piece_facets", "piece_slots")
    parts += [held[name][n].tobytes() for n in range(held["piece_count"]) for name in names]
    parts.append(held["totals"].tobytes())
    if held["has_sums"]:
        parts += [held["sums"].tobytes(), held["days"].tobytes()]
    return b"".join(parts)


def _contexts(held: Any) -> bytes:
    names = ("mood", "mood_variance", "context_keys", "context_weights", "effects", "emitted_ranks")
    numbers = b"".join(held[name].tobytes() for name in names)
    return pack("<HHI", held["effects"].shape[1], held["terms_check"], held["mood_s"]) + numbers


def full_state() -> UserState:
    """Return a state with every part."""
    forget = make_observation(START_MS + 1, kind=Kind.FORGET, facets=["tone"], record_ms=START_MS + 1)
    pins = [make_pin(START_MS, name, value) for name, value in STYLE.items()]
    turns = [
        make_observation(
            START_MS + n * SESSION_GAP_MS // 4,
            turn=1 + n,
            topic=CATALOGUE.topics.values[n % len(CATALOGUE.topics.values)],
            served=STYLE,
            feedback="thumbs_up" if n % 3 else "thumbs_down",
        )
        for n in range(100)
    ]
    return observe([make_observation(START_MS - 1, kind=Kind.GRANT), *pins, forget, *turns])


FULL_STATE = full_state()
FULL = packed(FULL_STATE)


# From packed bytes to a row


def test_full_state_has_every_part() -> None:
    """So the tests below read all of the layout."""
    state = FULL_STATE
    assert state.has_windows
    assert state.has_preferences
    assert state.pins
    assert state.consent.wiped
    assert not state.model.log.is_complete
    assert any(state.model.contexts.keys)


@given(EVENTS)
def test_packed_state_becomes_the_row_of_its_user(events: list[Observation]) -> None:
    """Byte by byte the row of a user without a past in the old layout, but for the history, which it lacks."""
    state = observe(events)
    state.history.clear()
    assert codec.pack(codec.unpack(packed(state), CATALOGUE)) == codec.pack(state)


def test_full_packed_state_becomes_a_row() -> None:
    """And it replaces the row of the user before."""
    other, expected = full_state(), codec.unpack(codec.pack(FULL_STATE), CATALOGUE)
    codec.load(other, packed(observe([make_observation()])))
    codec.load(other, FULL)
    expected.history.clear()
    assert codec.pack(other) == codec.pack(expected)


@given(EVENTS, EVENTS)
def test_user_of_the_old_layout_continues_as_any_other(before: list[Observation], after: list[Observation]) -> None:
    """Outcomes, writes and rows are equal."""
    live = observe(before)
    live.history.clear()
    twin = codec.unpack(packed(live), CATALOGUE)
    assert [live.observe(o, RULES) for o in after] == [twin.observe(o, RULES) for o in after]
    assert live.take_writes(USER, CATALOGUE) == twin.take_writes(USER, CATALOGUE)
    assert codec.pack(live) == codec.pack(twin)


def test_last_control_events_and_sessions_are_kept() -> None:
    """Layout 5 had 64 and 49 of them; counts of sessions had 64 bits."""
    controls = list(range(100, 164))
    hours = [START_MS - 60 * 60_000 * (50 - n) for n in range(49)]
    sessions = [(at_ms, at_ms + 1, 70_000 + n, 66_000 if n % 2 else n) for n, at_ms in enumerate(hours)]
    state = codec.unpack(packed(FULL_STATE, controls, sessions), CATALOGUE)
    assert state.consent.controls == controls[-RECENT_CONTROLS:]
    limited = [(first, last, min(turns, 65_535), min(dislikes, 65_535)) for first, last, turns, dislikes in sessions]
    assert state.windows.sessions.rows == limited[-MAX_SESSIONS:]


def test_newest_time_and_parts_are_where_a_scan_finds_them() -> None:
    """A scan reads the first bytes alone."""
    assert codec.newest_ms(FULL) == codec_5.newest_ms(FULL) == FULL_STATE.newest_ms
    histories = {
        "tombstone": [make_observation(kind=Kind.DENY)],
        "pins": [make_pin(START_MS, "tone", "formal")],
        "learned": [make_observation()],
    }
    for expected, history in histories.items():
        assert codec.parts_held(packed(observe(history))[: codec.HEAD_BYTES]) == expected
    assert codec.parts_held(FULL[: codec_5.HEAD_BYTES - 1]) == "learned"


# Damage


@pytest.mark.parametrize(
    "data",
    [FULL, packed(UserState(CATALOGUE)), packed(observe([make_observation()]))],
    ids=["full", "new", "without preferences"],
)
def test_truncated_state_is_rejected_at_every_length(data: bytes) -> None:
    """Each prefix is rejected."""
    for end in range(1, len(data)):
        with pytest.raises(StateError, match="damaged"):
            codec.unpack(data[:end], CATALOGUE)


@pytest.mark.parametrize("extra", [b"\0", b"x" * 50])
def test_extended_state_is_rejected(extra: bytes) -> None:
    """Another writer made the longer bytes."""
    with pytest.raises(StateError, match=f"damaged: {len(FULL) + len(extra)} bytes where {len(FULL)} were expected"):
        codec.unpack(FULL + extra, CATALOGUE)


@pytest.mark.parametrize("version", codec_5.READABLE)
@given(st.binary(max_size=1_500))
def test_any_bytes_are_rejected_or_read(version: int, data: bytes) -> None:
    """The only exception is StateError."""
    with suppress(StateError):
        codec.unpack(bytes([version]) + data, CATALOGUE)


@given(st.data())
def test_state_with_other_bytes_is_rejected_or_read(data: st.DataObject) -> None:
    """Damage may keep all lengths; what is read can be stored as a row and loaded again."""
    changed = bytearray(FULL)
    for place in data.draw(st.lists(st.integers(1, len(FULL) - 1), min_size=1, max_size=4)):
        changed[place] = data.draw(st.integers(0, 255))
    with suppress(StateError):
        row = codec.pack(codec.unpack(bytes(changed), CATALOGUE))
        assert codec.pack(codec.unpack(row, CATALOGUE)) == row


def test_state_of_another_table_is_rejected() -> None:
    """The codec finds a catalogue with fewer numbers; the state folder finds all others."""
    with pytest.raises(StateError, match="16 values, 5 facets and 10 feedback kinds, the table of numbers 5, 2 and 2"):
        codec.unpack(FULL, NumberedCatalogue.parse(FILMS))


def test_pin_of_another_table_is_rejected() -> None:
    """A state with only a pin is checked, too."""
    data = packed(observe([make_pin(START_MS, "tone", "formal")]))
    with pytest.raises(StateError, match=r"0 feedback kinds, .* restore the whole state folder"):
        codec.unpack(data, NumberedCatalogue.parse(FILMS))
