"""Training of the population model on feedback of consenting users, and its published versions."""

import math

from state.catalogue.numbered import NumberedCatalogue
from state.learning import population_state
from state.learning.confidence_votes import confidence_vote
from state.learning.exact_population import ExactPopulation, ExactStacking
from state.learning.example import Example
from state.learning.feature_numbers import FeatureNumbers
from state.learning.features import BIAS, Features
from state.learning.feedback_limit import FeedbackLimit, last_bits
from state.learning.known_features import KnownFeatures
from state.learning.population_model import PopulationModel
from state.learning.population_prior import Prior
from state.learning.population_state import Restored, StoredTraining
from state.learning.population_version import Gaussian, PopulationVersion, PopulationWrite, Scores
from state.learning.prediction import NOISE_VARIANCE
from state.learning.probit import normal_cdf
from state.learning.proof import Proof
from state.learning.scoring import Scoring
from state.learning.signals import population_write
from state.learning.stacking import MAX_EXAMPLES, OFFSET, OWN_BIAS, POPULATION, Stacking, user_part_name
from state.learning.user_model import MODEL_VERSION

DEFAULT_SHARE = 0.5
"""Part of a user's first feedback that votes on defaults."""

CONFIDENCE_SHARE = 0.5
"""Part of a feedback that votes on a confidence; a user has three such votes per season."""

_MAX_EXAMPLES = MAX_EXAMPLES
_NOISE_VARIANCE = NOISE_VARIANCE
_ODD, _MASK = 0x9E3779B97F4A7C15, 0xFFFFFFFFFFFFFFFF


