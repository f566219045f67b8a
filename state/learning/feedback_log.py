"""Evidence of a user: the last pieces of feedback, and per value the aged sums of all pieces and of the earlier ones.

A row has all that a retraining of the user model needs, so a prediction without some feedback can be computed
(state.learning.counterfactual). A piece that leaves the log joins the earlier sums of its values.

    bytes   row, little-endian
    4       event time in seconds
    2       kind of feedback (7 bits), form (2 bits), weight in hundredths (7 bits)
    2 + 2   mean and variance of the population's part of the prediction, as half floats
    ⌈f/8⌉   facets that the feedback is narrowed to, a bit each; f facets in all
    ⌈s/8⌉   values of the answer; of directed feedback the preferred and the served value; s values in all

With the shipped catalogue a row takes 13 bytes, the totals take 64, and the sums of earlier feedback 128.
"""

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

from state.learning.feedback_piece import Form, Piece, Side
from state.learning.prediction import PopulationPart
from state.learning.side_sums import PER_WEIGHT, add, undo

MAX_PIECES = 7
"""Pieces of feedback in the log."""

_DAY_S = 86_400
_MAX_S, _MAX_DAY = 2**32 - 1, 2**16 - 1
"""Latest time of a row, in the year 2106; later times, up to the year 2286, count as this one."""
_PER_HUNDREDTH = PER_WEIGHT // 100
_MOST = 60_000.0
"""Limit of a mean as a half float."""


_Row = tuple[int, int, float, float, bytes, bytes]
"""A row, unpacked: time in seconds, code, mean, variance and two masks."""


