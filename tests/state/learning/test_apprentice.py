"""state/learning/apprentice: match rate and gain of an assistant that chooses by itself."""

from random import Random

import pytest

from state.learning.apprentice import Apprentice
from state.learning.bucketed import BUCKETS, Arms
from tests.support.factories import CATALOGUE

LENGTH = CATALOGUE.facet_index["length"]
CONCISE, BALANCED, DETAILED = CATALOGUE.facet_slots[LENGTH]


def fill(apprentice: Apprentice, *, gain: float, answers: int = 6_000, seed: int = 1) -> None:
    """Add answers: experienced users like more, and assistants match them more often."""
    random = Random(seed)
    for _ in range(answers):
        experienced = random.random() < 0.5
        proposed = random.choice((CONCISE, DETAILED))
        matches = random.random() < (0.8 if experienced else 0.3)
        liked = random.random() < (0.6 if experienced else 0.3) + (gain if matches else 0.0)
        served = proposed if matches else BALANCED
        apprentice.add(random.randrange(BUCKETS), liked, 30 if experienced else 2, [proposed], [served])


@pytest.mark.parametrize("gain", [0.0, 0.1])
def test_gain_is_free_of_the_users_experience(gain: float) -> None:
    """Without strata, matches would seem better by .15 more."""
    apprentice = Apprentice(CATALOGUE, Arms())
    fill(apprentice, gain=gain)
    found = apprentice.gain("length")
    assert found.suffices
    assert found.difference == pytest.approx(gain, abs=0.04)
    low, high = found.interval
    assert low <= gain <= high
    rate, n = apprentice.match_rate("length")
    assert rate == pytest.approx(0.55, abs=0.03)
    assert n == 6_000
    assert apprentice.facets() == ["length"]


def test_facet_that_was_not_served_does_not_count() -> None:
    """Nothing is known of its value."""
    apprentice = Apprentice(CATALOGUE, Arms())
    apprentice.add(0, True, 3, [CONCISE], [CATALOGUE.slot_index["tone"]["formal"]])
    assert apprentice.facets() == []
    assert apprentice.match_rate("length") == (0.0, 0)
    assert not apprentice.gain("length").suffices


def test_repeated_proposal_counts_once() -> None:
    """An event may repeat an entry."""
    apprentice = Apprentice(CATALOGUE, Arms())
    apprentice.add(0, True, 3, [CONCISE, CONCISE], [CONCISE])
    assert apprentice.match_rate("length") == (1.0, 1)


def test_proposals_that_contradict_each_other_do_not_count() -> None:
    """An event that proposes every value would match each time."""
    apprentice = Apprentice(CATALOGUE, Arms())
    tone = CATALOGUE.slot_index["tone"]["formal"]
    apprentice.add(0, True, 3, [CONCISE, DETAILED, tone], [CONCISE, tone])
    assert apprentice.facets() == ["tone"]


@pytest.mark.parametrize(("users", "suffices"), [(1, False), (19, False), (20, True)])
def test_match_rate_needs_enough_users(users: int, suffices: bool) -> None:
    """So that no rate is that of a few users."""
    apprentice = Apprentice(CATALOGUE, Arms())
    for n in range(100):
        apprentice.add(n % users, True, 3, [CONCISE], [CONCISE if n % 3 else DETAILED])
    assert apprentice.suffices("length") is suffices
