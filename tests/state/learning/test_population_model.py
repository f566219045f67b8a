"""Population model: votes of different users, released together."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning import population_model as module
from state.learning.delta import Delta
from state.learning.features import prior_variance
from state.learning.population_model import CONTRIBUTORS, MAX_FEATURES, PopulationModel, coarse
from state.learning.population_version import Gaussian
from state.learning.shard_votes import SEASON_MS
from tests.support.votes import Voting

FEATURES = ["bias", "judged:0", "length=concise", "topic:code&length=concise", "item:0000000a"]


def user(number: int) -> int:
    """Return a user's 64-bit hash."""
    return (number + 1) * 0x9E3779B97F4A7C15 % 2**64


def learned(
    users: range, *, liked: float = 1.0, features: list[str] | None = None, population: Voting | None = None
) -> Voting:
    """Return a model after one feedback of each user; a share of the users likes the answer."""
    population = population or Voting()
    for number in users:
        population.learn(user(number), features or FEATURES, (number * 7) % 100 < 100 * liked)
    return population


# Beliefs


@pytest.mark.parametrize(("liked", "low", "high"), [(0.85, 0.8, 1.2), (0.5, -0.2, 0.2), (0.15, -1.2, -0.8)])
def test_beliefs_approach_the_rate_of_likes(liked: float, low: float, high: float) -> None:
    """Φ(1.04) is 0.85."""
    population = learned(range(3_000), liked=liked, features=["judged:0", "length=concise"])
    assert low < population.belief("judged:0").mean + population.belief("length=concise").mean < high


def test_user_model_explains_feedback() -> None:
    """Expected feedback moves beliefs less than a surprise."""
    foreseen, surprising = learned(range(20)), learned(range(20))
    for number in range(20, 3_000):
        foreseen.learn(user(number), ["judged:0"], True, rest=(2.0, 1.0))
        surprising.learn(user(number), ["judged:0"], True, rest=(-1.0, 1.0))
    assert 0 < foreseen.belief("judged:0").mean < surprising.belief("judged:0").mean


def test_comparison_moves_beliefs_apart() -> None:
    """The features of `against` count with the opposite sign."""
    population = Voting()
    for number in range(2_000):
        population.learn(user(number), ["length=concise"], True, against=["length=balanced"])
    assert population.belief("length=concise").mean > 0.3
    assert population.belief("length=balanced").mean < -0.3


def test_second_feedback_of_a_user_is_no_vote() -> None:
    """Only new features of an answer get a vote."""
    once, often = learned(range(200)), learned(range(200))
    for _ in range(50):
        learned(range(200), liked=0.0, population=often)
    assert often.published() == once.published()
    learned(range(200), features=[*FEATURES, "tone=formal"], population=often)
    assert "tone=formal" in often.published()


def test_users_vote_again_in_the_next_season() -> None:
    """A season lasts half a year of event time, and time does not run backwards."""
    population = learned(range(2_000), liked=0.9)
    before = population.belief("judged:0").mean
    population.begin(SEASON_MS)
    population.begin(0)
    learned(range(2_000), liked=0.1, population=population)
    assert population.belief("judged:0").mean < before - 0.1


# Contributors


def test_feature_is_public_from_its_twentieth_user() -> None:
    """Repeated feedback of 19 users does not count, and nothing but the count depends on it."""
    population = learned(range(19))
    learned(range(19), population=population)
    assert population.published() == {}
    learned(range(19, 20), population=population)
    assert sorted(population.published()) == sorted(FEATURES)
    assert all(belief.mean == 0 for belief in population.published().values())


@given(st.lists(st.booleans(), min_size=CONTRIBUTORS, max_size=CONTRIBUTORS))
def test_threshold_shows_no_feedback(likes: list[bool]) -> None:
    """Published beliefs are the same after any likes and dislikes of the first 20 users."""
    population = Voting()
    for number, liked in enumerate(likes):
        population.learn(user(number), FEATURES, liked)
    assert set(population.published().values()) == {coarse(0.0, prior_variance(name)) for name in FEATURES}


def test_published_beliefs_restore_the_model() -> None:
    """Beliefs have two digits."""
    published = learned(range(500)).published()
    assert list(published) == sorted(FEATURES)
    assert all(coarse(*belief) == belief for belief in published.values())
    next_one = PopulationModel()
    next_one.restore(published)
    assert next_one.published() == published


# Forgets


def test_forget_removes_unpublished_features_of_the_user() -> None:
    """Features without the user stay."""
    population = learned(range(5))
    learned(range(5, 9), features=["tone=formal"], population=population)
    population.forget(user(3))
    assert set(population.features) == {"tone=formal"}


