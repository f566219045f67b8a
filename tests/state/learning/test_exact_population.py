"""The population model without privacy: feedback moves beliefs at once."""

from state.learning.exact_population import ExactPopulation, ExactStacking
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import decode_version
from state.learning.stacking import Stacking
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE

CONCISE = CATALOGUE.facet_slots[0][0]


def test_first_feedback_is_in_the_next_version() -> None:
    """One user suffices, and the mean has all digits."""
    trainer = PopulationTrainer(CATALOGUE, exact=True)
    trainer.learn(make_example(1, liked=True, slots=(CONCISE,)))
    features = decode_version(trainer.publish(1).version).features
    assert {"bias", "length=concise"} <= set(features)
    assert features["length=concise"].mean != round(features["length=concise"].mean, 2)


def test_each_feedback_of_a_user_moves_the_belief() -> None:
    """A user has no limit of one vote."""
    population, means = ExactPopulation(), []
    for _ in range(3):
        population.learn(1, ["length=concise"], True)
        means.append(population.belief("length=concise").mean)
    assert 0 < means[0] < means[1] < means[2]


def test_comparison_moves_both_sides() -> None:
    """The preferred value rises as far as the other one falls."""
    population = ExactPopulation()
    population.learn(1, ["length=concise"], True, against=["length=detailed"])
    preferred, served = population.belief("length=concise"), population.belief("length=detailed")
    assert preferred.mean > 0
    assert served.mean == -preferred.mean


def test_factors_move_with_each_example() -> None:
    """Many dislikes of what the population predicts as liked lower the offset and the population's factor."""
    stacking, start = ExactStacking(["length"]), Stacking(["length"])
    for _ in range(50):
        stacking.add(1, 0.4, 0.0, {}, residual=-0.2)
    assert stacking.factors["offset"].mean < start.factors["offset"].mean
    assert stacking.factors["population"].mean < start.factors["population"].mean
    assert stacking.factors["own:length"] == start.factors["own:length"]
    assert not stacking.release_if_due()
