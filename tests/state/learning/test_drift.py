"""state/learning/drift, and the sums that state/learning/preferences keeps by it."""

from random import Random

import pytest

from state.learning.decisions import TIERS, Beliefs, decide
from state.learning.drift import JUST_FLAGGED
from state.learning.own_beliefs import SLOPE_VARIANCE, VALUE_VARIANCES
from state.learning.population_prior import Prior
from state.learning.preferences import Preferences
from tests.support.factories import CATALOGUE, START_MS, make_observation, slots

LENGTHS = CATALOGUE.facet_slots[0]
USERS = 200
THRESHOLD = 2.0
PRIOR = Prior(CATALOGUE)
T = START_MS // 1000


def first_flag(random: Random, likes: tuple[float, float], then: tuple[float, float], turns: int = 60) -> int | None:
    """Return the number of turns from a change of taste, from `likes` to `then`, to the flag.

    Two lengths of answers are served at random; the chances of a like are for one and for the other. The change comes
    after `turns`, of which flags are disregarded.
    """
    preferences = Preferences(CATALOGUE)
    for turn in range(2 * turns):
        value = random.randrange(2)
        liked = random.random() < (likes if turn < turns else then)[value]
        if turn == turns:
            preferences.drift.at_s[0] = 0
        preferences.learn((LENGTHS[2 * value],), liked, 1.0, START_MS + turn)
        if turn >= turns and preferences.drift.at_s[0]:
            return turn - turns
    return None


