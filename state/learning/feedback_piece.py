"""A piece of feedback that trained a user model."""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple


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
