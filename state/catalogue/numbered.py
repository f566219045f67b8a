"""The closed vocabulary of one deployment, and the numbers that stand for its names.

Everything an event may name and a signal may say is in here; the rest of `state/` works with numbers: of facets,
topics and feedback kinds, and of slots, which are the values of facets. A number is a place in packed state, so a state
folder's table (state.catalogue.vocabulary) gives them out; numbers of names that left the catalogue are idle: arrays have places
for them, and nothing here leads to them but `slots`, `slot_facets`, `facet_names` and `feedback_names`.
"""

from enum import IntEnum
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from msgspec.structs import replace

from state.catalogue.vocabulary import Vocabulary
from tacit.contract.catalogue import Catalogue, Direction, FeedbackKind


class Slot(NamedTuple):
    """A value of a facet; its place in `Catalogue.slots` is its place in every packed array."""

    facet: int
    value: str


class Shape(IntEnum):
    """How the values of a facet stand to each other."""

    SINGLE = 0
    """One at a time, in no order."""
    ORDERED = 1
    """One at a time, on a scale."""
    MULTIPLE = 2
    """Several at a time."""


class NumberedCatalogue(Catalogue, frozen=True, dict=True):
    """The vocabulary of one deployment, numbered in the file's order unless by a table."""

    vocabulary: Vocabulary | None = None
    """The table that gives the numbers; None: one made from this catalogue alone."""

    def numbered(self, vocabulary: Vocabulary) -> "NumberedCatalogue":
        """Return the same catalogue with its numbers from a table, which must hold all of its names.

        >>> catalogue = NumberedCatalogue.load()
        >>> table = Vocabulary(facets=("mood", "tone")).including(catalogue)
        >>> catalogue.numbered(table).facet_index
        {'length': 2, 'format': 3, 'tone': 1, 'expertise': 4, 'initiative': 5}
        """
        if vocabulary.including(self) is not vocabulary:
            raise ValueError("the table lacks names of the catalogue: number it by `vocabulary.including(catalogue)`")
        return replace(self, vocabulary=vocabulary)

    @cached_property
    def _table(self) -> Vocabulary:
        return self.vocabulary or Vocabulary().including(self)

    @cached_property
    def sizes(self) -> tuple[int, int, int]:
        """How many numbers there are, idle ones too, of slots, facets and feedback kinds."""
        return len(self.slots), len(self.facet_names), len(self.feedback_names)

    # Facets and their values

    @cached_property
    def facet_names(self) -> tuple[str, ...]:
        """Facet → its name, idle ones too."""
        return self._table.facets

    @cached_property
    def facet_index(self) -> dict[str, int]:
        """Facet name → facet, in the file's order."""
        numbers = {name: number for number, name in enumerate(self.facet_names)}
        return {name: numbers[name] for name in self.facets}

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Slot → its facet and value, idle ones too."""
        facets = {name: number for number, name in enumerate(self.facet_names)}
        return tuple(Slot(facets[facet], value) for facet, value in self._table.slots)

    @cached_property
    def slot_facets(self) -> tuple[int, ...]:
        """Slot → its facet, idle ones too."""
        return tuple(slot.facet for slot in self.slots)

    @cached_property
    def slot_index(self) -> dict[str, dict[str, int]]:
        """Facet name → value → slot, in the file's order."""
        slots = {pair: number for number, pair in enumerate(self._table.slots)}
        return {name: {value: slots[name, value] for value in facet.values} for name, facet in self.facets.items()}

    @cached_property
    def facet_slots(self) -> tuple[tuple[int, ...], ...]:
        """Facet → the slots of its values in the file's order; none for an idle facet."""
        return tuple(tuple(self.slot_index.get(name, {}).values()) for name in self.facet_names)

    @cached_property
    def idle_slots(self) -> frozenset[int]:
        """Slots of values that are no longer in the catalogue."""
        return frozenset(range(len(self.slots))).difference(*self.facet_slots)

    @cached_property
    def default_slots(self) -> tuple[int | None, ...]:
        """Facet → slot of the catalogue's default value, if it names one."""
        defaults = {name: facet.default for name, facet in self.facets.items()}
        return tuple(
            None if (value := defaults.get(name)) is None else self.slot_index[name][value] for name in self.facet_names
        )

    @cached_property
    def slot_shapes(self) -> tuple[Shape, ...]:
        """Slot → the shape of its facet; of idle facets `SINGLE`."""
        shapes = {
            name: Shape.ORDERED if facet.ordered else Shape.MULTIPLE if facet.multiple else Shape.SINGLE
            for name, facet in self.facets.items()
        }
        return tuple(shapes.get(self.facet_names[facet], Shape.SINGLE) for facet in self.slot_facets)

    @cached_property
    def slot_places(self) -> tuple[float, ...]:
        """Slot → its place on the scale of an ordered facet, from −1 to 1; 0 elsewhere."""
        ordered = Shape.ORDERED
        return tuple(
            place if shape is ordered else 0.0
            for place, shape in zip(self._table.places, self.slot_shapes, strict=True)
        )

    @cached_property
    def next_slots(self) -> dict[tuple[str, Direction], dict[int, int]]:
        """Name of an ordered facet and a direction → slot → the slot next to it that way, unless it is the last."""
        found: dict[tuple[str, Direction], dict[int, int]] = {}
        for name, facet in self.facets.items():
            if facet.ordered:
                slots = self.facet_slots[self.facet_index[name]]
                found[name, "up"] = dict(pairwise(slots))
                found[name, "down"] = dict(pairwise(slots[::-1]))
        return found

    # Topics and surfaces

    @cached_property
    def topic_index(self) -> dict[str, int]:
        """Topic name → topic."""
        numbers = {name: number for number, name in enumerate(self._table.topics)}
        return {name: numbers[name] for name in self.topics.values}

    @cached_property
    def sensitive_topics(self) -> frozenset[int]:
        """Topics that are never learned from and never counted."""
        return frozenset(self.topic_index[name] for name in self.topics.sensitive)

    @cached_property
    def topics_to_say(self) -> tuple[str | None, ...]:
        """Topic → its name; None for one that must not be said: it is sensitive, or no longer in the catalogue."""
        said = set(self.topics.values) - set(self.topics.sensitive)
        return tuple(name if name in said else None for name in self._table.topics)

    @cached_property
    def surface_index(self) -> dict[str, int]:
        """Surface → its place in the file; what is kept by surface is kept by its name."""
        return {name: index for index, name in enumerate(self.surfaces.values)}

    # Feedback

    @cached_property
    def feedback_names(self) -> tuple[str, ...]:
        """Feedback kind → its name, idle ones too."""
        return self._table.feedback

    @cached_property
    def feedback_index(self) -> dict[str, int]:
        """Name of a feedback kind → kind."""
        numbers = {name: number for number, name in enumerate(self.feedback_names)}
        return {name: numbers[name] for name in self.feedback}

    @cached_property
    def feedback_kinds(self) -> dict[int, FeedbackKind]:
        """Feedback kind → what it means."""
        return {self.feedback_index[name]: kind for name, kind in self.feedback.items()}
