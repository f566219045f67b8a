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
from state.learning.stacking import FIRST_EXAMPLES, MAX_NORM, Stacking
from tests.support.examples import make_example, tastes
from tests.support.factories import CATALOGUE

PARTS = st.floats(-5, 5)
EXAMPLES = [replace(one, bias=0.3, shares={0: -0.2}) for one in tastes(2_500, users=200)]


def user(number: int) -> int:
    return (number + 1) * 0x9E37_79B9_7F4A_7C15 % 2**64


def filled(examples: int, users: int = 400, key: bytes = b"") -> Stacking:
    """Return factors after examples of users who like the population's best less than the population predicts."""
    random, found = Random(3), Stacking(["length"], key)
    for n in range(examples):
        population, own = random.choice([-0.4, 0.4]), random.choice([-0.3, 0.3])
        likes = random.random() < normal_cdf(0.5 * population + 2.0 * own)
        mean = found.means[0] + found.means[1] * population + found.means[3] * own
        found.add(user(n % users), population, 0.0, {0: own}, likes - normal_cdf(mean))
        if n % 100 == 99:
            found.release_if_due()
    return found


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
        found = Stacking(["length"])
        found.add(user(1), population, bias, {0: own}, liked - p, liked - q)
        sums.append([*found.sums.residuals, found.sums.bias_residuals])
    assert dist(*sums) <= MAX_NORM * (1 + 1e-9)


def test_noise_depends_on_the_key() -> None:
    """The same history has the same factors."""
    assert filled(1_000, key=b"a").factors == filled(1_000, key=b"a").factors
    assert filled(1_000, key=b"a").factors != filled(1_000, key=b"b").factors


def test_forget_of_one_of_few_users_removes_the_block() -> None:
    """Sums of fewer than 20 users could be read as one user's feedback."""
    few, many = filled(19, users=19), filled(20, users=20)
    few.forget(user(500))
    assert few.sums.examples == 19
    few.forget(user(3))
    assert (few.sums.examples, list(few.sums.residuals)) == (0, [0.0] * 4)
    many.forget(user(3))
    assert many.sums.examples == 20


def test_forgotten_user_contributes_again_from_the_next_block_on() -> None:
    """Otherwise feedback and forgets in turns would outweigh other users."""
    found = filled(100, users=100)
    found.forget(user(3))
    found.add(user(3), 0.4, 0.0, {}, 0.5)
    assert found.sums.examples == 100
    found.add(user(4), 0.4, 0.0, {}, 0.5)
    assert found.sums.examples == 101


def test_published_factors_are_a_start() -> None:
    """Parts that a version does not have start from the prior."""
    found = Stacking(["length", "tone"])
    found.restore({"offset": Gaussian(-0.2, 0.01), "own:length": Gaussian(2.0, 0.05), "own:gone": Gaussian(3.0, 0.1)})
    factors = found.factors
    assert factors["offset"] == Gaussian(-0.2, 0.01)
    assert factors["own:length"] == Gaussian(2.0, 0.05)
    assert factors["own:tone"] == Gaussian(module.OWN_START, module.PRIOR_VARIANCE)


def learned(trainer: PopulationTrainer, first: int, last: int) -> PopulationTrainer:
    """Return a trainer after some examples, with a version every 500."""
    for n in range(first, last):
        trainer.learn(EXAMPLES[n])
        if n % 500 == 499:
            trainer.publish(n // 500 + 1)
    return trainer


@pytest.mark.parametrize("cut", [700, 1_000, 1_500, 2_300])
def test_restart_does_not_change_the_factors(cut: int) -> None:
    """Covariance, sums, contributors and forgotten users survive."""
    one = learned(PopulationTrainer(CATALOGUE, b"key"), 0, cut)
    one.forget(EXAMPLES[cut - 1].user)
    other = PopulationTrainer.unpack(one.pack(), CATALOGUE, b"key")
    other._prior = one.prior
    assert other.pack() == one.pack()
    learned(one, cut, len(EXAMPLES))
    learned(other, cut, len(EXAMPLES))
    assert one._stacking.released >= FIRST_EXAMPLES
    assert other.pack() == one.pack()


def test_sums_are_encrypted_and_factors_are_not() -> None:
    """Without the key, released factors remain."""
    trainer = learned(PopulationTrainer(CATALOGUE, b"key"), 0, 2_300)
    assert trainer._stacking.released
    found = PopulationTrainer.unpack(trainer.pack(), CATALOGUE, b"other")._stacking
    assert (found.means, found.released) == (trainer._stacking.means, trainer._stacking.released)
    assert found.sums.examples == 0


def test_new_facet_in_the_catalogue_starts_from_the_prior() -> None:
    """Factors belong to names, and a facet in another place keeps its factor."""
    trainer = learned(PopulationTrainer(CATALOGUE, b"key"), 0, 2_300)
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
    trainer = PopulationTrainer(CATALOGUE)
    for n in range(100):
        trainer.learn(make_example(7, feedback_count=n))
    assert trainer._stacking.sums.examples == 20
