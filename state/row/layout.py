"""Layout of a user's row: one record of fixed size, which is kept in memory, stored and read as it is.

The sizes of the catalogue decide the layout. `FIELDS` is its only description: offsets, the columns of a table
(state.row.table), growth of the catalogue and the pages of the documentation follow from it.

    byte 0        layout version
    byte 1        parts that the row holds (`Part`)
    bytes 2–7     counts of values, facets and terms that the row has room for
    bytes 8–15    newest event time, for scans that read nothing else
    then          all other fields, the widest numbers first, so that each one is aligned

Numbers are little-endian. Counts only grow (state.catalogue.vocabulary): a row of smaller counts is laid out again with
room for the rest, field by field.
"""

from enum import IntFlag
from functools import cached_property, lru_cache
from struct import Struct
from typing import Any, Literal, NamedTuple

import numpy as np

from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.activity import WINDOWS

VERSION = 7
"""Layout version. Every change of `FIELDS` raises it, a new window in `tacit.contract.activity` included."""

RECENT_EVENTS = 64
"""Number of last events against which repeats are recognized."""
RECENT_TURNS = 16
"""Number of last turns among which later feedback is matched."""
RECENT_CONTROLS = 16
"""Number of last control events against which repeats are recognized."""
SCOPES = 3
"""Number of scopes of consent."""
MAX_SESSIONS = 8
"""Limit of sessions; a user rarely has as many in the last day."""
MAX_TOPICS_KEPT = 8
"""Limit of topics with a weight."""
ROWS = 6
"""Contexts with own effects (state.learning.context_effects)."""
MAX_PIECES = 7
"""Pieces of feedback in the log."""
PANES = sum(window.panes.number for window in WINDOWS)
"""Panes of all windows."""


class Part(IntFlag):
    """A part of a row; without it, the fields of the part have no meaning."""

    WINDOWS = 1
    PREFERENCES = 2
    PINS = 4
    UNWRITTEN_GATE = 8
    """In layout 3 pins were signals: the next change of a user read from it writes the gate."""
    HISTORY = 16
    """A history stands behind the row (state.user.history); never in layout 6."""
    UNWRITTEN_HISTORY = 32
    """The history waits to be written."""


class Sizes(NamedTuple):
    """Counts by which rows of catalogues differ."""

    slots: int
    facets: int
    terms: int
    """Terms of the effects of a context (`NumberedCatalogue.context_terms`)."""


class Field(NamedTuple):
    """A field of a row: a number, or an array of numbers of one or two dimensions."""

    name: str
    code: Literal["i8", "u8", "u4", "f4", "i2", "u2", "u1"]
    """Kind of number, with its size in bytes: signed, unsigned or floating."""
    dims: tuple[int | str, ...]
    """Numbers, or names of counts: those of `Sizes`, and `sides`, `facet_sides`, `slot_bytes`, `facet_bytes`."""
    about: str


HEADER = Struct("<BBHHHq")
"""Version, parts, values, facets, terms and newest event time."""