def test_abrupt_change_is_flagged() -> None:
    """The user liked only short answers, and now likes only long ones."""
    random = Random(7)
    delays = [first_flag(random, (0.9, 0.1), (0.1, 0.9)) for _ in range(USERS)]
    found = sorted(delay for delay in delays if delay is not None)
    assert len(found) > 0.9 * USERS
    assert found[len(found) // 2] < 20


@pytest.mark.parametrize(
    ("likes", "most"), [((0.95, 0.05), 0.1), ((0.9, 0.1), 0.1), ((0.9, 0.9), 0.1), ((0.7, 0.3), 0.8)], ids=str
)
def test_constant_taste_is_rarely_flagged(likes: tuple[float, float], most: float) -> None:
    """60 turns of a constant user: with a clear taste, odd answers are no change.

    With an unclear taste, runs of odd answers look like a change.
    """
    random = Random(11)
    flagged = sum(first_flag(random, likes, likes) is not None for _ in range(USERS))
    assert flagged <= most * USERS


@pytest.mark.parametrize("feedback", [1, 2, 3])
def test_two_odd_answers_are_no_change(feedback: int) -> None:
    """However sure one was: each adds 1 at most, and more than 2 is what it takes."""
    preferences = reversed_preferences(0.0)
    preferences.means[LENGTHS[0]] = 3.0
    for turn in range(feedback):
        preferences.learn(slots({"length": "concise"}), False, 1.0, START_MS + turn)
    assert bool(preferences.drift.at_s[0]) is (feedback > 2)


def reversed_preferences(total: float = THRESHOLD - 1e-6) -> Preferences:
    """Return preferences that like concise and formal answers, with this sum: one dislike short of the flag."""
    preferences = Preferences(CATALOGUE)
    for turn in range(30):
        preferences.learn(slots({"length": "concise", "tone": "formal"}), True, 1.0, START_MS + turn)
    preferences.drift.sums[0] = total
    return preferences


def test_flag_lowers_means_and_raises_variances_of_its_facet() -> None:
    """Beliefs are mostly dropped, and are trained again quickly."""
    preferences, calm = reversed_preferences(), reversed_preferences(0.0)
    served = slots({"length": "concise", "tone": "formal"})
    for each in (preferences, calm):
        for slot in LENGTHS[1:]:
            each.means[slot], each.variances[slot] = -0.5, 0.01
    preferences.learn(served, False, 1.0, START_MS + 99)
    calm.learn(served, False, 1.0, START_MS + 99)
    assert list(preferences.drift.at_s) == [T, 0, 0, 0, 0]
    assert preferences.drift.sums[0] == 0.0
    priors = dict.fromkeys(LENGTHS, VALUE_VARIANCES[CATALOGUE.slot_shapes[LENGTHS[0]]])
    priors[len(CATALOGUE.slots)] = SLOPE_VARIANCE
    for slot in range(len(preferences.means)):
        mean, variance = calm.means[slot], calm.variances[slot]
        if slot in priors:
            mean, variance = 0.3 * mean, variance + 0.7 * (priors[slot] - variance)
        assert preferences.means[slot] == pytest.approx(mean, rel=1e-6)
        assert preferences.variances[slot] == pytest.approx(variance, rel=1e-6)


def test_sum_just_below_the_threshold_is_no_flag() -> None:
    """Above it is one."""
    preferences = Preferences(CATALOGUE)
    for liked in (True, False):
        preferences.learn(slots({"length": "concise"}), liked, 1.0, START_MS)
    step = preferences.drift.sums[0]
    assert 0 < step < 1
    for start, flagged in ((THRESHOLD - step - 0.01, False), (THRESHOLD - step + 0.01, True)):
        preferences = Preferences(CATALOGUE)
        preferences.learn(slots({"length": "concise"}), True, 1.0, START_MS)
        preferences.drift.sums[0] = start
        preferences.learn(slots({"length": "concise"}), False, 1.0, START_MS)
        assert bool(preferences.drift.at_s[0]) is flagged


def test_tier_is_one_lower_for_the_flag_and_five_more_pieces() -> None:
    """Pieces after the flag are fresh, likes and dislikes alike."""
    preferences = reversed_preferences()
    kind, like = CATALOGUE.feedback["thumbs_up"], make_observation(served={"length": "balanced"}, feedback="thumbs_up")
    dislike = make_observation(served={"length": "concise"}, feedback="thumbs_down")
    preferences.learn_feedback(dislike, CATALOGUE.feedback["thumbs_down"], 1.0, PRIOR)
    assert preferences.drift.fresh[0] == JUST_FLAGGED
    preferences.means[LENGTHS[1]] = 3.0
    tiers = [decide(Beliefs(preferences, PRIOR), 0).tier]
    for _ in range(6):
        preferences.learn_feedback(like, kind, 1.0, PRIOR)
        assert preferences.drift.fresh[0] != JUST_FLAGGED
        tiers.append(decide(Beliefs(preferences, PRIOR), 0).tier)
    assert [TIERS[tier] for tier in tiers] == ["hint"] * 5 + ["apply"] * 2


def test_evidence_that_fits_takes_the_sum_back_to_nothing() -> None:
    """It never falls below 0, so that a long habit does not hide a change."""
    preferences = reversed_preferences()
    for turn in range(50):
        preferences.learn(slots({"length": "concise"}), True, 1.0, START_MS + turn)
        assert 0.0 <= preferences.drift.sums[0] <= THRESHOLD
    assert preferences.drift.sums[0] == 0.0
    assert not any(preferences.drift.at_s)


def test_facet_of_which_nothing_is_believed_cannot_reverse() -> None:
    """Without a share in the mean there is nothing to compare."""
    preferences = Preferences(CATALOGUE)
    preferences.learn(slots({"length": "concise"}), False, 1.0, START_MS)
    assert preferences.drift.sums[0] == 0.0


def test_directed_feedback_may_flag_a_change() -> None:
    """Of its facet and no other, at the time of the event."""
    preferences = Preferences(CATALOGUE)
    kinds = CATALOGUE.feedback
    for turn in range(30):
        longer = make_observation(START_MS + turn, served={"length": "balanced", "tone": "formal"}, feedback="longer")
        preferences.learn_feedback(longer, kinds["longer"], 1.0, PRIOR)
    assert not any(preferences.drift.at_s)
    preferences.drift.sums[0] = THRESHOLD
    shorter = make_observation(START_MS + 5000, served={"length": "detailed", "tone": "formal"}, feedback="shorter")
    preferences.learn_feedback(shorter, kinds["shorter"], 1.0, PRIOR)
    assert list(preferences.drift.at_s) == [T + 5, 0, 0, 0, 0]
    assert [fresh == JUST_FLAGGED for fresh in preferences.drift.fresh] == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("mean", "bias", "liked", "total"),
    [(100.0, 0.0, False, 1.0), (100.0, 0.0, True, 0.0), (-0.5, -12.0, True, 0.5), (-10.0, 200.0, False, 0.5)],
    ids=["impossible as believed", "impossible if reversed", "impossible like", "impossible dislike"],
)
def test_impossible_feedback_counts_as_nearly_impossible(mean: float, bias: float, liked: bool, total: float) -> None:
    """Of two impossible explanations neither is better."""
    preferences = Preferences(CATALOGUE)
    preferences.means[LENGTHS[0]], preferences.means[-1] = mean, bias
    preferences.drift.sums[0] = 0.5 if bias else 0.0
    preferences.learn(slots({"length": "concise"}), liked, 1.0, START_MS)
    assert preferences.drift.sums[0] == total
