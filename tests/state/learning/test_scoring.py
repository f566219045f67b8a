"""state/learning/scoring: every prediction is scored before anything is learned from its piece of feedback."""

from math import log
from random import Random

import pytest
from msgspec.structs import replace
from river import metrics

from state.learning.example import Acted, Example
from state.learning.population_trainer import PopulationTrainer
from state.learning.prediction import CERTAIN, NOISE_VARIANCE, PopulationPart, StackingFactors
from state.learning.scoring import MIN_FEEDBACK, FacetGain, Scoring
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE

NEUTRAL_FACTORS = StackingFactors(0.0, 1.0, 1.0, (CERTAIN,) * len(CATALOGUE.facet_names))
FACETS = frozenset(CATALOGUE.facet_names)
LENGTH, FORMAT = CATALOGUE.facet_index["length"], CATALOGUE.facet_index["format"]


def predictions(n: int, *, seed: int = 3, skill: float = 0.3) -> list[Example]:
    """Return pieces of feedback of predictions that report likes from dislikes by so much."""
    random = Random(seed)
    made = []
    for number in range(n):
        better = random.random() < 0.5
        p = 0.5 + (skill if better else -skill)
        made.append(make_example(number % 50, p=p, liked=random.random() < p))
    return made


def scored(examples: list[Example], scoring: Scoring | None = None) -> Scoring:
    scoring = scoring or Scoring(CATALOGUE)
    for e in examples:
        scoring.add(e, PopulationPart(0.0, NOISE_VARIANCE, NEUTRAL_FACTORS), {})
    return scoring


def test_nothing_scored_has_no_figures() -> None:
    """Rather than zeros."""
    assert Scoring(CATALOGUE).scores(FACETS) is None


def test_figures_are_those_of_the_predictions() -> None:
    """By hand: log loss, the constant that knows the rate so far, and the calibration error."""
    examples = predictions(2_000)
    found = scored(examples).scores(FACETS)
    assert found is not None
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
    """Over the last 5,000."""
    examples, area = predictions(6_000), metrics.RollingROCAUC(window_size=5_000)
    found = scored(examples).scores(FACETS)
    assert found is not None
    for e in examples:
        area.update(e.liked, {True: e.p, False: 1 - e.p})
    assert found.auc == pytest.approx(area.get(), abs=1e-6)
    assert found.auc > 0.75


def test_change_of_the_loss_is_noticed() -> None:
    """When predictions that were good come to be worse than nothing."""
    good = predictions(3_000, skill=0.4)
    steady = scored(good).scores(FACETS)
    assert steady is not None
    assert steady.drifts == 0
    bad = [replace(e, liked=not e.liked) for e in predictions(1_000, seed=4, skill=0.4)]
    changed = scored(bad, scored(good)).scores(FACETS)
    assert changed is not None
    assert changed.drifts >= 1


# What a facet contributes


def gained(helps: float, judgements: int, seed: int = 5) -> Scoring:
    """Return the scores of pieces of feedback that one facet's part moves by `helps`, and another's by nothing."""
    random, scoring = Random(seed), Scoring(CATALOGUE)
    for _ in range(judgements):
        part, noise = random.choice([-0.5, 0.5]), random.choice([-0.5, 0.5])
        liked = random.gauss(helps * part, 1.0) > 0
        e = replace(make_example(liked=liked), bias=part + noise, shares={}, variance=0.0)
        scoring.add(e, PopulationPart(0.0, NOISE_VARIANCE, NEUTRAL_FACTORS), {LENGTH: part, FORMAT: noise})
    return scoring


def test_facet_that_helps_is_told_from_one_that_does_not() -> None:
    """By what the log loss would be if it added what it adds on average."""
    scoring = gained(1.0, 4_000)
    found = scoring.scores(FACETS)
    assert found is not None
    assert found.facets["length"].gain > 0.02
    assert found.facets["format"].gain < -0.02
    assert found.facets["length"].n == 4_000
    assert scoring.uninformative() == ("format",)


def test_facet_is_not_silent_before_there_is_enough() -> None:
    """A thousand pieces of feedback."""
    assert gained(1.0, MIN_FEEDBACK - 1).uninformative() == ()
    assert gained(1.0, MIN_FEEDBACK).uninformative() == ("format",)


def test_silent_facet_speaks_again_when_it_helps() -> None:
    """Gains fade."""
    scoring = gained(0.0, 2_000)
    assert "length" in scoring.uninformative()
    later = Scoring(CATALOGUE, {name: (gain.gain, gain.part, gain.n) for name, gain in scoring.gains.items()})
    assert later.uninformative() == scoring.uninformative()
    random = Random(6)
    for _ in range(8_000):
        part = random.choice([-0.5, 0.5])
        e = replace(make_example(liked=random.gauss(2 * part, 1.0) > 0), bias=part, shares={}, variance=0.0)
        later.add(e, PopulationPart(0.0, NOISE_VARIANCE, NEUTRAL_FACTORS), {LENGTH: part})
    assert "length" not in later.uninformative()


def test_part_that_is_always_the_same_gains_nothing() -> None:
    """It reports no user apart: without it the offset would state the same. The first piece of feedback is one of many."""
    gain = FacetGain()
    gain.update(5.0, 5.0, 1.0)
    for n in range(20_000):
        gain.update(0.4, 0.4 if n % 3 else -0.4, 1.0 if n % 3 else -1.0)
    assert gain.part == pytest.approx(0.4, abs=1e-3)
    assert gain.gain == pytest.approx(0.0, abs=1e-3)


def test_figures_of_facets_are_told_of_those_that_are_public() -> None:
    """What few users contributed to could be one user's."""
    scoring = gained(1.0, 2_000)
    random = Random(8)
    for _ in range(200):
        followed = random.random() < 0.5
        scoring.add(
            replace(make_example(liked=followed), acted=(Acted(FORMAT, followed, not followed, 0.5),)),
            PopulationPart(0.0, NOISE_VARIANCE, NEUTRAL_FACTORS),
            {},
        )
    everything, some = scoring.scores(FACETS), scoring.scores({"length"})
    assert everything is not None
    assert some is not None
    assert (set(everything.facets), set(everything.off_policy)) == ({"length", "format"}, {"format"})
    assert (set(some.facets), set(some.off_policy)) == ({"length"}, set())


def test_constant_is_no_worse_than_what_it_is() -> None:
    """It does not believe after ten likes that no user ever dislikes."""
    found = scored([make_example(liked=n >= 10, p=0.7) for n in range(11)]).scores(FACETS)
    assert found is not None
    assert found.constant_log_loss < 0.8


def test_learner_scores_before_it_learns() -> None:
    """A prediction that is wrong every time stays as wrong as it was."""
    trainer = PopulationTrainer(CATALOGUE)
    for n in range(100):
        trainer.learn(make_example(n % 25, p=0.2, liked=True))
    found = trainer.scoring.scores(FACETS)
    assert found is not None
    assert found.log_loss == pytest.approx(-log(0.2), abs=1e-6)


def test_choices_are_compared_facet_by_facet() -> None:
    """`acted_on` comes back with the piece of feedback."""
    random, examples = Random(8), []
    for _ in range(400):
        followed = random.random() < 0.5
        choice = Acted(FORMAT, followed, not followed, 0.5)
        examples.append(replace(make_example(liked=random.random() < (0.9 if followed else 0.3)), acted=(choice,)))
    found = scored(examples).scores(FACETS)
    assert found is not None
    assert list(found.off_policy) == ["format"]
    assert found.off_policy["format"].difference == pytest.approx(0.6, abs=0.1)
