"""state/learning/off_policy: the difference between following and not, from what was logged, against a known truth."""

from math import isfinite
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.example import Acted
from state.learning.off_policy import MIN_ANSWERS, MIN_PROPENSITY, Comparison
from state.learning.population_version import OffPolicy
from tests.support.factories import CATALOGUE

REPEATS, ANSWERS = 400, 600
TRUTH = 0.1
"""Following is liked by so much more, in each of the two contexts of `log`."""

INDEX = CATALOGUE.slot_index["length"]
LENGTH = CATALOGUE.facet_index["length"]


def log(random: Random) -> list[tuple[Acted, bool]]:
    """Return logged answers that follow signals more often where likes are frequent, as real logs do."""
    answers = []
    for _ in range(ANSWERS):
        easy = random.random() < 0.5
        follow, likes = (0.85, 0.7) if easy else (0.3, 0.2)
        followed = random.random() < follow
        liked = random.random() < likes + (TRUTH if followed else 0.0)
        answers.append((Acted(LENGTH, followed, not followed, follow if followed else 1.0 - follow), liked))
    return answers


def estimated(answers: list[tuple[Acted, bool]]) -> OffPolicy:
    comparison = Comparison()
    for acted, liked in answers:
        comparison.add(acted, liked)
    found = comparison.estimate()
    assert found is not None
    return found


def test_interval_holds_the_truth_nineteen_times_of_twenty() -> None:
    random = Random(11)
    found = [estimated(log(random)) for _ in range(REPEATS)]
    holds = sum(estimate.interval[0] <= TRUTH <= estimate.interval[1] for estimate in found) / REPEATS
    assert 0.92 <= holds <= 0.98
    assert sum(estimate.difference for estimate in found) / REPEATS == pytest.approx(TRUTH, abs=0.01)
    assert sum(estimate.followed for estimate in found) / REPEATS == pytest.approx(0.55, abs=0.01)
    assert sum(estimate.default for estimate in found) / REPEATS == pytest.approx(0.45, abs=0.01)


def test_plain_shares_of_likes_are_far_from_the_truth() -> None:
    """So the test above is one of the weights."""
    answers = [answer for seed in range(20) for answer in log(Random(seed))]
    shares = [
        sum(liked for acted, liked in answers if acted.followed is followed)
        / sum(acted.followed is followed for acted, _ in answers)
        for followed in (True, False)
    ]
    assert shares[0] - shares[1] > TRUTH + 0.15


@pytest.mark.parametrize("fewer", [True, False], ids=["followed", "default"])
def test_there_is_no_estimate_before_each_policy_has_enough_answers(fewer: bool) -> None:
    comparison = Comparison()
    for turn in range(10 * MIN_ANSWERS):
        comparison.add(Acted(LENGTH, not fewer, fewer, 0.5), turn % 2 > 0)
    for turn in range(MIN_ANSWERS):
        assert comparison.estimate() is None
        comparison.add(Acted(LENGTH, fewer, not fewer, 0.5), turn % 2 > 0)
    assert comparison.estimate() is not None


def test_answers_of_neither_policy_do_not_count() -> None:
    answers = log(Random(1))
    neither = [(Acted(LENGTH, False, False, 0.1), True)] * 100
    assert estimated(answers + neither) == estimated(answers)


def test_one_answer_never_outweighs_a_hundred_certain_ones() -> None:
    def followed(propensity: float) -> float:
        likes = [(Acted(LENGTH, True, False, 0.999_999), True)] * 100
        return estimated([*likes, (Acted(LENGTH, True, False, propensity), False), *log_of_defaults()]).followed

    assert followed(1e-30) == followed(MIN_PROPENSITY) == pytest.approx(0.5, abs=1e-3)
    assert followed(2 * MIN_PROPENSITY) == pytest.approx(100 / 150, abs=1e-3)


def log_of_defaults() -> list[tuple[Acted, bool]]:
    return [(Acted(LENGTH, False, True, 0.5), turn % 2 > 0) for turn in range(MIN_ANSWERS)]


PROPENSITIES = st.floats(0.0, 1.0, exclude_min=True, width=32)
ANSWER = st.tuples(PROPENSITIES, st.booleans())


@given(*[st.lists(ANSWER, min_size=MIN_ANSWERS, max_size=50)] * 2)
def test_estimates_are_chances(followed: list[tuple[float, bool]], default: list[tuple[float, bool]]) -> None:
    """Self-normalisation bounds the estimate for all propensities."""
    found = estimated(
        [(Acted(LENGTH, True, False, propensity), liked) for propensity, liked in followed]
        + [(Acted(LENGTH, False, True, propensity), liked) for propensity, liked in default]
    )
    assert found.n == len(followed) + len(default)
    assert 0.0 <= found.followed <= 1.0
    assert 0.0 <= found.default <= 1.0
    assert found.difference == pytest.approx(found.followed - found.default)
    low, high = found.interval
    assert isfinite(high - low)
    assert low <= found.difference <= high
