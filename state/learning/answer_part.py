"""The user's part of the prediction for one answer, in columns that are filled again for each answer."""

import math
from array import array
from collections.abc import Collection, Sequence

from state.learning.prediction import UserPart
from state.learning.prior_table import PriorTable
from state.learning.probit import normal_cdf
from state.learning.terms import Terms


class AnswerPart:
    """The values of an answer, their facets, and the share of each facet."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.count = 0
        """Values of the answer, in `slots`."""
        self.slots = array("q", bytes(8 * terms.slots))
        self.facet_count = 0
        """Facets of the answer, in `facets`, by the first value of each."""
        self.facets = array("q", bytes(8 * terms.facets))
        self.shares = array("d", bytes(8 * terms.facets))
        """By facet: share in `mean`."""
        self.is_served = array("b", bytes(terms.facets))
        """By facet: the answer has a value."""
        self.is_trained = array("b", bytes(terms.facets))
        """By facet: the feedback is on it."""
        self.is_narrowed = False
        """The feedback is narrowed to some facets."""
        self.lasting_mean = self.lasting_variance = 0.0
        """Part of the lasting beliefs."""
        self.mean = self.variance = self.bias = 0.0
        """The whole part, and the share of the bias and of the mood in its mean."""

    def serve(self, slots: Sequence[int], only: Collection[int]) -> None:
        """Begin with an answer; `only`: facets that its feedback is narrowed to, empty for all."""
        self.is_narrowed = len(only) > 0
        for facet in range(self.terms.facets):
            self.shares[facet] = 0.0
            self.is_served[facet] = 0
            self.is_trained[facet] = not self.is_narrowed or facet in only
        self.count = self.facet_count = 0
        for slot in slots:
            self.slots[self.count] = slot
            self.count += 1
            facet = self.terms.facet_of[slot]
            if not self.is_served[facet]:
                self.is_served[facet] = 1
                self.facets[self.facet_count] = facet
                self.facet_count += 1

    def trains(self) -> bool:
        """Return whether the feedback is on a facet that was served."""
        for index in range(self.facet_count):
            if self.is_trained[self.facets[index]]:
                return True
        return False

    def trained_facets(self) -> list[int]:
        """Return the served facets that the feedback is on."""
        found = []
        for index in range(self.facet_count):
            facet = self.facets[index]
            if self.is_trained[facet]:
                found.append(facet)
        return found

    def by_facet(self) -> dict[int, float]:
        """Return facet → share."""
        found = {}
        for index in range(self.facet_count):
            facet = self.facets[index]
            found[facet] = self.shares[facet]
        return found

    def part(self) -> UserPart:
        """Return all numbers."""
        return UserPart(self.mean, self.variance, self.bias, self.by_facet())

    def chance(self, mean: float, variance: float, table: PriorTable) -> float:
        """Return the chance of a like, given the population's part (as `PopulationPart.chance`)."""
        stacked = table.offset + table.population * mean + table.bias_factor * self.bias
        for index in range(self.facet_count):
            facet = self.facets[index]
            stacked += table.own_factors[facet] * self.shares[facet]
        return normal_cdf(stacked / math.sqrt(variance + self.variance))
