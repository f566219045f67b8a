"""The terms of a user model in one list: all values, the slope of each facet, and the bias."""

from state.learning.own_beliefs import OwnBeliefs
from tests.support.factories import CATALOGUE

SLOPES = len(CATALOGUE.slots)
"""Term of the slope of the first facet, in the tests' catalogue."""
BIAS = SLOPES + len(CATALOGUE.facet_names)


def all_means(own: OwnBeliefs) -> list[float]:
    """Return the mean of each term."""
    return [*own.means, *own.slopes, own.bias]


def all_variances(own: OwnBeliefs) -> list[float]:
    """Return the variance of each term."""
    return [*own.variances, *own.slope_variances, own.bias_variance]


def set_mean(own: OwnBeliefs, term: int, mean: float) -> None:
    """Overwrite the mean of a term."""
    _set(own, term, mean, ("means", "slopes", "bias"))


def set_variance(own: OwnBeliefs, term: int, variance: float) -> None:
    """Overwrite the variance of a term."""
    _set(own, term, variance, ("variances", "slope_variances", "bias_variance"))


def _set(own: OwnBeliefs, term: int, number: float, fields: tuple[str, str, str]) -> None:
    held, (slots, facets, _) = own.row.array[own.row.at], own.catalogue.sizes
    values, slopes, bias = fields
    if term < slots:
        held[values][term] = number
    elif term < slots + facets:
        held[slopes][term - slots] = number
    else:
        held[bias] = number
