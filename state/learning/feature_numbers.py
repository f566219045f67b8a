"""Numbers of features in the memory of one process: versions and stored states have names.

Features of values on topics and surfaces have fixed numbers, computed from the catalogue's. Items, and pairs of values,
get theirs as they come.
"""

from array import array
from collections.abc import Sequence

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from state.learning.features import (
    BIAS,
    FEEDBACK_COUNT_STEPS,
    POPULARITY_STEPS,
    Features,
    feedback_count_feature,
    feedback_count_step,
    item_feature,
    popularity_feature,
)

MAX_LATER = 65_536
"""Limit of items and pairs with a number; above it they get new ones."""

_MAX_LATER = MAX_LATER
_COUNTS = 1
_POPULARITY = _COUNTS + len(FEEDBACK_COUNT_STEPS) + 1
_VALUES = _POPULARITY + len(POPULARITY_STEPS) + 2


class FeatureNumbers:
    """Numbers of the features of one answer at a time.

    >>> catalogue = NumberedCatalogue.load()
    >>> numbers = FeatureNumbers(catalogue, Features(catalogue))
    >>> numbers.begin()
    >>> numbers.add_values([0], NONE, NONE)
    >>> [numbers.name(numbers.number(place)) for place in range(numbers.count)]
    ['length=concise']
    """

    def __init__(self, catalogue: NumberedCatalogue, names: Features) -> None:
        self._names = names
        self._slots = len(catalogue.slots)
        self._topics, self._surfaces = len(catalogue.topic_index), len(catalogue.surface_index)
        self._has_topic = array("b", [names.has_topic(topic) for topic in range(self._topics)])
        self._has_surfaces = self._surfaces > 1
        self._has_pairs = names.has_pairs
        self._steps = array("q", [_COUNTS + feedback_count_step(count) for count in range(256)])
        self._defaults = _VALUES + self._slots
        self._on_topic = self._defaults + self._slots
        self._on_surface = self._on_topic + self._slots * self._topics
        self._first_later = self._on_surface + self._slots * self._surfaces
        self._items: dict[int, int] = {}
        self._pairs: dict[tuple[int, int], int] = {}
        self._later: list[str] = []
        """Names of items and pairs."""
        self.generation = 0
        """Numbers of another generation name other items and pairs."""
        self._numbers = array("q", bytes(8 * 64))
        self.count = 0
        """Features of the answer."""

    def begin(self) -> None:
        """Begin with an answer."""
        self.count = 0
        if len(self._later) >= _MAX_LATER:
            self._items.clear()
            self._pairs.clear()
            self._later.clear()
            self.generation += 1

    def add_common(self, item: int, feedback_count: int, popularity: int) -> None:
        """Add the features besides values; `item` 0: no item. `popularity` is the item's step."""
        self._add(0)
        self._add(self._steps[feedback_count])
        if item:
            found = self._items.get(item)
            if found is None:
                found = self._items[item] = self._number_later(item_feature(item))
            self._add(found)
            self._add(_POPULARITY + popularity)

    def add_values(self, slots: Sequence[int], topic: int, surface: int) -> None:
        """Add the features of values, and of pairs of values of one facet."""
        for slot in slots:
            self.add_value(slot, topic, surface)
        if self._has_pairs:
            for pair in self._names.pairs(slots):
                found = self._pairs.get(pair)
                if found is None:
                    found = self._pairs[pair] = self._number_later(self._names.of_pair(*pair))
                self._add(found)

    def add_value(self, slot: int, topic: int, surface: int) -> None:
        """Add the features of one value: alone, on the topic, on the surface; `NONE`: no topic or surface."""
        self._add(_VALUES + slot)
        if 0 <= topic < self._topics and self._has_topic[topic]:
            self._add(self._on_topic + slot * self._topics + topic)
        if self._has_surfaces and 0 <= surface < self._surfaces:
            self._add(self._on_surface + slot * self._surfaces + surface)

    def add_default(self, slot: int) -> None:
        """Add the feature of a value as the default for all users."""
        self._add(self._defaults + slot)

    def _add(self, number: int) -> None:
        if self.count == len(self._numbers):
            self._numbers = array("q", list(self._numbers) + [0] * self.count)
        self._numbers[self.count] = number
        self.count += 1

    def _number_later(self, name: str) -> int:
        self._later.append(name)
        return self._first_later + len(self._later) - 1

    def number(self, place: int) -> int:
        """Return the number of a feature of the answer."""
        return self._numbers[place]

    def name(self, number: int) -> str:
        """Return the name of a feature."""
        if number < _POPULARITY:
            return BIAS if number < _COUNTS else feedback_count_feature(number - _COUNTS)
        if number < _VALUES:
            return popularity_feature(number - _POPULARITY)
        if number < self._defaults:
            return self._names.of_value(number - _VALUES)[0]
        if number < self._on_topic:
            return self._names.of_default(number - self._defaults)
        if number < self._on_surface:
            slot, topic = divmod(number - self._on_topic, self._topics)
            return self._names.of_value(slot, topic)[1]
        if number < self._first_later:
            slot, surface = divmod(number - self._on_surface, self._surfaces)
            return self._names.of_value(slot, NONE, surface)[1]
        return self._later[number - self._first_later]
