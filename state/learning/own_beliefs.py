"""Gaussian beliefs about a user: the difference from the population, for each value of each facet."""

from collections.abc import Collection

from state.catalogue.numbered import NumberedCatalogue
from state.learning.context_effects import ContextEffects
from state.learning.feedback_log import FeedbackLog
from state.learning.mood import Mood
from state.learning.terms import BIAS_VARIANCE, SLOPE_VARIANCE, Terms
from state.row.layout import Part
from state.row.row import Row

_BIAS_VARIANCE, _SLOPE_VARIANCE = BIAS_VARIANCE, SLOPE_VARIANCE
_PREFERENCES = int(Part.PREFERENCES)


class OwnBeliefs:
    """The beliefs of the present row: means and variances of values, slopes and the bias, with mood and contexts."""

    def __init__(self, row: Row, catalogue: NumberedCatalogue) -> None:
        """Read and write the beliefs of a row that is laid out for the catalogue."""
        self.row = row
        self.catalogue = catalogue
        self.terms = Terms(catalogue)
        self.mood = Mood(row)
        self.contexts = ContextEffects(row)
        self.log = FeedbackLog(row, catalogue.slot_facets)
        """The last pieces of feedback, and sums by value."""
        self._terms_check = catalogue.terms_check(len(catalogue.slots))

    # Numbers of the present row

    @property
    def means(self) -> list[float]:
        """Means by slot."""
        found: list[float] = self.row.numbers("means")
        return found

    @property
    def variances(self) -> list[float]:
        """Variances by slot."""
        found: list[float] = self.row.numbers("variances")
        return found

    @property
    def slopes(self) -> list[float]:
        """Means by facet; 0 unless the facet is ordered."""
        found: list[float] = self.row.numbers("slopes")
        return found

    @property
    def slope_variances(self) -> list[float]:
        """Variances by facet."""
        found: list[float] = self.row.numbers("slope_variances")
        return found

    @property
    def bias(self) -> float:
        """Mean of the bias."""
        return float(self.row.bias[self.row.at])

    @property
    def bias_variance(self) -> float:
        """Variance of the bias."""
        return float(self.row.bias_variance[self.row.at])

    @property
    def feedback_count(self) -> int:
        """Answers with feedback of the user, up to 255."""
        return self.row.feedback_count[self.row.at]

    @feedback_count.setter
    def feedback_count(self, count: int) -> None:
        self.row.feedback_count[self.row.at] = count

    @property
    def population(self) -> int:
        """Population version of the last training; 0: without a population."""
        return self.row.population[self.row.at]

    @population.setter
    def population(self, number: int) -> None:
        self.row.population[self.row.at] = number

    # A row's life

    def begin(self) -> None:
        """Start with the prior, and without feedback."""
        self.clear()
        row, at = self.row, self.row.at
        row.parts[at] = row.parts[at] | _PREFERENCES
        for slot in range(self.terms.slots):
            self._begin_value(slot)
        for facet in range(self.terms.facets):
            self._begin_slope(facet)
        row.bias_variance[at] = _BIAS_VARIANCE
        row.terms_check[at] = self._terms_check
        self.mood.begin()

    def clear(self) -> None:
        """Remove all: the row has no preferences, and zeros in their fields."""
        row, at = self.row, self.row.at
        row.parts[at] = row.parts[at] & ~_PREFERENCES
        for slot in range(self.terms.slots):
            row.means[at, slot] = row.variances[at, slot] = 0.0
        for facet in range(self.terms.facets):
            row.slopes[at, facet] = row.slope_variances[at, facet] = 0.0
        row.bias[at] = row.bias_variance[at] = 0.0
        row.feedback_count[at] = row.population[at] = 0
        self.mood.clear()
        self.contexts.clear()
        self.log.clear()

    def grow(self, slots: int, facets: int) -> bool:
        """Begin the values and facets that the catalogue gained since there were so many, in a row with room for them.

        Returns:
            Whether the effects of contexts stay. They start again if a facet became ordered, or left: their terms then
            have another meaning.
        """
        row, at = self.row, self.row.at
        stay = row.terms_check[at] == self.catalogue.terms_check(slots)
        if stay:
            self.contexts.grow(self.catalogue.terms_of(slots))
        else:
            self.contexts.clear()
        row.terms_check[at] = self._terms_check
        for slot in range(slots, self.terms.slots):
            self._begin_value(slot)
        for facet in range(facets, self.terms.facets):
            self._begin_slope(facet)
        return stay

    def forget(self, facets: Collection[int], *, keeps_bias: bool = False) -> None:
        """Reset the given facets to the prior: values, slope, effects of contexts, and log.

        The bias and the count of feedback concern answers as a whole and stay, unless no other facet has evidence; with
        `keeps_bias`, always.
        """
        others = [facet for facet in range(self.terms.facets) if facet not in facets]
        if not keeps_bias and not any(self.has_feedback(facet) for facet in others):
            self.begin()
            return
        slots = [slot for slot, facet in enumerate(self.catalogue.slot_facets) if facet in facets]
        for slot in slots:
            self._begin_value(slot)
        for facet in facets:
            self._begin_slope(facet)
        self.contexts.forget({self.catalogue.context_terms[slot][0] for slot in slots})
        self.log.forget(facets)

    def _begin_value(self, slot: int) -> None:
        row, at = self.row, self.row.at
        row.means[at, slot], row.variances[at, slot] = 0.0, self.terms.variances[slot]

    def _begin_slope(self, facet: int) -> None:
        row, at = self.row, self.row.at
        row.slopes[at, facet], row.slope_variances[at, facet] = 0.0, _SLOPE_VARIANCE

    # Beliefs

    def has_feedback(self, facet: int) -> bool:
        """Return whether some feedback concerned the facet."""
        return self.log.has_feedback(
            [slot for slot, its_facet in enumerate(self.catalogue.slot_facets) if its_facet == facet]
        )

    def value(self, slot: int) -> tuple[float, float]:
        """Return mean and variance of a value, its place on the scale included."""
        return self.mean(slot), self.variance(slot)

    def difference(self, slot: int, other: int) -> tuple[float, float]:
        """Return mean and variance of the difference between two values of a facet."""
        return self.mean_difference(slot, other), self.variance_difference(slot, other)

    # Calls among compiled modules

    def mean(self, slot: int) -> float:
        """Return the mean of a value, its place on the scale included."""
        row, place = self.row, self.terms.places[slot]
        mean = float(row.means[row.at, slot])
        if place:
            mean += place * float(row.slopes[row.at, self.terms.facet_of[slot]])
        return mean

    def variance(self, slot: int) -> float:
        """Return the variance of a value, its place on the scale included."""
        row, place = self.row, self.terms.places[slot]
        variance = float(row.variances[row.at, slot])
        if place:
            variance += place * place * float(row.slope_variances[row.at, self.terms.facet_of[slot]])
        return variance

    def mean_difference(self, slot: int, other: int) -> float:
        """Return the mean of the difference between two values of a facet."""
        row, at = self.row, self.row.at
        step = self.terms.places[slot] - self.terms.places[other]
        slope = float(row.slopes[at, self.terms.facet_of[slot]])
        return float(row.means[at, slot]) - float(row.means[at, other]) + step * slope

    def variance_difference(self, slot: int, other: int) -> float:
        """Return the variance of the difference between two values of a facet."""
        row, at = self.row, self.row.at
        step = self.terms.places[slot] - self.terms.places[other]
        slope_variance = float(row.slope_variances[at, self.terms.facet_of[slot]])
        return float(row.variances[at, slot]) + float(row.variances[at, other]) + step * step * slope_variance
