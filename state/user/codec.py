"""Stored rows: bytes ↔ the present row of a user's state.

A row is stored as it is (state.row.layout), and the user's history behind it. Bytes of earlier layouts, and rows of a
catalogue that has grown since, are laid out again when they are read.
"""

import struct
from typing import Any, Literal

import numpy as np

from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.row.layout import HEADER, VERSION, Layout, Part, layout_of, sizes_in
from state.user import codec_5
from state.user.user_state import UserState

HEAD_BYTES = max(HEADER.size, codec_5.HEAD_BYTES)
"""First bytes of stored bytes, of which `parts_held` needs no more."""

_ROWS = (6, VERSION)
"""Layouts that are rows; those of the layout 6 have no history."""
_READABLE = (*codec_5.READABLE, *_ROWS)


def pack(state: UserState) -> bytes:
    """Return the present row, without the waiting writes (`take_writes` comes first)."""
    row = state.row
    return row.read() + row.tails[row.at]


def clear(state: UserState) -> None:
    """Make the present row that of an unknown user."""
    state.row.write(state.row.layout.blank)
    state.history.clear()


def unpack(data: bytes, catalogue: NumberedCatalogue) -> UserState:
    """Return a state of its own with a stored row; errors as `load`."""
    state = UserState(catalogue)
    load(state, data)
    return state


def load(state: UserState, data: bytes) -> None:
    """Overwrite the present row with stored bytes, and fit it to the catalogue.

    Raises:
        StateError: if the bytes are of another version, of another table of numbers, or damaged.
    """
    check_version(data)
    try:
        if data[0] in _ROWS:
            _load_row(state, data)
        else:
            clear(state)
            codec_5.load(state, data)
        state.bounds.check(state.row)
        _fit(state)
    except (ValueError, IndexError, OverflowError, struct.error) as error:
        raise _damaged(error) from error


def _load_row(state: UserState, data: bytes) -> None:
    row = state.row
    sizes, present = sizes_in(data), row.layout.sizes
    layout = row.layout if sizes == present else layout_of(sizes)
    if len(data) < layout.size or (len(data) > layout.size and not data[1] & Part.HISTORY):
        raise ValueError(f"{len(data)} bytes where {layout.size} were expected")
    stored, tail = data[: layout.size], data[layout.size :]
    if data[0] != VERSION:
        stored = bytes([VERSION]) + stored[1:]
    if sizes == present:
        row.write(stored)
        state.history.load(tail)
        return
    if sizes.slots > present.slots or sizes.facets > present.facets:
        raise StateError(
            f"a user's state counts {sizes.slots} values and {sizes.facets} facets, the table of numbers "
            f"{present.slots} and {present.facets}: it belongs to another table; restore the whole state folder from "
            "a backup"
        )
    _lay_out(state, stored, layout)
    state.history.load(tail)


def _lay_out(state: UserState, data: bytes, before: Layout) -> None:
    """Lay a row of fewer values or facets out again; the new ones get the start values of a new user.

    Terms may be fewer than before, where a facet became ordered; then the effects of contexts start again.
    """
    row = state.row
    row.write(row.layout.blank)
    stored: Any = np.frombuffer(data, before.dtype)
    for name in before.offsets:
        if name not in {"slots", "facets", "terms"}:
            numbers, old = row.array[name][row.at : row.at + 1], stored[name]
            room = tuple(slice(min(counts)) for counts in zip(numbers.shape, old.shape, strict=True))
            numbers[room] = old[room]
    if state.has_preferences:
        if not state.model.grow(before.sizes.slots, before.sizes.facets):
            state.emitted.free_all()
        for facet in range(before.sizes.facets, row.layout.sizes.facets):
            state.emitted.retract(facet)


def _fit(state: UserState) -> None:
    """Drop what the present catalogue forbids or has no place for."""
    catalogue, row = state.catalogue, state.row
    if state.has_windows and catalogue.sensitive_topics:
        state.windows.drop(catalogue.sensitive_topics)
    if state.has_preferences:
        contexts = state.model.contexts
        check = catalogue.terms_check(len(catalogue.slots))
        if row.terms_check[row.at] != check:  # a facet became ordered, or left: effects start again
            contexts.clear()
            row.terms_check[row.at] = check
            state.emitted.free_all()
        ended = contexts.drop(catalogue.sensitive_keys)
        if ended:
            state.emitted.end(ended)
        if catalogue.idle_slots:
            state.emitted.expire(catalogue.idle_slots)


def newest_ms(data: bytes) -> int:
    """Return the newest event time of stored bytes, without reading the rest.

    Raises:
        StateError: as `load`, if the bytes are of another version or too few.
    """
    check_version(data)
    try:
        if data[0] not in _ROWS:
            return codec_5.newest_ms(data)
        *_, found = HEADER.unpack_from(data)
    except struct.error as error:
        raise _damaged(error) from error
    return int(found)


def parts_held(data: bytes) -> Literal["tombstone", "pins", "learned"]:
    """Return the most that stored bytes hold, of which the first `HEAD_BYTES` are enough.

    A tombstone has consent and wipes alone. Bytes of another version count as learned.
    """
    if not data or data[0] not in _ROWS:
        return codec_5.parts_held(data)
    if len(data) < HEADER.size or data[1] & (Part.WINDOWS | Part.PREFERENCES):
        return "learned"
    return "pins" if data[1] & Part.PINS else "tombstone"


def check_version(data: bytes) -> None:
    """Raise StateError for bytes of another version."""
    if not data or data[0] not in _READABLE:
        raise StateError(
            f"a user's state has layout {data[0] if data else 'none'}; this version reads {VERSION}: "
            "use the version that wrote it, or replay history into a new state folder"
        )


def _damaged(error: Exception) -> StateError:
    return StateError(f"a user's state is damaged: {error}; restore the state folder from a backup")
