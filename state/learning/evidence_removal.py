"""Removal of the evidence on one side of a value, or of all on a facet, from a user model.

If the log of feedback is complete, the model is trained again without the removed pieces.
Otherwise earlier feedback is known as sums by value and side. Then the facet starts from the prior, the sums that stay
are trained as so many likes and dislikes, evenly mixed, and the pieces of the log that stay follow. The number of likes
and dislikes is the one whose discounted sum is the stored sum. What the order and the kinds of earlier feedback would
have added is lost; docs/learning.md has the error. Feedback from before the log is in no sum, and cannot be removed.
"""

from collections.abc import Iterator, Sequence
from math import ceil, fsum, log
from typing import Literal, NamedTuple

from state.learning.counterfactual import retrained, undo_all, without
from state.learning.feedback_piece import Piece, Side
from state.learning.prediction import NEUTRAL_FACTORS, NOISE_VARIANCE, PopulationPart
from state.learning.preferences import KEPT, Preferences

Basis = Literal["exact", "sums", "partial"]
"""Basis of a prediction: all pieces of feedback; sums of earlier feedback; or earlier feedback stays in it."""


_MOST = 0.99 / (1 - KEPT)
"""Limit of an aged sum of weights, which converges to 1 / (1 − ρ)."""


class Removal(NamedTuple):
    """Evidence to remove."""

    facet: int
    slot: int
    side: Side | None
    """None: all on the facet."""

    def covers(self, slot: int, side: Side) -> bool:
        """Return whether evidence on a side of a value of the facet is removed."""
        return self.side is None or (slot, side) == (self.slot, self.side)

    def removes(self, piece: Piece, facet_of: Sequence[int]) -> bool:
        """Return whether a piece of feedback is removed; `facet_of` is slot → facet."""
        sides = piece.sides(facet_of)
        return any(facet_of[slot] == self.facet and self.covers(slot, side) for slot, side in sides.items())


class Removed(NamedTuple):
    """A user model without the evidence."""

    own: Preferences
    pieces: int
    """Pieces of the log that were removed."""
    earlier: float
    """Weight of earlier feedback that was removed."""
    basis: Basis


def remove(own: Preferences, removal: Removal) -> Removed:
    """Return the user model without some evidence; `own` stays unchanged."""
    facet_of = own.catalogue.slot_facets
    if own.log.is_complete or own.log.uncounted:
        found = without(own, lambda piece: removal.removes(piece, facet_of))
        return Removed(found.own, len(found.removed), 0.0, "exact" if found.is_complete else "partial")
    base, pieces = undo_all(own)
    rest = _rest(base, pieces, removal.facet)
    sums = {
        (slot, side): own.log.earlier(slot, side)[0]
        for slot in own.catalogue.facet_slots[removal.facet]
        for side in Side
    }
    base.forget([removal.facet], keeps_bias=True)
    kept = {each: weight for each, weight in sums.items() if not removal.covers(*each)}
    for slot, side, weight in _as_pieces(sums, kept):
        base.learn([slot], side is Side.FOR, weight, rest, [removal.facet])
    stay = [piece for piece in pieces if not removal.removes(piece, facet_of)]
    trained = retrained(base, stay)
    earlier = fsum(sums.values()) - fsum(kept.values())
    return Removed(trained, len(pieces) - len(stay), earlier, "sums")


def _rest(own: Preferences, pieces: Sequence[Piece], facet: int) -> PopulationPart:
    """Return the average of all other parts of the predictions in the log: the population's and the other facets'."""
    facet_of = own.catalogue.slot_facets
    found = []
    for piece in pieces:
        if not piece.is_directed and facet in {facet_of[slot] for slot in piece.slots}:
            part = own.own([slot for slot in piece.slots if facet_of[slot] != facet])
            found.append((piece.mean + part.mean - part.bias, piece.variance + part.variance - own.bias_variance))
    if not found:
        return PopulationPart(0.0, NOISE_VARIANCE, NEUTRAL_FACTORS)
    means, variances = zip(*found, strict=True)
    return PopulationPart(fsum(means) / len(found), fsum(variances) / len(found), NEUTRAL_FACTORS)


def _as_pieces(
    sums: dict[tuple[int, Side], float], kept: dict[tuple[int, Side], float]
) -> Iterator[tuple[int, Side, float]]:
    """Yield (slot, side, weight) of likes and dislikes with the kept sums, evenly mixed.

    Before the removal, all pieces on a value discounted each other: of n with weight 1, (1 − ρⁿ) / (1 − ρ) is left.
    """
    found = []
    for (slot, side), weight in kept.items():
        total = sums[slot, Side.FOR] + sums[slot, Side.AGAINST]
        if weight:
            number = log(1 - (1 - KEPT) * min(total, _MOST)) / log(KEPT) * weight / total
            times = ceil(number)
            found += [((n + 0.5) / times, slot, side, number / times) for n in range(times)]
    found.sort()
    for _, slot, side, weight in found:
        yield slot, side, weight
