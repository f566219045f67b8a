"""Scores of predictions, each before the training with its example."""

from collections.abc import Collection
from math import log
from random import Random

import pytest
from msgspec.structs import replace
from river import metrics

from state.learning.example import Example
from state.learning.population_version import Scores
from state.learning.scoring import MIN_FEEDBACK, Scoring
from state.learning.scoring_sums import ScoringSums
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE
from tests.support.training import Training

FACETS = frozenset(CATALOGUE.facet_names)
LENGTH, FORMAT = CATALOGUE.facet_index["length"], CATALOGUE.facet_index["format"]


def predictions(n: int, *, seed: int = 3, skill: float = 0.3) -> list[Example]:
    """Return examples with predictions of 0.5 ± `skill`, which are calibrated."""
    random = Random(seed)
    examples = []
    for number in range(n):
        better = random.random() < 0.5
        p = 0.5 + (skill if better else -skill)
        examples.append(make_example(number % 50, p=p, liked=random.random() < p))
    return examples


class Scored:
    """Scores of one shard, merged after every 40 pieces of feedback."""

    def __init__(self, scoring: Scoring | None = None) -> None:
        self.sums, self.n = ScoringSums(), 0
        self.scoring = scoring or Scoring(CATALOGUE.facet_names)

    def add(self, e: Example, z: float, parts: dict[int, float]) -> None:
        self.sums.add(e.liked, e.p, z, 1.0, parts)
        self.n += 1
        if self.n % 40 == 0:
            self.merge()

    def merge(self) -> Scoring:
        new = self.sums.take()
        if new is not None:
            self.scoring.merge(new)
        return self.scoring

    def scores(self, public: Collection[str] = FACETS) -> Scores:
        found = self.merge().scores(public)
        assert found is not None
        return found

    def uninformative(self) -> tuple[str, ...]:
        return self.merge().uninformative()


def scored(examples: list[Example], found: Scored | None = None) -> Scored:
    found = found or Scored()
    for e in examples:
        found.add(e, 0.0, {})
    return found


def test_no_examples_have_no_scores() -> None:
    """The scores are None, not zeros."""
    assert Scoring(CATALOGUE.facet_names).scores(FACETS) is None


def test_figures_follow_their_definitions() -> None:
    """Log loss, the log loss of the rate so far, and the calibration error are computed by hand."""
    examples = predictions(2_000)
    found = scored(examples).scores()
    losses = [-log(e.p if e.liked else 1 - e.p) for e in examples]
    constant, likes = [], 0
    for n, e in enumerate(examples):
        rate = (likes + 0.5) / (n + 1)
        constant.append(-log(rate if e.liked else 1 - rate))
        likes += e.liked
    assert found.n == 2_000
    assert found.log_loss == pytest.approx(sum(losses) / 2_000, abs=1e-6)
    assert found.constant_log_loss == pytest.approx(sum(constant) / 2_000, abs=1e-6)
    assert found.log_loss < found.constant_log_loss - 0.05
    assert found.ece < 0.03


def test_area_under_the_curve_is_rivers() -> None:
    """The window is 5,000 examples, and up to a delta more."""
    examples, area = predictions(6_000), metrics.RollingROCAUC(window_size=5_000)
    found = scored(examples).scores()
    for e in examples:
        area.update(e.liked, {True: e.p, False: 1 - e.p})
    assert found.auc == pytest.approx(area.get(), abs=1e-3)
    assert found.auc > 0.75


def test_change_of_the_loss_is_detected() -> None:
    """Good predictions become wrong."""
    good = predictions(3_000, skill=0.4)
    steady = scored(good).scores()
    assert steady.drifts == 0
    bad = [replace(e, liked=not e.liked) for e in predictions(1_000, seed=4, skill=0.4)]
    changed = scored(bad, scored(good)).scores()
    assert changed.drifts >= 1


# Gains of facets


def gained(helps: float, n: int, seed: int = 5) -> Scored:
    """Return scores of examples; the part of one facet has the effect `helps`, and that of another none."""
    random, scoring = Random(seed), Scored()
    for _ in range(n):
        part, noise = random.choice([-0.5, 0.5]), random.choice([-0.5, 0.5])
        liked = random.gauss(helps * part, 1.0) > 0
        scoring.add(make_example(liked=liked), part + noise, {LENGTH: part, FORMAT: noise})
    return scoring


def test_informative_facet_is_distinguished_from_an_uninformative_one() -> None:
    """The reference replaces the part of the facet by its mean."""
    scoring = gained(1.0, 4_000)
    found = scoring.scores()
    assert found.facets["length"].gain > 0.02
    assert found.facets["format"].gain < -0.02
    assert found.facets["length"].n == 4_000
    assert scoring.uninformative() == ("format",)


def test_facet_is_informative_before_enough_feedback() -> None:
    """The minimum is 1,000 examples."""
    assert gained(1.0, MIN_FEEDBACK - 1).uninformative() == ()
    assert gained(1.0, MIN_FEEDBACK).uninformative() == ("format",)


def test_uninformative_facet_becomes_informative_again() -> None:
    """Old gains fade."""
    scoring = gained(0.0, 2_000)
    assert "length" in scoring.uninformative()
    gains = {name: (gain.gain, gain.n) for name, gain in scoring.scoring.gains.items()}
    later = Scored(Scoring(CATALOGUE.facet_names, gains))
    assert later.uninformative() == scoring.uninformative()
    random = Random(6)
    for _ in range(8_000):
        part = random.choice([-0.5, 0.5])
        later.add(make_example(liked=random.gauss(2 * part, 1.0) > 0), part, {LENGTH: part})
    assert "length" not in later.uninformative()


def test_constant_part_has_no_gain() -> None:
    """A constant part distinguishes no answers, and the first example does not dominate."""
    found = Scored()
    found.add(make_example(liked=True), 5.0, {LENGTH: 5.0})
    for n in range(20_000):
        found.add(make_example(liked=bool(n % 3)), 0.4, {LENGTH: 0.4})
    gain = found.scores().facets["length"]
    assert gain.gain == pytest.approx(0.0, abs=1e-3)
    assert found.sums.facets()[LENGTH][0] == pytest.approx(0.4, abs=1e-3)


def test_scores_have_public_facets_only() -> None:
    """Figures of few users could reveal one user."""
    scoring = gained(1.0, 2_000)
    whole, some = scoring.scores(), scoring.scores({"length"})
    assert set(whole.facets) == {"length", "format"}
    assert set(some.facets) == {"length"}


def test_log_loss_of_the_rate_is_finite() -> None:
    """After ten likes, the rate of dislikes is still above 0."""
    found = scored([make_example(liked=n >= 10, p=0.7) for n in range(11)]).scores()
    assert found.constant_log_loss < 0.8


def test_trainer_scores_before_it_trains() -> None:
    """The training has no influence on the score of its example."""
    training = Training()
    for n in range(100):
        training.learn(make_example(n % 25, p=0.2, liked=True))
    found = training.trainer.scoring.scores(FACETS)
    assert found is not None
    assert found.log_loss == pytest.approx(-log(0.2), abs=1e-6)
