"""The population model without privacy: feedback moves beliefs at once."""

from state.learning.exact_population import ExactStacking, ExactVotes
from state.learning.population_version import decode_version
from state.learning.stacking import Stacking
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE
from tests.support.training import Training

CONCISE = CATALOGUE.facet_slots[0][0]


def test_first_feedback_is_in_the_next_version() -> None:
    """One user suffices, and the mean has all digits."""
    training = Training(exact=True)
    training.learn(make_example(1, liked=True, slots=(CONCISE,)))
    features = decode_version(training.publish(1).version).features
    assert {"bias", "length=concise"} <= set(features)
    assert features["length=concise"].mean != round(features["length=concise"].mean, 2)


def test_each_feedback_of_a_user_moves_the_belief() -> None:
    """A user has no limit of one vote."""
    votes, means = ExactVotes(), []
    for _ in range(3):
        votes.vote(1, [votes.add("length=concise")], [], True, 0.0, 1.0, 1.0)
        means.append(votes.belief("length=concise")[0])
    assert 0 < means[0] < means[1] < means[2]


def test_comparison_moves_both_sides() -> None:
    """The preferred value rises as far as the other one falls."""
    votes = ExactVotes()
    votes.vote(1, [votes.add("length=concise")], [votes.add("length=detailed")], True, 0.0, 1.0, 1.0)
    preferred, served = votes.belief("length=concise")[0], votes.belief("length=detailed")[0]
    assert preferred > 0
    assert served == -preferred


def test_factors_move_with_each_example() -> None:
    """Many dislikes of what the population predicts as liked lower the offset and the population's factor."""
    sums, start = ExactStacking(["length"]), Stacking(["length"])
    for _ in range(50):
        sums.add(1, 0.4, 0.0, {}, residual=-0.2)
    stacking = sums.stacking
    assert stacking.factors["offset"].mean < start.factors["offset"].mean
    assert stacking.factors["population"].mean < start.factors["population"].mean
    assert stacking.factors["own:length"] == start.factors["own:length"]
    assert not stacking.release_if_due()
