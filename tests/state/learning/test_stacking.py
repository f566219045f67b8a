"""state/learning/stacking: factors follow the exact posterior, and end at what each part is worth."""

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
    """Return the exact moments of the factors after a piece of feedback, by integrating over what they make of the parts.

    The sum s of factor times part is Gaussian before, and its density times Φ(±s/√variance) after; a factor is what
    its covariance with s states of it, plus what has nothing to do with s.
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
    trust = Stacking(before)
    trust.learn(parts, variance, liked)
    for part in PARTS:
        assert trust.factors[part] == pytest.approx(expected[part], abs=1e-5)


def learned(likes: dict[str, float], offset: float = 0.0) -> dict[str, Gaussian]:
    """Return the factors after many pieces of feedback of a user for whom part × factor is as `likes` states, in truth."""
    random, trust = Random(7), Stacking()
    for _ in range(ENOUGH):
        parts = {OFFSET: 1.0} | {part: random.gauss(0.0, 0.7) for part in likes}
        truth = offset + sum(likes[part] * parts[part] for part in likes)
        trust.learn(parts, 1.0, random.random() < NORMAL.cdf(truth))
    return trust.factors


def test_parts_begin_fully_trusted_and_the_offset_at_nothing() -> None:
    trust = Stacking()
    assert trust.factors == {}
    trust.learn(dict.fromkeys(PARTS, 0.0), 1.3, liked=True)
    begun = {part: Gaussian(1.0, PRIOR_VARIANCE) for part in (POPULATION, OWN_BIAS, LENGTH)}
    assert trust.factors == {OFFSET: Gaussian(0.0, PRIOR_VARIANCE), **begun}


def test_part_that_predicts_nothing_loses_its_factor() -> None:
    factors = learned({POPULATION: 0.0, LENGTH: 1.0})
    assert factors[POPULATION].mean == pytest.approx(0.0, abs=0.1)
    assert factors[LENGTH].mean == pytest.approx(1.0, abs=0.15)


def test_part_that_is_understated_gains() -> None:
    assert learned({POPULATION: 1.0, LENGTH: 2.0})[LENGTH].mean == pytest.approx(2.0, abs=0.2)


def test_part_that_says_the_opposite_is_turned_around() -> None:
    assert learned({LENGTH: -0.5})[LENGTH].mean == pytest.approx(-0.5, abs=0.1)


def test_likes_that_no_part_foresees_become_the_offset() -> None:
    factors = learned({POPULATION: 1.0}, offset=0.4)
    assert factors[OFFSET].mean == pytest.approx(0.4, abs=0.1)
    assert factors[POPULATION].mean == pytest.approx(1.0, abs=0.15)


def test_every_judgement_makes_factors_surer_and_leaves_parts_without_a_say_alone() -> None:
    trust = Stacking()
    trust.learn({OFFSET: 1.0, LENGTH: 0.5, POPULATION: 0.0}, 1.2, liked=False)
    assert trust.factors[LENGTH].mean < 1.0
    assert trust.factors[LENGTH].variance < PRIOR_VARIANCE
    assert trust.factors[POPULATION] == Gaussian(1.0, PRIOR_VARIANCE)
    before = trust.factors[LENGTH]
    trust.learn({OFFSET: 1.0}, 1.2, liked=True)
    assert trust.factors[LENGTH] == before


def test_factors_that_were_handed_over_stay_as_they_were() -> None:
    """A published version continues being what it was."""
    published = {OFFSET: Gaussian(0.1, 0.01)}
    Stacking(published).learn({OFFSET: 1.0, POPULATION: 0.3}, 1.2, liked=True)
    assert published == {OFFSET: Gaussian(0.1, 0.01)}
