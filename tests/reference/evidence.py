"""Feedback of a user: the last pieces, and per value the aged weights of all pieces and of the earlier ones."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from tests.reference.rounding import f16

MAX_PIECES = 7
PER_WEIGHT = 300
"""Units of a sum per weight of 1."""
KEPT_PER_MILLE = 995
DAY_S = 86_400
MAX_S, MAX_DAY = 2**32 - 1, 2**16 - 1
MAX_HALF = 60_000.0

DISLIKE, LIKE, PREFERS_LOWER, PREFERS_HIGHER = range(4)
FOR, AGAINST = range(2)


class Piece(NamedTuple):
    """A piece of feedback."""

    at_s: int
    kind: int
    form: int
    hundredths: int
    """Weight."""
    mean: float
    variance: float
    """All parts of the prediction but the lasting beliefs."""
    only: tuple[int, ...]
    """Facets that the piece is narrowed to; empty for all."""
    slots: tuple[int, ...]
    """Values of the answer; of directed feedback two values, ascending."""

    def sides(self, facet_of: Sequence[int]) -> dict[int, int]:
        """Return trained value → side."""
        if self.form >= PREFERS_LOWER:
            lower, higher = self.slots
            sides = (FOR, AGAINST) if self.form == PREFERS_LOWER else (AGAINST, FOR)
            return dict(zip((lower, higher), sides, strict=True))
        side = FOR if self.form == LIKE else AGAINST
        return {slot: side for slot in self.slots if not self.only or facet_of[slot] in self.only}


class Log:
    """The log of feedback of a user."""

    def __init__(self, slots: int) -> None:
        self.pieces: list[Piece] = []
        self.totals = [[0, 0] for _ in range(slots)]
        """Weight of all pieces by value and side."""
        self.sums = [[0, 0] for _ in range(slots)]
        """Weight of the pieces that left the log, likewise, as of the first piece in the log."""
        self.days = [[0, 0] for _ in range(slots)]
        """Day of the newest such piece, likewise, since 1970; 0: none."""

    @property
    def newest_s(self) -> int:
        return self.pieces[-1].at_s if self.pieces else 0

    def add(
        self,
        at_ms: int,
        kind: int,
        form: int,
        weight: float,
        mean: float,
        variance: float,
        only: Iterable[int],
        slots: Iterable[int],
        facet_of: Sequence[int],
    ) -> None:
        """Add a piece; a full log loses the oldest piece to the sums."""
        piece = Piece(
            min(at_ms // 1000, MAX_S),
            kind,
            form,
            int(100 * weight + 0.5),
            f16(mean if -MAX_HALF < mean < MAX_HALF else 0.0),
            f16(min(variance, MAX_HALF)),
            tuple(sorted(set(only))),
            tuple(sorted(set(slots))),
        )
        _add(self.totals, piece, facet_of)
        if len(self.pieces) == MAX_PIECES:
            self._retire(self.pieces.pop(0), facet_of)
        self.pieces.append(piece)

    def _retire(self, piece: Piece, facet_of: Sequence[int]) -> None:
        _add(self.sums, piece, facet_of)
        for slot, side in piece.sides(facet_of).items():
            self.days[slot][side] = min(piece.at_s // DAY_S, MAX_DAY)

    def forget(self, facets: Collection[int], facet_of: Sequence[int]) -> None:
        """Remove the given facets; pieces, which concern several facets, join the sums of the rest."""
        for piece in self.pieces:
            self._retire(piece, facet_of)
        self.pieces = []
        for slot, facet in enumerate(facet_of):
            if facet in facets:
                self.totals[slot], self.sums[slot], self.days[slot] = [0, 0], [0, 0], [0, 0]

    def grow(self, slots: int) -> None:
        for numbers in (self.totals, self.sums, self.days):
            numbers.extend([0, 0] for _ in range(slots - len(numbers)))

    def has_feedback(self, slots: Iterable[int]) -> bool:
        return any(any(self.totals[slot]) for slot in slots)

    def kinds(self, slot: int, side: int, facet_of: Sequence[int]) -> dict[int, int]:
        """Return feedback kind → count of its pieces on a side of a value, oldest first."""
        found: dict[int, int] = {}
        for piece in self.pieces:
            if piece.sides(facet_of).get(slot) == side:
                found[piece.kind] = found.get(piece.kind, 0) + 1
        return found


def _add(sums: list[list[int]], piece: Piece, facet_of: Sequence[int]) -> None:
    """Age both sums of each trained value, and add the weight; the second decides how the aged sums are rounded."""
    up = piece.at_s % 1000
    for slot, side in piece.sides(facet_of).items():
        sums[slot] = [(total * KEPT_PER_MILLE + up) // 1000 for total in sums[slot]]
        sums[slot][side] += piece.hundredths * (PER_WEIGHT // 100) or 1