class FeedbackLog:
    """The last pieces of feedback, oldest first, and the sums of all and of earlier pieces."""

    __slots__ = ("days", "facets", "layout", "rows", "slots", "sums", "totals", "uncounted")

    def __init__(self, slots: int, facets: int) -> None:
        self.slots, self.facets = slots, facets
        """Numbers of values and facets that rows have bits for."""
        self.layout = _layout(slots, facets)
        """Layout of a row."""
        self.rows = b""
        self.totals = array("H", bytes(4 * slots))
        """Weight of all pieces by value and side (state.learning.side_sums)."""
        self.sums = array("H")
        """Weight of pieces that left the log, likewise, as of the first piece in the log; empty without any."""
        self.days = array("H")
        """Day of the newest earlier piece, likewise, since 1970; 0: none."""
        self.uncounted = False
        """Some feedback came before the log existed, and is in the beliefs alone."""

    @property
    def is_complete(self) -> bool:
        """The log has all feedback that trained the user model."""
        return not self.sums and not self.uncounted

    @property
    def pieces(self) -> list[Piece]:
        """The pieces in the log, oldest first."""
        return [_piece(row) for row in self.layout.iter_unpack(self.rows)]

    @property
    def newest_s(self) -> int:
        """Event time of the last piece, in seconds; 0 for none."""
        rows = self.rows
        return int.from_bytes(rows[len(rows) - self.layout.size :][:4], "little")

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
        at_s, hundredths, mask = min(at_ms // 1000, _MAX_S), int(100 * weight + 0.5), _mask(tuple(slots))
        row = self.layout.pack(
            at_s,
            kind | form << 7 | hundredths << 9,
            mean if -_MOST < mean < _MOST else 0.0,
            variance if variance < _MOST else _MOST,
            _mask(tuple(only)) if only else b"",
            mask,
        )
        add(self.totals, _places(form, mask, tuple(only), facet_of if only else ()), _units(hundredths), at_s)
        rows, size = self.rows, len(row)
        if len(rows) < MAX_PIECES * size:
            self.rows = rows + row
            return
        self._add_to_sums(self.layout.unpack_from(rows), facet_of)
        self.rows = rows[size:] + row

    def drop_last(self, facet_of: Sequence[int]) -> None:
        """Remove the newest piece."""
        start = len(self.rows) - self.layout.size
        at_s, code, *_ = row = self.layout.unpack_from(self.rows, start)
        undo(self.totals, _places_of(row, facet_of), _units(code >> 9), at_s)
        self.rows = self.rows[:start]

    def _add_to_sums(self, row: _Row, facet_of: Sequence[int]) -> None:
        """Age the sums of a row's values, and add its weight."""
        at_s, code, *_ = row
        if not self.sums:
            self.sums, self.days = array("H", bytes(4 * self.slots)), array("H", bytes(4 * self.slots))
        days, day, places = self.days, min(at_s // _DAY_S, _MAX_DAY), _places_of(row, facet_of)
        add(self.sums, places, _units(code >> 9), at_s)
        for place, _ in places:
            days[place] = day

    def recount(self, facet_of: Sequence[int]) -> None:
        """Compute the totals of a log of which only the pieces and the earlier sums are known."""
        self.totals = self.sums[:] or array("H", bytes(4 * self.slots))
        for row in self.layout.iter_unpack(self.rows):
            at_s, code, *_ = row
            add(self.totals, _places_of(row, facet_of), _units(code >> 9), at_s)

    def total(self, slot: int, side: Side) -> float:
        """Return the aged weight of all pieces on a side of a value."""
        return self.totals[2 * slot + side] / PER_WEIGHT

    def has_feedback(self, slots: Iterable[int], means: Sequence[float]) -> bool:
        """Return whether some feedback concerned one of the values; uncounted feedback shows in the means alone."""
        totals, uncounted = self.totals, self.uncounted
        return any(totals[2 * slot] or totals[2 * slot + 1] or (uncounted and means[slot]) for slot in slots)

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
            if facet in facets:
                for numbers in (self.totals, self.sums, self.days) if self.sums else (self.totals,):
                    numbers[2 * slot] = numbers[2 * slot + 1] = 0

    def grow(self, slots: int, facets: int) -> None:
        """Make room for as many values and facets in all."""
        before, after = self.layout, _layout(slots, facets)
        more = array("H", bytes(4 * (slots - self.slots)))
        self.totals = self.totals + more
        if self.sums:
            self.sums, self.days = self.sums + more, self.days + more
        self.rows = b"".join(after.pack(*row) for row in before.iter_unpack(self.rows))
        self.slots, self.facets, self.layout = slots, facets, after

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self.slots, self.facets, self.rows, self.totals, self.sums, self.days, self.uncounted)
        return _restored, state  # a layout cannot be pickled

    def copy(self) -> "FeedbackLog":
        """Return an independent copy."""
        sizes, sums = (self.slots, self.facets), (self.totals[:], self.sums[:], self.days[:])
        return _restored(*sizes, self.rows, *sums, self.uncounted)


def _restored(
    slots: int,
    facets: int,
    rows: bytes,
    totals: "array[int]",
    sums: "array[int]",
    days: "array[int]",
    uncounted: bool,
) -> FeedbackLog:
    log = FeedbackLog(slots, facets)
    log.rows, log.totals, log.sums, log.days, log.uncounted = rows, totals, sums, days, uncounted
    return log


def kinds_by_side(
    rows: bytes, slot: int, sizes: tuple[int, int], facet_of: Sequence[int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Return the pieces for and against a value, counted by feedback kind; `sizes`: numbers of values and facets."""
    found: tuple[dict[int, int], dict[int, int]] = {}, {}
    byte, bit = slot >> 3, 1 << (slot & 7)
    for _, code, _, _, only, slots in _layout(*sizes).iter_unpack(rows):
        if not slots[byte] & bit or (any(only) and facet_of[slot] not in _numbers(only)):
            continue
        form, kind = code >> 7 & 3, code & 127
        if form >= Form.PREFERS_LOWER:
            is_for = slot == _numbers(slots)[form == Form.PREFERS_HIGHER]
        else:
            is_for = form == Form.LIKE
        kinds = found[not is_for]
        kinds[kind] = kinds.get(kind, 0) + 1
    return found


def row_size(slots: int, facets: int) -> int:
    """Return the bytes of a row.

    >>> row_size(16, 5)
    13
    """
    return _layout(slots, facets).size


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


def _places_of(row: _Row, facet_of: Sequence[int]) -> Collection[tuple[int, int]]:
    _, code, _, _, only, slots = row
    is_narrowed = any(only)
    return _places(code >> 7 & 3, slots, _numbers(only) if is_narrowed else (), facet_of if is_narrowed else ())


@lru_cache(maxsize=8192)
def _places(form: int, slots: bytes, only: tuple[int, ...], facet_of: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return the place of the side that the form supports, and of the other side, for each trained slot of a mask."""
    numbers = _numbers(slots)
    sides = (form != Form.DISLIKE,) * len(numbers)
    if form >= Form.PREFERS_LOWER:
        sides = (form == Form.PREFERS_LOWER, form == Form.PREFERS_HIGHER)
    return tuple(
        [
            (2 * slot + (not liked), 2 * slot + liked)
            for slot, liked in zip(numbers, sides, strict=True)
            if not only or facet_of[slot] in only
        ]
    )


def _units(hundredths: int) -> int:
    return hundredths * _PER_HUNDREDTH or 1


def _bits(mask: int) -> Iterator[int]:
    return (number for number in range(mask.bit_length()) if mask >> number & 1)


def _piece(row: _Row) -> Piece:
    at_s, code, mean, variance, only, slots = row
    return Piece(
        at_s * 1000, code & 127, Form(code >> 7 & 3), (code >> 9) / 100, mean, variance,
        _numbers(only), _numbers(slots),
    )  # fmt: skip
