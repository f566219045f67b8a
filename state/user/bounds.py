"""Bounds of the numbers of a row, so that damaged bytes are found when they are loaded, and not by a later event.

Compiled and uncompiled code reads places by counts and numbers of the row. Each count stays within its ring, each slot,
topic and rank within the table of numbers, and each time and belief within the reach of any history.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from state.catalogue.numbered import MAX_RANK, NumberedCatalogue
from state.learning.decisions import TIERS
from state.row.layout import (
    FIELDS,
    HEADER,
    MAX_PIECES,
    MAX_SESSIONS,
    MAX_TOPICS_KEPT,
    RECENT_CONTROLS,
    RECENT_EVENTS,
    RECENT_TURNS,
    ROWS,
    Field,
    Layout,
    Part,
    layout_of,
    sizes_of,
)
from state.row.row import Row
from state.user.consent import DENIED

_MOST_MS = 2**62
"""Limit of times, far beyond those of events: earlier versions took any time of a record."""
_MOST_NUMBER = float(2**40)
_MOST_VARIANCE = 1.0
"""Limit of variances; all priors are smaller."""
_MOST = {"u1": 2**8 - 1, "u2": 2**16 - 1, "i2": 2**16 - 1, "u4": 2**32 - 1, "u8": 2**64 - 1, "i8": _MOST_MS}
_VARIANCES = {"variances", "slope_variances", "bias_variance", "mood_variance"}
_SIGNED = {"means", "slopes", "bias", "mood"}
_MAGNITUDE = 2**31 - 1
"""Bits of a 32-bit float without the sign; larger floats have larger ones."""
_HALF = 2**16 - 1
_ALL_PARTS = (1 << len(Part)) - 1
_LATEST_MS = _MOST_MS
_PLACES = MAX_TOPICS_KEPT


class Zone(NamedTuple):
    """The fields of numbers of one width; they lie together."""

    start: int
    """Byte of the first number, in units of the width."""
    limits: Any
    masks: Any
    """Bits that a limit regards."""


class Bounds:
    """The bounds of all numbers of a row, by width of the number."""

    def __init__(self, layout: Layout, topics: int, most: dict[str, Any]) -> None:
        """Take the limits of fields that have one of their own: a number, or an array of the field's shape."""
        self._layout = layout
        self._size = layout.size
        self._topics = topics
        self._start8, self._limits8, _ = _zone(layout, 8, most)
        self._start4, self._limits4, self._masks4 = _zone(layout, 4, most)
        self._start2, self._limits2, _ = _zone(layout, 2, most)
        self._start1, self._limits1, _ = _zone(layout, 1, most)

    def check(self, row: Row) -> None:
        """Raise ValueError if a number of the present row is out of its bounds."""
        at = row.at
        if row.parts[at] > _ALL_PARTS or row.newest_ms[at] < 0 or row.newest_ms[at] > _LATEST_MS:
            raise ValueError("parts or clock are out of bounds")
        place = self._first_wrong(row, at * self._size)
        if place >= 0:
            raise ValueError(f"{self._named(place)} is out of its bounds")
        self._check_sums(row)

    def _first_wrong(self, row: Row, base: int) -> int:
        """Return the byte of the first number beyond its limit; −1 without any."""
        start = base // 8 + self._start8
        for index in range(len(self._limits8)):
            if row.eights[start + index] > self._limits8[index]:
                return 8 * (self._start8 + index)
        start = base // 4 + self._start4
        for index in range(len(self._limits4)):
            if row.fours[start + index] & self._masks4[index] > self._limits4[index]:
                return 4 * (self._start4 + index)
        start = base // 2 + self._start2
        for index in range(len(self._limits2)):
            if row.twos[start + index] + 1 & _HALF > self._limits2[index]:  # no slot and no topic are −1: here 0
                return 2 * (self._start2 + index)
        start = base + self._start1
        for index in range(len(self._limits1)):
            if row.ones[start + index] > self._limits1[index]:
                return self._start1 + index
        return -1

    def _check_sums(self, row: Row) -> None:
        """Check the turns of the newest session, a divisor, and the topics with a weight: profiles have their names."""
        at = row.at
        sessions = row.session_count[at]
        if sessions and not row.session_turns[at, sessions - 1]:
            raise ValueError("session_turns is out of its bounds")
        for place in range(_PLACES):
            if row.topic_ids[at, place] >= self._topics and float(row.topic_weights[at, place]) > 0.0:
                raise ValueError("topic_ids is out of its bounds")

    def _named(self, place: int) -> str:
        """Return the field of a byte."""
        return next(name for name, (start, size) in self._layout.offsets.items() if start <= place < start + size)


def _zone(layout: Layout, width: int, most: dict[str, Any]) -> Zone:
    """Return the zone of a width; the header has no limits."""
    fields = [field for field in FIELDS if int(field.code[1]) == width and layout.offsets[field.name][0] >= HEADER.size]
    start = min(layout.offsets[field.name][0] for field in fields)
    end = max(offset + size for offset, size in (layout.offsets[field.name] for field in fields))
    kind = f"<u{width}"
    limits = np.full((end - start) // width, _MOST[f"u{width}"], kind)
    masks = np.full_like(limits, _MOST[f"u{width}"])
    for field in fields:
        offset, size = layout.offsets[field.name]
        numbers = slice((offset - start) // width, (offset - start + size) // width)
        limits[numbers] = np.ravel(most.get(field.name, _most(field)))
        if field.name in _SIGNED:
            masks[numbers] = _MAGNITUDE
    return Zone(start // width, limits, masks)


def _most(field: Field) -> int:
    if field.code != "f4":
        return _MOST[field.code]
    most = _MOST_VARIANCE if field.name in _VARIANCES else _MOST_NUMBER
    return int(np.float32(most).view(np.uint32))


def bounds_of(catalogue: NumberedCatalogue) -> Bounds:
    """Return the bounds of rows of a catalogue."""
    values = tuple([len(slots) for slots in catalogue.ranked_slots])
    return _bounds(layout_of(sizes_of(catalogue)), values, len(catalogue.public_topics))


@lru_cache(maxsize=64)
def _bounds(layout: Layout, values: tuple[int, ...], topics: int) -> Bounds:
    slots, facets, _ = layout.sizes
    return Bounds(
        layout,
        topics,
        {
            "consent_states": DENIED,
            "control_count": RECENT_CONTROLS,
            "event_count": RECENT_EVENTS,
            "event_next": RECENT_EVENTS - 1,
            "turn_count": RECENT_TURNS,
            "turn_next": RECENT_TURNS - 1,
            "session_count": MAX_SESSIONS,
            "piece_count": MAX_PIECES,
            "piece_slots": _mask(slots),
            "piece_facets": _mask(facets),
            "topic_ids": max(topics, 1),  # rows without windows have 0
            "pin_slots": slots,
            "emitted_slots": slots,
            "emitted_tiers": len(TIERS) - 1,
            "emitted_ranks": np.repeat(np.minimum(values, MAX_RANK), ROWS),
        },
    )


def _mask(numbers: int) -> Any:
    """Return the limit of each byte of the pieces' masks; only the last one has bits without a number."""
    limits = np.full((MAX_PIECES, (numbers + 7) // 8), 2**8 - 1)
    limits[:, -1] = 2 ** ((numbers - 1) % 8 + 1) - 1
    return limits
