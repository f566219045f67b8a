"""Pins of a user: values that the user set. A pin outranks every learned value, in every namespace.

The reader takes pins from the gate, so no signal is written for a pin.
"""

from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from state.row.layout import Part
from state.row.row import Row

_NONE = NONE
_PINS = int(Part.PINS)


class PinnedAt(NamedTuple):
    """The last pin event of a facet."""

    slot: int
    """`NONE`: removed."""
    at_ms: int


class Pins:
    """Facet → last pin event, by number of the facet."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._facets = row.layout.sizes.facets

    def __bool__(self) -> bool:
        return self.is_any()

    def __contains__(self, facet: int) -> bool:
        return self.get(facet) is not None

    def __getitem__(self, facet: int) -> PinnedAt:
        pin = self.get(facet)
        if pin is None:
            raise KeyError(facet)
        return pin

    def get(self, facet: int) -> PinnedAt | None:
        """Return the last pin event of a facet, or None."""
        row, at = self._row, self._row.at
        return PinnedAt(row.pin_slots[at, facet], row.pin_ms[at, facet]) if row.pin_known[at, facet] else None

    def __len__(self) -> int:
        return len(self.items())

    def items(self) -> list[tuple[int, PinnedAt]]:
        """Return facets and their last pin events."""
        return [(facet, pin) for facet in range(self._facets) if (pin := self.get(facet)) is not None]

    def values(self) -> list[PinnedAt]:
        """Return the last pin events."""
        return [pin for _, pin in self.items()]

    def put(self, facet: int, slot: int, at_ms: int) -> None:
        """Register a pin, or the removal of a pin with `NONE`."""
        row, at = self._row, self._row.at
        row.parts[at] = row.parts[at] | _PINS
        row.pin_known[at, facet] = 1
        row.pin_slots[at, facet], row.pin_ms[at, facet] = slot, at_ms

    def forget(self, facet: int, at_ms: int) -> None:
        """Remove the pin of a facet; the removal stays on record, so that no older write brings the pin back."""
        if facet in self:
            self.put(facet, NONE, at_ms)

    def clear(self) -> None:
        """Drop all pins and removals."""
        row, at = self._row, self._row.at
        for facet in range(self._facets):
            row.pin_known[at, facet] = 0
            row.pin_slots[at, facet] = row.pin_ms[at, facet] = 0
        row.parts[at] = row.parts[at] & ~_PINS

    def is_any(self) -> bool:
        """Return whether a pin event is on record."""
        row, at = self._row, self._row.at
        for facet in range(self._facets):
            if row.pin_known[at, facet]:
                return True
        return False

    def is_set(self, facet: int, catalogue: NumberedCatalogue) -> bool:
        """Return whether the facet is pinned to a value of the catalogue."""
        row, at = self._row, self._row.at
        slot = row.pin_slots[at, facet]
        return bool(row.pin_known[at, facet]) and slot != _NONE and slot not in catalogue.idle_slots

    @property
    def in_force(self) -> bool:
        """A pin is set, perhaps to a value that has left the catalogue."""
        return any(pin.slot != NONE for pin in self.values())
