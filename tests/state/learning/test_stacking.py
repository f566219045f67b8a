"""Stacking: factors from the feedback of a crowd, moved by a user's feedback within a bound."""

from math import dist
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.learning import population_state
from state.learning import stacking as module
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import Gaussian
from state.learning.probit import normal_cdf
from state.learning.stacking import FIRST_EXAMPLES, Stacking
from state.learning.stacking_sums import MAX_NORM, StackingSums
from tests.support.examples import make_example, tastes
from tests.support.factories import CATALOGUE
from tests.support.training import Training

PARTS = st.floats(-5, 5)
EXAMPLES = [replace(one, bias=0.3, shares={0: -0.2}) for one in tastes(2_500, users=200)]


def user(number: int) -> int:
    return (number + 1) * 0x9E37_79B9_7F4A_7C15 % 2**64


class Stacked:
    """Factors, with the sums of one shard."""

    def __init__(self, key: bytes = b"") -> None:
        self.stacking = Stacking(["length"], key)
        self.shard = StackingSums(len(self.stacking.parts))

    def add(self, number: int, population: float, own: float, residual: float) -> None:
        self.shard.add(user(number), population, 0.0, {0: own}, residual)

    def merge(self) -> Stacking:
        new = self.shard.take()
        if new is not None:
            self.stacking.merge(new)
        return self.stacking

    def forget(self, number: int) -> Stacking:
        self.shard.forget(user(number))
        return self.merge()


def filled(examples: int, users: int = 400, key: bytes = b"") -> Stacking:
    """Return factors after examples of users who like the population's best less than the population predicts."""
    return stacked(examples, users, key).stacking


def stacked(examples: int, users: int = 400, key: bytes = b"") -> Stacked:
    """Return the same with the shard, which merges after every 100 examples."""
    random, stacked = Random(3), Stacked(key)
    found = stacked.stacking
    for n in range(examples):
        population, own = random.choice([-0.4, 0.4]), random.choice([-0.3, 0.3])
        likes = random.random() < normal_cdf(0.5 * population + 2.0 * own)
        mean = found.means[0] + found.means[1] * population + found.means[3] * own
        stacked.add(n % users, population, own, likes - normal_cdf(mean))
        if n % 100 == 99:
            stacked.merge().release_if_due()
    stacked.merge()
    return stacked


def test_factors_are_found() -> None:
    """The population's part counts half, the user's part twice."""
    factors = filled(64_000).factors
    assert factors["offset"].mean == pytest.approx(0.0, abs=0.05)
    assert factors["population"].mean == pytest.approx(0.5, abs=0.15)
    assert factors["own:length"].mean == pytest.approx(2.0, abs=0.3)
    assert factors["own"].mean == 1.4
    assert factors["own:length"].variance < 0.02 < factors["own"].variance


def test_blocks_double() -> None:
    """So there are few releases: after 1,000, 2,000, 4,000 examples."""
    assert [filled(n).released for n in (999, 1_000, 1_999, 2_000, 3_999, 4_000)] == [
        0,
        1_000,
        1_000,
        2_000,
        2_000,
        4_000,
    ]


def test_fewer_than_fifty_users_release_nothing() -> None:
    """The factors stay at their start."""
    assert filled(2_000, users=49).released == 0
    assert filled(2_000, users=50).released == 2_000


@given(PARTS, PARTS, PARTS, st.floats(0, 1), st.floats(0, 1))
def test_one_feedback_moves_the_sums_within_the_bound(
    population: float, bias: float, own: float, p: float, q: float
) -> None:
    """A like in place of a dislike moves all sums together by at most the largest norm."""
    sums = []
    for liked in (0.0, 1.0):
        shard = StackingSums(4)
        shard.add(user(1), population, bias, {0: own}, liked - p, liked - q)
        found = shard.take()
        assert found is not None
        sums.append([*found.residuals, found.bias[0]])
    assert dist(*sums) <= MAX_NORM * (1 + 1e-9)


def test_noise_depends_on_the_key() -> None:
    """The same history has the same factors."""
    assert filled(1_000, key=b"a").factors == filled(1_000, key=b"a").factors
    assert filled(1_000, key=b"a").factors != filled(1_000, key=b"b").factors