_HEADER_FIELDS = (
    Field("version", "u1", (), "layout version"),
    Field("parts", "u1", (), "parts that the row holds, a bit each"),
    Field("slots", "u2", (), "values that the row has room for"),
    Field("facets", "u2", (), "facets that the row has room for"),
    Field("terms", "u2", (), "terms of the effects of a context that the row has room for"),
    Field("newest_ms", "i8", (), "the user's clock: newest event time"),
)
_CONSENT = (
    Field("seq", "u4", (), "accepted events since the last wipe or absence"),
    Field("wiped_ms", "i8", (), "time of the last wipe"),
    Field("forgotten_ms", "i8", (), "time of the last forget of everything"),
    Field("consent_states", "u1", (SCOPES,), "state of each scope of consent"),
    Field("consent_ms", "i8", (SCOPES,), "time of its last change"),
    Field("facet_wiped_ms", "i8", ("facets",), "time of the last forget of the facet alone"),
    Field("facet_wiped_seq", "u4", ("facets",), "accepted events then"),
    Field("facet_wiped", "u1", ("facets",), "1: the facet was forgotten alone"),
    Field("controls", "u8", (RECENT_CONTROLS,), "hashes of the last control events, oldest first"),
    Field("control_count", "u1", (), "their number"),
)
_PINS = (
    Field("pin_ms", "i8", ("facets",), "time of the last pin event"),
    Field("pin_slots", "i2", ("facets",), "pinned value; −1: the pin was removed"),
    Field("pin_known", "u1", ("facets",), "1: the facet had a pin event"),
)
_REPEATS = (
    Field("events", "u4", (RECENT_EVENTS,), "hashes of the last event ids, in a ring"),
    Field("event_count", "u1", (), "their number"),
    Field("event_next", "u1", (), "place of the oldest, once the ring is full"),
    Field("turns", "u4", (RECENT_TURNS,), "hashes of the last turn ids, in a ring"),
    Field("turn_weights", "f4", (RECENT_TURNS,), "weight of each turn that was used in training"),
    Field("turns_disliked", "u2", (), "turns that were disliked, a bit each"),
    Field("turn_count", "u1", (), "number of turns"),
    Field("turn_next", "u1", (), "place of the oldest, once the ring is full"),
)
_ACTIVITY = (
    Field("panes", "u2", (PANES,), "turns by pane of the sliding windows"),
    Field("hours", "f4", (24,), "discounted turns by hour of the day"),
    Field("topic_ids", "u2", (MAX_TOPICS_KEPT,), "topics; 65,535: none"),
    Field("topic_weights", "f4", (MAX_TOPICS_KEPT,), "their discounted weights"),
    Field("session_first_ms", "i8", (MAX_SESSIONS,), "time of the first turn of each session, oldest first"),
    Field("session_last_ms", "i8", (MAX_SESSIONS,), "time of its last turn"),
    Field("session_turns", "u2", (MAX_SESSIONS,), "its turns"),
    Field("session_dislikes", "u2", (MAX_SESSIONS,), "its dislikes"),
    Field("session_count", "u1", (), "number of sessions"),
)
_BELIEFS = (
    Field("means", "f4", ("slots",), "mean of each value: difference from the population"),
    Field("variances", "f4", ("slots",), "its variance"),
    Field("slopes", "f4", ("facets",), "mean of the slope along an ordered facet"),
    Field("slope_variances", "f4", ("facets",), "its variance"),
    Field("bias", "f4", (), "mean of the liking of answers in general"),
    Field("bias_variance", "f4", (), "its variance"),
    Field("feedback_count", "u1", (), "answers with feedback, up to 255"),
    Field("population", "u4", (), "population version of the last training"),
    Field("mood", "f4", (), "mean of the mood at the newest feedback"),
    Field("mood_variance", "f4", (), "its variance"),
    Field("mood_s", "u4", (), "time of the newest feedback, in seconds"),
    Field("context_keys", "u4", (ROWS,), "topics and surfaces with own effects; 0: none"),
    Field("context_weights", "f4", (ROWS,), "discounted weight of feedback there"),
    Field("effects", "i2", (ROWS, "terms"), "effects there, in units of 1/8192"),
    Field("terms_check", "u2", (), "check of the meaning of terms"),
)
_LOG = (
    Field("piece_s", "u4", (MAX_PIECES,), "time of each piece of feedback in the log, in seconds, oldest first"),
    Field("piece_codes", "u2", (MAX_PIECES,), "its kind, form and weight"),
    Field("piece_means", "u2", (MAX_PIECES,), "population's part of the prediction, as a half float"),
    Field("piece_variances", "u2", (MAX_PIECES,), "its variance, likewise"),
    Field("piece_facets", "u1", (MAX_PIECES, "facet_bytes"), "facets that it is narrowed to, a bit each"),
    Field("piece_slots", "u1", (MAX_PIECES, "slot_bytes"), "values of the answer, a bit each"),
    Field("piece_count", "u1", (), "number of pieces"),
    Field("totals", "u2", ("sides",), "aged weight of all feedback for and against each value"),
    Field("sums", "u2", ("sides",), "the same of feedback that has left the log"),
    Field("days", "u2", ("sides",), "day of the newest such feedback"),
    Field("has_sums", "u1", (), "1: feedback has left the log"),
    Field("uncounted", "u1", (), "1: some feedback came before the log existed"),
)
_EMITTED = (
    Field("profile_pane", "u4", (), "pane in which the last profile was emitted"),
    Field("emitted_ms", "i8", ("facets",), "event time of the last emitted decision"),
    Field("emitted_slots", "i2", ("facets",), "its value; −1: none"),
    Field("emitted_tiers", "u1", ("facets",), "its tier"),
    Field("emitted_confidences", "f4", ("facets",), "its confidence"),
    Field("emitted_evidence", "u2", ("facet_sides",), "evidence for and against the value then"),
    Field("emitted_ranks", "u1", ("facets", ROWS), "rank of the value in each context; 0: the general value"),
)

