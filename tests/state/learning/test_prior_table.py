"""state/learning/prior_table: the arrays have the numbers of the prior and of the catalogue."""

from collections.abc import Sequence

import pytest

from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion
from state.learning.prior_table import NO_SLOT, PriorTable
from tests.state.learning.test_decisions import FILM_CATALOGUE, prior_of
from tests.support.factories import CATALOGUE, START_MS

TERMS = {
    "format=table": Gaussian(0.4, 0.02),
    "topic:code&tone=formal": Gaussian(0.6, 0.01),
    "judged:0": Gaussian(0.9, 0.1),
    "judged:4": Gaussian(0.2, 0.05),
}
TRUST = {
    "offset": Gaussian(0.1, 0.0),
    "population": Gaussian(0.5, 0.3),
    "own": Gaussian(0.7, 0.2),
    "own:format": Gaussian(2.0, 0.4),
}
RELEASED = Prior(CATALOGUE, PopulationVersion(9, 2, START_MS, 100, TERMS, TRUST, ("tone",)))
GROWN = CATALOGUE.numbered(Vocabulary().including(FILM_CATALOGUE).including(CATALOGUE))
"""The tests' catalogue after one with other facets; their numbers stay taken."""


@pytest.fixture(params=[RELEASED, Prior(CATALOGUE), Prior(FILM_CATALOGUE), Prior(GROWN), prior_of("length")])
def prior(request: pytest.FixtureRequest) -> Prior:
    found: Prior = request.param
    return found


def values_of(table: PriorTable, facet: int) -> Sequence[int]:
    """Return the values of a facet by their places."""
    return list(table.slots[table.starts[facet] : table.starts[facet + 1]])


def test_arrays_by_slot(prior: Prior) -> None:
    """Mean and variance of each value."""
    table = PriorTable(prior)
    assert list(zip(table.means, table.variances, strict=True)) == list(zip(prior.means, prior.variances, strict=True))
    assert len(table.means) == len(prior.catalogue.slots)


def test_arrays_by_facet(prior: Prior) -> None:
    """Factors of the user's part, defaults, and uninformative facets."""
    table, facets = PriorTable(prior), range(len(prior.catalogue.facet_names))
    own = prior.factors.own
    assert list(table.own_factors) == [own[facet].mean for facet in facets]
    assert list(table.own_squares) == [own[facet].mean ** 2 for facet in facets]
    assert list(table.own_variances) == [own[facet].variance for facet in facets]
    assert [None if slot == NO_SLOT else slot for slot in table.defaults] == list(prior.default_slots)
    assert {facet for facet in facets if table.uninformative[facet]} == set(prior.uninformative)


def test_values_of_each_facet_are_in_the_order_of_the_catalogue(prior: Prior) -> None:
    """A facet of an earlier catalogue has no values."""
    table, catalogue = PriorTable(prior), prior.catalogue
    assert [tuple(values_of(table, facet)) for facet in range(len(catalogue.facet_names))] == [
        tuple(slots) for slots in catalogue.facet_slots
    ]
    assert table.starts[len(catalogue.facet_names)] == len(table.slots)


def test_numbers_of_the_whole_version(prior: Prior) -> None:
    """Factors, and what is expected by the count of feedback."""
    table, factors = PriorTable(prior), prior.factors
    found = (table.number, table.offset, table.population, table.population_square, table.bias_factor)
    assert found == (prior.number, factors.offset, factors.population, factors.population**2, factors.bias)
    by_count = list(zip(table.count_means, table.count_variances, strict=True))
    assert by_count == list(prior.by_feedback_count)


def test_released_numbers_are_in_the_table() -> None:
    """The names of a version reach their places."""
    table, index = RELEASED.table, CATALOGUE.slot_index
    assert (table.number, table.offset, table.population, table.bias_factor) == (9, 0.1, 0.5, 0.7)
    assert table.means[index["format"]["table"]] == 0.4
    assert table.own_factors[CATALOGUE.facet_index["format"]] == 2.0
    assert table.own_variances[CATALOGUE.facet_index["format"]] == 0.4
    assert table.uninformative[CATALOGUE.facet_index["tone"]]


def test_prior_has_one_table() -> None:
    """It is made once for all users."""
    assert RELEASED.table is RELEASED.table
    assert isinstance(GROWN, NumberedCatalogue)
    assert any(not slots for slots in GROWN.facet_slots)
