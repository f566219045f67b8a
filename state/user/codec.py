"""UserState ↔ versioned bytes. Nothing is pickled: every part has its place, and the first byte says which layout.

    byte 0      layout version
    bytes 1–8   newest event time, where a scan can read it without unpacking
    then        the rest of the header, event ids, turns, pins, windows, preferences, what was sent

Numbers are little-endian. Lengths follow from the header, so bytes of any other length are refused. The table of
numbers only ever grows (state.catalogue.vocabulary): what was packed when it was shorter is unpacked with room for the rest.
"""

import struct
from array import array
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.learning.preferences import Preferences
from state.user.sent import Sent
from state.user.sessions import SESSION_ROW, Sessions
from state.user.user_state import PinnedAt, UserState
from state.user.windows import Windows

VERSION = 3

_HEADER = Struct("<BqIqqBqIBBBBHBBBHBBBI")
_NEWEST = Struct("<q")
_PIN = Struct("<Bhq?")
_WINDOWS = Struct("<86s96s16s32s")
_HAS_WINDOWS = 1
_HAS_PREFERENCES = 2


def pack(state: UserState) -> bytes:
    """Return a person's state as bytes. What waits to be written is not part of it: take it first."""
    events, turns, news = state.events, state.turns, state.news
    windows, preferences, sent = state.windows, state.preferences, news.sent
    parts: list[Any] = [b"", events.hashes, turns.hashes, turns.learned]
    flags = sessions = slots = facets = kinds = feedback_count = population = 0
    if state.pins:
        parts += [_PIN.pack(facet, *pin) for facet, pin in state.pins.items()]
    if windows is not None:
        flags, rows = _HAS_WINDOWS, windows.sessions.rows
        sessions = len(rows) // SESSION_ROW
        parts += (windows.panes, windows.hours, windows.topic_ids, windows.topic_weights, rows)
    if preferences is not None and sent is not None:
        flags |= _HAS_PREFERENCES
        facets, feedback_count, population = (
            len(preferences.evidence),
            preferences.feedback_count,
            preferences.population,
        )
        slots = len(preferences.means) - facets - 1
        kinds = len(preferences.reasons) // facets
        parts += (
            preferences.means, preferences.variances, preferences.evidence, preferences.drift_sums,
            preferences.drift_at_s, preferences.fresh, preferences.reasons,
            sent.slot, sent.tier, sent.confidence, sent.at_ms,
        )  # fmt: skip
    parts[0] = _HEADER.pack(
        VERSION, state.newest_ms, state.seq, state.wiped_ms, state.forgotten_ms, state.consent,
        state.consent_at_ms, news.profile_pane, len(events.hashes), events.next,
        len(turns.hashes), turns.next, turns.disliked, len(state.pins), flags, sessions, slots, facets, kinds,
        feedback_count, population,
    )  # fmt: skip
    return b"".join(parts)


def newest_ms(data: bytes) -> int:
    """Return the newest event time of a packed person, without unpacking the rest.

    Raises:
        StateError: as `unpack`, if the bytes are of another version or too few.
    """
    _check_version(data)
    try:
        (found,) = _NEWEST.unpack_from(data, 1)
    except struct.error as error:
        raise _damaged(error) from error
    return int(found)


def unpack(data: bytes, catalogue: NumberedCatalogue) -> UserState:
    """Return what `pack` packed under the catalogue's table of numbers, or when that was shorter.

    Raises:
        StateError: if the bytes are of another version, of a table that is not this one, or damaged.
    """
    _check_version(data)
    try:
        return _unpack(data, catalogue)
    except (ValueError, struct.error) as error:
        raise _damaged(error) from error


def _check_version(data: bytes) -> None:
    if not data or data[0] != VERSION:
        raise StateError(
            f"a person's state has layout {data[0] if data else 'none'}; this version reads {VERSION}: "
            "use the version that wrote it, or replay history into a new state folder"
        )


def _damaged(error: Exception) -> StateError:
    return StateError(f"a person's state is damaged: {error}; restore the state folder from a backup")


