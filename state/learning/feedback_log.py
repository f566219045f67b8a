"""Evidence of a user: the last pieces of feedback, and per value the aged sums of all pieces and of the earlier ones.

A row has all that a retraining of the user model needs, so a prediction without some feedback can be computed
(state.learning.counterfactual). A piece that leaves the log joins the earlier sums of its values.

    field             a piece, oldest first; the pieces after `piece_count` are 0
    piece_s           event time in seconds
    piece_codes       kind of feedback (7 bits), form (2 bits), weight in hundredths (7 bits)
    piece_means       mean of the population's part of the prediction, as a half float
    piece_variances   its variance, likewise
    piece_facets      facets that the feedback is narrowed to, a bit each
    piece_slots       values of the answer, a bit each; of directed feedback the preferred and the served value

    field             a number per value and side (state.learning.side_sums)
    totals            weight of all pieces
    sums              weight of pieces that left the log, as of the first piece in the log
    days              day of the newest earlier piece, since 1970; 0: none

`has_sums` marks that a piece has left the log. `uncounted` marks feedback from before the log existed, which is in the
beliefs alone.
"""

from array import array
from collections.abc import Iterable, Sequence
from itertools import islice

from state.learning.feedback_piece import Form, Piece, Side
from state.learning.half_float import MOST, from_bits, to_bits
from state.learning.side_sums import PER_WEIGHT, add, undo
from state.row.layout import MAX_PIECES
from state.row.row import Row

_DAY_S = 86_400
_MAX_S = 2**32 - 1
"""Latest time of a piece, in the year 2106; later times, up to the year 2286, count as this one."""
_PER_HUNDREDTH = PER_WEIGHT // 100
_UNITS_OF_1 = PER_WEIGHT
_PIECES = MAX_PIECES
_MOST = MOST
_DISLIKE, _PREFERS_LOWER, _PREFERS_HIGHER = int(Form.DISLIKE), int(Form.PREFERS_LOWER), int(Form.PREFERS_HIGHER)
_PIECE_FIELDS = ("piece_s", "piece_codes", "piece_means", "piece_variances", "piece_facets", "piece_slots")
_CODE_BYTES = 2 * MAX_PIECES


