"""The votes of one shard's users on features, until a delta takes them to the population model.

A user has one vote per feature and season. A vote is the residual of the prediction with the published beliefs, so
shards need nothing of each other. The shard alone knows the contributors of its features; deltas have sums and counts.
"""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b

from state.learning.contributors import Contributors, bitmap_bytes
from state.learning.features import prior_variance, vote_share
from state.learning.population_prior import Prior
from state.learning.probit import normal_cdf
from state.learning.release import Block

MAX_FEATURES = 131_072
"""Limit of features over all shards, of which each has an equal part; above it the rarest are evicted."""
LEAST_FEATURES = 1_024
SEASON_MS = 182 * 24 * 3_600_000
"""Time after which a user may vote again on a feature."""

_LOW = 0xFFFFFFFF

FeatureVotes = tuple[int, int, float, float, float, float, float]
"""New contributors, then the sums of a block: users, residuals, shares, squares, top and others."""


class VotedFeature:
    """The published belief about a feature, and its contributors in the shard."""

    def __init__(self, name: str, salt: int, size: int, packed: bytes = b"") -> None:
        self.name = name
        self.salt = salt
        """Odd; it maps users to positions in `contributors`."""
        self.mean, self.variance = 0.0, prior_variance(name)
        self.vote_share = vote_share(name) / self.variance
        """Share of a feedback per unit of variance: a feature of which little is known gets more of it."""
        self.is_public = False
        self.generation = -1
        """Prior that the belief is of."""
        self.contributors = Contributors(packed, size)
        """Contributors of the season."""
        self.new = 0
        """Those since the last delta."""
        self.block: Block | None = None
        """Votes since the last delta."""

    def position(self, user: int) -> int:
        """Return the position of a user, given as a 64-bit hash: bits 64 to 79 of user × salt."""
        return _bits_64_to_79(user, self.salt)


def _bits_64_to_79(one: int, other: int) -> int:
    """Return these bits of the product of two 64-bit numbers, within 64 bits."""
    one_high, one_low, other_high, other_low = one >> 32, one & _LOW, other >> 32, other & _LOW
    first = one_high * other_low + (one_low * other_low >> 32)
    second = one_low * other_high + (first & _LOW)
    return (one_high * other_high + (first >> 32) + (second >> 32)) & 0xFFFF


