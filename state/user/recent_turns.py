"""The last turns of a user, in a ring of fixed size, so that no turn trains or counts as disliked twice."""

from array import array

from state.events.observation import NONE

RECENT_TURNS = 16
"""Number of last turns among which later feedback is matched."""

_ROUNDING = 1e-4
"""A smaller weight left is a rounding error of a turn that was used up."""


class RecentTurns:
    """The last turns by the 32-bit hashes of turn ids: weight used in training, and whether disliked."""

    __slots__ = ("disliked", "hashes", "learned", "next")

    def __init__(self) -> None:
        self.hashes = array("I")
        self.learned = array("f")
        """Weight used in training, 0–1."""
        self.disliked = 0
        """A bit per place."""
        self.next = 0

    def observe(self, turn: int, weight: float, disliked: bool, sensitive: bool) -> tuple[int, bool, bool, float]:
        """Take in an event of a turn, and return (place, is new, first dislike, weight left to train with).

        A turn never trains with more than 1 in all. A sensitive turn is used up at once, so that later feedback
        without the topic neither trains nor counts as a dislike. Without an id (0) every event is a turn of its own,
        with place `NONE`.
        """
        if not turn:
            return NONE, True, disliked and not sensitive, 0.0 if sensitive else weight
        is_new = turn not in self.hashes
        place = self._add(turn) if is_new else self.hashes.index(turn)
        if sensitive:
            self.learned[place] = 1.0
            self.disliked |= 1 << place
        left = min(weight, 1.0 - self.learned[place])
        return place, is_new, disliked and self._is_first_dislike(place), left if left > _ROUNDING else 0.0

    def _add(self, turn: int) -> int:
        """Return the place of a new turn: that of the oldest once the ring is full."""
        if len(self.hashes) < RECENT_TURNS:
            self.hashes.append(turn)
            self.learned.append(0.0)
            return len(self.hashes) - 1
        place = self.next
        self.next = (place + 1) % RECENT_TURNS
        self.hashes[place] = turn
        self.learned[place] = 0.0
        self.disliked &= ~(1 << place)
        return place

    def _is_first_dislike(self, place: int) -> bool:
        bit = 1 << place
        is_first = not self.disliked & bit
        self.disliked |= bit
        return is_first
