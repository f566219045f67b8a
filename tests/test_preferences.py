"""state/preferences, against the formulas written down a second time."""

import math
import struct
from collections.abc import Sequence
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue import Catalogue
from state.preferences import BIAS_VARIANCE, KEPT, NOISE_VARIANCE, VALUE_VARIANCE, Preferences
from tests.making import CATALOGUE, FILMS, START_MS, Served, make_observation, slots

NORMAL = NormalDist()
BIAS = len(CATALOGUE.slots)
FILM_CATALOGUE = Catalogue.parse(FILMS)


def learn(
    preferences: Preferences, feedback: str, served: Served, facets: Sequence[str] = (), weight: float = 1.0
) -> list[str]:
    """Learn from feedback; return the names of the facets that moved."""
    o = make_observation(served=served, feedback=feedback, facets=facets)
    moved = preferences.learn_feedback(o, CATALOGUE.feedback[feedback], weight)
    return [CATALOGUE.facet_names[facet] for facet in moved]


def moved_slots(preferences: Preferences) -> set[str]:
    """Return the values, and `bias`, whose means are no longer the prior's."""
    names = [*(slot.value for slot in CATALOGUE.slots), "bias"]
    return {name for name, mean in zip(names, preferences.means, strict=True) if mean}


# Formulas


class Reference:
    """adPredictor as the paper has it (eq. 8 to 12), with forgetting and CUSUM, term by term in a dict."""

    def __init__(self) -> None:
        self.mean = dict.fromkeys(range(BIAS + 1), 0.0)
        self.variance = dict.fromkeys(range(BIAS), VALUE_VARIANCE) | {BIAS: BIAS_VARIANCE}
        self.sums = dict.fromkeys(range(len(CATALOGUE.facets)), 0.0)

    def learn(self, served: Sequence[int], liked: bool, weight: float) -> None:
        active = [*served, BIAS]
        y = 1 if liked else -1
        total = sum(self.mean[term] for term in active)
        sigma = math.sqrt(NOISE_VARIANCE + sum(self.variance[term] for term in active))
        t = max(-5.0, min(5.0, y * total / sigma))
        n = NORMAL.pdf(t) / NORMAL.cdf(t)
        w = n * (n + t)
        shares = {facet: sum(self.mean[s] for s in served if s in CATALOGUE.facet_slots[facet]) for facet in self.sums}
        for term in active:
            prior = BIAS_VARIANCE if term == BIAS else VALUE_VARIANCE
            mean, variance = self.mean[term], self.variance[term]
            mean += weight * y * variance / sigma * n
            variance *= 1 - weight * variance / sigma**2 * w
            self.mean[term] = as_float32(KEPT * mean)
            self.variance[term] = as_float32(KEPT**2 * variance + (1 - KEPT**2) * prior)
        for facet, share in shares.items():
            ratio = log_cdf(y * (total - 2 * share) / sigma) - log_cdf(y * total / sigma)
            self.sums[facet] = as_float32(max(0.0, self.sums[facet] + ratio))
            if self.sums[facet] > 2.5:
                self.reverse(facet)

    def reverse(self, facet: int) -> None:
        self.sums[facet] = 0.0
        for slot in CATALOGUE.facet_slots[facet]:
            self.mean[slot] = as_float32(0.3 * self.mean[slot])
            self.variance[slot] = as_float32(self.variance[slot] + 0.7 * (VALUE_VARIANCE - self.variance[slot]))


def as_float32(x: float) -> float:
    return float(struct.unpack("f", struct.pack("f", x))[0])


def log_cdf(z: float) -> float:
    return math.log(NORMAL.cdf(z))


ANSWERS = st.lists(
    st.tuples(
        st.fixed_dictionaries({}, optional={name: st.sampled_from(f.values) for name, f in CATALOGUE.facets.items()}),
        st.booleans() | st.just(True),
        st.sampled_from([1.0, 0.6, 0.3]),
    ),
    max_size=60,
)


