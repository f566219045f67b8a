"""The last emitted decision of each facet, by which the worker decides whether a signal has changed."""

from array import array
from collections.abc import Collection, Iterable, Sequence

from state.learning.decisions import Decision
from state.learning.side_sums import PER_WEIGHT
from state.row.layout import ROWS
from state.row.row import Row

MOVED = 0.05
"""A signal is emitted again after a move of the confidence by 0.05."""
EVIDENCE_MOVED = 0.1
"""Share by which the evidence for or against the value changes until the signal is emitted again."""
LEAST_MOVE = 0.5
"""Smallest such change, as a weight."""

NEVER = -1
"""No emitted value."""

_MOVED = MOVED
_EVIDENCE_MOVED = EVIDENCE_MOVED
_LEAST_UNITS = round(LEAST_MOVE * PER_WEIGHT)
_LONG_AGO_MS = 1


class Emitted:
    """The last emitted decision of each facet: value, tier, numbers, event time, and the values in contexts.

    Of `Row`: `emitted_slots` (`NEVER`: nothing was emitted), `emitted_evidence` in units of state.learning.side_sums,
    and `emitted_ranks` by facet and row of own effects (`NumberedCatalogue.slot_ranks`; 0: the general value).
    """

    def __init__(self, row: Row) -> None:
        self.row = row
        self.facets = row.layout.sizes.facets

    def retract_all(self) -> None:
        """Drop the whole record: every next decision differs."""
        for facet in range(self.facets):
            self.retract(facet)

    def retract(self, facet: int) -> None:
        """Drop the record of a facet: the next decision differs."""
        row = self.row
        row.emitted_slots[row.at, facet] = NEVER
        row.emitted_tiers[row.at, facet] = 0
        row.emitted_confidences[row.at, facet] = 0.0
        row.emitted_evidence[row.at, 2 * facet] = row.emitted_evidence[row.at, 2 * facet + 1] = 0
        row.emitted_ms[row.at, facet] = 0
        self.free(facet, range(ROWS))

    def clear(self) -> None:
        """Zero the record of a user without preferences."""
        row = self.row
        for facet in range(self.facets):
            self.retract(facet)
            row.emitted_slots[row.at, facet] = 0

    def expire(self, slots: Collection[int]) -> None:
        """Make decisions for the given slots due at once."""
        row = self.row
        for facet in range(self.facets):
            if row.emitted_slots[row.at, facet] in slots:
                row.emitted_ms[row.at, facet] = _LONG_AGO_MS

    def differs(self, facet: int, decision: Decision) -> bool:
        """Return whether value or tier differ from the last emitted decision, or numbers have moved enough."""
        row, slot = self.row, decision.slot
        if row.emitted_slots[row.at, facet] != slot or row.emitted_tiers[row.at, facet] != decision.tier:
            return True
        confidence = float(row.emitted_confidences[row.at, facet])
        return (
            abs(confidence - decision.confidence) >= _MOVED
            or _has_moved(row.emitted_evidence[row.at, 2 * facet], row.totals[row.at, 2 * slot])
            or _has_moved(row.emitted_evidence[row.at, 2 * facet + 1], row.totals[row.at, 2 * slot + 1])
        )

    def rank(self, facet: int, place: int) -> int:
        """Return the rank of the emitted value in the context of a row; 0: the general value."""
        row = self.row
        return row.emitted_ranks[row.at, facet, place]

    def end(self, rows: Collection[int]) -> None:
        """Drop the values of rows whose context has ended, and make decisions with such a value due at once."""
        for facet in range(self.facets):
            if any(self.rank(facet, place) for place in rows):
                self.row.emitted_ms[self.row.at, facet] = _LONG_AGO_MS
            self.free(facet, rows)

    def free(self, facet: int, rows: Iterable[int]) -> None:
        """Drop the values of a facet in rows that get another context."""
        row = self.row
        for place in rows:
            row.emitted_ranks[row.at, facet, place] = 0

    def free_all(self) -> None:
        """Drop the values in all contexts."""
        for facet in range(self.facets):
            self.free(facet, range(ROWS))

    def record(self, facet: int, decision: Decision, at_ms: int) -> None:
        """Record an emitted decision, so far without contexts."""
        row, slot = self.row, decision.slot
        row.emitted_slots[row.at, facet] = slot
        row.emitted_evidence[row.at, 2 * facet] = row.totals[row.at, 2 * slot]
        row.emitted_evidence[row.at, 2 * facet + 1] = row.totals[row.at, 2 * slot + 1]
        row.emitted_tiers[row.at, facet] = decision.tier
        row.emitted_confidences[row.at, facet] = decision.confidence
        row.emitted_ms[row.at, facet] = at_ms
        for place in range(ROWS):
            row.emitted_ranks[row.at, facet, place] = 0

    def record_in(self, facet: int, place: int, rank: int) -> None:
        """Record the emitted value in the context of a row."""
        self.row.emitted_ranks[self.row.at, facet, place] = rank

    def is_due(self, facet: int, before_ms: int) -> bool:
        """Return whether a decision was emitted, and before that time."""
        row = self.row
        return 0 < row.emitted_ms[row.at, facet] < before_ms

    def served(self, careful: Collection[int], rows: Iterable[int], ranked: Sequence[Sequence[int | None]]) -> bytes:
        """Return the slots that readers serve by the emitted decisions, by facet, 16 bits each; −1 for none.

        Args:
            careful: facets that are served from the tier `hint` on.
            rows: rows of the answer's contexts, the topic before the surface: the first with an own value counts.
            ranked: facet → slots by rank (`NumberedCatalogue.ranked_slots`). Readers skip a value that left.
        """
        row = self.row
        general = [row.emitted_slots[row.at, facet] for facet in range(self.facets)]
        slots = array("h", general)
        for facet in careful:
            if not row.emitted_tiers[row.at, facet]:
                slots[facet] = NEVER
        for place in rows:
            for facet in range(self.facets):
                rank = row.emitted_ranks[row.at, facet, place]
                if rank and slots[facet] == general[facet] and (slot := ranked[facet][rank - 1]) is not None:
                    slots[facet] = slot
        return slots.tobytes()

    def confidences(self) -> bytes:
        """Return the emitted confidences by facet, as 32-bit floats."""
        return array("f", self.row.numbers("emitted_confidences")).tobytes()


def _has_moved(emitted: int, present: int) -> bool:
    move = abs(present - emitted)
    return move >= _LEAST_UNITS and move >= _EVIDENCE_MOVED * emitted