class PopulationTrainer:
    """The population model in training; one per run."""

    def __init__(self, catalogue: NumberedCatalogue, key: bytes = b"", *, exact: bool = False) -> None:
        """Start without examples. Readers of versions must not have the key of the noise.

        With `exact`, each feedback moves the beliefs at once, without noise: for evaluations, never to be published.
        """
        self._exact = exact
        self._catalogue = catalogue
        self._features = Features(catalogue)
        self._facets = frozenset(catalogue.facet_names)
        self._replaceable = frozenset(
            slot
            for slots, named in zip(catalogue.facet_slots, catalogue.default_slots, strict=True)
            if named is not None
            for slot in slots
        )
        """Values of the facets with a default in the catalogue."""
        self._population = (ExactPopulation if exact else PopulationModel)(key, catalogue.items.contributors)
        self._known = KnownFeatures(self._population, FeatureNumbers(catalogue, self._features))
        self._stacking = (ExactStacking if exact else Stacking)(catalogue.facet_names, key)
        self._limit = FeedbackLimit()
        self.scoring = Scoring(catalogue)
        self.proof = Proof(catalogue)
        self._prior = Prior(catalogue)
        """Prior of the last published version."""
        self.examples = 0
        """Examples learned so far."""
        self._at_ms = 0
        self.unpublished = 0
        """Examples since the last version."""
        self.number = 0
        """Number of the last version; 0: none."""
        self.must_publish = False
        """The last version names a topic that is sensitive now, so a version without it must follow."""
        self.scores: Scores | None = None
        """Scores up to the last version, for operators: versions do not have them."""

    @property
    def is_new(self) -> bool:
        """True before the first example and version."""
        return not self.examples and not self.number

    @property
    def prior(self) -> Prior:
        """The prior of the last version."""
        return self._prior

    def start_from(self, version: PopulationVersion) -> None:
        """Start from a published version; only for a trainer without examples."""
        self._population.begin(version.at)
        self._population.restore(version.features)
        self._population.restore_popularity(version.popularity)
        self._population.drop(self._features.is_sensitive)
        self._stacking.restore(version.factors, version.features.get(BIAS))
        self.examples, self._at_ms = version.examples, version.at
        self.adopt(version)

    def adopt(self, version: PopulationVersion) -> None:
        """Take a published version as the last one, if it is newer; the learned state stays."""
        if version.n > self._prior.number:
            self._prior = Prior(self._catalogue, version)
            self.number = max(self.number, version.n)
            self.must_publish = any(map(self._features.is_sensitive, version.features))

    def learn(self, e: Example) -> bool:
        """Score an example, then learn from it; return False for an example above the limits of its user."""
        if not self._limit.takes(e.user, e.at_ms):
            return False
        self.proof.add(e, self._prior.default_slots)
        user, prior = hash_of(e.user), self._prior
        mean, variance = prior.answer(e.slots, e.topic, e.surface, e.item, e.feedback_count)
        scale, own_mean = math.sqrt(variance + e.variance), self._own_mean(e.bias, e.shares)
        z = (prior.table.offset + prior.table.population * mean + own_mean) / scale
        self.scoring.add(e, z, scale, prior.by_facet(e.slots, e.topic, e.surface, e.shares))
        if e.feedback_count < _MAX_EXAMPLES or self._exact:
            bias_residual = None if e.directed or e.only else e.liked - normal_cdf((mean + own_mean) / scale)
            self._stacking.add(user, mean, e.bias, e.shares, e.liked - normal_cdf(z), bias_residual)
        self._at_ms = max(self._at_ms, e.at_ms)
        self._population.begin(self._at_ms)
        if e.directed:
            self._learn_directed(e, user)
        else:
            share = self._learn_defaults(e, user)
            share = self._learn_confidence(e, user, z * scale, scale * scale, share)
            self._learn_answer(e, user, own_mean, share)
        self.examples += 1
        self.unpublished += 1
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
            self._population.vote(user, preferred, served, True, mean, variance, 1.0)

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
            self._population.vote(user, features, [], e.liked, mean, variance, DEFAULT_SHARE / len(slots))
        return 1.0 - DEFAULT_SHARE

    def _learn_confidence(self, e: Example, user: int, mean: float, variance: float, share: float) -> float:
        """Learn whether the values of a confidence are liked as predicted, and return the share that remains.

        `mean` and `variance` are those of the prediction that decisions rest on, with the stacking factors.
        """
        if e.logged is None:
            return share
        vote = confidence_vote(e, user, self._catalogue)
        if vote is None or not (self._exact or self._population.may_vote(user, vote.feature)):
            return share
        value, runner_up = ([vote.feature], []) if vote.is_preferred else ([], [vote.feature])
        self._population.learn(user, value, e.liked, (mean, variance), runner_up, CONFIDENCE_SHARE * share)
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
        self._population.vote(user, self._known.take(), [], e.liked, mean, variance, share)

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
        self._population.forget(hash_of(user))
        self._stacking.forget(hash_of(user))

    def publish(self, number: int) -> PopulationWrite:
        """Publish a new version with this number; its prior becomes `prior`."""
        self._stacking.release_if_due()
        if not self._exact:
            feature = self._population.add(BIAS)
            feature.mean, feature.variance = self._stacking.bias
        features = self._population.published()
        facets = {name.partition("=")[0] for name in features if "=" in name and "&" not in name} & self._facets
        version = PopulationVersion(
            n=number,
            model=MODEL_VERSION,
            at=self._at_ms,
            examples=self.examples,
            features=features,
            factors=self._published_factors(facets) if BIAS in features else {},
            uninformative=(),
            popularity=self._population.popularity(),
        )
        self._prior = Prior(self._catalogue, version)
        self.scores = self.scoring.scores(facets) if BIAS in features else None
        self.number = number
        self.unpublished, self.must_publish = 0, False
        return population_write(self._prior, version)

    def _published_factors(self, facets: set[str]) -> dict[str, Gaussian]:
        """Return the stacking factors of the facets with enough contributors, and of all other parts."""
        public = {OFFSET, POPULATION, OWN_BIAS, *map(user_part_name, facets)}
        return {part: factor for part, factor in self._stacking.factors.items() if part in public}

    def pack(self) -> bytes:
        """Return the state as bytes."""
        gains = {name: (gain.gain, gain.part, gain.n) for name, gain in self.scoring.gains.items()}
        training = StoredTraining(self.number, self.examples, self.unpublished, self._at_ms)
        return population_state.pack(
            Restored(training, self._population, self._limit, gains, self._stacking, self.proof.pack())
        )

    @classmethod
    def unpack(cls, data: bytes, catalogue: NumberedCatalogue, key: bytes = b"") -> "PopulationTrainer":
        """Return the trainer of `pack`.

        The bytes hold the number of the last version, not the version: see `adopt`.

        Raises:
            StateError: the bytes have an unknown layout, or are damaged.
        """
        trainer = cls(catalogue, key)
        trainer._restore(data, key)
        return trainer

    def _restore(self, data: bytes, key: bytes) -> None:
        catalogue = self._catalogue
        training, self._population, self._limit, gains, self._stacking, proof = population_state.unpack(
            data, key, catalogue.facet_names, self._features.is_sensitive, catalogue.items.contributors
        )
        self._known = KnownFeatures(self._population, FeatureNumbers(catalogue, self._features))
        self.scoring, self.proof = Scoring(catalogue, gains), Proof(catalogue, proof)
        self.examples, self._at_ms = training.examples, training.at_ms
        self.number, self.unpublished = training.number, training.unpublished


def hash_of(user: bytes) -> int:
    """Return 64 mixed bits of a pseudonym."""
    return last_bits(user) * _ODD & _MASK