class ShardVotes:
    """Votes by feature; `key` is that of the population model."""

    def __init__(self, key: bytes = b"", shards: int = 1) -> None:
        """Begin without votes."""
        self.key = key
        self._size = bitmap_bytes(shards)
        self._most = max(LEAST_FEATURES, MAX_FEATURES // shards)
        self.features: dict[str, VotedFeature] = {}
        self.season = 0
        self.generation = 0
        """Count of priors so far."""
        self.removals = 0
        """Times that features were removed: holders of features look them up again."""
        self._prior: Prior | None = None
        self._touched: dict[str, VotedFeature] = {}
        """Features with votes since the last delta."""
        self._removed: dict[str, int] = {}
        """Feature → contributors that the shard discarded, since the last delta."""
        self._forgets: list[str] = []
        """Published features of forgotten users, since the last delta."""
        self._earlier: Mapping[str, Contributors] = {}
        self._earlier_season = 0

    def use(self, prior: Prior) -> None:
        """Let votes be residuals of a prior's predictions; a later season of other shards begins here, too."""
        if prior is not self._prior:
            self._prior = prior
            self.generation += 1
            self.begin(prior.at_ms)

    def refuse(self, earlier: Mapping[str, Contributors], season: int) -> None:
        """Refuse votes of users that a state of an earlier version has as contributors of this season."""
        self._earlier, self._earlier_season = earlier, season

    def begin(self, at_ms: int) -> None:
        """Begin the season of an event time, unless a later one has begun: all users may vote again."""
        season = at_ms // SEASON_MS
        if season > self.season:
            self.season = season
            self.features.clear()
            self.removals += 1
            self._touched.clear()
            self._removed.clear()
            self._forgets.clear()

    def belief(self, name: str) -> tuple[float, float]:
        """Return mean and variance of a feature, which may be none of the shard's."""
        found = None if self._prior is None else self._prior.published(name)
        return (0.0, prior_variance(name)) if found is None else found

    def add(self, name: str) -> VotedFeature:
        """Return a feature, with the published belief."""
        feature = self.features.get(name)
        if feature is None:
            feature = self.features[name] = VotedFeature(name, _salt(name, self.key), self._size)
        if feature.generation != self.generation:
            self.refresh(feature)
        return feature

    def refresh(self, feature: VotedFeature) -> None:
        """Give a feature its belief of the prior in use."""
        feature.generation = self.generation
        feature.mean, feature.variance = self.belief(feature.name)
        feature.is_public = self._prior is not None and self._prior.published(feature.name) is not None

    def may_vote(self, user: int, name: str) -> bool:
        """Return whether a user has not voted on a feature in this season."""
        feature = self.features.get(name)
        return feature is None or feature.position(user) not in feature.contributors

    def vote(
        self,
        user: int,
        features: list[VotedFeature],
        against: list[VotedFeature],
        liked: bool,
        mean: float,
        variance: float,
        share: float,
    ) -> None:
        """Take the votes of a user, given as a 64-bit hash, on the features on which the user has not voted.

        `mean` and `variance` are of all other parts of the prediction, noise included. The features of `against` count
        with the opposite sign: then the feedback compares `features` with `against`. `share` is the part of the
        feedback for these votes, 0–1: the squares of all votes of a feedback have a sum of 1 at most.
        """
        fresh, fresh_against = self._fresh(user, features), self._fresh(user, against)
        if not fresh and not fresh_against:
            return
        more = total = 0.0
        for feature in features:
            mean += feature.mean
            more += feature.variance
        for feature in against:
            mean -= feature.mean
            more += feature.variance
        for feature in fresh:
            total += feature.vote_share * feature.variance
        for feature in fresh_against:
            total += feature.vote_share * feature.variance
        residual = (1.0 if liked else 0.0) - normal_cdf(mean / math.sqrt(variance + more))
        for feature in fresh:
            self._add(feature, residual, share, total, more)
        for feature in fresh_against:
            self._add(feature, -residual, share, total, more)
        if len(self.features) > self._most:
            self._evict()

    def _fresh(self, user: int, features: list[VotedFeature]) -> list[VotedFeature]:
        """Return the features without a vote of a user, and note the user."""
        fresh = []
        for feature in features:
            position = _bits_64_to_79(user, feature.salt)
            if self._earlier and self._voted_earlier(feature.name, position):
                continue
            if feature.contributors.add(position):
                feature.new += 1
                self._touched[feature.name] = feature
                fresh.append(feature)
        return fresh

    def _voted_earlier(self, name: str, position: int) -> bool:
        if self.season > self._earlier_season:
            self._earlier = {}
        earlier = self._earlier.get(name)
        return earlier is not None and position in earlier

    def _add(self, feature: VotedFeature, residual: float, share: float, total: float, variance: float) -> None:
        """Add a vote on a feature; `total` is the sum of the weights of all fresh features, `variance` that of all."""
        weight = feature.vote_share * feature.variance
        if not weight:
            return
        block = feature.block
        if block is None:
            block = feature.block = Block(0)
        block.add(residual, math.sqrt(share * weight / total), variance - feature.variance)

    def forget(self, user: int) -> None:
        """Forget a user: features that are not published lose all contributors of the shard, with their votes.

        The population model then drops the shard's part of these features. The share in larger sums stays: no user can
        be identified there. The user may vote again.
        """
        for feature in list(self.features.values()):
            position = feature.position(user)
            if position not in feature.contributors:
                continue
            if feature.generation != self.generation:
                self.refresh(feature)
            if feature.is_public:
                feature.contributors.discard(position)
                self._forgets.append(feature.name)
            else:
                self._remove(feature)

    def _remove(self, feature: VotedFeature) -> None:
        del self.features[feature.name]
        self._touched.pop(feature.name, None)
        self.removals += 1
        if reported := len(feature.contributors) - feature.new:
            self._removed[feature.name] = self._removed.get(feature.name, 0) + reported

    def _evict(self) -> None:
        """Evict features, unpublished ones first, then those of the fewest contributors."""

        def rank(feature: VotedFeature) -> tuple[bool, int, str]:
            return feature.is_public, len(feature.contributors), feature.name

        for feature in sorted(self.features.values(), key=rank)[: len(self.features) - self._most * 3 // 4]:
            self._remove(feature)

    def take(self) -> tuple[dict[str, FeatureVotes], dict[str, int], list[str]]:
        """Return votes by feature, discarded contributors by feature, and features of forgets; and begin again."""
        votes: dict[str, FeatureVotes] = {}
        for name, feature in self._touched.items():
            block = feature.block
            if block is None:
                votes[name] = feature.new, 0, 0.0, 0.0, 0.0, 0.0, 0.0
            else:
                votes[name] = (
                    feature.new, block.users, block.residuals, block.shares, block.squares, block.top, block.others
                )  # fmt: skip
            feature.new, feature.block = 0, None
        found = votes, self._removed, self._forgets
        self._touched, self._removed, self._forgets = {}, {}, []
        return found

    def contributors(self) -> dict[str, bytes]:
        """Return feature → packed contributors, to be stored between deltas."""
        return {name: one.contributors.pack() for name, one in sorted(self.features.items()) if len(one.contributors)}

    def restore(self, season: int, contributors: Mapping[str, bytes], dropped: Iterable[str] = ()) -> None:
        """Continue with stored contributors, without those of dropped features."""
        self.season = season
        gone = frozenset(dropped)
        for name, packed in contributors.items():
            if name not in gone:
                self.features[name] = VotedFeature(name, _salt(name, self.key), self._size, packed)


@lru_cache(maxsize=MAX_FEATURES)
def _salt(name: str, key: bytes) -> int:
    return int.from_bytes(blake2b(name.encode(), key=key, digest_size=8, person=b"tacit.votes").digest(), "little") | 1
