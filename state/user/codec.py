"""Packing of a user's state: `UserState` ↔ versioned bytes, without pickle.

    byte 0      layout version
    bytes 1–8   newest event time, for scans that do not unpack the rest
    then        the rest of the header, event ids, turns, pins, windows, preferences, emitted decisions

Numbers are little-endian. The header implies all lengths; bytes of any other length are rejected. The table of numbers
only grows (state.catalogue.vocabulary), so bytes packed under a shorter table are unpacked with room for the rest.
"""

import struct
from array import array
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, Literal

from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.learning import feedback_log_4
from state.learning.context_effects import ROWS, ContextEffects
from state.learning.feedback_log import FeedbackLog, row_size
from state.learning.mood import Mood
from state.learning.preferences import Preferences
from state.user.consent import DENIED, GRANTED, UNASKED
from state.user.emitted import Emitted
from state.user.pins import PinnedAt
from state.user.sessions import SESSION_ROW, Sessions
from state.user.user_state import UserState
from state.user.windows import MAX_TOPICS_KEPT, PANES, Windows

VERSION = 5
"""Layout version. Every change of the layout raises the version, a new window in `tacit.contract.activity` included."""

_READABLE = (3, 4, VERSION)

_HEADER = Struct("<BqIqqBqBqBqIBBBBHBBBBBHBBBI")
HEAD_BYTES = _HEADER.size
"""Size of the header, which lists the parts behind it."""
_NEWEST = Struct("<q")
_PIN = Struct("<Bhq")
_WIPE = Struct("<BqI")
_WINDOWS = Struct(f"<{2 * PANES}s96s{2 * MAX_TOPICS_KEPT}s{4 * MAX_TOPICS_KEPT}s")
_LOG = Struct("<B??")
_CONTEXTS = Struct("<HHI")
_HEADER_3 = Struct("<BqIqqBqIBBBBHBBBHBBBI")
_PIN_3 = Struct("<Bhq?")
_GRANTED_3, _DENIED_3 = 1, 2
_HAS_WINDOWS = 1
_HAS_PREFERENCES = 2


def pack(state: UserState) -> bytes:
    """Return a user's state as bytes, without the waiting writes (`take_writes` comes first)."""
    consent, events, turns, outbox = state.consent, state.events, state.turns, state.outbox
    windows, preferences, emitted = state.windows, state.preferences, outbox.emitted
    parts: list[Any] = [b"", events.hashes, turns.hashes, turns.learned]
    flags = sessions = slots = facets = kinds = feedback_count = population = 0
    if consent.controls:
        parts.append(consent.controls)
    if state.pins:
        parts += [_PIN.pack(facet, *pin) for facet, pin in state.pins.items()]
    if consent.wiped:
        parts += [_WIPE.pack(facet, *wipe) for facet, wipe in consent.wiped.items()]
    if windows is not None:
        flags, rows = _HAS_WINDOWS, windows.sessions.rows
        sessions = len(rows) // SESSION_ROW
        parts += (windows.panes, windows.hours, windows.topic_ids, windows.topic_weights, rows)
    if preferences is not None and emitted is not None:
        flags |= _HAS_PREFERENCES
        feedback_count, population = preferences.feedback_count, preferences.population
        slots, facets, kinds = preferences.catalogue.sizes
        parts += (
            preferences.means, preferences.variances,
            emitted.slot, emitted.tier, emitted.confidence, emitted.evidence, emitted.at_ms,
            *_packed_log(preferences.log), *_packed_contexts(preferences), emitted.contexts,
        )  # fmt: skip
    parts[0] = _HEADER.pack(
        VERSION, state.newest_ms, state.seq, consent.wiped_ms, consent.forgotten_ms,
        consent.states[0], consent.since_ms[0], consent.states[1], consent.since_ms[1],
        consent.states[2], consent.since_ms[2],
        outbox.profile_pane, len(events.hashes), events.next,
        len(turns.hashes), turns.next, turns.disliked, len(consent.controls), len(state.pins), len(consent.wiped),
        flags, sessions, slots, facets, kinds, feedback_count, population,
    )  # fmt: skip
    return b"".join(parts)


