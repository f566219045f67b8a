"""The population model: beliefs about features, learned from the first vote of each user with the noise of a crowd.

The beliefs are Gaussian, with a probit link as in adPredictor (Graepel, Candela, Borchert, Herbrich, ICML 2010).
adPredictor itself moves a belief with each feedback, which would show the feedback in the next version and would let
one user outweigh all others. Here, a user has one vote per feature and season, and votes move a belief together
(state.learning.release). Shards take the votes (state.learning.shard_votes); their sums add up here.
"""

from collections.abc import Callable, Mapping

from state.learning.delta import Delta
from state.learning.features import ITEM, POPULARITY_STEPS, popularity_step, prior_variance
from state.learning.population_version import Gaussian
from state.learning.release import FIRST_USERS, MIN_USERS, Block, users_for_release
from state.learning.shard_votes import FeatureVotes
from state.learning.vote_sources import has_shard

CONTRIBUTORS = MIN_USERS
"""A feature is published once so many different users have contributed; until then it stays at its prior."""
MAX_FEATURES = 65_536
"""Limit of features; above it the least known are evicted."""
SEASON_KEPT = 0.9
"""Share of a mean that survives a season; the variance returns toward the prior alike."""
MAX_MEAN = 3.0

_KEPT_FEATURES = MAX_FEATURES * 3 // 4


class Partial:
    """The votes of one source on a feature that is not published: its shards can take all of them back."""

    def __init__(self, contributors: int, block: Block) -> None:
        self.contributors = contributors
        self.block = block


class Feature:
    """The belief about a feature, and the votes since the last release."""

    def __init__(self, name: str, season: int, needed: int = CONTRIBUTORS) -> None:
        self.name = name
        self.needed = needed
        """Contributors for the publication."""
        self.mean, self.variance = 0.0, prior_variance(name)
        self.is_public = False
        self.released = 0
        """Users in released blocks of the season."""
        self.season = season
        self.contributors = 0
        """Contributors of the season, over all shards."""
        self.earlier_users = 0
        """Most contributors of an earlier season."""
        self.partials: dict[int, Partial] = {}
        """Votes by source (state.learning.vote_sources), until the feature is published."""
        self.block: Block | None = None
        """Votes of all shards, from then on."""

    def begin(self, season: int) -> None:
        """Begin a season: all users may vote again; votes that are not released are lost."""
        if self.is_public:
            kept = SEASON_KEPT ** min(season - self.season, 100)
            self.mean *= kept
            self.variance = kept**2 * self.variance + (1 - kept**2) * prior_variance(self.name)
        self.earlier_users = self.users
        self.season, self.released, self.contributors, self.block = season, 0, 0, None
        self.partials.clear()

    @property
    def users(self) -> int:
        """Most contributors of any season."""
        return max(self.earlier_users, self.contributors)

    def forget(self, users: int) -> None:
        """Forget users of a published feature: a block with fewer than 20 users goes.

        The share in larger sums stays: no user can be identified there. The users may vote again.
        """
        self.contributors = max(0, self.contributors - users)
        if self.block is None:
            return
        if self.block.users < MIN_USERS:
            self.block = None
        else:
            self.block.forgets += users


