"""Evidence for and against each value of a user model, discounted as the beliefs are."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from state.learning.feedback_log import FeedbackLog
from state.learning.feedback_piece import Side
from state.learning.own_beliefs import OwnBeliefs
from state.learning.preferences import KEPT


@dataclass(slots=True)
class SideEvidence:
    """Feedback on one side of a value."""

    weight: float = 0.0
    """Aged sum of weights, earlier feedback included."""
    earlier: float = 0.0
    """Part of `weight` from feedback that has left the log."""
    newest_ms: int = 0
    """Event time of the newest piece; 0: none. Of earlier feedback only the day is known."""
    kinds: Counter[int] = field(default_factory=Counter)
    """Pieces in the log by feedback kind."""


@dataclass(slots=True)
class ValueEvidence:
    """Feedback for and against a value."""

    supporting: SideEvidence
    opposing: SideEvidence

    def __getitem__(self, side: Side) -> SideEvidence:
        return self.supporting if side is Side.FOR else self.opposing


def value_evidence(own: OwnBeliefs) -> Mapping[int, ValueEvidence]:
    """Return the evidence by slot.

    A piece of feedback counts with its weight, ×`KEPT` for each later piece on the same value: the same share of its
    effect on the value's mean survives (state.learning.side_sums).
    """
    catalogue, log = own.catalogue, own.log
    found = {slot: _earlier(log, slot) for slot in range(len(catalogue.slots))}
    for piece in log.pieces:
        for slot, side in piece.sides(catalogue.slot_facets).items():
            _age(found[slot])
            evidence = found[slot][side]
            evidence.newest_ms = max(evidence.newest_ms, piece.at_ms)
            evidence.kinds[piece.kind] += 1
    for slot, sides in found.items():
        for side in Side:
            sides[side].weight = log.total(slot, side)
            sides[side].earlier = min(sides[side].earlier, sides[side].weight)
    return found


def _earlier(log: FeedbackLog, slot: int) -> ValueEvidence:
    sides = [log.earlier(slot, side) for side in Side]
    return ValueEvidence(*[SideEvidence(0.0, weight, newest_ms) for weight, newest_ms in sides])


def _age(evidence: ValueEvidence) -> None:
    for side in Side:
        evidence[side].earlier *= KEPT
