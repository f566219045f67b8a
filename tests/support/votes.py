"""Votes of one shard and the population model that adds them up, for tests: each vote is merged at once."""

from collections.abc import Iterable

from state.learning.delta import Delta
from state.learning.population_model import CONTRIBUTORS, Feature, PopulationModel
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion
from state.learning.shard_votes import ShardVotes
from tests.support.factories import CATALOGUE


class Voting:
    """A deployment with one shard, which publishes after each vote."""

    def __init__(self, key: bytes = b"", item_contributors: int = CONTRIBUTORS, *, shards: int = 1) -> None:
        self.model = PopulationModel(key, item_contributors)
        self.shards = [ShardVotes(key, shards) for _ in range(shards)]
        self._beliefs: list[tuple[str, float, float]] = []

    @property
    def features(self) -> dict[str, Feature]:
        """Features of the model."""
        return self.model.features

    def learn(
        self,
        user: int,
        names: Iterable[str],
        liked: bool,
        rest: tuple[float, float] = (0.0, 1.0),
        against: Iterable[str] = (),
        share: float = 1.0,
    ) -> None:
        """Take the votes of a user on features by name, and merge them."""
        self.cast(user, names, liked, rest, against, share)
        self.merge(user)

    def cast(
        self,
        user: int,
        names: Iterable[str],
        liked: bool,
        rest: tuple[float, float] = (0.0, 1.0),
        against: Iterable[str] = (),
        share: float = 1.0,
    ) -> None:
        """Take the votes of a user on features by name."""
        shard = self._shard_of(user)
        features, others = [shard.add(name) for name in names], [shard.add(name) for name in against]
        mean, variance = rest
        shard.vote(user, features, others, liked, mean, variance, share)

    def _shard_of(self, user: int) -> ShardVotes:
        beliefs = [(one.name, one.mean, one.variance) for one in self.features.values() if one.is_public]
        if beliefs != self._beliefs:  # a test changes beliefs, too
            self._beliefs = beliefs
            prior = Prior(CATALOGUE, PopulationVersion(1, 1, 0, 0, self.model.published(), {}, ()))
            for shard in self.shards:
                shard.use(prior)
        return self.shards[user % len(self.shards)]

    def forget(self, user: int) -> None:
        """Forget a user."""
        self._shard_of(user).forget(user)
        self.merge(user)

    def begin(self, at_ms: int) -> None:
        """Begin the season of an event time in all shards."""
        for shard in self.shards:
            shard.begin(at_ms)

    def merge(self, user: int) -> None:
        """Merge the votes of the user's shard."""
        number = user % len(self.shards)
        votes, removed, forgets = self.shards[number].take()
        season = self.shards[number].season
        self.model.merge(Delta(number, season, removed=removed, votes=votes, forgets=forgets))

    def published(self) -> dict[str, Gaussian]:
        """Return the published beliefs."""
        return self.model.published()

    def belief(self, name: str) -> Gaussian:
        """Return the belief about a feature."""
        return self.model.belief(name)