@given(ANSWERS)
def test_learning_follows_the_formulas(answers: list[tuple[dict[str, str], bool, float]]) -> None:
    """Means, variances and drift sums are those of a second implementation."""
    preferences, reference = Preferences(CATALOGUE), Reference()
    for served, liked, weight in answers:
        preferences.learn(slots(served), liked, weight, START_MS)
        reference.learn(slots(served), liked, weight)
    assert list(preferences.means) == pytest.approx(list(reference.mean.values()), abs=1e-5)
    assert list(preferences.variances) == pytest.approx(list(reference.variance.values()), abs=1e-5)
    assert list(preferences.drift_sums) == pytest.approx(list(reference.sums.values()), abs=1e-4)


@given(ANSWERS)
def test_probabilities_are_probabilities_whatever_was_learned(
    answers: list[tuple[dict[str, str], bool, float]],
) -> None:
    """Variances stay between nothing and the prior's."""
    preferences = Preferences(CATALOGUE)
    for served, liked, weight in answers:
        preferences.learn(slots(served), liked, weight, START_MS)
        p = preferences.predict_proba_one(served)
        assert 0 < p[True] < 1
        assert p[True] + p[False] == pytest.approx(1)
    assert all(0 < variance <= VALUE_VARIANCE * (1 + 1e-6) for variance in preferences.variances[:-1])


def test_prediction_before_any_learning_is_even() -> None:
    """The prior knows nothing."""
    assert Preferences(CATALOGUE).predict_proba_one({"length": "concise"}) == {True: 0.5, False: 0.5}


def test_surprise_far_out_is_clipped() -> None:
    """At five standard deviations: beyond, the correction is always the same."""
    correction = NORMAL.pdf(5) / NORMAL.cdf(-5)
    for mean in (20.0, 50.0):
        preferences = Preferences(CATALOGUE)
        preferences.means[BIAS] = mean
        preferences.learn([0], False, 1.0, START_MS)
        scale = math.sqrt(NOISE_VARIANCE + BIAS_VARIANCE + VALUE_VARIANCE)
        assert preferences.means[0] == pytest.approx(-KEPT * VALUE_VARIANCE * correction / scale, rel=1e-6)


def test_way_back_from_certainty_is_open() -> None:
    """Ten thousand likes and one dislike."""
    preferences, served = Preferences(CATALOGUE), slots({"length": "concise"})
    for _ in range(10_000):
        preferences.learn(served, True, 1.0, START_MS)
    before = preferences.means[served[0]]
    preferences.learn(served, False, 1.0, START_MS)
    assert 0 < before - preferences.means[served[0]] < 1


@given(st.sampled_from([0.1, 0.3, 0.6]))
def test_smaller_weight_moves_less(weight: float) -> None:
    """In proportion, for the mean."""
    whole, part = Preferences(CATALOGUE), Preferences(CATALOGUE)
    whole.learn([0], True, 1.0, START_MS)
    part.learn([0], True, weight, START_MS)
    assert part.means[0] == pytest.approx(weight * whole.means[0], rel=1e-5)
    assert part.variances[0] > whole.variances[0]


def test_belief_is_forgotten_toward_the_prior() -> None:
    """Events that say nothing new take old ones' weight away: a belief does not freeze."""
    preferences = Preferences(CATALOGUE)
    for _ in range(100):
        preferences.learn([0], True, 1.0, START_MS)
    mean, variance = preferences.means[0], preferences.variances[0]
    for _ in range(500):
        preferences.learn([0], True, 0.0, START_MS)
    assert 0 < preferences.means[0] < 0.01 * mean
    assert variance < preferences.variances[0]
    assert preferences.variances[0] == pytest.approx(VALUE_VARIANCE, rel=1e-3)


# What moves


def test_like_moves_what_was_served_and_the_bias() -> None:
    """And nothing else."""
    preferences = Preferences(CATALOGUE)
    assert learn(preferences, "thumbs_up", {"length": "concise", "tone": "formal"}) == ["length", "tone"]
    assert moved_slots(preferences) == {"concise", "formal", "bias"}


def test_narrowed_feedback_moves_only_those_facets() -> None:
    """Not even the bias: the person judged the tone, not the answer."""
    preferences = Preferences(CATALOGUE)
    assert learn(preferences, "thumbs_up", {"length": "concise", "tone": "formal"}, ["tone"]) == ["tone"]
    assert moved_slots(preferences) == {"formal"}