def test_forget_removes_a_block_of_few_users() -> None:
    """Twenty released users and more hide the user, who leaves the contributors."""
    population = learned(range(60), features=FEATURES[1:])
    assert all(one.block and one.block.users < 20 for one in population.features.values())
    before = population.published()
    population.forget(user(59))
    assert [one.block for one in population.features.values()] == [None] * (len(FEATURES) - 1)
    assert population.published() == before
    assert all(one.contributors == 59 for one in population.features.values())


def test_forget_of_an_unknown_user_changes_nothing() -> None:
    """Positions are 16 bits up to 32 users."""
    population = learned(range(10))
    population.forget(user(77))
    assert len(population.features) == len(FEATURES)


def test_user_who_forgets_again_and_again_has_a_twentieth_of_a_block() -> None:
    """Each forget of a contributor makes a block of 20 users and more larger."""
    population, number = learned(range(400), liked=0.5, features=["judged:0"]), 400
    feature = population.features["judged:0"]
    while feature.block is None or feature.block.users < 20:
        learned(range(number, number + 1), liked=0.5, features=["judged:0"], population=population)
        number += 1
    for _ in range(500):
        population.forget(user(9_999))
        population.learn(user(9_999), ["judged:0"], False)
    block = feature.block
    assert block.users > 500
    assert block.shares < 20 * (1 + block.forgets) * block.top


# Shards


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_of_arrival_changes_only_what_a_shard_order_changes(sizes: list[int], random: Random) -> None:
    """Shards that merge in their order publish the same, whichever votes first."""
    found = []
    for _ in range(2):
        voting = Voting(shards=3)
        users = [user(number) for number in range(sum(sizes))]
        random.shuffle(users)
        for one in sorted(users):
            shard = voting.shards[one % 3]
            shard.vote(one, [shard.add("length=concise")], [], one % 5 > 0, 0.0, 1.0, 1.0)
        for number in range(3):
            voting.merge(number)
        found.append((voting.published(), voting.belief("length=concise")))
    assert found[0] == found[1]


def test_shard_takes_back_its_part_of_a_rare_feature() -> None:
    """Votes of the other shards stay, and the count is theirs alone."""
    population = Voting(shards=2)
    learned(range(12), population=population)
    counts = [len(shard.features["judged:0"].contributors) for shard in population.shards]
    gone = user(3)
    population.forget(gone)
    kept = counts[1 - gone % 2]
    assert {one.contributors for one in population.features.values()} == {kept}
    assert all(set(one.partials) == {1 - gone % 2} for one in population.features.values())
    assert population.shards[gone % 2].features == {}


def test_forget_of_a_feature_that_was_published_in_the_meantime_counts_all_of_the_shard() -> None:
    """The shard does not know of the publication yet: its users may vote again, so the block must grow."""
    model = PopulationModel()
    model.merge(Delta(0, 0, votes={"length=concise": (30, 30, 3.0, 30.0, 30.0, 1.0, 0.0)}))
    model.merge(Delta(0, 0, removed={"length=concise": 30}))
    feature = model.features["length=concise"]
    assert (feature.is_public, feature.contributors) == (True, 0)
    assert feature.block is not None
    assert feature.block.forgets == 30


def test_votes_of_an_earlier_season_are_ignored() -> None:
    """Another shard has begun the next season; what the late shard takes back still goes."""
    model = PopulationModel()
    few, vote = (3, 3, 0.5, 3.0, 3.0, 1.0, 0.0), (1, 1, 0.5, 1.0, 1.0, 1.0, 0.0)
    model.merge(Delta(1, 0, votes={"tone=formal": few}))
    model.merge(Delta(0, 1, votes={"length=concise": vote}))
    model.merge(Delta(1, 0, removed={"tone=formal": 3}, votes={"length=concise": vote}))
    assert set(model.features) == {"length=concise"}
    assert (model.season, model.features["length=concise"].contributors) == (1, 1)


# Memory


def test_features_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features of few users are evicted first; their users have voted all the same."""
    monkeypatch.setattr(module, "MAX_FEATURES", 40)
    monkeypatch.setattr(module, "_KEPT_FEATURES", 30)
    population = learned(range(20), features=["length=concise"])
    learned(range(5), features=["item:00000001"], population=population)
    for item in range(2, 500):
        learned(range(1), features=[f"item:{item:08x}"], population=population)
        assert len(population.features) <= 40
    assert {"item:00000001", "length=concise"} <= set(population.features)
    assert population.belief("item:000001f0") == Gaussian(0.0, prior_variance("item:000001f0"))


def test_limit_is_pinned() -> None:
    """The limit is 65,536 features."""
    assert MAX_FEATURES == 65_536
    assert module._KEPT_FEATURES < MAX_FEATURES
