"""The numbers of a prior as typed arrays, for compiled decisions; one table per prior.

The numbers of values are in `state.learning.terms`.
"""

from array import array
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from state.learning.population_prior import Prior

NO_SLOT = -1
"""No default value."""


class PriorTable:
    """Arrays by slot, by facet, and by place: the values of all facets in a row, in the catalogue's order."""

    def __init__(self, prior: "Prior") -> None:
        catalogue, factors = prior.catalogue, prior.factors
        self.number = prior.number
        # By slot
        self.means = array("d", prior.means)
        self.variances = array("d", prior.variances)
        # By facet
        self.own_factors = array("d", [factors.own[facet].mean for facet in range(len(catalogue.facet_names))])
        self.own_squares = array("d", [factor**2 for factor in self.own_factors])
        self.own_variances = array("d", [factors.own[facet].variance for facet in range(len(catalogue.facet_names))])
        self.defaults = array("q", [NO_SLOT if slot is None else slot for slot in prior.default_slots])
        self.uninformative = array("b", [facet in prior.uninformative for facet in range(len(catalogue.facet_names))])
        # By place
        self.starts = array("q", accumulate(map(len, catalogue.facet_slots), initial=0))
        """Facet → place of its first value; one more entry for the end."""
        self.slots = array("q", [slot for slots in catalogue.facet_slots for slot in slots])
        # Of the whole version
        self.offset = factors.offset
        self.population = factors.population
        self.population_square = factors.population**2
        self.bias_factor = factors.bias
        self.count_means = array("d", [mean for mean, _ in prior.by_feedback_count])
        self.count_variances = array("d", [variance for _, variance in prior.by_feedback_count])
