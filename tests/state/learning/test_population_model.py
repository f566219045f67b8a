"""Population model, compared with River's AdPredictor and the paper's formulas."""

from collections.abc import Sequence
from math import sqrt
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import linear_model

from state.learning import population_model as module
from state.learning.features import prior_variance
from state.learning.population_model import CONTRIBUTORS, KEPT, MAX_FEATURES, PopulationModel
from state.learning.population_version import Gaussian

NORMAL = NormalDist()
FEATURES = ["bias", "judged:0", "length=concise", "length=detailed", "topic:code&length=concise", "item:0000000a"]
CHOICES = st.lists(st.sampled_from(FEATURES), unique=True, min_size=1, max_size=4)
Feedback = tuple[list[str], list[str], bool, float, tuple[float, float]]
FEEDBACK: st.SearchStrategy[list[Feedback]] = st.lists(
    st.tuples(
        CHOICES,
        st.just(list[str]()) | CHOICES,
        st.booleans(),
        st.sampled_from([1.0, 0.5, 0.1]),
        st.tuples(st.floats(-1, 1) | st.floats(-9, 9), st.floats(1, 2)),
    ).map(lambda one: (one[0], [feature for feature in one[1] if feature not in one[0]], *one[2:])),
    max_size=40,
)


class Reference:
    """Graepel et al., eq. 8 to 12, with a prior by the kind of feature, and forgetting toward the prior."""

    def __init__(self, kept: float) -> None:
        self.kept = kept
        self.beliefs: dict[str, tuple[float, float]] = {}

    def learn(
        self, features: Sequence[str], liked: bool, weight: float, rest: tuple[float, float], against: Sequence[str]
    ) -> None:
        x = dict.fromkeys(features, 1) | dict.fromkeys(against, -1)
        for feature in x:
            self.beliefs.setdefault(feature, (0.0, prior_variance(feature)))
        y = 1 if liked else -1
        sigma = sqrt(rest[1] + sum(self.beliefs[feature][1] for feature in x))
        t = max(
            -5.0, min(5.0, y * (rest[0] + sum(size * self.beliefs[feature][0] for feature, size in x.items())) / sigma)
        )
        n = NORMAL.pdf(t) / NORMAL.cdf(t)
        w = n * (n + t)
        for feature, size in x.items():
            mean, variance = self.beliefs[feature]
            mean += weight * y * size * variance / sigma * n
            shrunk = variance * (1 - weight * variance / sigma**2 * w)
            self.beliefs[feature] = (
                self.kept * mean,
                self.kept**2 * shrunk + (1 - self.kept**2) * prior_variance(feature),
            )


@pytest.mark.parametrize("kept", [KEPT, 0.9])
@given(feedback=FEEDBACK)
def test_learning_follows_the_formulas(kept: float, feedback: list[Feedback]) -> None:
    """Weights, other parts of the prediction, and comparisons follow the formulas, too."""
    population, reference = PopulationModel(kept), Reference(kept)
    for features, against, liked, weight, rest in feedback:
        population.learn(features, liked, weight, rest, against)
        reference.learn(features, liked, weight, rest, against)
    assert {feature: population.belief(feature) for feature in population.means} == {
        feature: pytest.approx(belief, abs=1e-7) for feature, belief in reference.beliefs.items()
    }


def test_without_forgetting_and_with_equal_priors_it_equals_rivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """AdPredictor's prior is N(0, 1) for each weight."""
    monkeypatch.setattr(module, "prior_variance", lambda _: 1.0)
    ours, rivers = PopulationModel(kept=1.0), linear_model.AdPredictor(beta=1.0, prior_probability=0.5, epsilon=0.0)
    answers = [({"a": 1, "b": n % 2, "c": n % 3}, n % 5 < 2) for n in range(100)]
    for x, y in answers:
        active = {name: 1 for name, value in x.items() if value}
        ours.learn_one(x, y)
        rivers.learn_one(active, y)  # adds its own bias
        p = rivers.predict_proba_one(active)[True]
        assert ours.predict_proba_one(x)[True] == pytest.approx(p, abs=1e-6)


def test_expectation_is_the_sum_of_beliefs() -> None:
    """A feature without feedback has its prior."""
    population = PopulationModel()
    population.learn(["bias", "length=concise"], True, 1.0)
    known = [population.belief("bias"), population.belief("length=concise")]
    mean, variance = population.expect(["bias", "length=concise", "item:0000000a"])
    assert mean == pytest.approx(sum(belief.mean for belief in known))
    assert variance == pytest.approx(sum(belief.variance for belief in known) + 0.25)


def test_expected_feedback_changes_little() -> None:
    """The user model explains the feedback, so the population model changes little."""
    foreseen, surprising = PopulationModel(), PopulationModel()
    foreseen.learn(["bias"], True, 1.0, rest=(2.0, 1.0))
    surprising.learn(["bias"], True, 1.0, rest=(-2.0, 1.0))
    assert 0 < 10 * foreseen.means["bias"] < surprising.means["bias"]


def test_feature_without_weight_returns_to_its_prior() -> None:
    """Examples without weight forget only."""
    population = PopulationModel(kept=0.9)
    population.learn(["bias"], True, 1.0)
    for _ in range(200):
        population.learn(["bias"], True, 0.0)
    assert population.belief("bias") == pytest.approx((0.0, prior_variance("bias")), abs=1e-6)
    assert pytest.approx(0.5, abs=0.01) == KEPT**700_000


