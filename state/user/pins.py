"""Pins of a user: values that the user set.

Each pin is a last-writer-wins register by event time. A pin that comes after a wipe which is not older is dropped, as
every event is.
"""

from collections.abc import Collection
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE


class PinnedAt(NamedTuple):
    """The last pin event of a facet."""

    slot: int
    """`NONE`: removed."""
    at_ms: int
    in_force: bool
    """At the user's last event: not removed, with a value in the catalogue."""


class Pins(dict[int, PinnedAt]):
    """Facet → last pin event."""

    __slots__ = ()

    def put(self, facet: int, slot: int, at_ms: int) -> bool:
        """Register a pin, or remove the pin with `NONE`; return False for an event older than the last pin event."""
        if facet in self and at_ms < self[facet].at_ms:
            return False
        self[facet] = PinnedAt(slot, at_ms, slot != NONE)
        return True

    def forget(self, at_ms: int) -> list[int]:
        """Drop pins up to that time, and return the facets on which a dropped pin was in force."""
        dropped = [facet for facet, pin in self.items() if pin.at_ms <= at_ms]
        return [facet for facet in dropped if self.pop(facet).in_force]

    def is_set(self, facet: int, catalogue: NumberedCatalogue) -> bool:
        """Return whether the facet is pinned to a value of the catalogue."""
        pin = self.get(facet)
        return pin is not None and _is_set(pin, catalogue)

    def review(self, catalogue: NumberedCatalogue) -> list[int]:
        """Bring `in_force` up to date, and return the facets with a change: values that left or came back."""
        changed = [facet for facet, pin in self.items() if pin.in_force != _is_set(pin, catalogue)]
        for facet in changed:
            self[facet] = self[facet]._replace(in_force=not self[facet].in_force)
        return changed

    def in_force(self) -> Collection[int]:
        """Return the facets with a pin in force."""
        return [facet for facet, pin in self.items() if pin.in_force]

    def newest_ms(self) -> int:
        """Return the event time of the newest pin; 0 without a pin."""
        return max((pin.at_ms for pin in self.values()), default=0)


def _is_set(pin: PinnedAt, catalogue: NumberedCatalogue) -> bool:
    return pin.slot != NONE and pin.slot not in catalogue.idle_slots
