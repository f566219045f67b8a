"""state/learning/probit, against the standard library's and numbers that the formulas are made of."""

from math import inf, log
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.probit import MAX_SURPRISE, corrections, log_normal_cdf, normal_cdf

NORMAL = NormalDist()


@given(st.floats(-6, 8))
def test_phi_is_the_normal_distribution(z: float) -> None:
    """And its log is the log of that."""
    assert normal_cdf(z) == pytest.approx(NORMAL.cdf(z), rel=1e-6)
    assert log_normal_cdf(z) == pytest.approx(log(NORMAL.cdf(z)), rel=1e-6, abs=1e-12)


@given(st.floats(-6, 6))
def test_both_sides_of_a_judgement_are_all_there_is(z: float) -> None:
    """A like or a dislike."""
    assert normal_cdf(z) + normal_cdf(-z) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("z", [-50.0, -1e9, -inf, 1e9, inf])
def test_log_phi_stays_finite(z: float) -> None:
    """One impossible event must not decide permanently."""
    assert -28 < log_normal_cdf(z) <= 0


@given(st.floats(-5, 5))
def test_corrections_are_moments_of_a_truncated_normal(z: float) -> None:
    """N moves the mean to that of N(z, 1) above 0, W takes from the variance what is cut off: both by integration."""
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
def test_what_is_further_out_corrects_no_more(z: float) -> None:
    """On either side."""
    assert corrections(z) == corrections(MAX_SURPRISE)
    assert corrections(-z) == corrections(-MAX_SURPRISE)
