"""The last turns of a user, in a ring of fixed size, so that no turn trains or counts as disliked twice."""

from state.events.observation import NONE
from state.row.layout import RECENT_TURNS
from state.row.row import Row

_NONE, _SIZE = NONE, RECENT_TURNS

_ROUNDING = 1e-4
"""A smaller weight left is a rounding error of a turn that was used up."""


class RecentTurns:
    """The last turns by the 32-bit hashes of turn ids: weight used in training, and whether disliked."""

    def __init__(self, row: Row) -> None:
        self._row = row

    def observe(self, turn: int, weight: float, disliked: bool, sensitive: bool) -> tuple[int, bool, bool, float]:
        """Take in an event of a turn, and return (place, is new, first dislike, weight left to train with).

        A turn never trains with more than 1 in all. A sensitive turn is used up at once, so that later feedback
        without the topic neither trains nor counts as a dislike. Without an id (0) every event is a turn of its own,
        with place `NONE`.
        """
        if not turn:
            return _NONE, True, disliked and not sensitive, 0.0 if sensitive else weight
        row, at = self._row, self._row.at
        place = self._find(turn)
        is_new = place == _NONE
        if is_new:
            place = self._add(turn)
        if sensitive:
            row.turn_weights[at, place] = 1.0
            row.turns_disliked[at] |= 1 << place
        left = min(weight, 1.0 - float(row.turn_weights[at, place]))
        return place, is_new, disliked and self._is_first_dislike(place), left if left > _ROUNDING else 0.0

    def used(self, place: int) -> float:
        """Return the weight that the turn at a place has trained with, 0–1."""
        return float(self._row.turn_weights[self._row.at, place])

    def use(self, place: int, weight: float) -> None:
        """Count a weight with which the turn at a place has trained."""
        row, at = self._row, self._row.at
        row.turn_weights[at, place] = float(row.turn_weights[at, place]) + weight

    def clear(self) -> None:
        """Drop all turns."""
        row, at = self._row, self._row.at
        for place in range(row.turn_count[at]):
            row.turns[at, place] = 0
            row.turn_weights[at, place] = 0.0
        row.turn_count[at] = row.turn_next[at] = 0
        row.turns_disliked[at] = 0

    def _find(self, turn: int) -> int:
        row, at = self._row, self._row.at
        for place in range(row.turn_count[at]):
            if row.turns[at, place] == turn:
                return place
        return _NONE

    def _add(self, turn: int) -> int:
        """Return the place of a new turn: that of the oldest once the ring is full."""
        row, at = self._row, self._row.at
        place = row.turn_count[at]
        if place < _SIZE:
            row.turn_count[at] = place + 1
        else:
            place = row.turn_next[at]
            row.turn_next[at] = (place + 1) % _SIZE
        row.turns[at, place] = turn
        row.turn_weights[at, place] = 0.0
        row.turns_disliked[at] &= ~(1 << place)
        return place

    def _is_first_dislike(self, place: int) -> bool:
        row, at = self._row, self._row.at
        bit = 1 << place
        is_first = not row.turns_disliked[at] & bit
        row.turns_disliked[at] |= bit
        return is_first

    @property
    def hashes(self) -> list[int]:
        """The hashes by place."""
        row = self._row
        found: list[int] = row.numbers("turns")
        return found[: row.turn_count[row.at]]

    @property
    def learned(self) -> list[float]:
        """Weight used in training by place, 0–1."""
        row = self._row
        found: list[float] = row.numbers("turn_weights")
        return found[: row.turn_count[row.at]]

    @property
    def disliked(self) -> int:
        """A bit per place."""
        return self._row.turns_disliked[self._row.at]

    @property
    def next(self) -> int:
        """Place of the oldest, once the ring is full."""
        return self._row.turn_next[self._row.at]
