"""Log of a user's last pieces of feedback, and per value a fading sum of the earlier ones.

A row has all that a retraining of the user model needs, so a prediction without some feedback can be computed
(state.learning.counterfactual). A piece that leaves the log is added to the sums of its values, which fade as the
beliefs do: ×0.99 with each piece of feedback on the value.

    bytes   row, little-endian
    4       event time in seconds
    2       kind of feedback (7 bits), form (2 bits), weight in hundredths (7 bits)
    2 + 2   mean and variance of the population's part of the prediction, as half floats
    ⌈f/8⌉   facets that the feedback is narrowed to, a bit each; f facets in all
    ⌈s/8⌉   values of the answer; of directed feedback the preferred and the served value; s values in all

With the shipped catalogue a row takes 13 bytes, and the sums take 128.
"""

from array import array
from collections.abc import Collection, Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

from state.learning.prediction import PopulationPart

MAX_PIECES = 7
"""Pieces of feedback in the log."""
KEPT_PERCENT = 99
"""Share of a sum that survives a piece of feedback on the value, as of a mean (`preferences.KEPT`)."""
PER_WEIGHT = 600
"""Units of an earlier sum per weight of 1: a sum converges below 100, and a number of 16 bits holds it."""

_DAY_S = 86_400
_PER_HUNDREDTH = PER_WEIGHT // 100
_MOST = 60_000.0
"""Limit of a mean as a half float."""


_Row = tuple[int, int, float, float, bytes, bytes]
"""A row, unpacked: time in seconds, code, mean, variance and two masks."""


class Form(IntEnum):
    """Form of a piece of feedback."""

    DISLIKE = 0
    LIKE = 1
    PREFERS_LOWER = 2
    """Directed: the value with the lower number is better than the served value."""
    PREFERS_HIGHER = 3


class Side(IntEnum):
    """Side of a piece of feedback on a value."""

    FOR = 0
    AGAINST = 1


class Piece(NamedTuple):
    """A piece of feedback that trained the user model."""

    at_ms: int
    """Event time, in whole seconds."""
    kind: int
    form: Form
    weight: float
    mean: float
    variance: float
    """Population's part of the prediction at that time."""
    only: Sequence[int]
    """Facets that the feedback is narrowed to; empty for all."""
    slots: Sequence[int]
    """Values of the answer; of directed feedback two values, ascending."""

    @property
    def compared(self) -> tuple[int, int]:
        """Preferred and served value of directed feedback."""
        lower, higher = self.slots
        return (higher, lower) if self.form is Form.PREFERS_HIGHER else (lower, higher)

    @property
    def is_directed(self) -> bool:
        """The piece compares two values."""
        return self.form >= Form.PREFERS_LOWER

    def sides(self, facets: Sequence[int]) -> dict[int, Side]:
        """Return trained value → side; `facets` is slot → facet."""
        if self.is_directed:
            preferred, served = self.compared
            return {preferred: Side.FOR, served: Side.AGAINST}
        side = Side.FOR if self.form is Form.LIKE else Side.AGAINST
        return {slot: side for slot in self.slots if not self.only or facets[slot] in self.only}

    def continues(self, earlier: "Piece | None", facets: Sequence[int]) -> bool:
        """Return whether the piece and the one before are parts of one directed feedback, which moves several facets.

        `facets` is slot → facet.
        """
        return (
            earlier is not None
            and self.is_directed
            and earlier.is_directed
            and (self.at_ms, self.kind) == (earlier.at_ms, earlier.kind)
            and facets[self.slots[0]] != facets[earlier.slots[0]]
        )