def test_forget_of_one_of_few_users_removes_the_block() -> None:
    """Sums of fewer than 20 users could be read as one user's feedback."""
    few, many = stacked(19, users=19), stacked(20, users=20)
    assert few.forget(500).sums.examples == 19
    found = few.forget(3)
    assert (found.sums.examples, list(found.sums.residuals)) == (0, [0.0] * 4)
    assert many.forget(3).sums.examples == 20


def test_forgotten_user_contributes_again_from_the_next_block_on() -> None:
    """Otherwise feedback and forgets in turns would outweigh other users."""
    found = stacked(100, users=100)
    found.forget(3)
    for number in (3, 4):
        found.add(number, 0.4, 0.0, 0.5)
    assert found.merge().sums.examples == 101
    found.shard.begin_block()
    found.add(3, 0.4, 0.0, 0.5)
    assert found.merge().sums.examples == 102


def test_published_factors_are_a_start() -> None:
    """Parts that a version does not have start from the prior."""
    found = Stacking(["length", "tone"])
    found.restore({"offset": Gaussian(-0.2, 0.01), "own:length": Gaussian(2.0, 0.05), "own:gone": Gaussian(3.0, 0.1)})
    factors = found.factors
    assert factors["offset"] == Gaussian(-0.2, 0.01)
    assert factors["own:length"] == Gaussian(2.0, 0.05)
    assert factors["own:tone"] == Gaussian(module.OWN_START, module.PRIOR_VARIANCE)


def learned(training: Training, first: int, last: int) -> Training:
    """Return a trainer after some examples, with a version every 500."""
    for n in range(first, last):
        training.learn(EXAMPLES[n])
        if n % 500 == 499:
            training.publish(n // 500 + 1)
    return training


@pytest.mark.parametrize("cut", [700, 1_000, 1_500, 2_300])
def test_restart_does_not_change_the_factors(cut: int) -> None:
    """Covariance, sums, contributors and forgotten users survive."""
    one = learned(Training(CATALOGUE, b"key"), 0, cut)
    one.forget(EXAMPLES[cut - 1].user)
    other = Training.unpack(one.pack(), CATALOGUE, b"key")
    other.trainer._prior = one.prior
    assert other.pack() == one.pack()
    learned(one, cut, len(EXAMPLES))
    learned(other, cut, len(EXAMPLES))
    assert one.trainer._stacking.released >= FIRST_EXAMPLES
    assert other.pack() == one.pack()


def test_sums_are_encrypted_and_factors_are_not() -> None:
    """Without the key, released factors remain."""
    trainer = learned(Training(CATALOGUE, b"key"), 0, 2_300).trainer
    assert trainer._stacking.released
    found = PopulationTrainer.unpack(trainer.pack(), CATALOGUE, b"other")._stacking
    assert (found.means, found.released) == (trainer._stacking.means, trainer._stacking.released)
    assert found.sums.examples == 0


def test_new_facet_in_the_catalogue_starts_from_the_prior() -> None:
    """Factors belong to names, and a facet in another place keeps its factor."""
    trainer = learned(Training(CATALOGUE, b"key"), 0, 2_300).trainer
    before = trainer._stacking
    names = ["tempo", *reversed(CATALOGUE.facet_names[:2])]
    after = population_state.unpack(trainer.pack(), b"key", names, lambda _: False).stacking
    first = CATALOGUE.facet_names[0]
    place, was = after.parts.index(f"own:{first}"), before.parts.index(f"own:{first}")
    assert after.means[place] == before.means[was]
    assert after.sums.residuals[place] == before.sums.residuals[was]
    assert after.covariance[place][0] == before.covariance[was][0]
    tempo = after.parts.index("own:tempo")
    assert (after.means[tempo], after.sums.residuals[tempo]) == (module.OWN_START, 0.0)


def test_user_has_twenty_examples() -> None:
    """Later ones teach the features alone."""
    training = Training()
    for n in range(100):
        training.learn(make_example(7, feedback_count=n))
    assert training.trainer._stacking.sums.examples == 20
