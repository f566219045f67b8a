"""Training with the feedback of one shard's users: limits, scores, proof, stacking and votes, as sums.

Only the shard needs a user's pseudonym. Everything that leaves it is a delta (state.learning.delta).
"""

import math
from collections.abc import Mapping

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.learning.confidence_votes import confidence_vote
from state.learning.contributors import Contributors
from state.learning.delta import Delta, facets_of
from state.learning.exact_population import ExactStacking, ExactVotes
from state.learning.example import Example
from state.learning.feature_numbers import FeatureNumbers
from state.learning.features import Features
from state.learning.feedback_limit import FeedbackLimit, last_bits
from state.learning.feedback_limit import Packed as PackedLimit
from state.learning.known_features import KnownFeatures
from state.learning.population_prior import Prior
from state.learning.prediction import NOISE_VARIANCE
from state.learning.probit import normal_cdf
from state.learning.proof_sums import ProofSums
from state.learning.scoring_sums import ScoringSums
from state.learning.shard_votes import ShardVotes
from state.learning.stacking import MAX_EXAMPLES, OFFSET, OWN_BIAS, POPULATION
from state.learning.stacking_sums import StackingSums

DEFAULT_SHARE = 0.5
"""Part of a user's first feedback that votes on defaults."""

CONFIDENCE_SHARE = 0.5
"""Part of a feedback that votes on a confidence; a user has three such votes per season."""

_MAX_EXAMPLES = MAX_EXAMPLES
_NOISE_VARIANCE = NOISE_VARIANCE
_ODD, _MASK = 0x9E3779B97F4A7C15, 0xFFFFFFFFFFFFFFFF
_COMMON_PARTS = 3


class StoredShard(msgspec.Struct, array_like=True):
    """Knowledge of a shard about its users, besides the sums of a delta."""

    season: int
    contributors: dict[str, bytes]
    limit: PackedLimit
    forgotten: list[int]
    every: int
    """As `StackingSums.state`."""
    facets: dict[str, tuple[float, int]]
    """Facet → average contribution, and the pieces of feedback behind it."""
    factors: list[float]
    """Released factors that the shard saw last (`_released_factors`)."""


