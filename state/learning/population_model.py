"""The population model: beliefs about features, learned from the first vote of each user with the noise of a crowd.

The beliefs are Gaussian, with a probit link as in adPredictor (Graepel, Candela, Borchert, Herbrich, ICML 2010).
adPredictor itself moves a belief with each feedback, which would show the feedback in the next version and would let
one user outweigh all others. Here, a user has one vote per feature and season, and votes move a belief together
(state.learning.release).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from math import fsum

from state.learning.contributors import Contributors
from state.learning.features import ITEM, POPULARITY_STEPS, popularity_step, prior_variance, vote_share
from state.learning.population_version import Gaussian
from state.learning.probit import normal_cdf
from state.learning.release import FIRST_USERS, MIN_USERS, Block, users_for_release

CONTRIBUTORS = MIN_USERS
"""A feature is published once so many different users have contributed; until then it stays at its prior."""
MAX_FEATURES = 65_536
"""Limit of features; above it the least known are evicted."""
SEASON_MS = 182 * 24 * 3_600_000
"""Time after which a user may vote again on a feature."""
SEASON_KEPT = 0.9
"""Share of a mean that survives a season; the variance returns toward the prior alike."""
MAX_MEAN = 3.0

_MAX_MEAN = MAX_MEAN
_FIRST_USERS = FIRST_USERS
_LOW = 0xFFFFFFFF
_KEPT_FEATURES = MAX_FEATURES * 3 // 4


class Feature:
    """The belief about a feature, its contributors, and the votes since the last release."""

    def __init__(self, name: str, salt: int, season: int, needed: int = CONTRIBUTORS) -> None:
        self.name = name
        self.needed = needed
        """Contributors for the publication."""
        self.salt = salt
        """Odd; it maps users to positions in `contributors`."""
        self.mean, self.variance = 0.0, prior_variance(name)
        self.vote_share = vote_share(name) / self.variance
        """Share of a feedback per unit of variance: a feature of which little is known gets more of it."""
        self.is_public = False
        self.released = 0
        """Users in released blocks of the season."""
        self.season = season
        self.contributors = Contributors()
        """Contributors of the season."""
        self.earlier_users = 0
        """Most contributors of an earlier season."""
        self.block: Block | None = None

    def begin(self, season: int) -> None:
        """Begin a season: all users may vote again; votes that are not released are lost."""
        if self.is_public:
            kept = SEASON_KEPT ** min(season - self.season, 100)
            self.mean *= kept
            self.variance = kept**2 * self.variance + (1 - kept**2) * prior_variance(self.name)
        self.earlier_users = self.users
        self.season, self.released, self.contributors, self.block = season, 0, Contributors(), None

    @property
    def users(self) -> int:
        """Most contributors of any season."""
        return max(self.earlier_users, len(self.contributors))

    def position(self, user: int) -> int:
        """Return the position of a user, given as a 64-bit hash: bits 64 to 79 of user × salt."""
        return _bits_64_to_79(user, self.salt)


def _bits_64_to_79(one: int, other: int) -> int:
    """Return these bits of the product of two 64-bit numbers, within 64 bits."""
    one_high, one_low, other_high, other_low = one >> 32, one & _LOW, other >> 32, other & _LOW
    first = one_high * other_low + (one_low * other_low >> 32)
    second = one_low * other_high + (first & _LOW)
    return (one_high * other_high + (first >> 32) + (second >> 32)) & 0xFFFF


class PopulationModel:
    """Beliefs by feature; a `key` that readers of versions do not have makes the noise.

    >>> population = PopulationModel()
    >>> for n in range(2_000):
    ...     user = n * 0x9E3779B97F4A7C15 % 2**64
    ...     population.learn(user, ["length=concise"], n % 4 > 0)
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
        self.removals = 0
        """Times that features were removed: holders of features look them up again."""

    def belief(self, name: str) -> Gaussian:
        """Return the belief about a feature."""
        feature = self.features.get(name)
        return Gaussian(feature.mean, feature.variance) if feature else Gaussian(0.0, prior_variance(name))

    def expect(self, names: Iterable[str]) -> tuple[float, float]:
        """Return mean and variance of the sum of features, without noise."""
        beliefs = [self.belief(name) for name in names]
        return fsum([belief.mean for belief in beliefs]), fsum([belief.variance for belief in beliefs])

    def begin(self, at_ms: int) -> None:
        """Begin the season of an event time, unless a later one has begun."""
        self.season = max(self.season, at_ms // SEASON_MS)

    def may_vote(self, user: int, name: str) -> bool:
        """Return whether a user has not voted on a feature in this season."""
        feature = self.features.get(name)
        return feature is None or feature.season != self.season or feature.position(user) not in feature.contributors

    def learn(
        self,
        user: int,
        names: Iterable[str],
        liked: bool,
        rest: tuple[float, float] = (0.0, 1.0),
        against: Iterable[str] = (),
        share: float = 1.0,
    ) -> None:
        """Take the votes of a user on features by name (`vote`)."""
        mean, variance = rest
        features, others = [self.add(name) for name in names], [self.add(name) for name in against]
        self.vote(user, features, others, liked, mean, variance, share)

    def vote(
        self,
        user: int,
        features: list[Feature],
        against: list[Feature],
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
        if len(self.features) > MAX_FEATURES:
            self._evict()

    def _fresh(self, user: int, features: list[Feature]) -> list[Feature]:
        """Return the features without a vote of a user, and note the user."""
        fresh = []
        for feature in features:
            if feature.season != self.season:
                feature.begin(self.season)
            if feature.contributors.add(_bits_64_to_79(user, feature.salt)):
                fresh.append(feature)
        return fresh

    def _add(self, feature: Feature, residual: float, share: float, total: float, variance: float) -> None:
        """Add a vote on a feature; `total` is the sum of the weights of all fresh features, `variance` that of all."""
        if not feature.is_public:
            feature.is_public = len(feature.contributors) >= feature.needed
        weight = feature.vote_share * feature.variance
        if not weight:
            return
        block = feature.block
        if block is None:
            self.blocks += 1
            block = feature.block = Block(self.blocks)
        block.add(residual, math.sqrt(share * weight / total), variance - feature.variance)
        if block.users >= _FIRST_USERS and block.is_due(users_for_release(feature.released)):
            mean, feature.variance = block.release(feature.mean, feature.variance, self.key, feature.name)
            feature.mean = min(_MAX_MEAN, max(-_MAX_MEAN, mean))
            feature.released += block.users
            feature.block = None

    def add(self, name: str) -> Feature:
        """Return a feature, which starts at its prior if the model does not have it."""
        feature = self.features.get(name)
        if feature is None:
            needed = self.item_contributors if name.startswith(ITEM) else CONTRIBUTORS
            feature = self.features[name] = Feature(name, _salt(name, self.key), self.season, needed)
        return feature

    def forget(self, user: int) -> None:
        """Forget a user: features with fewer than 20 contributors go, and so do blocks with fewer than 20 users.

        The share in larger sums stays: no user can be identified there. The user may vote again.
        """
        for feature in [
            feature for feature in self.features.values() if feature.position(user) in feature.contributors
        ]:
            if not feature.is_public:
                self._remove(feature.name)
                continue
            feature.contributors.discard(feature.position(user))
            if feature.block is None:
                continue
            if feature.block.users < MIN_USERS:
                feature.block = None
            else:
                feature.block.forgets += 1

    def drop(self, is_dropped: Callable[[str], bool]) -> None:
        """Drop features by name."""
        for name in [name for name in self.features if is_dropped(name)]:
            self._remove(name)

    def _remove(self, name: str) -> None:
        del self.features[name]
        self.removals += 1

    def _evict(self) -> None:
        """Evict the least known features: unpublished ones first, then those with the least reduced variance."""

        def unknown(feature: Feature) -> tuple[bool, float, int, str]:
            known = feature.variance / prior_variance(feature.name)
            return not feature.is_public, known, -len(feature.contributors), feature.name

        for feature in sorted(self.features.values(), key=unknown)[_KEPT_FEATURES:]:
            self._remove(feature.name)

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


@lru_cache(maxsize=MAX_FEATURES)
def _salt(name: str, key: bytes) -> int:
    return int.from_bytes(blake2b(name.encode(), key=key, digest_size=8, person=b"tacit.votes").digest(), "little") | 1
