"""Votes of one shard: one per user, feature and season, as sums for deltas."""

from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.learning import shard_votes as module
from state.learning.contributors import Contributors
from state.learning.features import prior_variance, vote_share
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion
from state.learning.probit import normal_cdf
from state.learning.shard_votes import SEASON_MS, ShardVotes
from tests.support.factories import CATALOGUE

NAMES = ("length=concise", "tone=formal", "item:0000000a")


def user(number: int) -> int:
    """Return a user's 64-bit hash."""
    return (number + 1) * 0x9E3779B97F4A7C15 % 2**64


def prior(*public: str, mean: float = 0.5, at_ms: int = 0) -> Prior:
    features = dict.fromkeys(public, Gaussian(mean, 0.05))
    return Prior(CATALOGUE, PopulationVersion(1, 1, at_ms, 0, features, {}, ()))


def vote(votes: ShardVotes, number: int, *names: str, liked: bool = True) -> None:
    votes.vote(user(number), [votes.add(name) for name in names], [], liked, 0.0, 1.0, 1.0)


def test_vote_is_the_rest_of_the_prediction_with_published_beliefs() -> None:
    """A feature that is not published has its prior."""
    votes = ShardVotes()
    votes.use(prior("length=concise"))
    vote(votes, 1, "length=concise", "tone=formal")
    cast, _, _ = votes.take()
    variance = 0.05 + prior_variance("tone=formal")
    residual = 1.0 - normal_cdf(0.5 / sqrt(1.0 + variance))
    weights = {"length=concise": 0.05 / prior_variance("length=concise"), "tone=formal": vote_share("tone=formal")}
    assert list(cast) == list(weights)
    for name, weight in weights.items():
        share = sqrt(weight / sum(weights.values()))
        assert cast[name][:2] == (1, 1)
        assert cast[name][2] == pytest.approx(share * residual)
        assert cast[name][3:6] == pytest.approx((share, share**2, share))


def test_beliefs_of_a_new_prior_count_at_once() -> None:
    """Features that the shard has are looked up again."""
    votes = ShardVotes()
    vote(votes, 1, *NAMES)
    votes.use(prior(*NAMES))
    assert all(votes.add(name).mean == 0.5 for name in NAMES)
    votes.use(prior())
    assert all(votes.add(name).mean == 0.0 for name in NAMES)


def test_delta_has_the_votes_since_the_last_one() -> None:
    """A second vote of a user is none."""
    votes = ShardVotes()
    for number in range(5):
        vote(votes, number, *NAMES)
    assert {name: one[:2] for name, one in votes.take()[0].items()} == dict.fromkeys(NAMES, (5, 5))
    for number in range(7):
        vote(votes, number, *NAMES)
    assert {name: one[:2] for name, one in votes.take()[0].items()} == dict.fromkeys(NAMES, (2, 2))
    assert votes.take() == ({}, {}, [])


def test_forget_takes_back_unpublished_features_whole() -> None:
    """Votes of other users of the shard go with them, and all of them may vote again."""
    votes = ShardVotes()
    votes.use(prior("length=concise"))
    for number in range(5):
        vote(votes, number, "length=concise", "tone=formal")
    vote(votes, 9, "item:0000000a")
    votes.take()
    vote(votes, 5, "tone=formal", "length=concise")
    votes.forget(user(3))
    cast, removed, forgets = votes.take()
    assert (set(cast), removed, forgets) == ({"length=concise"}, {"tone=formal": 5}, ["length=concise"])
    assert set(votes.features) == {"length=concise", "item:0000000a"}
    vote(votes, 3, "length=concise", "tone=formal")
    assert set(votes.take()[0]) == {"length=concise", "tone=formal"}


def test_votes_that_no_delta_has_are_no_removal() -> None:
    """The population model has never had them."""
    votes = ShardVotes()
    vote(votes, 1, *NAMES)
    votes.forget(user(1))
    assert votes.take() == ({}, {}, [])


@pytest.mark.parametrize("is_own", [True, False])
def test_users_vote_again_in_the_next_season(is_own: bool) -> None:
    """A user of the shard begins it, or another shard does; votes that wait are lost."""
    votes = ShardVotes()
    vote(votes, 1, *NAMES)
    if is_own:
        votes.begin(SEASON_MS)
    else:
        votes.use(prior(at_ms=SEASON_MS))
    votes.begin(0)
    assert (votes.season, votes.take()) == (1, ({}, {}, []))
    vote(votes, 1, *NAMES)
    assert set(votes.take()[0]) == set(NAMES)


def test_contributors_of_an_earlier_state_have_voted_until_the_next_season() -> None:
    """Their votes may have been released."""
    before, votes = ShardVotes(b"key"), ShardVotes(b"key", 16)
    for number in range(40):
        vote(before, number, "length=concise")
    sets = {name: Contributors(packed) for name, packed in before.contributors().items()}
    votes.refuse(sets, 0)
    for number in range(20, 60):
        vote(votes, number, "length=concise", "tone=formal")
    cast, _, _ = votes.take()
    assert cast["tone=formal"][0] == 40
    assert cast["length=concise"][0] == pytest.approx(20, abs=2)
    votes.begin(SEASON_MS)
    for number in range(40):
        vote(votes, number, "length=concise")
    assert votes.take()[0]["length=concise"][0] == 40


@settings(max_examples=20)
@given(st.integers(0, 60))
def test_restart_changes_no_vote(cut: int) -> None:
    """Contributors and the season are stored."""
    whole, first = ShardVotes(b"key", 16), ShardVotes(b"key", 16)
    for number in range(60):
        vote(whole, number % 45, *NAMES)
    for number in range(cut):
        vote(first, number % 45, *NAMES)
    first.take()
    second = ShardVotes(b"key", 16)
    second.restore(first.season, first.contributors())
    for number in range(cut, 60):
        vote(second, number % 45, *NAMES)
    assert second.contributors() == whole.contributors()


def test_rarest_features_are_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Published features stay longest; the population model drops what is taken back."""
    monkeypatch.setattr(module, "LEAST_FEATURES", 40)
    monkeypatch.setattr(module, "MAX_FEATURES", 40)
    votes = ShardVotes()
    votes.use(prior("length=concise"))
    vote(votes, 0, "length=concise")
    for number in range(5):
        vote(votes, number, "item:00000001")
    votes.take()
    for item in range(2, 200):
        vote(votes, 0, f"item:{item:08x}")
        assert len(votes.features) <= 40
    _, removed, _ = votes.take()
    assert removed == {}
    assert {"length=concise", "item:00000001"} <= set(votes.features)
    for item in range(200, 400):
        vote(votes, 0, f"item:{item:08x}")
        if item == 210:
            votes.take()
    assert "item:000000d2" in votes.take()[1]


def test_contributors_of_all_shards_take_no_more_than_those_of_one() -> None:
    """A bitmap of 16 shards has a sixteenth of the positions."""
    votes = ShardVotes(b"", 16)
    for number in range(5_000):
        vote(votes, number, "length=concise")
    assert len(votes.contributors()["length=concise"]) == 32
