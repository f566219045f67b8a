"""state/learning/off_policy: the difference between following and not, from what was logged, against a known truth."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.coverage import SCENARIOS, Scenario, coverage
from state.learning.bucketed import Arms, Difference
from state.learning.logged_choices import LoggedChoice
from state.learning.off_policy import OffPolicy
from tests.support.factories import CATALOGUE

REPEATS, ANSWERS = 100, 600
TRUTH = 0.1
"""Following is liked by so much more, in each of the two contexts of `log`."""

LENGTH = CATALOGUE.facet_index["length"]
CONCISE, BALANCED, DETAILED = CATALOGUE.facet_slots[LENGTH]

Answer = tuple[int, bool, LoggedChoice]


def followed(propensity: float, runner_up: int = BALANCED) -> LoggedChoice:
    return LoggedChoice(CONCISE, propensity, runner_up)


def default(propensity: float) -> LoggedChoice:
    return LoggedChoice(BALANCED, propensity, BALANCED)


def log(random: Random) -> list[Answer]:
    """Return logged answers that follow signals more often where likes are frequent, as real logs do."""
    answers = []
    for _ in range(ANSWERS):
        easy = random.random() < 0.5
        follow, likes = (0.9, 0.7) if easy else (0.6, 0.2)
        follows = random.random() < follow
        liked = random.random() < likes + (TRUTH if follows else 0.0)
        answers.append((random.randrange(64), liked, followed(follow) if follows else default(1.0 - follow)))
    return answers


def estimated(answers: list[Answer]) -> Difference:
    off_policy = OffPolicy(CATALOGUE, Arms())
    for bucket, liked, choice in answers:
        if arm := off_policy.arm_of(LENGTH, choice):
            arm.add(bucket, liked, choice.weight)
    return off_policy.difference("length")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_interval_holds_the_truth_however_turns_cluster(scenario: Scenario) -> None:
    """A small version of `python -m benchmarks.coverage`; 60 runs have a standard error of .03."""
    holds, estimates, _ = coverage(scenario, runs=60, seed=4)
    assert estimates >= 55
    assert holds >= 0.89


def test_estimate_is_free_of_the_policys_own_taste() -> None:
    """Plain shares of likes are far from the truth, as the policy follows where likes are frequent."""
    random = Random(11)
    logs = [log(random) for _ in range(REPEATS)]
    found = [estimated(answers) for answers in logs]
    assert sum(one.difference for one in found) / REPEATS == pytest.approx(TRUTH, abs=0.015)
    assert sum(one.rate for one in found) / REPEATS == pytest.approx(0.55, abs=0.01)
    assert sum(one.other for one in found) / REPEATS == pytest.approx(0.45, abs=0.015)
    shares = [
        sum(liked for answers in logs for _, liked, choice in answers if choice.is_preferred is preferred)
        / sum(choice.is_preferred is preferred for answers in logs for *_, choice in answers)
        for preferred in (True, False)
    ]
    assert shares[0] - shares[1] > TRUTH + 0.1


@pytest.mark.parametrize("fewer", [True, False], ids=["followed", "default"])
def test_each_policy_needs_thirty_effective_answers(fewer: bool) -> None:
    """One heavy answer makes many light ones count less."""
    few, many = (followed(0.9), default(0.1)) if fewer else (default(0.1), followed(0.9))
    others = [(turn % 64, turn % 2 > 0, many) for turn in range(640)]
    for n, suffices in ((29, False), (30, True)):
        assert estimated([*others, *((turn, True, few) for turn in range(n))]).suffices is suffices
    if not fewer:
        heavy = [(turn, True, few) for turn in range(30)] + [(40, True, default(0.01))]
        assert not estimated([*others, *heavy]).suffices


def test_twenty_buckets_of_users_are_needed() -> None:
    """So no figure rests on fewer than 20 users."""
    for buckets, suffices in ((19, False), (20, True)):
        answers = [
            (turn % buckets, turn % 3 > 0, followed(0.9) if turn // buckets % 2 else default(0.1))
            for turn in range(800)
        ]
        assert estimated(answers).suffices is suffices


@pytest.mark.parametrize(
    "choice",
    [
        LoggedChoice(DETAILED, 0.1, DETAILED),
        LoggedChoice(CONCISE, 1.0, BALANCED),
        LoggedChoice(BALANCED, 1.0, CONCISE),
        LoggedChoice(BALANCED, 0.95, CONCISE),
        LoggedChoice(CONCISE, 0.97, DETAILED),
    ],
    ids=["neither", "certain signal", "certain default", "default preferred", "default impossible"],
)
def test_answer_counts_where_both_policies_were_possible(choice: LoggedChoice) -> None:
    """In the last case all exploration goes to the runner-up, which is not the default."""
    assert OffPolicy(CATALOGUE, Arms()).arm_of(LENGTH, choice) is None


PROPENSITIES = st.floats(0.02, 0.49)
ANSWER = st.tuples(st.integers(0, 63), st.booleans(), PROPENSITIES)


@given(*[st.lists(ANSWER, min_size=1, max_size=50)] * 2)
def test_estimates_are_rates(one: list[tuple[int, bool, float]], other: list[tuple[int, bool, float]]) -> None:
    """Self-normalisation bounds the estimate for all propensities."""
    found = estimated(
        [(bucket, liked, followed(1.0 - propensity)) for bucket, liked, propensity in one]
        + [(bucket, liked, default(propensity)) for bucket, liked, propensity in other]
    )
    assert found.n == len(one) + len(other)
    assert 0.0 <= found.rate <= 1.0
    assert 0.0 <= found.other <= 1.0
    assert found.error > 0.0
    low, high = found.interval
    assert low < found.difference < high