class FeedbackLog:
    """The last pieces of feedback, oldest first, and the sums of earlier pieces."""

    __slots__ = ("days", "facets", "layout", "rows", "slots", "sums", "uncounted")

    def __init__(self, slots: int, facets: int) -> None:
        self.slots, self.facets = slots, facets
        """Numbers of values and facets that rows have bits for."""
        self.layout = _layout(slots, facets)
        """Layout of a row."""
        self.rows = b""
        self.sums = array("H")
        """Earlier weight by value and side (2 · slot + side), in units of 1 / `PER_WEIGHT`; empty without any."""
        self.days = array("H")
        """Day of the newest earlier piece, likewise, since 1970; 0: none."""
        self.uncounted = False
        """Some feedback came before the log existed, and is counted per facet alone."""

    @property
    def is_complete(self) -> bool:
        """The log has all feedback that trained the user model."""
        return not self.sums and not self.uncounted

    @property
    def pieces(self) -> list[Piece]:
        """The pieces in the log, oldest first."""
        return [_piece(row) for row in self.layout.iter_unpack(self.rows)]

    def add(
        self,
        at_ms: int,
        kind: int,
        form: int,
        weight: float,
        expected: PopulationPart,
        slots: Sequence[int],
        only: Collection[int],
        facet_of: Sequence[int],
    ) -> None:
        """Add a piece; the oldest piece joins the sums once the log is full."""
        mean, variance, _ = expected
        row = self.layout.pack(
            at_ms // 1000,
            kind | form << 7 | int(100 * weight + 0.5) << 9,
            mean if -_MOST < mean < _MOST else 0.0,
            variance if variance < _MOST else _MOST,
            _mask(tuple(only)) if only else b"",
            _mask(tuple(slots)),
        )
        rows, size = self.rows, len(row)
        if len(rows) < MAX_PIECES * size:
            self.rows = rows + row
            return
        self._add_to_sums(self.layout.unpack_from(rows), facet_of)
        self.rows = rows[size:] + row

    def drop_last(self) -> None:
        """Remove the newest piece."""
        self.rows = self.rows[: -self.layout.size]

    def _add_to_sums(self, row: _Row, facet_of: Sequence[int]) -> None:
        """Fade the sums of a row's values, and add its weight."""
        at_s, code, _, _, only, slots = row
        if not self.sums:
            self.sums, self.days = array("H", bytes(4 * self.slots)), array("H", bytes(4 * self.slots))
        sums, days, day, weight = self.sums, self.days, at_s // _DAY_S, (code >> 9) * _PER_HUNDREDTH
        is_narrowed = any(only)
        for slot, place, other in _places(code >> 7 & 3, slots):
            if is_narrowed and facet_of[slot] not in _numbers(only):
                continue
            sums[place] = sums[place] * KEPT_PERCENT // 100 + weight
            days[place] = day
            if earlier := sums[other]:
                sums[other] = earlier * KEPT_PERCENT // 100

    def earlier(self, slot: int, side: Side) -> tuple[float, int]:
        """Return the sum of earlier pieces as of the first piece in the log, and the newest one's day as time in ms."""
        if not self.sums:
            return 0.0, 0
        place = 2 * slot + side
        return self.sums[place] / PER_WEIGHT, self.days[place] * _DAY_S * 1000

    def forget(self, facets: Collection[int], facet_of: Sequence[int]) -> None:
        """Remove all that concerns the given facets; rows, which concern several facets, join the sums of the rest."""
        for row in self.layout.iter_unpack(self.rows):
            self._add_to_sums(row, facet_of)
        self.rows = b""
        for slot, facet in enumerate(facet_of):
            if facet in facets and self.sums:
                self.sums[2 * slot] = self.sums[2 * slot + 1] = 0
                self.days[2 * slot] = self.days[2 * slot + 1] = 0

    def grow(self, slots: int, facets: int) -> None:
        """Make room for as many values and facets in all."""
        before, after = self.layout, _layout(slots, facets)
        if self.sums:
            more = array("H", bytes(4 * (slots - self.slots)))
            self.sums, self.days = self.sums + more, self.days + more
        self.rows = b"".join(after.pack(*row) for row in before.iter_unpack(self.rows))
        self.slots, self.facets, self.layout = slots, facets, after

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self.slots, self.facets, self.rows, self.sums, self.days, self.uncounted)
        return _restored, state  # a layout cannot be pickled

    def copy(self) -> "FeedbackLog":
        """Return an independent copy."""
        return _restored(self.slots, self.facets, self.rows, self.sums[:], self.days[:], self.uncounted)


def _restored(
    slots: int, facets: int, rows: bytes, sums: "array[int]", days: "array[int]", uncounted: bool
) -> FeedbackLog:
    log = FeedbackLog(slots, facets)
    log.rows, log.sums, log.days, log.uncounted = rows, sums, days, uncounted
    return log


def row_size(slots: int, facets: int) -> int:
    """Return the bytes of a row.

    >>> row_size(16, 5)
    13
    """
    return _layout(slots, facets).size


def row_size_4(slots: int, facets: int) -> int:
    """Return the bytes of a row in layout 4 of users' states, which has a mask of flagged facets, too."""
    return _layout(slots, facets).size + (facets + 7) // 8


def rows_of_4(rows: bytes, slots: int, facets: int) -> bytes:
    """Return rows of layout 4 without the mask of flagged facets."""
    layout, size, mask = _layout(slots, facets), row_size_4(slots, facets), (facets + 7) // 8
    end = layout.size - (slots + 7) // 8
    return b"".join(rows[n : n + end] + rows[n + end + mask : n + size] for n in range(0, len(rows), size))


@lru_cache(maxsize=256)
def _layout(slots: int, facets: int) -> Struct:
    return Struct(f"<IHee{(facets + 7) // 8}s{(slots + 7) // 8}s")


@lru_cache(maxsize=8192)
def _mask(numbers: tuple[int, ...]) -> bytes:
    """Return a bit per number; the layout adds zeros behind."""
    mask = sum(1 << number for number in set(numbers))
    return mask.to_bytes((mask.bit_length() + 7) // 8, "little")


@lru_cache(maxsize=8192)
def _numbers(mask: bytes) -> tuple[int, ...]:
    return tuple(_bits(int.from_bytes(mask, "little")))


@lru_cache(maxsize=8192)
def _places(form: int, slots: bytes) -> tuple[tuple[int, int, int], ...]:
    """Return slot, place of the side that the form supports, and place of the other side, for each slot of a mask."""
    numbers = _numbers(slots)
    sides = (form != Form.DISLIKE,) * len(numbers)
    if form >= Form.PREFERS_LOWER:
        sides = (form == Form.PREFERS_LOWER, form == Form.PREFERS_HIGHER)
    return tuple([(slot, 2 * slot + (not liked), 2 * slot + liked) for slot, liked in zip(numbers, sides, strict=True)])


def _bits(mask: int) -> Iterator[int]:
    return (number for number in range(mask.bit_length()) if mask >> number & 1)


def _piece(row: _Row) -> Piece:
    at_s, code, mean, variance, only, slots = row
    return Piece(
        at_s * 1000, code & 127, Form(code >> 7 & 3), (code >> 9) / 100, mean, variance,
        _numbers(only), _numbers(slots),
    )  # fmt: skip
