"""Training of the population model on feedback of consenting users, and its published versions."""

from math import sqrt

from state.catalogue.numbered import NumberedCatalogue
from state.learning import population_state
from state.learning.confidence_votes import confidence_vote
from state.learning.exact_population import ExactPopulation, ExactStacking
from state.learning.example import Example
from state.learning.features import BIAS, Features
from state.learning.feedback_limit import FeedbackLimit
from state.learning.population_model import PopulationModel
from state.learning.population_prior import Prior
from state.learning.population_state import Restored, StoredTraining
from state.learning.population_version import Gaussian, PopulationVersion, PopulationWrite, Scores
from state.learning.prediction import NOISE_VARIANCE
from state.learning.preferences import MODEL_VERSION
from state.learning.probit import normal_cdf
from state.learning.proof import Proof
from state.learning.scoring import Scoring
from state.learning.signals import population_write
from state.learning.stacking import MAX_EXAMPLES, OFFSET, OWN_BIAS, POPULATION, Stacking, user_part_name

DEFAULT_SHARE = 0.5
"""Part of a user's first feedback that votes on defaults."""

CONFIDENCE_SHARE = 0.5
"""Part of a feedback that votes on a confidence; a user has three such votes per season."""


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
        user = _hash(e.user)
        expected = self._prior.expect(e.slots, e.topic, e.surface, e.item, e.feedback_count)
        scale = sqrt(expected.variance + e.variance)
        own_mean = self._own_mean(e)
        factors = self._prior.factors
        z = (factors.offset + factors.population * expected.mean + own_mean) / scale
        self.scoring.add(e, z, scale, self._prior.by_facet(e.slots, e.topic, e.surface, e.shares))
        if e.feedback_count < MAX_EXAMPLES or self._exact:
            bias_residual = None if e.directed or e.only else e.liked - normal_cdf((expected.mean + own_mean) / scale)
            self._stacking.add(user, expected.mean, e.bias, e.shares, e.liked - normal_cdf(z), bias_residual)
        self._population.begin(max(self._at_ms, e.at_ms))
        if not e.directed:
            share = self._learn_defaults(e, user)
            share = self._learn_confidence(e, user, (z * scale, scale * scale), share)
            self._learn_answer(e, user, own_mean, share)
        for comparison in e.directed:
            preferred = self._features.of_value(comparison.preferred, e.topic, e.surface)
            served = self._features.of_value(comparison.served, e.topic, e.surface)
            factor = self._prior.factors.own[self._catalogue.slot_facets[comparison.served]].mean
            rest = (factor * comparison.mean, NOISE_VARIANCE + comparison.variance)
            self._population.learn(user, preferred, True, rest, served)
        self.examples += 1
        self.unpublished += 1
        self._at_ms = max(self._at_ms, e.at_ms)
        return True

    def _learn_defaults(self, e: Example, user: int) -> float:
        """Learn about defaults from a user's first answer, and return the share of the feedback that remains.

        Of a user without feedback nothing is known, so the served value depends on no preference of the user. Later
        answers have the values that their users like: of these, no default can be learned.
        """
        slots = [] if e.feedback_count or e.only else [slot for slot in e.slots if slot in self._replaceable]
        share = DEFAULT_SHARE / len(slots) if slots else 0.0
        mean, variance = self._prior.by_feedback_count[0]
        for slot in slots:
            self._population.learn(user, [self._features.of_default(slot)], e.liked, (mean, variance), share=share)
        return 1.0 - DEFAULT_SHARE if slots else 1.0

    def _learn_confidence(self, e: Example, user: int, expected: tuple[float, float], share: float) -> float:
        """Learn whether the values of a confidence are liked as predicted, and return the share that remains.

        `expected` is mean and variance of the prediction that decisions rest on, with the stacking factors.
        """
        vote = confidence_vote(e, user, self._catalogue)
        if vote is None or not (self._exact or self._population.may_vote(user, vote.feature)):
            return share
        value, runner_up = ([vote.feature], []) if vote.is_preferred else ([], [vote.feature])
        self._population.learn(user, value, e.liked, expected, runner_up, CONFIDENCE_SHARE * share)
        return (1.0 - CONFIDENCE_SHARE) * share

    def _learn_answer(self, e: Example, user: int, own_mean: float, share: float) -> None:
        """Learn from a like or dislike; `share` is the part of the feedback for its votes."""
        popularity = self._prior.popularity(e.item)
        features = self._features.of_answer(e.slots, e.topic, e.surface, e.item, e.feedback_count, popularity)
        learned = features
        if e.only:
            facets = self._catalogue.slot_facets
            slots = [slot for slot in e.slots if facets[slot] in e.only]
            learned = list(self._features.of_values(slots, e.topic, e.surface))
        mean, variance = own_mean, NOISE_VARIANCE + e.variance
        if learned is not features:
            others = self._population.expect([feature for feature in features if feature not in learned])
            mean, variance = mean + others[0], variance + others[1]
        self._population.learn(user, learned, e.liked, (mean, variance), share=share)

    def _own_mean(self, e: Example) -> float:
        """Return the user's part of the prediction, each share weighted by its stacking factor."""
        factors = self._prior.factors
        mean = factors.bias * e.bias
        for facet, share in e.shares.items():
            mean += factors.own[facet].mean * share
        return mean

    def forget(self, user: bytes) -> None:
        """Forget a user, given by pseudonym, as far as others do not hide the user's votes."""
        self._population.forget(_hash(user))
        self._stacking.forget(_hash(user))

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
        training, trainer._population, trainer._limit, gains, trainer._stacking, proof = population_state.unpack(
            data, key, catalogue.facet_names, trainer._features.is_sensitive, catalogue.items.contributors
        )
        trainer.scoring, trainer.proof = Scoring(catalogue, gains), Proof(catalogue, proof)
        trainer.examples, trainer._at_ms = training.examples, training.at_ms
        trainer.number, trainer.unpublished = training.number, training.unpublished
        return trainer


def _hash(user: bytes) -> int:
    """Return 64 bits of a pseudonym, which is a keyed hash already."""
    return int.from_bytes(user[-8:], "little") * 0x9E3779B97F4A7C15 % 2**64
