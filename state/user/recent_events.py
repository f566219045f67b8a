"""The last event ids of a user, in a ring of fixed size, against repeats."""

from array import array

RECENT_EVENTS = 64
"""Number of last events against which repeats are recognized."""


class RecentEvents:
    """The 32-bit hashes of the last event ids."""

    __slots__ = ("hashes", "next")

    def __init__(self) -> None:
        self.hashes = array("I")
        self.next = 0
        """Place of the oldest, once the ring is full."""

    def __contains__(self, event: int) -> bool:
        return event in self.hashes

    def add(self, event: int) -> None:
        """Add an event, in place of the oldest once the ring is full."""
        if len(self.hashes) < RECENT_EVENTS:
            self.hashes.append(event)
            return
        self.hashes[self.next] = event
        self.next = (self.next + 1) % RECENT_EVENTS
