"""state/learning/confidence_reliability: observed against predicted advantages, by confidence."""

from random import Random

import pytest

from state.events.observation import NONE
from state.learning.bucketed import BUCKETS, Arms
from state.learning.confidence_reliability import ConfidenceReliability
from state.learning.logged_choices import LoggedChoice
from tacit.contract.policy import explore_share, propensities
from tests.support.factories import CATALOGUE

LENGTH, FORMAT = CATALOGUE.facet_index["length"], CATALOGUE.facet_index["format"]


def served(facet: int, confidence: float, random: Random) -> LoggedChoice:
    """Return a choice by the policy, with the first value preferred and the second as runner-up."""
    name = CATALOGUE.facet_names[facet]
    values, slots = CATALOGUE.facets[name].values, CATALOGUE.facet_slots[facet]
    shares = propensities(values[0], values[1], values, explore_share(confidence))
    (value,) = random.choices(list(shares), list(shares.values()))
    return LoggedChoice(slots[values.index(value)], shares[value], slots[1])


def filled(confidence: float, *, predicted: float, observed: float, facet: int = LENGTH) -> ConfidenceReliability:
    """Return the reliability after answers: runners-up are liked at .4."""
    random, found = Random(5), ConfidenceReliability(CATALOGUE, Arms())
    for number in range(12_000):
        choice = served(facet, confidence, random)
        is_runner_up = choice.slot == CATALOGUE.facet_slots[facet][1]
        liked = random.random() < (0.4 if is_runner_up else 0.4 + observed)
        arms = found.arms_of(facet, choice, confidence)
        if arms is not None:
            arms[0].add(number % BUCKETS, liked, choice.weight)
            arms[1].add(number % BUCKETS, 0.4 if is_runner_up else 0.4 + predicted, choice.weight)
    return found


@pytest.mark.parametrize("facet", [LENGTH, FORMAT], ids=["three values", "four values"])
@pytest.mark.parametrize(
    ("confidence", "bin_"), [(0.55, "0.5"), (0.65, "0.6"), (0.76, "0.7"), (0.84, "0.8"), (0.92, "0.9")]
)
def test_bin_is_that_of_the_confidence_for_both_arms(confidence: float, bin_: str, facet: int) -> None:
    """The propensity implies the confidence, whichever value was served."""
    bins = filled(confidence, predicted=0.1, observed=0.1, facet=facet).bins()
    assert list(bins) == [bin_]
    low, high = bins[bin_].error.interval
    assert low <= 0.0 <= high


def test_confidence_that_is_too_sure_has_a_negative_error() -> None:
    """Observed less predicted."""
    (found,) = filled(0.7, predicted=0.3, observed=0.1).bins().values()
    assert found.observed == pytest.approx(0.1, abs=0.04)
    assert found.error.difference == pytest.approx(-0.2, abs=0.04)
    assert found.error.interval[1] < 0.0


def test_choice_without_a_runner_up_or_an_alternative_is_left_out() -> None:
    """Earlier readers send no runner-up."""
    found = ConfidenceReliability(CATALOGUE, Arms())
    concise, balanced, _ = CATALOGUE.facet_slots[LENGTH]
    for choice in (LoggedChoice(concise, 0.95, NONE), LoggedChoice(concise, 1.0, balanced)):
        assert found.arms_of(LENGTH, choice, 0.75) is None
    assert not found.bins()