def test_feedback_narrowed_to_a_facet_that_was_not_served_moves_nothing() -> None:
    """There is nothing that it could be about."""
    preferences = Preferences(CATALOGUE)
    assert learn(preferences, "thumbs_up", {"length": "concise"}, ["tone"]) == []
    assert moved_slots(preferences) == set()
    assert not any(preferences.evidence)
    assert not any(preferences.reasons)


@pytest.mark.parametrize(
    ("feedback", "served", "disliked", "liked"),
    [
        ("shorter", "detailed", "detailed", "balanced"),
        ("shorter", "balanced", "balanced", "concise"),
        ("longer", "concise", "concise", "balanced"),
        ("longer", "balanced", "balanced", "detailed"),
    ],
)
def test_directed_feedback_dislikes_what_was_served_and_likes_the_next(
    feedback: str, served: str, disliked: str, liked: str
) -> None:
    """For its facet only, whatever else was served."""
    preferences = Preferences(CATALOGUE)
    assert learn(preferences, feedback, {"length": served, "tone": "formal"}) == ["length"]
    assert moved_slots(preferences) == {disliked, liked}
    index = CATALOGUE.slot_index["length"]
    assert preferences.means[index[disliked]] < 0 < preferences.means[index[liked]]


@pytest.mark.parametrize(("feedback", "served"), [("shorter", "concise"), ("longer", "detailed")])
def test_directed_feedback_at_the_end_of_the_scale_moves_nothing(feedback: str, served: str) -> None:
    """The neighbour there belongs to another facet."""
    preferences = Preferences(CATALOGUE)
    assert learn(preferences, feedback, {"length": served, "tone": "formal"}) == []
    assert moved_slots(preferences) == set()


@pytest.mark.parametrize(("feedback", "served"), [("simpler", "novice"), ("deeper", "expert")])
def test_scale_ends_where_its_facet_ends(feedback: str, served: str) -> None:
    """Also between other facets."""
    preferences = Preferences(CATALOGUE)
    assert learn(preferences, feedback, {"expertise": served}) == []
    assert moved_slots(preferences) == set()


def test_directed_feedback_without_its_facet_served_moves_nothing() -> None:
    """It asks for something shorter than nothing."""
    preferences = Preferences(CATALOGUE)
    assert learn(preferences, "shorter", {"tone": "formal"}) == []
    assert learn(preferences, "shorter", {"length": "detailed"}, ["tone"]) == []
    assert moved_slots(preferences) == set()


def test_multiple_values_all_move() -> None:
    """A film of two genres was liked: both are."""
    preferences = Preferences(FILM_CATALOGUE)
    o = make_observation(served={"genre": ["action", "drama"]}, feedback="thumbs_up", catalogue=FILM_CATALOGUE)
    assert list(preferences.learn_feedback(o, FILM_CATALOGUE.feedback["thumbs_up"], 1.0)) == [0]
    assert preferences.means[0] == preferences.means[2] > 0 == preferences.means[1]


def test_evidence_is_a_discounted_count() -> None:
    """By weight, and only for facets that moved."""
    preferences = Preferences(CATALOGUE)
    for weight in (1.0, 1.0, 0.4):
        learn(preferences, "thumbs_up", {"length": "concise"}, weight=weight)
    assert list(preferences.evidence) == pytest.approx([(1 * KEPT + 1) * KEPT + 0.4, 0, 0, 0, 0])


def test_reasons_count_kinds_by_facet_up_to_their_limit() -> None:
    """255 fit into a byte."""
    preferences = Preferences(CATALOGUE)
    learn(preferences, "shorter", {"length": "detailed", "tone": "formal"})
    for _ in range(300):
        learn(preferences, "thumbs_up", {"length": "balanced"})
    counts = preferences.reasons[: len(CATALOGUE.feedback)]
    assert dict(zip(CATALOGUE.feedback, counts, strict=True)) == dict.fromkeys(CATALOGUE.feedback, 0) | {
        "shorter": 1,
        "thumbs_up": 255,
    }
    assert not any(preferences.reasons[len(CATALOGUE.feedback) :])
