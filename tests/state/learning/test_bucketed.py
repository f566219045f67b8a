"""state/learning/bucketed: weighted rates in buckets of users."""

from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.bucketed import BUCKETS, Arm, Arms, NewArms, arm, bucket_of, difference

ANSWERS = st.lists(st.tuples(st.integers(0, BUCKETS - 1), st.booleans(), st.floats(1.0, 100.0)), max_size=40)


def filled(answers: list[tuple[int, bool, float]]) -> Arm:
    found = Arm()
    for bucket, liked, weight in answers:
        found.add(bucket, liked, weight)
    return found


@given(ANSWERS)
def test_packed_arm_is_the_same_arm(answers: list[tuple[int, bool, float]]) -> None:
    """All sums survive a restart, bit by bit."""
    one = filled(answers)
    twin = Arm(*one.pack())
    assert twin.pack() == one.pack()
    assert (twin.mean, twin.effective, twin.buckets) == (one.mean, one.effective, one.buckets)


@given(ANSWERS, ANSWERS)
def test_swapped_arms_have_the_opposite_difference(
    one: list[tuple[int, bool, float]], other: list[tuple[int, bool, float]]
) -> None:
    """The error is the same."""
    found, swapped = difference(filled(one), filled(other)), difference(filled(other), filled(one))
    assert found.difference == pytest.approx(-swapped.difference)
    assert found.error == pytest.approx(swapped.error)


def test_independent_answers_have_the_binomial_error() -> None:
    """With one answer per bucket and weight, the error is that of two proportions."""
    one, other = Arm(), Arm()
    for n in range(64 * 50):
        one.add(n % 64, n * 7919 % 100 < 30)
        other.add(n % 64, n * 104729 % 100 < 60)
    found = difference(one, other)
    assert found.difference == pytest.approx(-0.3, abs=0.001)
    assert found.error < 1.5 * sqrt((0.3 * 0.7 + 0.6 * 0.4) / 3200)


def test_answers_of_one_user_in_agreement_have_a_larger_error() -> None:
    """Ten equal answers count for little more than one."""
    spread, clustered = (Arm(), Arm()), (Arm(), Arm())
    random = Random(1)
    moods = [[random.random() < 0.5 for _ in range(64)] for _ in range(2)]
    for n in range(640):
        for side in range(2):
            spread[side].add(n % 64, random.random() < 0.5)
            clustered[side].add(n % 64, moods[side][n % 64])
    assert difference(*clustered).error > 2 * difference(*spread).error


def test_few_heavy_buckets_have_fewer_degrees_of_freedom() -> None:
    """So the interval is wider than its error alone makes it."""

    def found(heavy: int) -> float:
        one, other = Arm(), Arm()
        for n in range(640):
            one.add(n % 64, n % 3 > 0)
            other.add(n % 64, n % 2 > 0)
        for n in range(heavy):
            one.add(n % 2, n % 2 > 0)
        return difference(one, other).freedom

    assert found(heavy=2000) < 10 < found(heavy=0)


def test_empty_arms_have_no_estimate() -> None:
    """Nothing is divided by zero."""
    assert not difference(Arm(), Arm()).suffices
    assert not difference(filled([(0, True, 1.0)]), Arm()).suffices


def test_arm_is_made_once_and_bucket_is_of_the_pseudonym() -> None:
    """Names make the key."""
    arms = Arms()
    assert arm(arms, "uplift", "*") is arm(arms, "uplift", "*")
    assert {bucket_of(bytes(15) + bytes([last])) for last in range(256)} == set(range(BUCKETS))


@given(st.lists(st.tuples(st.integers(0, BUCKETS - 1), st.booleans(), st.floats(0.01, 100)), max_size=40))
def test_merged_answers_are_those_of_one_arm(answers: list[tuple[int, bool, float]]) -> None:
    """After each delta the new arms begin again."""
    whole, merged, new = Arm(), Arms(), NewArms()
    for place, (bucket, liked, weight) in enumerate(answers):
        whole.add(bucket, liked, weight)
        new["one"].add(bucket, liked, weight)
        if place % 7 == 6:
            merge(merged, new)
    merge(merged, new)
    assert new.take() == {}
    found = merged["one"]
    assert found.n == whole.n
    assert list(found.weights) == pytest.approx(list(whole.weights))
    assert list(found.liked) == pytest.approx(list(whole.liked))


def merge(arms: Arms, new: NewArms) -> None:
    for name, answers in new.take().items():
        arms[name].merge(answers)