class ShardTraining:
    """The training of one shard.

    A shard that does not teach counts for the proof that signals help, and for nothing else.
    """

    def __init__(
        self,
        catalogue: NumberedCatalogue,
        key: bytes = b"",
        *,
        shards: int = 1,
        shard: int = 0,
        teaches: bool = True,
        exact: bool = False,
        numbers: FeatureNumbers | None = None,
    ) -> None:
        """Begin without feedback.

        Args:
            catalogue: numbers of names.
            key: key of the population model.
            shards: count of shards, which share the limits of memory.
            shard: number of the shard.
            teaches: the population model learns from the feedback.
            exact: each feedback moves the beliefs at once, for evaluations (state.learning.exact_population).
            numbers: numbers of features, which all shards of a process share.
        """
        self._catalogue = catalogue
        self._key = key
        self._shards = shards
        self.shard = shard
        self._teaches = teaches
        self._exact = exact
        self._facets = facets_of(catalogue.facet_names)
        self._features = Features(catalogue)
        self._replaceable = frozenset(
            slot
            for slots, named in zip(catalogue.facet_slots, catalogue.default_slots, strict=True)
            if named is not None
            for slot in slots
        )
        """Values of the facets with a default in the catalogue."""
        self.votes = (ExactVotes if exact else ShardVotes)(key, shards)
        self._known = KnownFeatures(self.votes, numbers or FeatureNumbers(catalogue, self._features))
        parts = len(catalogue.facet_names) + _COMMON_PARTS
        self.stacking = ExactStacking(catalogue.facet_names) if exact else StackingSums(parts)
        self._limit = FeedbackLimit(shards=shards)
        self._scoring = ScoringSums()
        self._proof = ProofSums(catalogue)
        self._prior = Prior(catalogue)
        self._factors: list[float] = []
        self.examples = 0
        """Examples since the last delta."""
        self._forgets = 0
        """Forgets since the last delta."""
        self._at_ms = 0

    @property
    def is_waiting(self) -> bool:
        """True with anything for a delta."""
        return self.examples > 0 or self._forgets > 0

    def use(self, prior: Prior) -> None:
        """Predict and vote with a prior from now on."""
        if prior is self._prior:
            return
        self._prior = prior
        self.votes.use(prior)
        factors = _released_factors(prior)
        if factors:
            if self._factors and factors != self._factors:
                self.stacking.begin_block()
            self._factors = factors

    def refuse(self, earlier: Mapping[str, Contributors], season: int) -> None:
        """Refuse votes of users that a state of an earlier version has as contributors of this season."""
        self.votes.refuse(earlier, season)

    def learn(self, e: Example) -> bool:
        """Score an example, then learn from it; return False for an example above the limits of its user."""
        if not self._limit.takes(e.user, e.at_ms):
            return False
        prior = self._prior
        self._proof.add(e, prior.default_slots)
        self.examples += 1
        self._at_ms = max(self._at_ms, e.at_ms)
        if not self._teaches:
            return True
        user = hash_of(e.user)
        mean, variance = prior.answer(e.slots, e.topic, e.surface, e.item, e.feedback_count)
        scale, own_mean = math.sqrt(variance + e.variance), self._own_mean(e.bias, e.shares)
        z = (prior.table.offset + prior.table.population * mean + own_mean) / scale
        self._scoring.add(e.liked, e.p, z, scale, prior.by_facet(e.slots, e.topic, e.surface, e.shares))
        if e.feedback_count < _MAX_EXAMPLES or self._exact:
            bias_residual = None if e.directed or e.only else e.liked - normal_cdf((mean + own_mean) / scale)
            self.stacking.add(user, mean, e.bias, e.shares, e.liked - normal_cdf(z), bias_residual)
        self.votes.begin(e.at_ms)
        if e.directed:
            self._learn_directed(e, user)
        else:
            share = self._learn_defaults(e, user)
            share = self._learn_confidence(e, user, z * scale, scale * scale, share)
            self._learn_answer(e, user, own_mean, share)
        return True

    def _learn_directed(self, e: Example, user: int) -> None:
        """Learn that other values were preferred to the served ones."""
        numbers, own_factors = self._known.numbers, self._prior.table.own_factors
        for comparison in e.directed:
            numbers.begin()
            numbers.add_value(comparison.preferred, e.topic, e.surface)
            preferred = self._known.take()
            numbers.begin()
            numbers.add_value(comparison.served, e.topic, e.surface)
            served = self._known.take()
            factor = own_factors[self._catalogue.slot_facets[comparison.served]]
            mean, variance = factor * comparison.mean, _NOISE_VARIANCE + comparison.variance
            self.votes.vote(user, preferred, served, True, mean, variance, 1.0)

    def _learn_defaults(self, e: Example, user: int) -> float:
        """Learn about defaults from a user's first answer, and return the share of the feedback that remains.

        Of a user without feedback nothing is known, so the served value depends on no preference of the user. Later
        answers have the values that their users like: of these, no default can be learned.
        """
        if e.feedback_count or e.only:
            return 1.0
        slots = [slot for slot in e.slots if slot in self._replaceable]
        if not slots:
            return 1.0
        mean, variance = self._prior.by_feedback_count[0]
        for slot in slots:
            self._known.numbers.begin()
            self._known.numbers.add_default(slot)
            features = self._known.take()
            self.votes.vote(user, features, [], e.liked, mean, variance, DEFAULT_SHARE / len(slots))
        return 1.0 - DEFAULT_SHARE

    def _learn_confidence(self, e: Example, user: int, mean: float, variance: float, share: float) -> float:
        """Learn whether the values of a confidence are liked as predicted, and return the share that remains.

        `mean` and `variance` are those of the prediction that decisions rest on, with the stacking factors.
        """
        if e.logged is None:
            return share
        vote = confidence_vote(e, user, self._catalogue)
        if vote is None or not (self._exact or self.votes.may_vote(user, vote.feature)):
            return share
        value = [self.votes.add(vote.feature)]
        preferred, runner_up = (value, []) if vote.is_preferred else ([], value)
        self.votes.vote(user, preferred, runner_up, e.liked, mean, variance, CONFIDENCE_SHARE * share)
        return (1.0 - CONFIDENCE_SHARE) * share

    def _learn_answer(self, e: Example, user: int, own_mean: float, share: float) -> None:
        """Learn from a like or dislike; `share` is the part of the feedback for its votes."""
        numbers, slots = self._known.numbers, e.slots
        mean, variance = own_mean, _NOISE_VARIANCE + e.variance
        numbers.begin()
        if e.only:
            facets = self._catalogue.slot_facets
            self._add_common(e)
            numbers.add_values([slot for slot in slots if facets[slot] not in e.only], e.topic, e.surface)
            others = self._known.expect()
            mean, variance = mean + others[0], variance + others[1]
            slots = [slot for slot in slots if facets[slot] in e.only]
            numbers.begin()
        else:
            self._add_common(e)
        numbers.add_values(slots, e.topic, e.surface)
        self.votes.vote(user, self._known.take(), [], e.liked, mean, variance, share)

    def _add_common(self, e: Example) -> None:
        self._known.numbers.add_common(e.item, e.feedback_count, self._prior.popularity(e.item))

    def _own_mean(self, bias: float, shares: dict[int, float]) -> float:
        """Return the user's part of the prediction, each share weighted by its stacking factor."""
        table = self._prior.table
        mean = table.bias_factor * bias
        for facet, share in shares.items():
            mean += table.own_factors[facet] * share
        return mean

    def forget(self, user: bytes) -> None:
        """Forget a user, given by pseudonym, as far as others do not hide the user's votes."""
        self._forgets += 1
        self.votes.forget(hash_of(user))
        self.stacking.forget(hash_of(user))

    def take(self) -> Delta:
        """Return everything since the last delta."""
        votes, removed, forgets = self.votes.take()
        delta = Delta(
            self.shard, self.votes.season, self.examples, self._at_ms, removed, votes, forgets,
            self.stacking.take(), self._scoring.take(), self._proof.take(), facets=self._facets,
        )  # fmt: skip
        self.examples = self._forgets = 0
        return delta

    def pack(self) -> StoredShard:
        """Return what the shard knows of its users; a delta has everything else."""
        names = self._catalogue.facet_names
        forgotten, every = self.stacking.state()
        facets = {names[facet]: average for facet, average in self._scoring.facets().items()}
        return StoredShard(
            self.votes.season, self.votes.contributors(), self._limit.pack(), list(forgotten), every, facets,
            self._factors,
        )  # fmt: skip

    def restore(self, stored: StoredShard) -> None:
        """Continue with the state of `pack`; features of topics that are sensitive now are dropped."""
        dropped = filter(self._features.is_sensitive, stored.contributors)
        self.votes.restore(stored.season, stored.contributors, dropped)
        self._limit = FeedbackLimit(stored.limit, self._shards)
        parts = len(self._catalogue.facet_names) + _COMMON_PARTS
        self.stacking = StackingSums(parts, stored.forgotten, stored.every)
        index = self._catalogue.facet_index
        self._scoring = ScoringSums({index[name]: one for name, one in stored.facets.items() if name in index})
        self._factors = stored.factors


def _released_factors(prior: Prior) -> list[float]:
    """Return the factors that change with each release of stacking, and only then; empty before the first version.

    A release that changes no digit of them goes unnoticed: then forgotten users wait for another one.
    """
    found = [prior.factor(part) for part in (OFFSET, POPULATION, OWN_BIAS)]
    return [number for factor in found if factor is not None for number in factor]


def hash_of(user: bytes) -> int:
    """Return 64 mixed bits of a pseudonym."""
    return last_bits(user) * _ODD & _MASK