def _packed_log(log: FeedbackLog) -> Sequence[Any]:
    rows = len(log.rows) // row_size(log.slots, log.facets)
    return _LOG.pack(rows, bool(log.sums), log.uncounted), log.rows, log.totals, log.sums, log.days


def _packed_contexts(own: Preferences) -> Sequence[Any]:
    contexts, mood, catalogue = own.contexts, own.mood, own.catalogue
    head = _CONTEXTS.pack(contexts.terms, catalogue.terms_check(len(catalogue.slots)), mood.at_s)
    return head, mood.belief, contexts.keys, contexts.weights, contexts.effects


def newest_ms(data: bytes) -> int:
    """Return the newest event time of packed bytes, without unpacking the rest.

    Raises:
        StateError: as `unpack`, if the bytes are of another version or too few.
    """
    _check_version(data)
    try:
        (found,) = _NEWEST.unpack_from(data, 1)
    except struct.error as error:
        raise _damaged(error) from error
    return int(found)


def parts_held(data: bytes) -> Literal["tombstone", "pins", "learned"]:
    """Return the most that packed bytes hold, of which the first `HEAD_BYTES` are enough.

    A tombstone has consent and wipes alone. Bytes of another version count as learned.
    """
    if len(data) < _HEADER.size or data[0] not in _READABLE:
        return "learned"
    if data[0] > 3:
        *_, turns, _, _, _, pins, _, flags, _, _, _, _, _, _ = _HEADER.unpack_from(data)
    else:
        *_, turns, _, _, pins, flags, _, _, _, _, _, _ = _HEADER_3.unpack_from(data)
    if flags or turns:
        return "learned"
    return "pins" if pins else "tombstone"


def unpack(data: bytes, catalogue: NumberedCatalogue) -> UserState:
    """Return the state that `pack` packed under the catalogue's table of numbers, or under an earlier, shorter table.

    Raises:
        StateError: if the bytes are of another version, packed under another table, or damaged.
    """
    _check_version(data)
    try:
        return _unpack(data, catalogue)
    except (ValueError, struct.error) as error:
        raise _damaged(error) from error


def _check_version(data: bytes) -> None:
    if not data or data[0] not in _READABLE:
        raise StateError(
            f"a user's state has layout {data[0] if data else 'none'}; this version reads {VERSION}: "
            "use the version that wrote it, or replay history into a new state folder"
        )


def _damaged(error: Exception) -> StateError:
    return StateError(f"a user's state is damaged: {error}; restore the state folder from a backup")


def _unpack(data: bytes, catalogue: NumberedCatalogue) -> UserState:
    state = UserState()
    consent, events, turns, outbox = state.consent, state.events, state.turns, state.outbox
    header, position = _unpack_header(data)
    (_, state.newest_ms, state.seq, consent.wiped_ms, consent.forgotten_ms,
     consent.states[0], consent.since_ms[0], consent.states[1], consent.since_ms[1],
     consent.states[2], consent.since_ms[2],
     outbox.profile_pane, event_count, events.next,
     turn_count, turns.next, turns.disliked, controls, pins, wipes,
     flags, sessions, slots, facets, kinds, feedback_count, population) = header  # fmt: skip
    rings = _ring_sizes(event_count, turn_count)
    event_hashes, turn_hashes, learned = rings.unpack_from(data, position)
    events.hashes, turns.hashes, turns.learned = array("I", event_hashes), array("I", turn_hashes), array("f", learned)
    position += rings.size
    if controls:
        start, position = position, position + 8 * controls
        consent.controls = array("Q", data[start:position])
    if pins:
        layout = _PIN if data[0] > 3 else _PIN_3
        start, position = position, position + pins * layout.size
        for facet, slot, at_ms, *_ in layout.iter_unpack(data[start:position]):
            state.pins[facet] = PinnedAt(slot, at_ms)
    if wipes:
        start, position = position, position + wipes * _WIPE.size
        for facet, at_ms, seq in _WIPE.iter_unpack(data[start:position]):
            consent.wiped[facet] = (at_ms, seq)
    counts = (slots, facets, kinds)
    _check_counts(state, counts, catalogue)
    if flags & _HAS_WINDOWS:
        state.windows, position = _unpack_windows(data, position, sessions, catalogue.sensitive_topics)
    if flags & _HAS_PREFERENCES:
        sizes = _belief_sizes(data[0], *counts)
        arrays = sizes.unpack_from(data, position)
        log, position = _unpack_log(data, position + sizes.size, slots, facets, catalogue.slot_facets)
        mood, contexts, values, position = _unpack_contexts(data, position, slots, facets, catalogue)
        state.preferences, outbox.emitted = _unpack_beliefs(arrays, log, mood, contexts, values, counts, catalogue)
        state.preferences.feedback_count, state.preferences.population = feedback_count, population
    if position != len(data):
        raise ValueError(f"{len(data)} bytes where {position} were expected")
    if data[0] == 3 and state.pins:
        state.note_gate(catalogue)  # pins were signals; the gate takes them with the user's next event
    return state


