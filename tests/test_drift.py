"""state/drift, and the sums that state/preferences keeps by it."""

from math import inf, log
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import drift
from state.decisions import TIERS, decide
from state.preferences import VALUE_VARIANCE, Preferences
from tests.making import CATALOGUE, START_MS, make_observation, slots

LENGTHS = CATALOGUE.facet_slots[0]
PEOPLE = 200
THRESHOLD = 2.5


@given(st.floats(-6, 8))
def test_log_phi_is_the_log_of_the_normal_distribution(z: float) -> None:
    """Against the standard library's."""
    assert drift.log_phi(z) == pytest.approx(log(NormalDist().cdf(z)), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("z", [-50.0, -1e9, -inf, 1e9, inf])
def test_log_phi_stays_finite(z: float) -> None:
    """One impossible event must not decide for ever."""
    assert -28 < drift.log_phi(z) <= 0


def first_flag(random: Random, likes: tuple[float, float], then: tuple[float, float], turns: int = 60) -> int | None:
    """Return after how many more turns a flag comes, to someone whose likings change from `likes` to `then`.

    Two lengths of answers are served at random; the chances of a like are for one and for the other. The change comes
    after `turns`, of which flags are disregarded.
    """
    preferences = Preferences(CATALOGUE)
    for turn in range(2 * turns):
        value = random.randrange(2)
        liked = random.random() < (likes if turn < turns else then)[value]
        if turn == turns:
            preferences.drift_at_ms[0] = 0
        preferences.learn((LENGTHS[2 * value],), liked, 1.0, START_MS + turn)
        if turn >= turns and preferences.drift_at_ms[0]:
            return turn - turns
    return None


def test_abrupt_change_is_flagged() -> None:
    """Someone who liked short answers only, and now likes long ones only."""
    random = Random(7)
    delays = [first_flag(random, (0.9, 0.1), (0.1, 0.9)) for _ in range(PEOPLE)]
    found = sorted(delay for delay in delays if delay is not None)
    assert len(found) > 0.9 * PEOPLE
    assert found[len(found) // 2] < 20


@pytest.mark.parametrize("likes", [(0.9, 0.1), (0.7, 0.3), (0.5, 0.5), (0.9, 0.9)])
def test_constant_taste_is_rarely_flagged(likes: tuple[float, float]) -> None:
    """Less than once in 300 turns of someone who stays the same."""
    random = Random(11)
    flagged = sum(first_flag(random, likes, likes) is not None for _ in range(PEOPLE))
    assert flagged < PEOPLE * 60 / 300


def reversed_preferences() -> Preferences:
    """Return preferences that are one dislike short of the flag."""
    preferences = Preferences(CATALOGUE)
    for turn in range(30):
        preferences.learn(slots({"length": "concise", "tone": "formal"}), True, 1.0, START_MS + turn)
    preferences.drift_sums[0] = THRESHOLD - 1e-6
    return preferences


def test_flag_lowers_means_and_raises_variances_of_its_facet() -> None:
    """What was believed is mostly given up, and can be learned anew quickly."""
    preferences, calm = reversed_preferences(), reversed_preferences()
    calm.drift_sums[0] = 0.0
    served = slots({"length": "concise", "tone": "formal"})
    preferences.learn(served, False, 1.0, START_MS + 99)
    calm.learn(served, False, 1.0, START_MS + 99)
    assert list(preferences.drift_at_ms) == [START_MS + 99, 0, 0, 0, 0]
    assert preferences.drift_sums[0] == 0.0
    for slot in range(len(CATALOGUE.slots) + 1):
        mean, variance = calm.means[slot], calm.variances[slot]
        if slot in LENGTHS:
            mean, variance = 0.3 * mean, variance + 0.7 * (VALUE_VARIANCE - variance)
        assert preferences.means[slot] == pytest.approx(mean, rel=1e-6)
        assert preferences.variances[slot] == pytest.approx(variance, rel=1e-6)


def test_sum_just_below_the_threshold_is_no_flag() -> None:
    """It takes more than one odd answer."""
    preferences = reversed_preferences()
    preferences.drift_sums[0] = 0.0
    preferences.learn(slots({"length": "concise"}), False, 1.0, START_MS)
    step = preferences.drift_sums[0]
    assert 0 < step < 1
    for start, flagged in ((THRESHOLD - step - 0.01, False), (THRESHOLD - step + 0.01, True)):
        preferences = reversed_preferences()
        preferences.drift_sums[0] = start
        preferences.learn(slots({"length": "concise"}), False, 1.0, START_MS)
        assert bool(preferences.drift_at_ms[0]) is flagged


def test_tier_is_one_lower_for_the_flag_and_five_more_pieces() -> None:
    """Those that come after the flag are fresh, whatever they say."""
    preferences = reversed_preferences()
    kind = CATALOGUE.feedback["thumbs_up"]
    dislike = make_observation(served={"length": "concise"}, feedback="thumbs_down")
    preferences.learn_feedback(dislike, CATALOGUE.feedback["thumbs_down"], 1.0)
    assert preferences.just_drifted(0)
    preferences.means[LENGTHS[1]] = 3.0
    tiers = [decide(preferences, 0).tier]
    for _ in range(6):
        preferences.learn_feedback(make_observation(served={"length": "balanced"}, feedback="thumbs_up"), kind, 1.0)
        assert not preferences.just_drifted(0)
        tiers.append(decide(preferences, 0).tier)
    assert [TIERS[tier] for tier in tiers] == ["hint"] * 5 + ["apply"] * 2


def test_evidence_that_fits_takes_the_sum_back_to_nothing() -> None:
    """It never falls below 0, so that a long habit does not hide a change."""
    preferences = reversed_preferences()
    for turn in range(50):
        preferences.learn(slots({"length": "concise"}), True, 1.0, START_MS + turn)
        assert 0.0 <= preferences.drift_sums[0] <= THRESHOLD
    assert preferences.drift_sums[0] == 0.0
    assert not any(preferences.drift_at_ms)


def test_facet_of_which_nothing_is_believed_cannot_reverse() -> None:
    """Without a share in the mean there is nothing to compare."""
    preferences = Preferences(CATALOGUE)
    preferences.learn(slots({"length": "concise"}), False, 1.0, START_MS)
    assert preferences.drift_sums[0] == 0.0
