"""The prior of all users: one population version, prepared for computing.

The prior is the lower of two layers; the user model (state.learning.user_model) is the upper. A prior never changes.
Every process holds the newest prior in a `CurrentPrior`, and applies it to all users from the start of a batch.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, sqrt

from state.catalogue.numbered import NumberedCatalogue, Shape
from state.events.observation import NONE
from state.learning.features import (
    BIAS,
    ITEM_VARIANCE,
    POPULARITY_STEPS,
    SURE,
    SURE_FROM,
    Features,
    feedback_count_feature,
    feedback_count_step,
    item_feature,
    popularity_feature,
    prior_variance,
)
from state.learning.population_version import Gaussian, PopulationVersion
from state.learning.prediction import CERTAIN, NO_POPULATION, NOISE_VARIANCE, PopulationPart, StackingFactors
from state.learning.prior_table import PriorTable
from state.learning.probit import normal_cdf
from state.learning.stacking import OFFSET, OWN_BIAS, POPULATION, user_part_name

DEFAULT_FROM = 0.6
"""Confidence, 0–1, from which the population's best value is the default of a facet that has none in the catalogue."""
REPLACED_FROM = 0.9
"""Confidence, 0–1, from which a value that beats the catalogue's default by `DEFAULT_MARGIN` replaces it."""
DEFAULT_MARGIN = 0.05
"""Difference of means: about 2 % of a user's likes."""
MAX_SHIFT = 0.3
"""Bound of a shift of confidences, in the unit of means."""

MAX_CONTEXTS = 1_000
"""Limit of cached contexts: pairs of topic and surface, and topics."""
MAX_PAIRS = 100_000
"""Limit of cached pairs of values, and of cached items."""

NO_BELIEF = Gaussian(0.0, 0.0)

_FEEDBACK_COUNTS = range(256)
_NOISE_VARIANCE = NOISE_VARIANCE
_MAX_SURFACES = 1 << 24


class InContext:
    """Means and variances by slot, on a topic and a surface."""

    def __init__(self, beliefs: Sequence[Sequence[Gaussian]]) -> None:
        """Add up the beliefs of each slot."""
        self.means = array("d", [fsum([belief.mean for belief in several]) for several in beliefs])
        self.variances = array("d", [fsum([belief.variance for belief in several]) for several in beliefs])


class Effects:
    """By slot, how much more the population likes a value in a context than on average; empty without a version."""

    def __init__(self, means: Sequence[float]) -> None:
        self.means = array("d", means)


NO_EFFECTS = Effects(())