def _unpack_header(data: bytes) -> tuple[Sequence[Any], int]:
    """Return the header and its size in bytes; that of layout 3 with one consent for all scopes, and no controls."""
    if data[0] > 3:
        return _HEADER.unpack_from(data), _HEADER.size
    (version, newest, seq, wiped_ms, forgotten_ms, choice, at_ms, *rings, pins, flags,
     sessions, slots, facets, kinds, feedback_count, population) = _HEADER_3.unpack_from(data)  # fmt: skip
    is_granted = choice == _GRANTED_3 and at_ms > forgotten_ms
    consent = (DENIED if choice == _DENIED_3 else GRANTED if is_granted else UNASKED, max(at_ms, forgotten_ms))
    header = (
        version, newest, seq, wiped_ms, forgotten_ms, *(3 * consent), *rings, 0, pins, 0,
        flags, sessions, slots, facets, kinds, feedback_count, population,
    )  # fmt: skip
    return header, _HEADER_3.size


@lru_cache(maxsize=2048)
def _ring_sizes(events: int, turns: int) -> Struct:
    return Struct(f"<{4 * events}s{4 * turns}s{4 * turns}s")


@lru_cache(maxsize=256)
def _belief_sizes(version: int, slots: int, facets: int, kinds: int) -> Struct:
    beliefs, emitted = 4 * (slots + facets + 1), f"{2 * facets}s{facets}s{4 * facets}s"
    if version < 5:  # with evidence, detectors of changed tastes and reasons, all by facet
        return Struct(f"<{beliefs}s{beliefs}s{(13 + kinds) * facets}x{emitted}0s{8 * facets}s")
    return Struct(f"<{beliefs}s{beliefs}s{emitted}{4 * facets}s{8 * facets}s")


def _check_counts(state: UserState, counts: Sequence[int], catalogue: NumberedCatalogue) -> None:
    """Reject numbers beyond the table, which only grows: such bytes were packed under another table."""
    slots, facets, kinds = counts
    for facet, pin in state.pins.items():
        slots, facets = max(slots, pin.slot + 1), max(facets, facet + 1)
    sizes = catalogue.sizes
    if slots > sizes[0] or facets > sizes[1] or kinds > sizes[2]:
        raise StateError(
            f"a user's state counts {slots} values, {facets} facets and {kinds} feedback kinds, the table of numbers "
            f"{sizes[0]}, {sizes[1]} and {sizes[2]}: it belongs to another table; restore the whole state folder from "
            "a backup"
        )


