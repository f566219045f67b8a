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
from state.user import codec
from state.user.recent_events import RECENT_EVENTS
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
    state = state or UserState()
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


def test_new_user_is_small() -> None:
    """Windows and preferences take no bytes before their first use."""
    assert len(codec.pack(UserState())) < 100


def test_full_state_stays_under_its_bound() -> None:
    """The bound is 1.4 KB with the shipped catalogue."""
    state = full_state()
    assert len(codec.pack(state)) == len(FULL) <= 1600
    for n in range(300):
        state.observe(make_observation(START_MS + n * 10**8, turn=n, served=ALL_FACETS, feedback="longer"), RULES)
    assert len(codec.pack(state)) == len(FULL)


def test_newest_time_is_where_a_scan_finds_it() -> None:
    """A scan reads the eight bytes after the version, and unpacks nothing else."""
    state = full_state()
    assert FULL[0] == codec.VERSION
    assert unpack_from("<q", FULL, 1) == (state.newest_ms,) == (codec.newest_ms(FULL),)
    for packed in (b"", b"\1" + FULL[1:], FULL[:8]):
        with pytest.raises(StateError):
            codec.newest_ms(packed)


@pytest.mark.parametrize("version", [0, codec.VERSION + 1, 255])
def test_other_layout_is_rejected(version: int) -> None:
    """Its bytes would be misread."""
    with pytest.raises(StateError, match=f"layout {version}; this version reads {codec.VERSION}"):
        codec.unpack(bytes([version]) + FULL[1:], CATALOGUE)


@pytest.mark.parametrize(
    "packed",
    [FULL, codec.pack(UserState()), codec.pack(observe([make_observation()]))],
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
    with pytest.raises(StateError, match=f"damaged: {len(FULL) + len(extra)} bytes where {len(FULL)} were expected"):
        codec.unpack(FULL + extra, CATALOGUE)


def test_state_of_another_catalogue_is_rejected() -> None:
    """The codec finds a catalogue with fewer numbers; the state folder finds all others."""
    with pytest.raises(StateError, match="16 values, 5 facets and 10 feedback kinds, the table of numbers 5, 2 and 2"):
        codec.unpack(FULL, NumberedCatalogue.parse(FILMS))


@given(st.binary(max_size=1500))
def test_any_bytes_are_rejected_or_read(data: bytes) -> None:
    """The only exception is StateError."""
    with suppress(StateError):
        codec.unpack(bytes([codec.VERSION]) + data, CATALOGUE)


@given(EVENTS)
def test_parts_held_follow_from_the_head(events: list[Observation]) -> None:
    """A byte search has the first bytes of a deleted state alone."""
    state = observe(events)
    is_learned = state.windows is not None or state.preferences is not None or len(state.turns.hashes) > 0
    expected = "learned" if is_learned else "pins" if state.pins else "tombstone"
    assert codec.parts_held(codec.pack(state)[: codec.HEAD_BYTES]) == expected


def test_layout_is_pinned() -> None:
    """A change of the layout needs a new version: stored states have this one."""
    state = observe([make_pin(START_MS, "tone", "formal", event=1), make_observation(START_MS + 1, event=2, turn=3)])
    assert blake2b(codec.pack(state), digest_size=8).hexdigest() == "cd7a23cce9d97f70"


def test_rules_do_not_change_what_is_packed() -> None:
    """Rules hold for all users and are not stored."""
    events = [make_observation(START_MS + n, event=n + 1, served=ALL_FACETS, feedback="thumbs_up") for n in range(5)]
    other = UserState()
    for o in events:
        other.observe(o, Rules(CATALOGUE, ttl_ms=None))
    assert codec.pack(other) == codec.pack(observe(events))