class FeedbackLog:
    """The log of the present row."""

    def __init__(self, row: Row, slot_facets: Sequence[int]) -> None:
        """Read and write the log of a row that has room for the values of `slot_facets` (slot → facet)."""
        self._row = row
        self._facet_of = array("q", slot_facets)
        self._slot_bytes = (row.layout.sizes.slots + 7) // 8
        self._facet_bytes = (row.layout.sizes.facets + 7) // 8
        self._trained = array("q", bytes(8 * len(slot_facets)))
        """Places of the sums that a piece adds to, for the present call."""
        offsets = row.layout.offsets
        self._codes_at, self._masks_at = offsets["piece_codes"][0], offsets["piece_facets"][0]
        self._mask_bytes = MAX_PIECES * (self._facet_bytes + self._slot_bytes)

    # Training

    def add(
        self,
        at_ms: int,
        kind: int,
        form: int,
        weight: float,
        mean: float,
        variance: float,
        slots: Iterable[int],
        only: Iterable[int],
    ) -> None:
        """Add a piece; the oldest piece joins the sums once the log is full.

        Args:
            at_ms: event time.
            kind: kind of feedback.
            form: a `Form`.
            weight: 0–1.
            mean: mean of the population's part of the prediction.
            variance: its variance.
            slots: values of the answer; of directed feedback the preferred and the served value.
            only: facets that the feedback is narrowed to; empty for all.
        """
        row, at = self._row, self._row.at
        n = row.piece_count[at]
        if n == _PIECES:
            self._add_to_sums(0)
            self._shift()
            n -= 1
        hundredths = int(100 * weight + 0.5)
        row.piece_s[at, n] = min(at_ms // 1000, _MAX_S)
        row.piece_codes[at, n] = kind | form << 7 | hundredths << 9
        row.piece_means[at, n] = to_bits(mean if -_MOST < mean < _MOST else 0.0)
        row.piece_variances[at, n] = to_bits(variance if variance < _MOST else _MOST)
        for number in only:
            row.piece_facets[at, n, number >> 3] |= 1 << (number & 7)
        for number in slots:
            row.piece_slots[at, n, number >> 3] |= 1 << (number & 7)
        row.piece_count[at] = n + 1
        self._add_to_totals(n)

    def newest_s(self) -> int:
        """Return the event time of the last piece, in seconds; 0 for none."""
        row, at = self._row, self._row.at
        count = row.piece_count[at]
        return row.piece_s[at, count - 1] if count else 0

    def total(self, slot: int, side: int) -> float:
        """Return the aged weight of all pieces on a side of a value."""
        return self._row.totals[self._row.at, 2 * slot + side] / _UNITS_OF_1

    def has_feedback(self, slots: Iterable[int]) -> bool:
        """Return whether some feedback concerned one of the values; uncounted feedback shows in the means alone."""
        row, at = self._row, self._row.at
        uncounted = row.uncounted[at]
        for slot in slots:
            if row.totals[at, 2 * slot] or row.totals[at, 2 * slot + 1]:
                return True
            if uncounted and float(row.means[at, slot]) != 0.0:
                return True
        return False

    def _add_to_totals(self, n: int) -> None:
        row, at = self._row, self._row.at
        at_s, units = row.piece_s[at, n], self._units(n)
        for index in range(self._find_trained(n)):
            add(row.totals, at, self._trained[index], units, at_s)

    def _add_to_sums(self, n: int) -> None:
        """Age the earlier sums of a piece's values, and add its weight."""
        row, at = self._row, self._row.at
        at_s, units = row.piece_s[at, n], self._units(n)
        day = at_s // _DAY_S
        row.has_sums[at] = 1
        for index in range(self._find_trained(n)):
            place = self._trained[index]
            add(row.sums, at, place, units, at_s)
            row.days[at, place] = day

    def _units(self, n: int) -> int:
        """Return the weight of a piece in units of sums."""
        return max((self._row.piece_codes[self._row.at, n] >> 9) * _PER_HUNDREDTH, 1)

    def _find_trained(self, n: int) -> int:
        """Find the place of the side that a piece supports, for each value that it trains; return their number."""
        row, at, trained, facet_of = self._row, self._row.at, self._trained, self._facet_of
        form = row.piece_codes[at, n] >> 7 & 3
        is_narrowed = 0
        for byte in range(self._facet_bytes):
            is_narrowed |= row.piece_facets[at, n, byte]
        count = 0
        against = form in (_DISLIKE, _PREFERS_HIGHER)
        for byte in range(self._slot_bytes):
            slot, bits = 8 * byte, row.piece_slots[at, n, byte]
            while bits:
                if bits & 1:
                    facet = facet_of[slot]
                    if not is_narrowed or row.piece_facets[at, n, facet >> 3] >> (facet & 7) & 1:
                        trained[count] = 2 * slot + against
                        count += 1
                    if form >= _PREFERS_LOWER:
                        against = not against
                slot += 1
                bits >>= 1
        return count

    def _shift(self) -> None:
        """Move all pieces to the place before, over the first one, and clear the last place."""
        row, at = self._row, self._row.at
        for n in range(_PIECES - 1):
            row.piece_s[at, n] = row.piece_s[at, n + 1]
            row.piece_codes[at, n] = row.piece_codes[at, n + 1]
            row.piece_means[at, n] = row.piece_means[at, n + 1]
            row.piece_variances[at, n] = row.piece_variances[at, n + 1]
            for byte in range(self._facet_bytes):
                row.piece_facets[at, n, byte] = row.piece_facets[at, n + 1, byte]
            for byte in range(self._slot_bytes):
                row.piece_slots[at, n, byte] = row.piece_slots[at, n + 1, byte]
        for byte in range(self._facet_bytes):
            row.piece_facets[at, _PIECES - 1, byte] = 0
        for byte in range(self._slot_bytes):
            row.piece_slots[at, _PIECES - 1, byte] = 0

    # Changes of the log

    def drop_last(self) -> None:
        """Remove the newest piece."""
        row, at = self._row, self._row.at
        n = row.piece_count[at] - 1
        at_s, units = row.piece_s[at, n], self._units(n)
        for index in range(self._find_trained(n)):
            undo(row.totals, at, self._trained[index], units, at_s)
        self._clear_pieces(n)

    def recount(self) -> None:
        """Compute the totals of a log of which only the pieces and the earlier sums are known."""
        held = self._row.array[self._row.at]
        held["totals"] = held["sums"]
        for n in range(self._row.piece_count[self._row.at]):
            self._add_to_totals(n)

    def forget(self, facets: Iterable[int]) -> None:
        """Remove all that concerns the facets; pieces, which concern several facets, join the sums of the rest."""
        row, at, forgotten = self._row, self._row.at, set(facets)
        for n in range(row.piece_count[at]):
            self._add_to_sums(n)
        self._clear_pieces(0)
        for slot, facet in enumerate(self._facet_of):
            if facet in forgotten:
                for place in (2 * slot, 2 * slot + 1):
                    row.totals[at, place] = row.sums[at, place] = row.days[at, place] = 0

    def clear(self) -> None:
        """Remove all."""
        row, at = self._row, self._row.at
        if row.piece_count[at]:
            self._clear_pieces(0)
        for place in range(2 * len(self._facet_of)):
            row.totals[at, place] = row.sums[at, place] = row.days[at, place] = 0
        row.has_sums[at] = row.uncounted[at] = 0

    def _clear_pieces(self, start: int) -> None:
        """Remove the pieces from a place on."""
        held = self._row.array[self._row.at]
        for name in _PIECE_FIELDS:
            held[name][start:] = 0
        self._row.piece_count[self._row.at] = start

    # Explanations

    @property
    def is_complete(self) -> bool:
        """The log has all feedback that trained the user model."""
        return not self._row.has_sums[self._row.at] and not self.uncounted

    @property
    def uncounted(self) -> bool:
        """Some feedback came before the log existed, and is in the beliefs alone."""
        return bool(self._row.uncounted[self._row.at])

    @property
    def totals(self) -> list[int]:
        """Weight of all pieces by value and side, in units."""
        totals: list[int] = self._row.numbers("totals")
        return totals

    @property
    def pieces(self) -> list[Piece]:
        """The pieces in the log, oldest first."""
        rows = zip(*map(self._row.numbers, _PIECE_FIELDS), strict=True)
        return [_piece(*row) for row in islice(rows, self._row.piece_count[self._row.at])]

    def earlier(self, slot: int, side: Side) -> tuple[float, int]:
        """Return the sum of earlier pieces as of the first piece in the log, and the newest one's day as time in ms."""
        row, place = self._row, 2 * slot + side
        return row.sums[row.at, place] / PER_WEIGHT, row.days[row.at, place] * _DAY_S * 1000

    def snapshot(self) -> bytes:
        """Return the codes, facets and values of the pieces, for `kinds_by_side`."""
        row = self._row
        start = row.at * row.layout.size
        codes, masks = start + self._codes_at, start + self._masks_at
        return bytes(row.data[codes : codes + _CODE_BYTES]) + bytes(row.data[masks : masks + self._mask_bytes])


def kinds_by_side(
    pieces: bytes, slot: int, sizes: tuple[int, int], facet_of: Sequence[int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Return the pieces of a snapshot for and against a value, counted by feedback kind.

    `sizes` has the numbers of values and facets.
    """
    found: tuple[dict[int, int], dict[int, int]] = {}, {}
    slots, facets = sizes
    slot_bytes, facet_bytes, facet = (slots + 7) // 8, (facets + 7) // 8, facet_of[slot]
    only, values = _CODE_BYTES, _CODE_BYTES + _PIECES * facet_bytes
    for n in range(_PIECES):
        if _has(pieces, values, slot) and (_has(pieces, only, facet) or not _is_any(pieces, only, 8 * facet_bytes)):
            code = pieces[2 * n] | pieces[2 * n + 1] << 8
            form, kind = code >> 7 & 3, code & 127
            is_for = form != _DISLIKE
            if form >= _PREFERS_LOWER:
                is_for = _is_any(pieces, values, slot) == (form == _PREFERS_HIGHER)
            kinds = found[not is_for]
            kinds[kind] = kinds.get(kind, 0) + 1
        only += facet_bytes
        values += slot_bytes
    return found


def _has(masks: bytes, start: int, number: int) -> bool:
    """Return whether the mask at `start` has the bit of a number."""
    return bool(masks[start + (number >> 3)] >> (number & 7) & 1)


def _is_any(masks: bytes, start: int, numbers: int) -> bool:
    """Return whether the mask at `start` has a bit of a number below `numbers`."""
    for number in range(numbers):  # compiled, a generator costs many times this loop
        if _has(masks, start, number):
            return True
    return False


def _piece(at_s: int, code: int, mean: int, variance: int, only: Sequence[int], slots: Sequence[int]) -> Piece:
    return Piece(
        at_s * 1000, code & 127, Form(code >> 7 & 3), (code >> 9) / 100, from_bits(mean), from_bits(variance),
        _numbers(bytes(only)), _numbers(bytes(slots)),
    )  # fmt: skip


def _numbers(mask: bytes) -> tuple[int, ...]:
    return tuple([number for number in range(8 * len(mask)) if _has(mask, 0, number)])