def _unpack(data: bytes, catalogue: NumberedCatalogue) -> UserState:
    state = UserState()
    events, turns, news = state.events, state.turns, state.news
    (_, state.newest_ms, state.seq, state.wiped_ms, state.forgotten_ms, state.consent,
     state.consent_at_ms, news.profile_pane, event_count, events.next,
     turn_count, turns.next, turns.disliked, pins, flags, sessions, slots, facets, kinds,
     feedback_count, population) = _HEADER.unpack_from(data)  # fmt: skip
    rings = _ring_sizes(event_count, turn_count)
    event_hashes, turn_hashes, learned = rings.unpack_from(data, _HEADER.size)
    events.hashes, turns.hashes, turns.learned = array("I", event_hashes), array("I", turn_hashes), array("f", learned)
    position = _HEADER.size + rings.size
    if pins:
        start, position = position, position + pins * _PIN.size
        for facet, slot, at_ms, in_force in _PIN.iter_unpack(data[start:position]):
            state.pins[facet] = PinnedAt(slot, at_ms, in_force)
    counts = (slots, facets, kinds)
    _check_counts(state, counts, catalogue)
    if flags & _HAS_WINDOWS:
        state.windows, position = _unpack_windows(data, position, sessions)
    if flags & _HAS_PREFERENCES:
        sizes = _belief_sizes(*counts)
        state.preferences, news.sent = _unpack_beliefs(sizes.unpack_from(data, position), counts, catalogue)
        state.preferences.feedback_count, state.preferences.population = feedback_count, population
        position += sizes.size
    if position != len(data):
        raise ValueError(f"{len(data)} bytes where {position} were expected")
    return state


@lru_cache(maxsize=2048)
def _ring_sizes(events: int, turns: int) -> Struct:
    return Struct(f"<{4 * events}s{4 * turns}s{4 * turns}s")


@lru_cache(maxsize=256)
def _belief_sizes(slots: int, facets: int, kinds: int) -> Struct:
    beliefs, by_facet, reasons = 4 * (slots + facets + 1), f"{4 * facets}s", facets * kinds
    return Struct(
        f"<{beliefs}s{beliefs}s{by_facet}{by_facet}{by_facet}{facets}s{reasons}s"
        f"{2 * facets}s{facets}s{by_facet}{8 * facets}s"
    )


def _check_counts(state: UserState, counts: Sequence[int], catalogue: NumberedCatalogue) -> None:
    """Refuse numbers beyond the table, which grows only: such bytes were packed by another."""
    slots, facets, kinds = counts
    for facet, pin in state.pins.items():
        slots, facets = max(slots, pin.slot + 1), max(facets, facet + 1)
    most = catalogue.sizes
    if slots > most[0] or facets > most[1] or kinds > most[2]:
        raise StateError(
            f"a person's state counts {slots} values, {facets} facets and {kinds} feedback kinds, the table of numbers "
            f"{most[0]}, {most[1]} and {most[2]}: it belongs to another table; restore the whole state folder from a "
            "backup"
        )


def _unpack_windows(data: bytes, position: int, sessions: int) -> tuple[Windows, int]:
    windows = Windows.__new__(Windows)
    panes, hours, topic_ids, topic_weights = _WINDOWS.unpack_from(data, position)
    windows.panes, windows.hours = array("H", panes), array("f", hours)
    windows.topic_ids, windows.topic_weights = array("H", topic_ids), array("f", topic_weights)
    start = position + _WINDOWS.size
    end = start + 8 * SESSION_ROW * sessions
    windows.sessions = Sessions()
    windows.sessions.rows = array("q", data[start:end])
    return windows, end


def _unpack_beliefs(
    arrays: Sequence[bytes], counts: Sequence[int], catalogue: NumberedCatalogue
) -> tuple[Preferences, Sent]:
    preferences, sent = Preferences.__new__(Preferences), Sent.__new__(Sent)
    (means, variances, evidence, drift_sums, drift_at_s, fresh, reasons, slot, tier, confidence, at_ms) = arrays
    preferences.catalogue = catalogue
    preferences.means, preferences.variances = array("f", means), array("f", variances)
    preferences.evidence, preferences.drift_sums = array("f", evidence), array("f", drift_sums)
    preferences.drift_at_s, preferences.fresh = array("I", drift_at_s), array("B", fresh)
    preferences.reasons = array("B", reasons)
    sent.slot, sent.tier = array("h", slot), array("B", tier)
    sent.confidence, sent.at_ms = array("f", confidence), array("q", at_ms)
    if tuple(counts) != catalogue.sizes:
        preferences.grow(slots=counts[0], facets=counts[1])
        sent.grow(len(catalogue.facet_names))
    if catalogue.idle_slots:
        sent.outdate(catalogue.idle_slots)
    sent.oldest_ms = min([said_ms for said_ms in sent.at_ms if said_ms], default=0)
    return preferences, sent