GROUPS = {
    "header": _HEADER_FIELDS,
    "consent, wipes and control events": _CONSENT,
    "pins": _PINS,
    "repeats": _REPEATS,
    "activity": _ACTIVITY,
    "beliefs": _BELIEFS,
    "log of feedback": _LOG,
    "emitted decisions": _EMITTED,
}
"""All fields, by concept."""

FIELDS = tuple(field for fields in GROUPS.values() for field in fields)
"""All fields."""


class Layout:
    """The layout for some counts; `layout_of` returns it."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        counts = {
            **sizes._asdict(),
            "sides": 2 * sizes.slots,
            "facet_sides": 2 * sizes.facets,
            "slot_bytes": (sizes.slots + 7) // 8,
            "facet_bytes": (sizes.facets + 7) // 8,
        }
        header, rest = FIELDS[: len(_HEADER_FIELDS)], FIELDS[len(_HEADER_FIELDS) :]
        described: list[Any] = [
            (field.name, f"<{field.code}", tuple(counts[dim] if isinstance(dim, str) else dim for dim in field.dims))
            for field in (*header, *sorted(rest, key=lambda field: -int(field.code[1])))
        ]
        unpadded = np.dtype(described).itemsize
        self.dtype = np.dtype([*described, ("padding", "u1", (-unpadded % 8,))])
        """Type of a row for numpy. Rows are multiples of 8 bytes, so every number of a table is aligned."""
        self.size: int = self.dtype.itemsize
        """Bytes of a row."""

    @cached_property
    def blank(self) -> bytes:
        """Row of an unknown user."""
        return HEADER.pack(VERSION, 0, *self.sizes, 0).ljust(self.size, b"\0")

    @cached_property
    def offsets(self) -> dict[str, tuple[int, int]]:
        """Field → offset and size in bytes."""
        fields: Any = self.dtype.fields
        return {name: (offset, kind.itemsize) for name, (kind, offset, *_) in fields.items() if name != "padding"}


@lru_cache(maxsize=64)
def layout_of(sizes: Sizes) -> Layout:
    """Return the layout for some counts.

    >>> layout_of(Sizes(slots=16, facets=5, terms=10)).size % 8
    0
    """
    return Layout(sizes)


def sizes_of(catalogue: NumberedCatalogue) -> Sizes:
    """Return the counts of a catalogue, idle names included."""
    slots, facets, _ = catalogue.sizes
    return Sizes(slots, facets, catalogue.terms_of(slots))


def sizes_in(data: bytes) -> Sizes:
    """Return the counts in the header of a stored row."""
    _, _, slots, facets, terms, _ = HEADER.unpack_from(data)
    return Sizes(slots, facets, terms)
