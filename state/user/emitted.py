"""The last emitted decision of each facet, by which an outbox decides whether a signal has changed."""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence

from state.learning.context_effects import ROWS
from state.learning.decisions import Decision
from state.learning.side_sums import PER_WEIGHT

MOVED = 0.05
"""A signal is emitted again after a move of the confidence by 0.05."""
EVIDENCE_MOVED = 0.1
"""Share by which the evidence for or against the value changes until the signal is emitted again."""
LEAST_MOVE = 0.5
"""Smallest such change, as a weight."""

_LEAST_UNITS = round(LEAST_MOVE * PER_WEIGHT)
_NEVER = -1
_LONG_AGO_MS = 1
_NO_RANKS = array("B", bytes(ROWS))


class Emitted:
    """The last emitted decision of each facet: value, tier, numbers, event time, and the values in contexts."""

    __slots__ = ("at_ms", "confidence", "contexts", "evidence", "oldest_ms", "slot", "tier")

    def __init__(self, facets: int) -> None:
        self.slot = array("h", [_NEVER] * facets)
        self.tier = array("B", bytes(facets))
        self.confidence = array("f", bytes(4 * facets))
        self.evidence = array("H", bytes(4 * facets))
        """Evidence for and against the value, facet by facet, in units of state.learning.side_sums."""
        self.at_ms = array("q", bytes(8 * facets))
        self.contexts = array("B", bytes(ROWS * facets))
        """Value by facet and row of own effects: rank (`NumberedCatalogue.slot_ranks`); 0: the general value."""
        self.oldest_ms = 0
        """Lower bound of the times in `at_ms`; 0 without an emitted decision."""

    def grow(self, facets: int) -> None:
        """Make room for as many facets in all."""
        new = Emitted(facets - len(self.slot))
        self.slot += new.slot
        self.tier += new.tier
        self.confidence += new.confidence
        self.evidence += new.evidence
        self.at_ms += new.at_ms
        self.contexts += new.contexts

    def expire(self, slots: Collection[int]) -> None:
        """Make decisions for the given slots due at once."""
        for facet, slot in enumerate(self.slot):
            if slot in slots:
                self.at_ms[facet] = _LONG_AGO_MS

    def differs(self, facet: int, decision: Decision, totals: Sequence[int]) -> bool:
        """Return whether value or tier differ from the last emitted decision, or numbers have moved enough.

        `totals` is the user's evidence (`FeedbackLog.totals`).
        """
        slot, evidence = decision.slot, self.evidence
        return (
            self.slot[facet] != slot
            or self.tier[facet] != decision.tier
            or abs(self.confidence[facet] - decision.confidence) >= MOVED
            or _has_moved(evidence[2 * facet], totals[2 * slot])
            or _has_moved(evidence[2 * facet + 1], totals[2 * slot + 1])
        )

    def differs_in(self, facet: int, ranks: Mapping[int, int]) -> bool:
        """Return whether a value in a context differs from the last emitted one; row → rank as in `contexts`."""
        start = ROWS * facet
        for row, rank in ranks.items():  # noqa: SIM110  a generator costs twice this loop
            if self.contexts[start + row] != rank:
                return True
        return False

    def end(self, rows: Collection[int]) -> None:
        """Drop the values of rows whose context has ended, and make decisions with such a value due at once."""
        for facet in range(len(self.slot)):
            start = ROWS * facet
            if any(self.contexts[start + row] for row in rows):
                self.at_ms[facet] = _LONG_AGO_MS
        self.free(rows)

    def free(self, rows: Iterable[int]) -> None:
        """Drop the values of rows that get another context."""
        for row in rows:
            for facet in range(len(self.slot)):
                self.contexts[ROWS * facet + row] = 0

    def record(
        self, facet: int, decision: Decision, totals: Sequence[int], ranks: Mapping[int, int], at_ms: int
    ) -> None:
        """Record an emitted decision, with row → rank of each value in a context."""
        start = ROWS * facet
        self.contexts[start : start + ROWS] = _NO_RANKS
        for row, rank in ranks.items():
            self.contexts[start + row] = rank
        self.slot[facet] = slot = decision.slot
        self.evidence[2 * facet], self.evidence[2 * facet + 1] = totals[2 * slot], totals[2 * slot + 1]
        self.tier[facet] = decision.tier
        self.confidence[facet] = decision.confidence
        self.at_ms[facet] = at_ms
        self.oldest_ms = min(self.oldest_ms, at_ms) if self.oldest_ms else at_ms

    def retract(self, facet: int) -> None:
        """Drop the whole record of a facet: the next decision differs."""
        self.slot[facet] = _NEVER
        self.tier[facet] = 0
        self.confidence[facet] = 0.0
        self.evidence[2 * facet] = self.evidence[2 * facet + 1] = 0
        self.contexts[ROWS * facet : ROWS * (facet + 1)] = _NO_RANKS
        self.at_ms[facet] = 0

    def due(self, before_ms: int) -> list[int]:
        """Return the facets with a decision that was emitted before that time."""
        if not self.oldest_ms or self.oldest_ms >= before_ms:
            return []
        self.oldest_ms = min((at_ms for at_ms in self.at_ms if at_ms >= before_ms), default=0)
        return [facet for facet, at_ms in enumerate(self.at_ms) if 0 < at_ms < before_ms]

    def served(self, careful: Collection[int], rows: Iterable[int], ranked: Sequence[Sequence[int | None]]) -> bytes:
        """Return the slots that readers serve by the emitted decisions, by facet, 16 bits each; −1 for none.

        Args:
            careful: facets that are served from the tier `hint` on.
            rows: rows of the answer's contexts, the topic before the surface: the first with an own value counts.
            ranked: facet → slots by rank (`NumberedCatalogue.ranked_slots`). Readers skip a value that left.
        """
        slots = self.slot[:]
        for facet in careful:
            if not self.tier[facet]:
                slots[facet] = _NEVER
        for row in rows:
            for facet, rank in enumerate(self.contexts[row::ROWS]):
                if rank and slots[facet] == self.slot[facet] and (slot := ranked[facet][rank - 1]) is not None:
                    slots[facet] = slot
        return slots.tobytes()


def _has_moved(emitted: int, present: int) -> bool:
    move = abs(present - emitted)
    return move >= _LEAST_UNITS and move >= EVIDENCE_MOVED * emitted
