"""The last events and turns of a user, against repeats."""

from dataclasses import dataclass

from tests.reference.rounding import f32

RECENT_EVENTS = 64
RECENT_TURNS = 16
ROUNDING = 1e-4
"""A smaller weight left is a rounding error."""


@dataclass
class Turn:
    """A turn with an id, which never trains with more than 1 in all, and counts as disliked once."""

    id_hash: int
    learned: float = 0.0
    """Weight used in training."""
    is_disliked: bool = False

    def use(self, weight: float) -> None:
        self.learned = f32(self.learned + weight)


class Recent:
    """The last events and turns, oldest first."""

    def __init__(self) -> None:
        self.events: list[int] = []
        self.turns: list[Turn] = []

    def add_event(self, event: int) -> None:
        self.events = [*self.events, event][-RECENT_EVENTS:]

    def observe_turn(
        self, id_hash: int, weight: float, is_disliked: bool, is_sensitive: bool
    ) -> tuple[Turn | None, bool, bool, float]:
        """Take in an event of a turn, and return (turn, is new, first dislike, weight left to train with).

        A sensitive turn is used up at once. Without an id (0) every event is a turn of its own.
        """
        if not id_hash:
            return None, True, is_disliked and not is_sensitive, 0.0 if is_sensitive else weight
        turn = next((turn for turn in self.turns if turn.id_hash == id_hash), None)
        is_new = turn is None
        if turn is None:
            turn = Turn(id_hash)
            self.turns = [*self.turns, turn][-RECENT_TURNS:]
        if is_sensitive:
            turn.learned, turn.is_disliked = 1.0, True
        is_first_dislike = is_disliked and not turn.is_disliked
        turn.is_disliked |= is_disliked
        left = min(weight, 1.0 - turn.learned)
        return turn, is_new, is_first_dislike, left if left > ROUNDING else 0.0
