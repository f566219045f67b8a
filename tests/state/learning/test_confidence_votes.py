"""Votes on confidences, and the shifts that the population learns from them."""

from array import array
from collections import Counter
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.events.observation import NONE
from state.learning.confidence_votes import ConfidenceVote, confidence_vote
from state.learning.example import Example, Logged
from state.learning.logged_choices import is_sampled
from state.learning.prediction import NOISE_VARIANCE
from state.learning.probit import normal_cdf
from state.learning.shard_training import hash_of
from tacit.contract.policy import explore_share, propensities
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE, START_MS
from tests.support.training import Training

LENGTH, FORMAT = CATALOGUE.facet_index["length"], CATALOGUE.facet_index["format"]
CONCISE, BALANCED, DETAILED = CATALOGUE.facet_slots[LENGTH]
PROSE, BULLETS, *_ = CATALOGUE.facet_slots[FORMAT]
VALUES = CATALOGUE.facets["length"].values
CONFIDENCES = array("f", [0.8] * len(CATALOGUE.facets)).tobytes()
SAMPLED_MS = next(at_ms for at_ms in range(START_MS, START_MS + 100) if is_sampled(at_ms))
TRIED = 0.03
"""Propensity of the runner-up at a confidence of .8, with a third value."""


def answer(*acted: tuple[int, float, int], number: int = 1, opens: bool = True, count: int = 5) -> Example:
    """Return feedback on an answer with logged choices."""
    one = make_example(number, slots=tuple(sorted(slot for slot, _, _ in acted)), feedback_count=count)
    return replace(one, logged=Logged(acted, confidences=CONFIDENCES, opens=opens))


def vote(e: Example, user: int = 1) -> ConfidenceVote | None:
    return confidence_vote(e, user, CATALOGUE)


@pytest.mark.parametrize(
    ("propensity", "feature"), [(0.06, "sure:0"), (0.03, "sure:1"), (0.012, "sure:2")], ids=["low", "middle", "high"]
)
def test_runner_up_votes_against_the_feature_of_its_confidence(propensity: float, feature: str) -> None:
    """The propensity implies the confidence of the choice."""
    assert vote(answer((BALANCED, propensity, BALANCED))) == ConfidenceVote(feature, is_preferred=False)


@pytest.mark.parametrize(
    "acted",
    [(DETAILED, 0.02, BALANCED), (CONCISE, 1.0, BALANCED), (CONCISE, 0.95, NONE)],
    ids=["another value", "certain", "no runner-up"],
)
def test_other_answers_do_not_vote(acted: tuple[int, float, int]) -> None:
    """Without an alternative that could have been served, nothing is compared."""
    assert all(vote(answer(acted), user * 0x9E3779B97F4A7C15) is None for user in range(200))


def test_narrowed_and_proposed_and_repeated_feedback_does_not_vote() -> None:
    """Feedback on another facet, an answer in apprentice mode, and repeated feedback on a turn."""
    one = answer((BALANCED, TRIED, BALANCED))
    assert vote(replace(one, only=(LENGTH,))) is not None
    assert vote(replace(one, only=(FORMAT,))) is None
    assert vote(replace(one, logged=Logged([(BALANCED, TRIED, BALANCED)], proposed=(CONCISE,), opens=True))) is None
    assert vote(replace(one, logged=None)) is None


def test_one_facet_votes_in_turn() -> None:
    """The count of feedback selects the facet."""
    acted = ((BALANCED, 0.06, BALANCED), (BULLETS, 0.012, BULLETS))
    assert [vote(answer(*acted, count=count)) for count in (4, 5)] == [
        ConfidenceVote("sure:0", is_preferred=False),
        ConfidenceVote("sure:2", is_preferred=False),
    ]


@pytest.mark.parametrize("opens", [True, False])
def test_both_sides_vote_equally_often(opens: bool) -> None:
    """Each side has the share of the runner-up."""
    shares, random, found = propensities(VALUES[0], VALUES[1], VALUES, explore_share(0.6)), Random(4), Counter[bool]()
    for number in range(20_000):
        (value,) = random.choices(list(shares), list(shares.values()))
        slot = CATALOGUE.facet_slots[LENGTH][VALUES.index(value)]
        one = replace(answer((slot, shares[value], BALANCED), opens=opens), at_ms=SAMPLED_MS)
        cast = vote(one, number * 0x9E3779B97F4A7C15 % 2**64)
        found.update([cast.is_preferred] if cast else [])
    assert found[True] == pytest.approx(20_000 * shares[VALUES[1]], rel=0.1)
    assert found[False] == pytest.approx(20_000 * shares[VALUES[1]], rel=0.1)


def test_answer_without_its_preferred_values_does_not_vote() -> None:
    """Of an answer that neither opens nor is sampled, an event's preferred values are left out."""
    one = replace(answer((BALANCED, TRIED, BALANCED), opens=False), at_ms=SAMPLED_MS)
    assert vote(one) is not None
    assert vote(replace(one, at_ms=SAMPLED_MS + 1)) is None


@given(st.booleans(), st.integers(0, 2**64 - 1), st.sampled_from([(CONCISE, 0.92), (BALANCED, 0.06)]))
def test_vote_does_not_depend_on_the_feedback(opens: bool, user: int, served: tuple[int, float]) -> None:
    """A like and a dislike vote alike, so that the vote's presence shows nothing."""
    slot, propensity = served
    one = replace(answer((slot, propensity, BALANCED), opens=opens), at_ms=SAMPLED_MS)
    assert vote(one, user) == vote(replace(one, liked=False), user)


# Learning


def taught(*, true: float, believed: float = 0.4, users: int = 100_000, key: bytes = b"key") -> Training:
    """Return a trainer after one answer of each user, served by the policy at a confidence of .76.

    Each user has values of their own. The user model has `believed` for the value, and the opposite for the runner-up.
    Answers without a vote are left out.
    """
    training, random = Training(CATALOGUE, key), Random(11)
    shares = propensities(VALUES[0], VALUES[1], VALUES, explore_share(0.76))
    for number in range(users):
        preferred, runner_up, _ = random.sample(CATALOGUE.facet_slots[LENGTH], 3)
        is_preferred = random.random() < shares[VALUES[0]]
        slot, propensity = (preferred, shares[VALUES[0]]) if is_preferred else (runner_up, shares[VALUES[1]])
        one = answer((slot, propensity, runner_up), number=number + 1)
        if vote(one, hash_of(one.user)) is None:
            continue
        advantage = 1.0 if is_preferred else -1.0
        liked = random.random() < normal_cdf(advantage * true / sqrt(NOISE_VARIANCE + 0.1))
        training.learn(replace(one, liked=liked, shares={LENGTH: advantage * believed}, variance=0.0))
    training.publish(1)
    return training


def test_population_that_is_too_sure_gets_a_negative_shift() -> None:
    """True advantages are half of the believed ones, at a confidence of the middle step."""
    low, middle, high = taught(true=0.2).prior.shifts
    assert middle <= -0.15
    assert low == high == 0.0


@pytest.mark.parametrize("key", [bytes([number]) for number in range(3)])
def test_population_that_is_right_gets_about_no_shift(key: bytes) -> None:
    """The noise of the secret moves the shift by little."""
    assert all(abs(shift) <= 0.06 for shift in taught(true=0.4, key=key).prior.shifts)
