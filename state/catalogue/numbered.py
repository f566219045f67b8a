"""The catalogue with numbers for its names.

The state works with numbers: of facets, of topics, of feedback kinds, and of slots. A slot is a value of a facet.
A number is an index into packed arrays, so it comes from the state folder's vocabulary (state.catalogue.vocabulary) and
outlives changes of the catalogue. Numbers of names that left the catalogue are idle: arrays keep room for them, and
only `slots`, `slot_facets`, `facet_names` and `feedback_names` still contain idle names.
"""

from enum import IntEnum
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple
from zlib import crc32

from msgspec.structs import replace

from state.catalogue.vocabulary import Vocabulary
from tacit.contract.catalogue import Catalogue, Direction, FeedbackKind

MAX_RANK = 255
"""Largest rank of a slot, which a byte holds."""
_SURFACE_KEY = 1 << 31


class Slot(NamedTuple):
    """A value of a facet. The index in `NumberedCatalogue.slots` is the index in every packed array."""

    facet: int
    value: str


class Shape(IntEnum):
    """Relation of the values of a facet."""

    SINGLE = 0
    """A single value at a time, in no order."""
    ORDERED = 1
    """A single value at a time, on a scale."""
    MULTIPLE = 2
    """Several at a time."""


class NumberedCatalogue(Catalogue, frozen=True, dict=True):
    """The catalogue of a deployment, numbered in the file's order or by a vocabulary."""

    vocabulary: Vocabulary | None = None
    """Source of the numbers; None: the order of the file."""

    def numbered(self, vocabulary: Vocabulary) -> "NumberedCatalogue":
        """Return the catalogue with numbers from a vocabulary that contains all of its names.

        >>> catalogue = NumberedCatalogue.load()
        >>> vocabulary = Vocabulary(facets=("mood", "tone")).including(catalogue)
        >>> catalogue.numbered(vocabulary).facet_index["tone"]
        1
        """
        if vocabulary.including(self) is not vocabulary:
            raise ValueError("the vocabulary lacks names of the catalogue: use `vocabulary.including(catalogue)`")
        return replace(self, vocabulary=vocabulary)

    @cached_property
    def _names(self) -> Vocabulary:
        return self.vocabulary or Vocabulary().including(self)

    @cached_property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of slots, facets and feedback kinds, idle numbers included."""
        return len(self.slots), len(self.facet_names), len(self.feedback_names)

    # Facets and their values

    @cached_property
    def facet_names(self) -> tuple[str, ...]:
        """Facet → name, idle facets included."""
        return self._names.facets

    @cached_property
    def facet_index(self) -> dict[str, int]:
        """Name → facet, in the file's order."""
        numbers = {name: number for number, name in enumerate(self.facet_names)}
        return {name: numbers[name] for name in self.facets}

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Slot → facet and value, idle slots included."""
        facets = {name: number for number, name in enumerate(self.facet_names)}
        return tuple(Slot(facets[facet], value) for facet, value in self._names.slots)

    @cached_property
    def slot_facets(self) -> tuple[int, ...]:
        """Slot → facet, idle slots included."""
        return tuple(slot.facet for slot in self.slots)

    @cached_property
    def slot_index(self) -> dict[str, dict[str, int]]:
        """Facet name → value → slot, in the file's order."""
        slots = {pair: number for number, pair in enumerate(self._names.slots)}
        return {name: {value: slots[name, value] for value in facet.values} for name, facet in self.facets.items()}

    @cached_property
    def facet_slots(self) -> tuple[tuple[int, ...], ...]:
        """Facet → slots of its values in the file's order; empty for an idle facet."""
        return tuple(tuple(self.slot_index.get(name, {}).values()) for name in self.facet_names)

    @cached_property
    def slot_ranks(self) -> tuple[int, ...]:
        """Slot → rank among all slots of its facet, idle ones included, from 1: the same under later catalogues.

        Ranks above `MAX_RANK`, of a facet with very many changes, are 0.
        """
        counts = [0] * len(self.facet_names)
        ranks = []
        for facet in self.slot_facets:
            counts[facet] += 1
            ranks.append(counts[facet] if counts[facet] <= MAX_RANK else 0)
        return tuple(ranks)

    @cached_property
    def ranked_slots(self) -> tuple[tuple[int | None, ...], ...]:
        """Facet → slots by rank; None for an idle slot."""
        found: list[list[int | None]] = [[] for _ in self.facet_names]
        for slot, facet in enumerate(self.slot_facets):
            found[facet].append(None if slot in self.idle_slots else slot)
        return tuple(map(tuple, found))

    @cached_property
    def ranked_names(self) -> tuple[tuple[str | None, ...], ...]:
        """Facet → names of its values by rank, idle ones included; None at the rank 0, which is none."""
        found: list[list[str | None]] = [[None] for _ in self.facet_names]
        for slot in self.slots:
            found[slot.facet].append(slot.value)
        return tuple(map(tuple, found))

    @cached_property
    def history_texts(self) -> dict[tuple[int, ...], str]:
        """Numbers of an entry of a history → its JSON (state.user.history_document); filled as entries occur."""
        return {}

    @cached_property
    def idle_slots(self) -> frozenset[int]:
        """Slots of values that left the catalogue."""
        return frozenset(range(len(self.slots))).difference(*self.facet_slots)

    @cached_property
    def default_slots(self) -> tuple[int | None, ...]:
        """Facet → slot of the default value; None without a default."""
        defaults = {name: facet.default for name, facet in self.facets.items()}
        return tuple(
            None if (value := defaults.get(name)) is None else self.slot_index[name][value] for name in self.facet_names
        )

    @cached_property
    def careful_facets(self) -> tuple[int, ...]:
        """Facets that are served from the tier `hint` on."""
        return tuple(self.facet_index[name] for name, facet in self.facets.items() if facet.careful)

    @cached_property
    def slot_shapes(self) -> tuple[Shape, ...]:
        """Slot → shape of its facet; `SINGLE` for an idle facet."""
        shapes = {
            name: Shape.ORDERED if facet.ordered else Shape.MULTIPLE if facet.multiple else Shape.SINGLE
            for name, facet in self.facets.items()
        }
        return tuple(shapes.get(self.facet_names[facet], Shape.SINGLE) for facet in self.slot_facets)

    @cached_property
    def slot_places(self) -> tuple[float, ...]:
        """Slot → position on the scale of an ordered facet, −1 to 1; 0 for other facets."""
        ordered = Shape.ORDERED
        return tuple(
            place if shape is ordered else 0.0
            for place, shape in zip(self._names.places, self.slot_shapes, strict=True)
        )

    @cached_property
    def next_slots(self) -> dict[tuple[str, Direction], dict[int, int]]:
        """(Name of an ordered facet, direction) → slot → next slot in that direction; no entry for the last slot."""
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
        """Name → topic."""
        numbers = {name: number for number, name in enumerate(self._names.topics)}
        return {name: numbers[name] for name in self.topics.values}

    @cached_property
    def sensitive_topics(self) -> frozenset[int]:
        """Topics that are neither trained on nor counted."""
        return frozenset(self.topic_index[name] for name in self.topics.sensitive)

    @cached_property
    def public_topics(self) -> tuple[str | None, ...]:
        """Topic → name that a profile may show; None for a topic that is sensitive or left the catalogue."""
        public = set(self.topics.values) - set(self.topics.sensitive)
        return tuple(name if name in public else None for name in self._names.topics)

    @cached_property
    def surface_index(self) -> dict[str, int]:
        """Name → index in the file. The vocabulary has no surfaces: the state stores their names."""
        return {name: index for index, name in enumerate(self.surfaces.values)}

    # Contexts: topics and surfaces

    @cached_property
    def topic_keys(self) -> dict[int, int]:
        """Topic → context; empty for a single topic, which distinguishes nothing. Sensitive topics have none."""
        topics = self.topic_index.values()
        return {topic: topic + 1 for topic in topics if topic not in self.sensitive_topics} if len(topics) > 1 else {}

    @cached_property
    def sensitive_keys(self) -> frozenset[int]:
        """Contexts that sensitive topics had while they were not sensitive."""
        return frozenset(topic + 1 for topic in self.sensitive_topics)

    @cached_property
    def surface_keys(self) -> dict[int, int]:
        """Surface → context; empty for a single surface. The key is a hash, as the vocabulary has no surfaces."""
        surfaces = self.surface_index.items()
        keys = {surface: _SURFACE_KEY | crc32(name.encode()) >> 1 for name, surface in surfaces}
        return keys if len(keys) > 1 else {}

    @cached_property
    def topics_by_key(self) -> dict[int, int]:
        """Context → topic."""
        return {key: topic for topic, key in self.topic_keys.items()}

    @cached_property
    def surfaces_by_key(self) -> dict[int, int]:
        """Context → surface."""
        return {key: surface for surface, key in self.surface_keys.items()}

    @cached_property
    def context_names(self) -> dict[int, str]:
        """Context → name as signals have it: `topic:email`, `surface:mail`."""
        topics = {key: f"topic:{self._names.topics[number]}" for number, key in self.topic_keys.items()}
        surfaces = {key: f"surface:{self.surfaces.values[number]}" for number, key in self.surface_keys.items()}
        return topics | surfaces

    @cached_property
    def context_terms(self) -> tuple[tuple[int, float], ...]:
        """Slot → term of an effect of a context, and the factor of the effect: 1, or the position on the scale."""
        terms: list[tuple[int, float]] = []
        slopes: dict[int, int] = {}
        number = 0
        for facet, shape, place in zip(self.slot_facets, self.slot_shapes, self.slot_places, strict=True):
            if shape is not Shape.ORDERED or facet not in slopes:
                slopes[facet] = number
                number += 1
            terms.append((slopes[facet], place if shape is Shape.ORDERED else 1.0))
        return tuple(terms)

    def terms_of(self, slots: int) -> int:
        """Return the count of terms of the first slots."""
        return 1 + max(term for term, _ in self.context_terms[:slots])

    def terms_check(self, slots: int) -> int:
        """Return 16 bits that change with the terms of the first slots, or with the kind of a term."""
        return self._terms_checks[slots - 1]

    @cached_property
    def _terms_checks(self) -> tuple[int, ...]:
        found, check = [], 0
        for (term, _), shape in zip(self.context_terms, self.slot_shapes, strict=True):
            check = crc32(f"{term}{'/' if shape is Shape.ORDERED else '='}".encode(), check)
            found.append(check & 0xFFFF)
        return tuple(found)

    @cached_property
    def facet_terms(self) -> tuple[tuple[tuple[int, int, float], ...], ...]:
        """Facet → slot, term and factor of each of its values, in the file's order."""
        terms = self.context_terms
        return tuple(tuple((slot, *terms[slot]) for slot in slots) for slots in self.facet_slots)

    # Feedback

    @cached_property
    def feedback_names(self) -> tuple[str, ...]:
        """Feedback kind → name, idle kinds included."""
        return self._names.feedback

    @cached_property
    def feedback_index(self) -> dict[str, int]:
        """Name → feedback kind."""
        numbers = {name: number for number, name in enumerate(self.feedback_names)}
        return {name: numbers[name] for name in self.feedback}

    @cached_property
    def feedback_kinds(self) -> dict[int, FeedbackKind]:
        """Feedback kind → definition."""
        return {self.feedback_index[name]: kind for name, kind in self.feedback.items()}