class PopulationModel:
    """Beliefs by feature; a `key` that readers of versions do not have makes the noise.

    >>> population = PopulationModel()
    >>> for shard in range(2):
    ...     population.merge(Delta(shard, 0, votes={"length=concise": (40, 40, 20.0, 40.0, 40.0, 1.0, 0.0)}))
    >>> population.belief("length=concise").mean > 0.5
    True
    """

    def __init__(self, key: bytes = b"", item_contributors: int = CONTRIBUTORS) -> None:
        """Start without beliefs; an item is published from `item_contributors` on."""
        self.key = key
        self.item_contributors = item_contributors
        self.features: dict[str, Feature] = {}
        self.season = 0
        self.blocks = 0
        """Blocks begun so far."""

    def belief(self, name: str) -> Gaussian:
        """Return the belief about a feature."""
        feature = self.features.get(name)
        return Gaussian(feature.mean, feature.variance) if feature else Gaussian(0.0, prior_variance(name))

    def merge(self, delta: Delta) -> None:
        """Add the votes of a shard; those of an earlier season are ignored."""
        for name, users in delta.removed.items():
            self._take_back(delta.shard, name, users)
        if delta.season >= self.season:
            self.season = delta.season
            for name, votes in delta.votes.items():
                self._add(delta.shard, self.add(name), votes)
        for name in delta.forgets:
            self._take_back(delta.shard, name, 1)
        if len(self.features) > MAX_FEATURES:
            self._evict()

    def _add(self, shard: int, feature: Feature, votes: FeatureVotes) -> None:
        """Add a shard's votes on a feature; release the block if it is due."""
        if feature.season != self.season:
            feature.begin(self.season)
        new, users, residuals, shares, squares, top, others = votes
        feature.contributors += new
        if not feature.is_public:
            partial = feature.partials.get(shard)
            if partial is None:
                partial = feature.partials[shard] = Partial(0, Block(0))
            partial.contributors += new
            partial.block.merge(users, residuals, shares, squares, top, others)
            if feature.contributors >= feature.needed:
                self._publish(feature)
        elif users:
            self._block_of(feature).merge(users, residuals, shares, squares, top, others)
        self._release_if_due(feature)

    def _publish(self, feature: Feature) -> None:
        """Join the votes of all shards, in their order: from now on no shard can take its votes back."""
        feature.is_public = True
        for _, partial in sorted(feature.partials.items()):
            one = partial.block
            if one.users:
                self._block_of(feature).merge(one.users, one.residuals, one.shares, one.squares, one.top, one.others)
        feature.partials.clear()

    def _block_of(self, feature: Feature) -> Block:
        if feature.block is None:
            self.blocks += 1
            feature.block = Block(self.blocks)
        return feature.block

    def _release_if_due(self, feature: Feature) -> None:
        block = feature.block
        if block is None or block.users < FIRST_USERS or not block.is_due(users_for_release(feature.released)):
            return
        mean, feature.variance = block.release(feature.mean, feature.variance, self.key, feature.name)
        feature.mean = min(MAX_MEAN, max(-MAX_MEAN, mean))
        feature.released += block.users
        feature.block = None

    def _take_back(self, shard: int, name: str, users: int) -> None:
        """Drop the votes of a shard on a feature that is not published; of a published one, forget users."""
        feature = self.features.get(name)
        if feature is None:
            return
        if feature.is_public:
            feature.forget(users)
            return
        sources = [source for source in feature.partials if has_shard(source, shard)]
        for source in sources:
            feature.contributors -= feature.partials.pop(source).contributors
        if sources and not feature.partials:
            del self.features[name]

    def add(self, name: str) -> Feature:
        """Return a feature, which starts at its prior if the model does not have it."""
        feature = self.features.get(name)
        if feature is None:
            needed = self.item_contributors if name.startswith(ITEM) else CONTRIBUTORS
            feature = self.features[name] = Feature(name, self.season, needed)
        return feature

    def drop(self, is_dropped: Callable[[str], bool]) -> None:
        """Drop features by name."""
        for name in [name for name in self.features if is_dropped(name)]:
            del self.features[name]

    def _evict(self) -> None:
        """Evict the least known features: unpublished ones first, then those with the least reduced variance."""

        def unknown(feature: Feature) -> tuple[bool, float, int, str]:
            known = feature.variance / prior_variance(feature.name)
            return not feature.is_public, known, -feature.contributors, feature.name

        for feature in sorted(self.features.values(), key=unknown)[_KEPT_FEATURES:]:
            del self.features[feature.name]

    def published(self) -> dict[str, Gaussian]:
        """Return the beliefs with enough contributors, in coarse digits."""
        return {
            name: coarse(feature.mean, feature.variance)
            for name, feature in sorted(self.features.items())
            if feature.is_public
        }

    def popularity(self) -> dict[str, int]:
        """Return the steps of popularity of published items."""
        return {
            name: popularity_step(feature.users)
            for name, feature in sorted(self.features.items())
            if feature.is_public and name.startswith(ITEM)
        }

    def restore_popularity(self, steps: Mapping[str, int]) -> None:
        """Start from published steps of popularity."""
        for name, step in steps.items():
            if step > 1 and name in self.features:
                self.features[name].earlier_users = POPULARITY_STEPS[min(step, len(POPULARITY_STEPS) + 1) - 2]

    def restore(self, beliefs: Mapping[str, Gaussian]) -> None:
        """Start from published beliefs."""
        for name, (mean, variance) in beliefs.items():
            feature = self.add(name)
            feature.mean, feature.variance, feature.is_public = mean, variance, True


def coarse(mean: float, variance: float) -> Gaussian:
    """Return a belief with two digits of each number: more digits show no more than noise.

    >>> coarse(0.123456, 0.0123456)
    Gaussian(mean=0.12, variance=0.012)
    """
    return Gaussian(round(mean, 2) + 0.0, float(f"{variance:.2g}"))
