"""Stacking: factors follow the exact posterior, and converge to the true weight of each part."""

from math import exp, sqrt
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.population_version import Gaussian
from state.learning.stacking import OFFSET, OWN_BIAS, POPULATION, PRIOR_VARIANCE, Stacking, user_part_name

NORMAL = NormalDist()
LENGTH = user_part_name("length")
PARTS = (OFFSET, POPULATION, OWN_BIAS, LENGTH)
ENOUGH = 4_000


def exact(
    factors: dict[str, Gaussian], parts: dict[str, float], variance: float, liked: bool
) -> dict[str, tuple[float, float]]:
    """Return the exact moments of the factors after one example, by integration over the sum s of factor × part.

    The prior of s is Gaussian; the posterior density is the prior density times Φ(±s/√variance). A factor is a linear
    function of s, by its covariance with s, plus a part that is independent of s.
    """
    mean = sum(factors[part].mean * x for part, x in parts.items())
    before = sum(factors[part].variance * x * x for part, x in parts.items())
    sign, steps = (1 if liked else -1), 4_000
    total = first = second = 0.0
    for step in range(steps + 1):
        z = -9 + 18 * step / steps
        s = mean + z * sqrt(before)
        density = exp(-z * z / 2) * NORMAL.cdf(sign * s / sqrt(variance))
        total, first, second = total + density, first + density * s, second + density * s * s
    moved, after = first / total - mean, second / total - (first / total) ** 2
    found = {}
    for part, x in parts.items():
        m, v = factors[part]
        share = v * x / before
        found[part] = m + share * moved, v - share * share * (before - after)
    return found


@given(
    factors=st.tuples(*[st.tuples(st.floats(-1.5, 1.5), st.floats(0.01, 0.3))] * 4),
    inputs=st.tuples(*[st.floats(-1.5, 1.5)] * 3),
    variance=st.floats(1.0, 3.0),
    liked=st.booleans(),
)
def test_factors_follow_the_exact_posterior(
    factors: tuple[tuple[float, float], ...], inputs: tuple[float, ...], variance: float, liked: bool
) -> None:
    before = {part: Gaussian(*factor) for part, factor in zip(PARTS, factors, strict=True)}
    parts = dict(zip(PARTS, (1.0, *inputs), strict=True))
    expected = exact(before, parts, variance, liked)
    stacking = Stacking(before)
    stacking.learn(parts, variance, liked)
    for part in PARTS:
        assert stacking.factors[part] == pytest.approx(expected[part], abs=1e-5)


def learned(likes: dict[str, float], offset: float = 0.0) -> dict[str, Gaussian]:
    """Return the factors after many examples; `likes` has the true factor of each part."""
    random, stacking = Random(7), Stacking()
    for _ in range(ENOUGH):
        parts = {OFFSET: 1.0} | {part: random.gauss(0.0, 0.7) for part in likes}
        truth = offset + sum(likes[part] * parts[part] for part in likes)
        stacking.learn(parts, 1.0, random.random() < NORMAL.cdf(truth))
    return stacking.factors


def test_factors_start_at_one_and_the_offset_at_zero() -> None:
    stacking = Stacking()
    assert stacking.factors == {}
    stacking.learn(dict.fromkeys(PARTS, 0.0), 1.3, liked=True)
    start = {part: Gaussian(1.0, PRIOR_VARIANCE) for part in (POPULATION, OWN_BIAS, LENGTH)}
    assert stacking.factors == {OFFSET: Gaussian(0.0, PRIOR_VARIANCE), **start}


def test_factor_of_an_uninformative_part_becomes_zero() -> None:
    factors = learned({POPULATION: 0.0, LENGTH: 1.0})
    assert factors[POPULATION].mean == pytest.approx(0.0, abs=0.1)
    assert factors[LENGTH].mean == pytest.approx(1.0, abs=0.15)


def test_factor_of_an_understated_part_grows() -> None:
    assert learned({POPULATION: 1.0, LENGTH: 2.0})[LENGTH].mean == pytest.approx(2.0, abs=0.2)


def test_factor_of_an_opposite_part_becomes_negative() -> None:
    assert learned({LENGTH: -0.5})[LENGTH].mean == pytest.approx(-0.5, abs=0.1)


def test_unexplained_likes_become_the_offset() -> None:
    factors = learned({POPULATION: 1.0}, offset=0.4)
    assert factors[OFFSET].mean == pytest.approx(0.4, abs=0.1)
    assert factors[POPULATION].mean == pytest.approx(1.0, abs=0.15)


def test_example_reduces_variances_of_its_parts_only() -> None:
    stacking = Stacking()
    stacking.learn({OFFSET: 1.0, LENGTH: 0.5, POPULATION: 0.0}, 1.2, liked=False)
    assert stacking.factors[LENGTH].mean < 1.0
    assert stacking.factors[LENGTH].variance < PRIOR_VARIANCE
    assert stacking.factors[POPULATION] == Gaussian(1.0, PRIOR_VARIANCE)
    before = stacking.factors[LENGTH]
    stacking.learn({OFFSET: 1.0}, 1.2, liked=True)
    assert stacking.factors[LENGTH] == before


def test_given_factors_do_not_change() -> None:
    """A published version does not change."""
    published = {OFFSET: Gaussian(0.1, 0.01)}
    Stacking(published).learn({OFFSET: 1.0, POPULATION: 0.3}, 1.2, liked=True)
    assert published == {OFFSET: Gaussian(0.1, 0.01)}
