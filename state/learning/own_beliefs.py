"""Gaussian beliefs about a user: the difference from the population, for each value of each facet."""

from array import array
from collections.abc import Collection

from state.catalogue.numbered import NumberedCatalogue, Shape
from state.learning.context_effects import ContextEffects
from state.learning.feedback_log import FeedbackLog
from state.learning.mood import Mood

BIAS_VARIANCE = 0.3
"""Prior variance of the bias: liking of answers in general, compared with other users."""
SLOPE_VARIANCE = 0.2
"""Prior variance of the slope along an ordered facet's scale from −1 to 1."""
VALUE_VARIANCES = {Shape.SINGLE: 0.1, Shape.ORDERED: 0.03, Shape.MULTIPLE: 0.05}
"""Prior variance of a value, beyond the place on a scale; by shape of the facet."""


class OwnBeliefs:
    """Means and variances by term: the slots, then the slope of each facet, then the bias."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        self.catalogue = catalogue
        slots, facets, _ = catalogue.sizes
        self.means = array("f", bytes(4 * (slots + facets + 1)))
        """A slope is 0 unless the facet is ordered."""
        self.variances = array("f", [VALUE_VARIANCES[shape] for shape in catalogue.slot_shapes])
        self.variances.extend([SLOPE_VARIANCE] * facets)
        self.variances.append(BIAS_VARIANCE)
        self.mood = Mood()
        self.contexts = ContextEffects(catalogue.terms_of(len(catalogue.slots)))
        self.log = FeedbackLog(slots, facets)
        """The last pieces of feedback, and sums by value."""
        self.feedback_count = 0
        """Answers with feedback of the user, up to 255."""
        self.population = 0
        """Population version of the last training; 0: without a population."""

    def grow(self, slots: int, facets: int) -> None:
        """Make room for the names that the catalogue's table gained since a size of `slots` and `facets`."""
        catalogue, new = self.catalogue, OwnBeliefs(self.catalogue)
        for ours, theirs in ((self.means, new.means), (self.variances, new.variances)):
            ours[-1:-1] = theirs[len(catalogue.slots) + facets : -1]
            ours[slots:slots] = theirs[slots : len(catalogue.slots)]
        self.contexts.grow(new.contexts.terms)
        self.log.grow(len(catalogue.slots), len(catalogue.facet_names))

    def forget(self, facets: Collection[int], *, keeps_bias: bool = False) -> None:
        """Reset the given facets to the prior: values, slope, effects of contexts, and log.

        The bias and the count of feedback concern answers as a whole and stay, unless no other facet has evidence; with
        `keeps_bias`, always.
        """
        others = [facet for facet in range(len(self.catalogue.facet_names)) if facet not in facets]
        if not keeps_bias and not any(self.has_feedback(facet) for facet in others):
            self.__init__(self.catalogue)  # type: ignore[misc]  # a new user model, in place
            return
        slopes = len(self.catalogue.slots)
        new = OwnBeliefs(self.catalogue)
        terms = [slot for slot, facet in enumerate(self.catalogue.slot_facets) if facet in facets]
        for term in (*terms, *[slopes + facet for facet in facets]):
            self.means[term], self.variances[term] = new.means[term], new.variances[term]
        self.contexts.forget({self.catalogue.context_terms[term][0] for term in terms if term < slopes})
        self.log.forget(facets, self.catalogue.slot_facets)

    def has_feedback(self, facet: int) -> bool:
        """Return whether some feedback concerned the facet."""
        slots = [slot for slot, its_facet in enumerate(self.catalogue.slot_facets) if its_facet == facet]
        return self.log.has_feedback(slots, self.means)

    def value(self, slot: int) -> tuple[float, float]:
        """Return mean and variance of a value."""
        catalogue = self.catalogue
        mean, variance, place = self.means[slot], self.variances[slot], catalogue.slot_places[slot]
        if place:
            slope = len(catalogue.slots) + catalogue.slot_facets[slot]
            mean += place * self.means[slope]
            variance += place * place * self.variances[slope]
        return mean, variance

    def difference(self, slot: int, other: int) -> tuple[float, float]:
        """Return mean and variance of the difference between two values of a facet."""
        means, variances, catalogue = self.means, self.variances, self.catalogue
        slope = len(catalogue.slots) + catalogue.slot_facets[slot]
        step = catalogue.slot_places[slot] - catalogue.slot_places[other]
        mean = means[slot] - means[other] + step * means[slope]
        return mean, variances[slot] + variances[other] + step * step * variances[slope]