class Prior:
    """A population version as numbers. Without a version all means and variances are 0."""

    def __init__(self, catalogue: NumberedCatalogue, version: PopulationVersion | None = None) -> None:
        self.catalogue = catalogue
        self.number = version.n if version else 0
        self.at_ms = version.at if version else 0
        """Newest event time of the version's examples, epoch milliseconds."""
        self._factors: Mapping[str, Gaussian] = version.factors if version else {}
        factors = self._factors
        self.factors = StackingFactors(
            factors.get(OFFSET, Gaussian(0.0, 0.0)).mean,
            factors.get(POPULATION, CERTAIN).mean,
            factors.get(OWN_BIAS, CERTAIN).mean,
            [factors.get(user_part_name(name), CERTAIN) for name in catalogue.facet_names],
        )
        self.uninformative = frozenset(
            facet for name, facet in catalogue.facet_index.items() if version and name in version.uninformative
        )
        """Facets without predictive value."""
        self._beliefs: Mapping[str, Gaussian] = version.features if version else {}
        self._names = Features(catalogue)
        self._slots = range(len(catalogue.slots))
        self._contexts: dict[int, InContext] = {}
        """By topic and surface."""
        self._effects: dict[int, Effects] = {}
        """By topic, and by surface with its bits inverted."""
        everywhere = self._in_context(NONE, NONE)
        self.means, self.variances = list(everywhere.means), list(everywhere.variances)
        """By slot, over all topics."""
        steps = [
            self._belief(feedback_count_feature(feedback_count_step(feedback_count)))
            for feedback_count in _FEEDBACK_COUNTS
        ]
        bias = self._belief(BIAS)
        self.by_feedback_count = [
            (bias.mean + step.mean, NOISE_VARIANCE + bias.variance + step.variance) for step in steps
        ]
        """Mean and variance of an answer without its style, by the user's `feedback_count`."""
        self._popularity: Mapping[str, int] = version.popularity if version else {}
        self._item_unknown = Gaussian(0.0, ITEM_VARIANCE if version else 0.0)
        self._by_popularity = [self._belief(popularity_feature(step)) for step in range(len(POPULARITY_STEPS) + 2)]
        self._items: dict[int, tuple[float, float]] = {}
        """Mean and variance by item, its popularity included."""
        self._has_pairs = Shape.MULTIPLE in catalogue.slot_shapes
        self._pairs: dict[tuple[int, int], tuple[float, float]] = {}
        """Mean and variance by two slots of a `multiple` facet."""
        self.shifts = self._shifts()
        """Addition to a difference of two means, by step of `SURE_FROM`; empty: no shift."""
        self.default_slots = [self._default(facet) for facet in range(len(catalogue.facet_names))]
        """Facet → default slot for an unknown user; None: no default."""
        self.table = PriorTable(self)
        """The same numbers, for the compiled core."""

    def published(self, name: str) -> Gaussian | None:
        """Return the belief about a feature of the version; None for another feature."""
        return self._beliefs.get(name)

    def factor(self, part: str) -> Gaussian | None:
        """Return the stacking factor of a part of the version; None for another part."""
        return self._factors.get(part)

    def _belief(self, name: str) -> Gaussian:
        found = self._beliefs.get(name)
        if found is not None:
            return found
        return Gaussian(0.0, prior_variance(name) if self.number else 0.0)

    def _in_context(self, topic: int, surface: int) -> InContext:
        key = topic * _MAX_SURFACES + surface
        found = self._contexts.get(key)
        if found is None:
            if len(self._contexts) >= MAX_CONTEXTS:
                self._contexts.clear()
            found = InContext(
                [[self._belief(name) for name in self._names.of_value(slot, topic, surface)] for slot in self._slots]
            )
            self._contexts[key] = found
        return found

    def _shifts(self) -> Sequence[float]:
        """Return the shifts of confidences: the value has the feature's mean, and the runner-up its opposite."""
        means = [self._beliefs.get(f"{SURE}{step}", NO_BELIEF).mean for step in range(len(SURE_FROM) + 1)]
        return [min(MAX_SHIFT, max(-MAX_SHIFT, 2.0 * mean)) for mean in means] if any(means) else ()

    def topic_effects(self, topic: int) -> Effects:
        """Return the effects of a topic."""
        if not self.number:
            return NO_EFFECTS
        found = self._effects.get(topic)
        if found is None:
            found = self._keep_effects(topic, self._in_context(topic, NONE).means)
        return found

    def _keep_effects(self, key: int, means: Sequence[float]) -> Effects:
        if len(self._effects) >= MAX_CONTEXTS:
            self._effects.clear()
        found = Effects([there - anywhere for there, anywhere in zip(means, self.means, strict=True)])
        self._effects[key] = found
        return found

    def surface_effects(self, surface: int) -> Effects:
        """Return the effects of a surface."""
        if not self.number:
            return NO_EFFECTS
        found = self._effects.get(~surface)
        if found is None:
            found = self._keep_effects(~surface, self._in_context(NONE, surface).means)
        return found

    def expect(self, slots: Sequence[int], topic: int, surface: int, item: int, feedback_count: int) -> PopulationPart:
        """Return the population's part of the prediction for an answer (`answer`)."""
        if not self.number:
            return NO_POPULATION
        return PopulationPart(*self.answer(slots, topic, surface, item, feedback_count), self.factors)

    def answer(
        self, slots: Sequence[int], topic: int, surface: int, item: int, feedback_count: int
    ) -> tuple[float, float]:
        """Return mean and variance of the population's part of the prediction for an answer.

        `feedback_count` is the count of the user's earlier feedback, up to 255.
        """
        if not self.number:
            return 0.0, _NOISE_VARIANCE
        there, table = self._in_context(topic, surface), self.table
        mean, variance = table.count_means[feedback_count], table.count_variances[feedback_count]
        for slot in slots:
            mean += there.means[slot]
            variance += there.variances[slot]
        if self._has_pairs:
            for pair in self._names.pairs(slots):
                more, doubt = self._pair(pair)
                mean += more
                variance += doubt
        if item:
            more, doubt = self._item(item)
            mean += more
            variance += doubt
        return mean, variance

    def _item(self, item: int) -> tuple[float, float]:
        found = self._items.get(item)
        if found is None:
            if len(self._items) >= MAX_PAIRS:
                self._items.clear()
            own = self._beliefs.get(item_feature(item), self._item_unknown)
            step = self._by_popularity[self.popularity(item)]
            found = self._items[item] = own.mean + step.mean, own.variance + step.variance
        return found

    def _pair(self, pair: tuple[int, int]) -> tuple[float, float]:
        found = self._pairs.get(pair)
        if found is None:
            if len(self._pairs) >= MAX_PAIRS:
                self._pairs.clear()
            belief = self._belief(self._names.of_pair(*pair))
            found = self._pairs[pair] = belief.mean, belief.variance
        return found

    def popularity(self, item: int) -> int:
        """Return an item's step of popularity; 0: the version does not have the item."""
        return self._popularity.get(item_feature(item), 0) if item else 0

    def compare(self, preferred: int, served: int, topic: int, surface: int) -> PopulationPart:
        """Return the population's part of a comparison (`comparison`)."""
        return PopulationPart(*self.comparison(preferred, served, topic, surface), self.factors._replace(offset=0.0))

    def comparison(self, preferred: int, served: int, topic: int, surface: int) -> tuple[float, float]:
        """Return mean and variance of the population's part: how much better `preferred` is than `served`."""
        there = self._in_context(topic, surface)
        mean = there.means[preferred] - there.means[served]
        return mean, _NOISE_VARIANCE + there.variances[preferred] + there.variances[served]

    def by_facet(self, slots: Sequence[int], topic: int, surface: int, shares: Mapping[int, float]) -> dict[int, float]:
        """Return the contribution of each facet to `PopulationPart.stacked_mean`, without pairs of values."""
        means = self._in_context(topic, surface).means
        parts = {facet: self.factors.own[facet].mean * share for facet, share in shares.items()}
        for slot in slots:
            parts[self.catalogue.slot_facets[slot]] += self.factors.population * means[slot]
        return parts

    def _default(self, facet: int) -> int | None:
        named = self.catalogue.default_slots[facet]
        if not self.number or len(self.catalogue.facet_slots[facet]) < 2 or facet in self.catalogue.careful_facets:
            return named
        return self._best(facet) if named is None else self._better_than(named, facet)

    def _best(self, facet: int) -> int | None:
        """Return the best value of a facet without a default in the catalogue; None: too little is known."""
        best, second = sorted(self.catalogue.facet_slots[facet], key=lambda slot: -self.means[slot])[:2]
        variance = self.variances[best] + self.variances[second]
        if not variance:
            return None
        return best if normal_cdf((self.means[best] - self.means[second]) / sqrt(variance)) >= DEFAULT_FROM else None

    def _better_than(self, named: int, facet: int) -> int:
        """Return the value that beats the catalogue's default most surely; the catalogue's default if none does."""
        known = self._belief(self._names.of_default(named))
        found, most = named, REPLACED_FROM
        for slot in self.catalogue.facet_slots[facet]:
            if slot != named:
                belief = self._belief(self._names.of_default(slot))
                difference = belief.mean - known.mean - DEFAULT_MARGIN
                sure = normal_cdf(difference / sqrt(belief.variance + known.variance))
                found, most = (slot, sure) if sure >= most else (found, most)
        return found


@dataclass(slots=True)
class CurrentPrior:
    """The newest prior of this process; any thread may replace it at any time."""

    prior: Prior
