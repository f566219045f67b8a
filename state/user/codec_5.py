"""Reading of the packed states of layouts 3 to 5, which had a length of their own for each user.

    byte 0      layout version
    bytes 1–8   newest event time
    then        the rest of the header, event ids, turns, pins, windows, preferences, emitted decisions

Numbers are little-endian. The header implies all lengths; bytes of any other length are rejected.
"""

from array import array
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, Literal

from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.learning.packed_log import unpack_log
from state.row.layout import MAX_SESSIONS, MAX_TOPICS_KEPT, PANES, RECENT_CONTROLS, ROWS, Part
from state.user.consent import DENIED, GRANTED, UNASKED
from state.user.parts import UserParts

READABLE = (3, 4, 5)
"""Layout versions that `load` reads."""

_HEADER = Struct("<BqIqqBqBqBqIBBBBHBBBBBHBBBI")
HEAD_BYTES = _HEADER.size
"""Size of the header, which lists the parts behind it."""
_NEWEST = Struct("<q")
_PIN = Struct("<Bhq")
_WIPE = Struct("<BqI")
_SESSION = Struct("<qqqq")
_WINDOWS = Struct(f"<{2 * PANES}s96s{2 * MAX_TOPICS_KEPT}s{4 * MAX_TOPICS_KEPT}s")
_CONTEXTS = Struct("<HHI")
_HEADER_3 = Struct("<BqIqqBqIBBBBHBBBHBBBI")
_PIN_3 = Struct("<Bhq?")
_GRANTED_3, _DENIED_3 = 1, 2
_HAS_WINDOWS = 1
_HAS_PREFERENCES = 2
_MOST = 65_535
"""Limit of a count of turns or dislikes of a session."""


def newest_ms(data: bytes) -> int:
    """Return the newest event time."""
    (found,) = _NEWEST.unpack_from(data, 1)
    return int(found)


def parts_held(data: bytes) -> Literal["tombstone", "pins", "learned"]:
    """Return the most that packed bytes hold, of which the first `HEAD_BYTES` are enough.

    A tombstone has consent and wipes alone. Bytes of another version count as learned.
    """
    if len(data) < _HEADER.size or data[0] not in READABLE:
        return "learned"
    if data[0] > 3:
        *_, turns, _, _, _, pins, _, flags, _, _, _, _, _, _ = _HEADER.unpack_from(data)
    else:
        *_, turns, _, _, pins, flags, _, _, _, _, _, _ = _HEADER_3.unpack_from(data)
    if flags or turns:
        return "learned"
    return "pins" if pins else "tombstone"


def load(user: UserParts, data: bytes) -> None:
    """Fill the present row, which is blank, with a packed state.

    Raises:
        StateError: the state belongs to another table of numbers.
        ValueError, struct.error: the bytes are damaged.
    """
    header, position = _unpack_header(data)
    (_, newest, seq, wiped_ms, forgotten_ms, learn, learn_ms, use, use_ms, explore, explore_ms, profile_pane,
     event_count, event_next, turn_count, turn_next, disliked, controls, pins, wipes,
     flags, sessions, slots, facets, kinds, feedback_count, population) = header  # fmt: skip
    row = user.row
    held = row.array[row.at]
    held["newest_ms"], held["seq"], held["profile_pane"] = newest, seq, profile_pane
    held["wiped_ms"], held["forgotten_ms"] = wiped_ms, forgotten_ms
    held["consent_states"], held["consent_ms"] = (learn, use, explore), (learn_ms, use_ms, explore_ms)
    rings = _ring_sizes(event_count, turn_count)
    events, turns, weights = rings.unpack_from(data, position)
    held["events"][:event_count], held["turns"][:turn_count] = array("I", events), array("I", turns)
    held["turn_weights"][:turn_count] = array("f", weights)
    held["event_count"], held["event_next"] = event_count, event_next
    held["turn_count"], held["turn_next"], held["turns_disliked"] = turn_count, turn_next, disliked
    position = _load_controls(user, data, position + rings.size, controls)
    counts = (slots, facets, kinds)
    position, pinned = _pinned(data, position, pins)
    _check_counts(pinned, counts, user.catalogue)
    for facet, slot, at_ms in pinned:
        user.pins.put(facet, slot, at_ms)
    for facet, at_ms, wipe_seq in _WIPE.iter_unpack(data[position : position + wipes * _WIPE.size]):
        user.consent.forget_facet(facet, at_ms, wipe_seq)
    position += wipes * _WIPE.size
    if flags & _HAS_WINDOWS:
        position = _load_windows(user, data, position, sessions)
    if flags & _HAS_PREFERENCES:
        position = _load_preferences(user, data, position, counts)
        held["feedback_count"], held["population"] = feedback_count, population
    if position != len(data):
        raise ValueError(f"{len(data)} bytes where {position} were expected")
    if data[0] == 3 and pinned:
        row.parts[row.at] |= Part.UNWRITTEN_GATE


