"""state/learning/uplift: the holdout's comparison, and its confidence sequence under continuous looking."""

from array import array
from random import Random

import pytest

from state.learning.bucketed import BUCKETS, Arms, Difference
from state.learning.uplift import Uplift, confidence_sequence
from tests.support.factories import CATALOGUE

LENGTH = CATALOGUE.facet_index["length"]
CONCISE, BALANCED, _ = CATALOGUE.facet_slots[LENGTH]
NO_SIGNALS = array("h")
TRUTH = 0.08
RUNS, USERS, ANSWERS, LOOK_EVERY = 40, 300, 4_000, 100


def signals(slot: int) -> "array[int]":
    found = array("h", [-1] * len(CATALOGUE.facets))
    found[LENGTH] = slot
    return found


def misses(seed: int, interval: str) -> bool:
    """Return whether an interval lost the truth at any look at one growing log, with clustered answers."""
    random = Random(seed)
    uplift, looks = Uplift(CATALOGUE, Arms()), 0
    users = [(random.randrange(BUCKETS), random.random() < 0.3, random.uniform(0.2, 0.7)) for _ in range(USERS)]
    answers = 0
    while answers < ANSWERS:
        bucket, held_out, rate = random.choice(users)
        mood = rate + random.uniform(-0.15, 0.15) + (0.0 if held_out else TRUTH)
        for _ in range(random.randint(1, 6)):
            answers += 1
            uplift.add(bucket, random.random() < mood, held_out, (), NO_SIGNALS)
            if answers % LOOK_EVERY == 0:
                found = uplift.difference()
                if found.suffices:
                    looks += 1
                    low, high = confidence_sequence(found) if interval == "sequence" else found.interval
                    if not low <= TRUTH <= high:
                        return True
    assert looks > 20
    return False


def test_sequence_holds_the_truth_at_all_looks_together() -> None:
    """An interval for a single look loses the truth more often, when operators look all the time."""
    lost = {kind: sum(misses(seed, kind) for seed in range(RUNS)) for kind in ("sequence", "interval")}
    assert lost["sequence"] <= 3
    assert lost["sequence"] < lost["interval"]


def test_sequence_is_wider_than_an_interval_and_narrows_with_the_error() -> None:
    """Continuous looking has a price."""
    widths = []
    for error in (0.1, 0.03, 0.01, 0.003):
        found = Difference(9_000, 400.0, True, 0.6, 0.5, 0.1, error, 62.0)
        low, high = confidence_sequence(found)
        assert low < found.interval[0] < found.interval[1] < high
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[2] < 3.2 * 2 * 0.01


def test_facet_counts_where_the_signal_differs_from_the_default() -> None:
    """The trigger is the same in both arms; an answer without the facet does not count."""
    uplift = Uplift(CATALOGUE, Arms())
    for held_out in (False, True):
        uplift.add(1, True, held_out, {LENGTH}, signals(CONCISE))
        uplift.add(1, True, held_out, {LENGTH}, signals(BALANCED))
        uplift.add(1, True, held_out, (), signals(CONCISE))
        uplift.add(1, True, held_out, {LENGTH}, NO_SIGNALS)
    assert uplift.difference("length").n == 2
    assert uplift.difference("tone").n == 0
    assert uplift.difference().n == 8


def test_uplift_is_found() -> None:
    """Rates of both arms and their difference."""
    random, uplift = Random(4), Uplift(CATALOGUE, Arms())
    for _ in range(4_000):
        held_out = random.random() < 0.2
        uplift.add(random.randrange(BUCKETS), random.random() < (0.5 if held_out else 0.65), held_out, (), NO_SIGNALS)
    found = uplift.difference()
    assert found.rate == pytest.approx(0.65, abs=0.03)
    assert found.other == pytest.approx(0.5, abs=0.05)
    assert confidence_sequence(found)[0] > 0.0
