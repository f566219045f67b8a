"""state/learning/candidate: a policy estimated from the choices of another one."""

from random import Random

import pytest

from state.events.observation import NONE
from state.learning.bucketed import BUCKETS, Arms
from state.learning.candidate import ALL, Candidate
from state.learning.logged_choices import LoggedChoice
from tests.support.factories import CATALOGUE

LENGTH, TONE = CATALOGUE.facet_index["length"], CATALOGUE.facet_index["tone"]
CONCISE, BALANCED, DETAILED = CATALOGUE.facet_slots[LENGTH]
FORMAL, NEUTRAL, _ = CATALOGUE.facet_slots[TONE]
RATES = {CONCISE: 0.7, BALANCED: 0.5, DETAILED: 0.3}


def logged(answers: int = 20_000, seed: int = 2) -> Candidate:
    """Return a candidate that serves `concise` to half of the users; the log serves `balanced` to all, and explores."""
    random, candidate = Random(seed), Candidate(CATALOGUE, Arms())
    for _ in range(answers):
        bucket = random.randrange(BUCKETS)
        slot, propensity = (BALANCED, 0.9) if random.random() < 0.9 else (CONCISE, 0.1)
        own = CONCISE if bucket % 2 else BALANCED
        choices = {LENGTH: LoggedChoice(slot, propensity, CONCISE), TONE: LoggedChoice(FORMAL, 1.0, NONE)}
        candidate.add(bucket, random.random() < RATES[slot], choices, {LENGTH: own, TONE: FORMAL})
    return candidate


def test_candidate_is_estimated_without_being_served() -> None:
    """Half of the answers would be liked at .7 instead of .5, and the log likes .52."""
    candidate = logged()
    for facet in ("length", ALL):
        found = candidate.difference(facet)
        assert found.suffices
        assert found.rate == pytest.approx(0.6, abs=0.03)
        assert found.other == pytest.approx(0.52, abs=0.015)
        low, high = found.interval
        assert low <= 0.08 <= high
        assert candidate.support(facet) == pytest.approx(1.0, abs=0.05)
    assert candidate.facets() == ["length", "tone"]


def test_certain_choice_counts_where_both_agree() -> None:
    """The policies are the same there, so the difference is 0."""
    found = logged().difference("tone")
    assert found.suffices
    assert found.difference == pytest.approx(0.0, abs=0.001)


def test_value_that_was_never_served_lowers_the_support() -> None:
    """The estimate is about the rest alone."""
    candidate = Candidate(CATALOGUE, Arms())
    for number in range(200):
        own = NEUTRAL if number % 4 == 0 else FORMAL
        candidate.add(number % BUCKETS, True, {TONE: LoggedChoice(FORMAL, 1.0, NONE)}, {TONE: own})
    assert candidate.support("tone") == pytest.approx(0.75)


def test_facet_without_a_value_is_left_out() -> None:
    """The namespace serves none, so there is nothing to compare."""
    candidate = Candidate(CATALOGUE, Arms())
    candidate.add(0, True, {TONE: LoggedChoice(FORMAL, 1.0, NONE)}, {TONE: None})
    assert candidate.facets() == []
    assert candidate.support(ALL) == 0.0