def _load_controls(user: UserParts, data: bytes, position: int, controls: int) -> int:
    end = position + 8 * controls
    for control in array("Q", data[position:end])[-RECENT_CONTROLS:]:
        user.consent.remember(control)
    return end


def _pinned(data: bytes, position: int, pins: int) -> tuple[int, list[tuple[int, int, int]]]:
    """Return the end, and (facet, slot, time) of each pin."""
    layout = _PIN if data[0] > 3 else _PIN_3
    end = position + pins * layout.size
    return end, [(facet, slot, at_ms) for facet, slot, at_ms, *_ in layout.iter_unpack(data[position:end])]


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


def _check_counts(pinned: Sequence[tuple[int, int, int]], counts: Sequence[int], catalogue: NumberedCatalogue) -> None:
    """Reject numbers beyond the table, which only grows: such bytes were packed under another table."""
    slots, facets, kinds = counts
    for facet, slot, _ in pinned:
        slots, facets = max(slots, slot + 1), max(facets, facet + 1)
    sizes = catalogue.sizes
    if slots > sizes[0] or facets > sizes[1] or kinds > sizes[2]:
        raise StateError(
            f"a user's state counts {slots} values, {facets} facets and {kinds} feedback kinds, the table of numbers "
            f"{sizes[0]}, {sizes[1]} and {sizes[2]}: it belongs to another table; restore the whole state folder from "
            "a backup"
        )


def _load_windows(user: UserParts, data: bytes, position: int, sessions: int) -> int:
    user.windows.begin()
    row = user.row
    held = row.array[row.at]
    panes, hours, topic_ids, topic_weights = _WINDOWS.unpack_from(data, position)
    held["panes"], held["hours"] = array("H", panes), array("f", hours)
    held["topic_ids"], held["topic_weights"] = array("H", topic_ids), array("f", topic_weights)
    start = position + _WINDOWS.size
    end = start + _SESSION.size * sessions
    kept = list(_SESSION.iter_unpack(data[start:end]))[-MAX_SESSIONS:]
    for place, (first_ms, last_ms, turns, dislikes) in enumerate(kept):
        held["session_first_ms"][place], held["session_last_ms"][place] = first_ms, last_ms
        held["session_turns"][place], held["session_dislikes"][place] = min(turns, _MOST), min(dislikes, _MOST)
    held["session_count"] = len(kept)
    return end


def _load_preferences(user: UserParts, data: bytes, position: int, counts: Sequence[int]) -> int:
    slots, facets, _ = counts
    user.begin_preferences()
    row = user.row
    held = row.array[row.at]
    sizes = _belief_sizes(data[0], *counts)
    means, variances, slot, tier, confidence, evidence, at_ms = sizes.unpack_from(data, position)
    for beliefs, names in ((means, ("means", "slopes", "bias")), (variances, _VARIANCES)):
        numbers = array("f", beliefs)
        held[names[0]][:slots], held[names[1]][:facets] = numbers[:slots], numbers[slots : slots + facets]
        held[names[2]] = numbers[-1]
    held["emitted_slots"][:facets], held["emitted_tiers"][:facets] = array("h", slot), array("B", tier)
    held["emitted_confidences"][:facets], held["emitted_ms"][:facets] = array("f", confidence), array("q", at_ms)
    if evidence:
        held["emitted_evidence"][: 2 * facets] = array("H", evidence)
    position = unpack_log(data, position + sizes.size, data[0], (slots, facets), row, user.model.log)
    return _load_contexts(held, data, position, slots, facets, user.catalogue) if data[0] == 5 else position


_VARIANCES = ("variances", "slope_variances", "bias_variance")


def _load_contexts(held: Any, data: bytes, position: int, slots: int, facets: int, catalogue: NumberedCatalogue) -> int:
    """Fill in mood, effects of contexts and emitted values in contexts; return the end."""
    terms, check, held["mood_s"] = _CONTEXTS.unpack_from(data, position)
    sizes = Struct(f"<8s{4 * ROWS}s{4 * ROWS}s{2 * ROWS * terms}s{ROWS * facets}s")
    belief, keys, weights, effects, values = sizes.unpack_from(data, position + _CONTEXTS.size)
    held["mood"], held["mood_variance"] = array("f", belief)
    if check == catalogue.terms_check(slots):  # else a facet became ordered, or left: effects start again
        held["context_keys"], held["context_weights"] = array("I", keys), array("f", weights)
        for place in range(ROWS):
            held["effects"][place][:terms] = array("h", effects)[place * terms : (place + 1) * terms]
        for facet in range(facets):
            held["emitted_ranks"][facet] = array("B", values)[ROWS * facet : ROWS * (facet + 1)]
    return position + _CONTEXTS.size + sizes.size
