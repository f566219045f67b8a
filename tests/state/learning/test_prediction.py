"""Prediction: the part of the population plus the part of the user."""

from math import sqrt
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.population_version import Gaussian
from state.learning.prediction import CERTAIN, NO_POPULATION, PopulationPart, StackingFactors, UserPart

MEANS = st.floats(-2, 2)
OWNS = st.builds(
    lambda bias, shares, variance: UserPart(bias + sum(shares.values()), variance, bias, shares),
    MEANS, st.dictionaries(st.integers(0, 4), MEANS, max_size=5), st.floats(0, 1),
)  # fmt: skip


@given(MEANS, st.floats(1, 3), OWNS)
def test_parts_with_factor_one_add_up(mean: float, variance: float, own: UserPart) -> None:
    """The chance is Φ(sum of means / standard deviation)."""
    expected = PopulationPart(mean, variance, StackingFactors(0.0, 1.0, 1.0, (CERTAIN,) * 5))
    assert expected.stacked_mean(own) == pytest.approx(mean + own.mean, abs=1e-9)
    chance = NormalDist().cdf((mean + own.mean) / sqrt(variance + own.variance))
    assert expected.chance(own) == pytest.approx(chance, abs=1e-9)


@given(MEANS, OWNS, st.tuples(MEANS, MEANS, MEANS), st.lists(MEANS, min_size=5, max_size=5))
def test_each_part_is_multiplied_by_its_factor(
    mean: float, own: UserPart, factors: tuple[float, float, float], of_facets: list[float]
) -> None:
    """The offset has no factor."""
    offset, population, bias = factors
    expected = PopulationPart(
        mean, 1.0, StackingFactors(offset, population, bias, [Gaussian(f, 0.1) for f in of_facets])
    )
    shares = sum(of_facets[facet] * share for facet, share in own.shares.items())
    assert expected.stacked_mean(own) == pytest.approx(offset + population * mean + bias * own.bias + shares, abs=1e-9)


def test_without_beliefs_the_chance_is_one_half() -> None:
    """The only variance is the noise of the feedback."""
    assert NO_POPULATION.chance(UserPart(0.0, 0.0, 0.0, {})) == 0.5
    assert NO_POPULATION.chance(UserPart(1.0, 0.0, 1.0, {})) == pytest.approx(NormalDist().cdf(1.0))
