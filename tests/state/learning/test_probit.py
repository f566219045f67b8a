"""Normal distribution and corrections, compared with the standard library and with integrals."""

from math import inf, log
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.probit import MAX_SURPRISE, corrections, log_normal_cdf, normal_cdf

NORMAL = NormalDist()


@given(st.floats(-6, 8))
def test_normal_cdf_is_the_normal_distribution(z: float) -> None:
    """The log is that of the standard library's value."""
    assert normal_cdf(z) == pytest.approx(NORMAL.cdf(z), rel=1e-6)
    assert log_normal_cdf(z) == pytest.approx(log(NORMAL.cdf(z)), rel=1e-6, abs=1e-12)


@given(st.floats(-6, 6))
def test_both_sides_add_up_to_one(z: float) -> None:
    """The chances of a like and of a dislike add up to 1."""
    assert normal_cdf(z) + normal_cdf(-z) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("z", [-50.0, -1e9, -inf, 1e9, inf])
def test_log_normal_cdf_is_finite(z: float) -> None:
    """One extreme event has a finite effect."""
    assert -28 < log_normal_cdf(z) <= 0


@given(st.floats(-5, 5))
def test_corrections_are_moments_of_a_truncated_normal(z: float) -> None:
    """N is the shift of the mean, and W the loss of variance, of N(z, 1) above 0: both by integration."""
    steps, width = 20_000, 12.0
    total = first = second = 0.0
    for step in range(1, steps):
        x = width * step / steps
        density = NORMAL.pdf(x - z)
        total, first, second = total + density, first + x * density, second + x * x * density
    mean = first / total
    n, w = corrections(z)
    assert n == pytest.approx(mean - z, abs=2e-3)
    assert w == pytest.approx(1 - (second / total - mean**2), abs=2e-3)
    assert n > 0
    assert 0 < w < 1


@given(st.floats(MAX_SURPRISE, allow_infinity=True))
def test_corrections_have_a_limit(z: float) -> None:
    """The limit holds on both sides."""
    assert corrections(z) == corrections(MAX_SURPRISE)
    assert corrections(-z) == corrections(-MAX_SURPRISE)