def _unpack_windows(data: bytes, position: int, sessions: int, sensitive: frozenset[int]) -> tuple[Windows, int]:
    windows = Windows.__new__(Windows)
    panes, hours, topic_ids, topic_weights = _WINDOWS.unpack_from(data, position)
    windows.panes, windows.hours = array("H", panes), array("f", hours)
    windows.topic_ids, windows.topic_weights = array("H", topic_ids), array("f", topic_weights)
    windows.drop(sensitive)
    start = position + _WINDOWS.size
    end = start + 8 * SESSION_ROW * sessions
    windows.sessions = Sessions()
    windows.sessions.rows = array("q", data[start:end])
    return windows, end


def _unpack_log(
    data: bytes, position: int, slots: int, facets: int, facet_of: Sequence[int]
) -> tuple[FeedbackLog, int]:
    log = FeedbackLog(slots, facets)
    if data[0] == 3:  # layout 3 has no log
        log.uncounted = True
        return log, position
    rows, has_sums, log.uncounted = _LOG.unpack_from(data, position)
    start = position + _LOG.size
    end = start + rows * (row_size(slots, facets) + (0 if data[0] > 4 else feedback_log_4.flags_size(facets)))
    log.rows = data[start:end]
    if data[0] > 4:
        start, end = end, end + 4 * slots
        log.totals = array("H", data[start:end])
    if has_sums:
        start, end = end, end + 4 * slots
        log.sums = array("H", data[start:end])
        start, end = end, end + 4 * slots
        log.days = array("H", data[start:end])
    if data[0] == 4:
        feedback_log_4.upgrade(log, facet_of)
    return log, end


def _unpack_contexts(
    data: bytes, position: int, slots: int, facets: int, catalogue: NumberedCatalogue
) -> tuple[Mood, ContextEffects, "array[int]", int]:
    """Return mood, effects of contexts, emitted values in contexts, and the end; layouts below 5 have none."""
    mood, contexts = Mood(), ContextEffects(catalogue.terms_of(slots))
    emitted = array("B", bytes(ROWS * facets))
    if data[0] != VERSION:
        return mood, contexts, emitted, position
    terms, check, mood.at_s = _CONTEXTS.unpack_from(data, position)
    sizes = Struct(f"<8s{4 * ROWS}s{4 * ROWS}s{2 * ROWS * terms}s{ROWS * facets}s")
    belief, keys, weights, effects, values = sizes.unpack_from(data, position + _CONTEXTS.size)
    mood.belief = array("f", belief)
    if check == catalogue.terms_check(slots):  # else a facet became ordered, or left: effects start again
        contexts.keys, contexts.weights = array("I", keys), array("f", weights)
        contexts.effects, emitted = array("h", effects), array("B", values)
    return mood, contexts, emitted, position + _CONTEXTS.size + sizes.size


def _unpack_beliefs(
    arrays: Sequence[bytes],
    log: FeedbackLog,
    mood: Mood,
    contexts: ContextEffects,
    values: "array[int]",
    counts: Sequence[int],
    catalogue: NumberedCatalogue,
) -> tuple[Preferences, Emitted]:
    preferences, emitted = Preferences.__new__(Preferences), Emitted.__new__(Emitted)
    (means, variances, slot, tier, confidence, evidence, at_ms) = arrays
    preferences.catalogue, preferences.log = catalogue, log
    preferences.mood, preferences.contexts, emitted.contexts = mood, contexts, values
    preferences.means, preferences.variances = array("f", means), array("f", variances)
    emitted.slot, emitted.tier = array("h", slot), array("B", tier)
    emitted.confidence, emitted.at_ms = array("f", confidence), array("q", at_ms)
    emitted.evidence = array("H", evidence or bytes(4 * counts[1]))
    if tuple(counts) != catalogue.sizes:
        preferences.grow(slots=counts[0], facets=counts[1])
        emitted.grow(len(catalogue.facet_names))
    emitted.end(contexts.drop(catalogue.sensitive_keys))
    if catalogue.idle_slots:
        emitted.expire(catalogue.idle_slots)
    emitted.oldest_ms = min([at_ms for at_ms in emitted.at_ms if at_ms], default=0)
    return preferences, emitted