# Contributors


def test_feature_is_public_from_its_twentieth_user() -> None:
    """Repeated examples of 19 users do not count."""
    population = PopulationModel()
    for user in [*range(19)] * 3:
        population.learn(["bias"], True, 1.0)
        population.add_contributor(["bias"], user)
    assert population.published() == {}
    population.add_contributor(["bias"], 2**32 - 1)
    assert list(population.published()) == ["bias"]
    assert population.contributors == {}


def test_one_user_makes_no_feature_public() -> None:
    """Repeated examples of one user do not count."""
    population = PopulationModel()
    for _ in range(100):
        population.learn(FEATURES, True, 1.0)
        population.add_contributor(FEATURES, 7)
    assert population.published() == {}
    assert {feature: list(users) for feature, users in population.contributors.items()} == {
        feature: [7] for feature in FEATURES
    }


@given(st.fixed_dictionaries(dict.fromkeys(FEATURES, st.integers(17, 22))), st.randoms(use_true_random=False))
def test_public_features_have_twenty_contributors(counts: dict[str, int], random: Random) -> None:
    """The order and repeats have no influence, and a public feature keeps no contributors."""
    population, contributors = PopulationModel(), dict[str, set[int]]()
    contributions = [(feature, user) for feature, count in counts.items() for user in range(count)] * 2
    random.shuffle(contributions)
    for feature, user in contributions:
        population.learn([feature], True, 1.0)
        population.add_contributor([feature], user)
        contributors.setdefault(feature, set()).add(user)
    assert population.public == {feature for feature, users in contributors.items() if len(users) >= 20}
    held = {feature: set(who) for feature, who in population.contributors.items()}
    assert held == {feature: users for feature, users in contributors.items() if len(users) < 20}


def test_published_features_are_sorted() -> None:
    """Equal beliefs then have equal bytes."""
    population = PopulationModel()
    for user in range(20):
        population.learn(FEATURES[::-1], True, 1.0)
        population.add_contributor(FEATURES[::-1], user)
    assert list(population.published()) == sorted(FEATURES)


def test_published_beliefs_restore_the_model() -> None:
    """Beliefs are rounded to six digits."""
    population, next_one = PopulationModel(), PopulationModel()
    for user in range(25):
        features = ["bias", "length=concise"] if user < 24 else ["bias", "item:0000000a"]
        population.learn(features, user % 3 > 0, 1.0)
        population.add_contributor(features, user)
    published = population.published()
    assert list(published) == ["bias", "length=concise"]
    assert published["bias"] == pytest.approx(population.belief("bias"), abs=1e-6)
    assert all(round(number, 6) == number for belief in published.values() for number in belief)
    next_one.restore(published)
    assert next_one.published() == published
    assert next_one.expect(published) == pytest.approx(population.expect(published), abs=1e-5)


# Memory


def test_features_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features of one user are evicted first, then those with the least feedback."""
    monkeypatch.setattr(module, "MAX_FEATURES", 40)
    monkeypatch.setattr(module, "_KEPT_FEATURES", 30)
    population = PopulationModel()
    for _ in range(50):
        population.learn(["item:00000001"], True, 1.0)
    for user in range(CONTRIBUTORS):
        population.learn(["length=concise"], True, 0.01)
        population.add_contributor(["length=concise"], user)
    for item in range(2, 500):
        feature = f"item:{item:08x}"
        population.learn([feature], True, 1.0)
        population.add_contributor([feature], 1)
        assert len(population.means) == len(population.variances) <= 40
        assert set(population.contributors) <= set(population.means)
    assert {"item:00000001", "length=concise"} <= set(population.means)
    assert population.public == {"length=concise"}
    assert list(population.published()) == ["length=concise"]


def test_least_known_features_are_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reduction of the prior variance decides; among equals the earlier feature stays, in every process."""
    monkeypatch.setattr(module, "MAX_FEATURES", 20)
    monkeypatch.setattr(module, "_KEPT_FEATURES", 8)
    population, items = PopulationModel(), [f"item:{item:08x}" for item in range(20)]
    population.learn(["topic:code&length=concise"], True, 0.01)  # has a small prior variance
    population.learn(items[:19], True, 1.0)
    population.learn([items[15]], True, 1.0)
    assert len(population.means) == 20
    population.learn([items[19]], True, 0.02)
    assert set(population.means) == set(population.variances) == {*items[:7], items[15]}


def test_evicted_feature_starts_from_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evicted feature needs 20 contributors again."""
    monkeypatch.setattr(module, "MAX_FEATURES", 4)
    monkeypatch.setattr(module, "_KEPT_FEATURES", 2)
    population = PopulationModel()
    for user in range(CONTRIBUTORS):
        population.learn(["item:00000001"], True, 0.0)
        population.add_contributor(["item:00000001"], user)
    for name in ("length=concise", "length=detailed", "tone=formal", "tone=friendly"):
        population.public.add(name)
        for _ in range(5):
            population.learn([name], True, 1.0)
    assert "item:00000001" not in population.means
    assert population.belief("item:00000001") == Gaussian(0.0, 0.25)
    assert "item:00000001" not in population.public


def test_limit_is_pinned() -> None:
    """The limit is 65,536 features."""
    assert MAX_FEATURES == 65_536
    assert module._KEPT_FEATURES < MAX_FEATURES
