"""state/user/codec."""

from contextlib import suppress
from hashlib import blake2b
from struct import unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.events.observation import Kind, Observation
from state.row.layout import RECENT_EVENTS, VERSION, layout_of, sizes_of
from state.user import codec
from state.user.history import ENTRY, HEAD, MOST
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.windows import MINUTE_MS
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
ALL_FACETS = {name: facet.values[0] for name, facet in CATALOGUE.facets.items()}


def observe(events: list[Observation], state: UserState | None = None) -> UserState:
    state = state or UserState(CATALOGUE)
    for o in events:
        state.observe(o, RULES)
    return state


def full_state() -> UserState:
    """Return a state with every part."""
    pins = [make_pin(START_MS, name, facet.values[0]) for name, facet in CATALOGUE.facets.items()]
    turns = [
        make_observation(
            START_MS + n * MINUTE_MS,
            turn=1 + n,
            topic=CATALOGUE.topics.values[n % len(CATALOGUE.topics.values)],
            served=ALL_FACETS,
            feedback="thumbs_up" if n % 3 else "thumbs_down",
        )
        for n in range(2 * RECENT_EVENTS)
    ]
    return observe([make_observation(START_MS - 1, kind=Kind.GRANT), *pins, *turns])


FULL = codec.pack(full_state())


@given(EVENTS)
def test_unpacked_state_packs_to_the_same_bytes(events: list[Observation]) -> None:
    """The state results from any events of a user."""
    packed = codec.pack(observe(events))
    assert codec.pack(codec.unpack(packed, CATALOGUE)) == packed


@given(EVENTS, EVENTS)
def test_unpacked_state_continues_like_the_live_one(before: list[Observation], after: list[Observation]) -> None:
    """Outcomes, writes and final bytes are equal: a live state holds nothing that is not packed."""
    live = observe(before)
    live.take_writes(USER, CATALOGUE)
    twin = codec.unpack(codec.pack(live), CATALOGUE)
    assert [live.observe(o, RULES) for o in after] == [twin.observe(o, RULES) for o in after]
    assert live.take_writes(USER, CATALOGUE) == twin.take_writes(USER, CATALOGUE)
    assert codec.pack(live) == codec.pack(twin)


def test_packing_changes_nothing() -> None:
    """A state may be packed at any time."""
    state = full_state()
    assert codec.pack(state) == codec.pack(state)


def test_stored_bytes_are_the_row() -> None:
    """Nothing is converted: a row and its history are stored as they are, and loaded into a table."""
    state, other = full_state(), UserState(CATALOGUE)
    assert codec.pack(state) == state.row.read() + state.row.tails[0]
    codec.load(other, FULL)
    assert other.row.read() + other.row.tails[0] == FULL
    assert codec.pack(UserState(CATALOGUE)) == layout_of(sizes_of(CATALOGUE)).blank


@given(EVENTS, EVENTS)
def test_loaded_row_leaves_no_trace_of_the_one_before(before: list[Observation], after: list[Observation]) -> None:
    """A place of a table is used by many users in turn; loaded rows of all layouts overwrite it."""
    state, packed = observe(before), codec.pack(observe(after))
    codec.load(state, packed)
    assert codec.pack(state) == packed


def test_all_users_have_rows_of_one_size() -> None:
    """The size is 1,848 bytes with the tests' catalogue, for new users and full ones; a history adds at most 201."""
    state = full_state()
    assert len(codec.pack(UserState(CATALOGUE))) == state.row.layout.size == 1_848
    for n in range(300):
        state.observe(make_observation(START_MS + n * 10**8, turn=n, served=ALL_FACETS, feedback="longer"), RULES)
    assert 1_848 + HEAD.size < len(codec.pack(state)) <= 1_848 + HEAD.size + 2 * MOST * ENTRY.size == 2_049


@given(EVENTS, st.sampled_from([Kind.DENY, Kind.FORGET]))
def test_ended_state_has_the_bytes_of_a_user_who_never_learned(events: list[Observation], kind: Kind) -> None:
    """Equal meaning has equal bytes: what is dropped becomes 0."""
    end = make_observation(START_MS + 400 * 24 * 60 * MINUTE_MS, kind=kind, record_ms=START_MS)
    state = observe([*events, end])
    held, blank = state.row.array[0], UserState(CATALOGUE).row.array[0]
    kept = {"parts", "newest_ms", "seq", "wiped_ms", "forgotten_ms"}
    kept_too = ("consent_", "controls", "control_count", "pin_", "facet_wiped")
    for name in held.dtype.names:
        if name not in kept and not name.startswith(kept_too):
            assert (held[name] == blank[name]).all(), name


