"""Pins of a user: values that the user set. A pin outranks every learned value, in every namespace.

The reader takes pins from the gate, so no signal is written for a pin.
"""

from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE


class PinnedAt(NamedTuple):
    """The last pin event of a facet."""

    slot: int
    """`NONE`: removed."""
    at_ms: int


class Pins(dict[int, PinnedAt]):
    """Facet → last pin event."""

    __slots__ = ()

    def put(self, facet: int, slot: int, at_ms: int) -> None:
        """Register a pin, or the removal of a pin with `NONE`."""
        self[facet] = PinnedAt(slot, at_ms)

    def forget(self, facet: int, at_ms: int) -> None:
        """Remove the pin of a facet; the removal stays on record, so that no older write brings the pin back."""
        if facet in self:
            self[facet] = PinnedAt(NONE, at_ms)

    def is_set(self, facet: int, catalogue: NumberedCatalogue) -> bool:
        """Return whether the facet is pinned to a value of the catalogue."""
        pin = self.get(facet)
        return pin is not None and pin.slot != NONE and pin.slot not in catalogue.idle_slots

    @property
    def in_force(self) -> bool:
        """A pin is set, perhaps to a value that has left the catalogue."""
        return any(pin.slot != NONE for pin in self.values())
