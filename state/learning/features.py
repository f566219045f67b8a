"""Features of answers for the population model.

Features have names made of the catalogue's names (state.learning.population_version lists the forms). So beliefs about
features outlive any change of the catalogue, and are readable.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations

from state.catalogue.numbered import NumberedCatalogue, Shape
from state.events.observation import NONE

BIAS = "bias"
ITEM = "item:"
BIAS_VARIANCE = 0.1
VALUE_VARIANCE = 0.1
CONTEXT_VARIANCE = 0.03
"""Prior variance of a value on a topic, on a surface, or with another value of its facet."""
ITEM_VARIANCE = 0.25
DEFAULT = "default:"
POPULARITY = "popularity:"
SURE = "sure:"
SURE_FROM = (0.7, 0.85)
"""Confidences, 0–1, from which a further step of `sure:` begins."""
SURE_VARIANCE = 0.001
"""Confidences are fitted to simulations, so corrections are small; a larger variance lets noise in."""
POPULARITY_STEPS = (50, 100, 200, 400, 800, 1_600)
"""Users of an item from which a further step of popularity begins; a published item is in step 1 at least."""

MAX_IN_CONTEXT = 100_000
"""Limit of cached values in contexts."""
FEEDBACK_COUNT_STEPS = (0, 1, 2, 4, 7, 11, 19, 34, 59, 99)
"""Upper bounds of the steps of a user's feedback count; newcomers like more."""


def feedback_count_step(feedback_count: int) -> int:
    """Return the step of a feedback count.

    >>> feedback_count_step(0), feedback_count_step(3), feedback_count_step(255)
    (0, 3, 10)
    """
    return bisect_left(FEEDBACK_COUNT_STEPS, feedback_count)


@lru_cache(maxsize=100_000)
def prior_variance(feature: str) -> float:
    """Return the prior variance of a feature; the prior mean is 0.

    >>> prior_variance("length=concise"), prior_variance("item:0a1b2c3d"), prior_variance("sure:1")
    (0.1, 0.25, 0.001)
    """
    if "&" in feature:
        return CONTEXT_VARIANCE
    if feature.startswith(ITEM):
        return ITEM_VARIANCE
    if feature.startswith(SURE):
        return SURE_VARIANCE
    return VALUE_VARIANCE if "=" in feature else BIAS_VARIANCE


@lru_cache(maxsize=100_000)
def vote_share(feature: str) -> float:
    """Return the weight of a feature among the features of an answer, when a user's feedback votes on them.

    Items have few users, so they need more of each. The bias is learned with the stacking factors.

    >>> vote_share("length=concise"), vote_share("topic:code&length=concise"), vote_share("judged:3")
    (1.0, 0.2, 0.15)
    """
    if feature == BIAS:
        return 0.0
    if "&" in feature:
        return 0.2
    if feature.startswith(ITEM):
        return 3.0
    if "=" in feature:
        return 1.0
    return 0.15


def popularity_step(users: int) -> int:
    """Return the step of popularity of a published item.

    >>> popularity_step(20), popularity_step(50), popularity_step(5_000)
    (1, 2, 7)
    """
    return 1 + bisect_right(POPULARITY_STEPS, users)


def popularity_feature(step: int) -> str:
    """Return the feature of a step of popularity; step 0: the item is not published."""
    return f"{POPULARITY}{step}"


def sure_feature(confidence: float) -> str:
    """Return the feature of a confidence: how much more the value is liked than predicted, the runner-up less.

    >>> sure_feature(0.5), sure_feature(0.7), sure_feature(0.95)
    ('sure:0', 'sure:1', 'sure:2')
    """
    return f"{SURE}{bisect_right(SURE_FROM, confidence)}"


def feedback_count_feature(step: int) -> str:
    """Return the feature of a step of `FEEDBACK_COUNT_STEPS`."""
    return f"judged:{step}"


def item_feature(item: int) -> str:
    """Return the feature of an item, given the 32-bit hash of its id."""
    return f"{ITEM}{item:08x}"


class Features:
    """Features of answers, by the numbers of a catalogue."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        self._values = [f"{catalogue.facet_names[slot.facet]}={slot.value}" for slot in catalogue.slots]
        self._facets = catalogue.slot_facets
        self._multiple = frozenset(slot for slot, shape in enumerate(catalogue.slot_shapes) if shape is Shape.MULTIPLE)
        sensitive = catalogue.sensitive_topics
        self._topics = {
            number: name for number, name in _by_number(catalogue.topic_index).items() if number not in sensitive
        }
        self._sensitive = tuple(
            [f"topic:{name}&" for name, number in catalogue.topic_index.items() if number in sensitive]
        )
        self._surfaces = _by_number(catalogue.surface_index)
        self._in_context: dict[tuple[int, int, int], tuple[str, ...]] = {}

    @property
    def has_pairs(self) -> bool:
        """The catalogue has a `multiple` facet."""
        return bool(self._multiple)

    def has_topic(self, topic: int) -> bool:
        """Return whether values on a topic have a feature."""
        return topic in self._topics

    def is_sensitive(self, feature: str) -> bool:
        """Return whether a feature names a sensitive topic; such features have no beliefs."""
        return feature.startswith(self._sensitive)

    def of_value(self, slot: int, topic: int = NONE, surface: int = NONE) -> tuple[str, ...]:
        """Return the features of one value: alone, on the topic, on the surface; `NONE`: no topic or surface."""
        found = self._in_context.get((slot, topic, surface))
        if found is None:
            value = self._values[slot]
            features = [value]
            if topic in self._topics:
                features.append(f"topic:{self._topics[topic]}&{value}")
            if surface in self._surfaces:
                features.append(f"surface:{self._surfaces[surface]}&{value}")
            if len(self._in_context) >= MAX_IN_CONTEXT:
                self._in_context.clear()
            found = self._in_context[slot, topic, surface] = tuple(features)
        return found

    def of_default(self, slot: int) -> str:
        """Return the feature of a value as the default for all users."""
        return DEFAULT + self._values[slot]

    def of_answer(
        self, slots: Sequence[int], topic: int, surface: int, item: int, feedback_count: int, popularity: int = 0
    ) -> list[str]:
        """Return all features of an answer; `item` 0: no item. `popularity` is the item's step."""
        found = [BIAS, feedback_count_feature(feedback_count_step(feedback_count))]
        if item:
            found.append(item_feature(item))
            found.append(popularity_feature(popularity))
        found.extend(self.of_values(slots, topic, surface))
        return found

    def of_values(self, slots: Sequence[int], topic: int = NONE, surface: int = NONE) -> Iterator[str]:
        """Yield the features of values, and of pairs of values of one facet."""
        for slot in slots:
            yield from self.of_value(slot, topic, surface)
        for one, other in self.pairs(slots):
            yield self.of_pair(one, other)

    def of_pair(self, one: int, other: int) -> str:
        """Return the feature of two values, given in ascending order of slots."""
        return f"{self._values[one]}&{self._values[other]}"

    def pairs(self, slots: Sequence[int]) -> list[tuple[int, int]]:
        """Return the pairs of slots of one `multiple` facet."""
        if not self._multiple:
            return []
        several = [slot for slot in slots if slot in self._multiple]
        return [pair for pair in combinations(several, 2) if self._facets[pair[0]] == self._facets[pair[1]]]


def _by_number(index: dict[str, int]) -> dict[int, str]:
    """Return number → name; empty for a single name, which distinguishes nothing."""
    return {number: name for name, number in index.items()} if len(index) > 1 else {}
