"""What a person did last, in rings of fixed size: event ids against repeats, turns against learning twice."""

from array import array

RECENT_EVENTS = 64
"""A repeat of one of this many last events changes nothing."""
RECENT_TURNS = 16
"""Later feedback finds its turn among this many last turns."""

_CRUMB = 1e-4
"""Less weight than this is what rounding leaves of a turn that was learned from."""


class RecentEvents:
    """The 32-bit hashes of the last event ids."""

    __slots__ = ("hashes", "next")

    def __init__(self) -> None:
        self.hashes = array("I")
        self.next = 0
        """Where the oldest stands, once the ring is full."""

    def __contains__(self, event: int) -> bool:
        return event in self.hashes

    def add(self, event: int) -> None:
        """Remember an event, in place of the oldest."""
        if len(self.hashes) < RECENT_EVENTS:
            self.hashes.append(event)
            return
        self.hashes[self.next] = event
        self.next = (self.next + 1) % RECENT_EVENTS


class RecentTurns:
    """The last turns by the 32-bit hashes of their ids: how much was learned from each, and whether it was disliked."""

    __slots__ = ("disliked", "hashes", "learned", "next")

    def __init__(self) -> None:
        self.hashes = array("I")
        self.learned = array("f")
        """Weight that was learned from a turn, 0–1."""
        self.disliked = 0
        """A bit per place."""
        self.next = 0

    def place(self, turn: int) -> tuple[int, bool]:
        """Return a turn's place, and whether it is new; a new one takes the place of the oldest."""
        if turn in self.hashes:
            return self.hashes.index(turn), False
        return self._add(turn), True

    def _add(self, turn: int) -> int:
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

    def weight_left(self, place: int, weight: float) -> float:
        """Return how much of `weight` may still be learned, so that a turn never weighs more than 1."""
        left = min(weight, 1.0 - self.learned[place])
        return left if left > _CRUMB else 0.0

    def is_first_dislike(self, place: int) -> bool:
        """Note that a turn was disliked, and say whether that is new."""
        bit = 1 << place
        is_first = not self.disliked & bit
        self.disliked |= bit
        return is_first