def test_newest_time_is_where_a_scan_finds_it() -> None:
    """A scan reads the header, and loads nothing."""
    state = full_state()
    assert FULL[0] == VERSION
    assert unpack_from("<q", FULL, 8) == (state.newest_ms,) == (codec.newest_ms(FULL),)
    for packed in (b"", b"\1" + FULL[1:], FULL[:8]):
        with pytest.raises(StateError):
            codec.newest_ms(packed)


@pytest.mark.parametrize("version", [0, VERSION + 1, 255])
def test_other_layout_is_rejected(version: int) -> None:
    """Its bytes would be misread."""
    with pytest.raises(StateError, match=f"layout {version}; this version reads {VERSION}"):
        codec.unpack(bytes([version]) + FULL[1:], CATALOGUE)


@pytest.mark.parametrize(
    "packed",
    [FULL, codec.pack(UserState(CATALOGUE)), codec.pack(observe([make_observation()]))],
    ids=["full", "new", "without preferences"],
)
def test_truncated_state_is_rejected_at_every_length(packed: bytes) -> None:
    """Each prefix is rejected."""
    for end in range(len(packed)):
        with pytest.raises(StateError, match="layout none" if end == 0 else "damaged"):
            codec.unpack(packed[:end], CATALOGUE)


@pytest.mark.parametrize("extra", [b"\0", b"x" * 50])
def test_extended_state_is_rejected(extra: bytes) -> None:
    """Another writer made the longer bytes."""
    new = codec.pack(UserState(CATALOGUE))
    with pytest.raises(StateError, match=f"damaged: {len(new) + len(extra)} bytes where {len(new)} were expected"):
        codec.unpack(new + extra, CATALOGUE)
    held = len(FULL) - len(new) + len(extra)
    with pytest.raises(StateError, match=rf"damaged: {held} bytes of history where \d+ entries were expected"):
        codec.unpack(FULL + extra, CATALOGUE)


def test_state_of_another_catalogue_is_rejected() -> None:
    """The codec finds a catalogue with fewer numbers; the state folder finds all others."""
    with pytest.raises(StateError, match="16 values and 5 facets, the table of numbers 5 and 2"):
        codec.unpack(FULL, NumberedCatalogue.parse(FILMS))


@given(st.binary(max_size=2_500))
def test_any_bytes_are_rejected_or_read(data: bytes) -> None:
    """The only exception is StateError."""
    with suppress(StateError):
        codec.unpack(bytes([VERSION]) + data, CATALOGUE)


@given(st.binary(min_size=len(FULL) - 8, max_size=len(FULL) - 8))
def test_any_row_of_the_right_size_is_rejected_or_read(data: bytes) -> None:
    """Damage that keeps the counts of the header is found by the bounds of the numbers."""
    with suppress(StateError):
        codec.unpack(FULL[:8] + data, CATALOGUE)


@given(EVENTS)
def test_parts_held_follow_from_the_head(events: list[Observation]) -> None:
    """A byte search has the first bytes of a deleted state alone."""
    state = observe(events)
    is_learned = state.has_windows or state.has_preferences
    expected = "learned" if is_learned else "pins" if state.pins else "tombstone"
    assert codec.parts_held(codec.pack(state)[: codec.HEAD_BYTES]) == expected


def test_layout_is_pinned() -> None:
    """A change of the layout needs a new version: stored states have this one."""
    state = observe([make_pin(START_MS, "tone", "formal", event=1), make_observation(START_MS + 1, event=2, turn=3)])
    assert blake2b(codec.pack(state), digest_size=8).hexdigest() == "cf3f2f1a06f3de31"


def test_rules_do_not_change_what_is_packed() -> None:
    """Rules hold for all users and are not stored."""
    events = [make_observation(START_MS + n, event=n + 1, served=ALL_FACETS, feedback="thumbs_up") for n in range(5)]
    other = UserState(CATALOGUE)
    for o in events:
        other.observe(o, Rules(CATALOGUE, ttl_ms=None))
    assert codec.pack(other) == codec.pack(observe(events))
