"""The last event ids of a user, in a ring of fixed size, against repeats."""

from state.row.layout import RECENT_EVENTS
from state.row.row import Row

_SIZE = RECENT_EVENTS


class RecentEvents:
    """The 32-bit hashes of the last event ids, in the present row."""

    def __init__(self, row: Row) -> None:
        self._row = row

    def __contains__(self, event: int) -> bool:
        return self.has(event)

    def has(self, event: int) -> bool:
        """Return whether an event is among the last ones."""
        row, at = self._row, self._row.at
        for place in range(row.event_count[at]):
            if row.events[at, place] == event:
                return True
        return False

    def add(self, event: int) -> None:
        """Add an event, in place of the oldest once the ring is full."""
        row, at = self._row, self._row.at
        place = row.event_count[at]
        if place < _SIZE:
            row.event_count[at] = place + 1
        else:
            place = row.event_next[at]
            row.event_next[at] = (place + 1) % _SIZE
        row.events[at, place] = event

    def clear(self) -> None:
        """Drop all events."""
        row, at = self._row, self._row.at
        for place in range(row.event_count[at]):
            row.events[at, place] = 0
        row.event_count[at] = row.event_next[at] = 0

    @property
    def hashes(self) -> list[int]:
        """The hashes by place."""
        row = self._row
        found: list[int] = row.numbers("events")
        return found[: row.event_count[row.at]]

    @property
    def next(self) -> int:
        """Place of the oldest, once the ring is full."""
        return self._row.event_next[self._row.at]
