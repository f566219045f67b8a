"""The population model in training: deltas of all shards in, published versions out."""

from state.catalogue.numbered import NumberedCatalogue
from state.learning import population_state
from state.learning.delta import Delta, facets_of
from state.learning.earlier_votes import NO_EARLIER, EarlierVotes
from state.learning.features import BIAS, Features
from state.learning.population_model import PopulationModel
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion, PopulationWrite, Scores
from state.learning.proof import Proof
from state.learning.restored_population import Restored, StoredTraining
from state.learning.scoring import Scoring
from state.learning.shard_votes import SEASON_MS
from state.learning.signals import population_write
from state.learning.stacking import OFFSET, OWN_BIAS, POPULATION, Stacking, user_part_name
from state.learning.user_model import MODEL_VERSION


class PopulationTrainer:
    """The population model in training; one per run."""

    def __init__(self, catalogue: NumberedCatalogue, key: bytes = b"") -> None:
        """Start without feedback. Readers of versions must not have the key of the noise."""
        self._catalogue = catalogue
        self._features = Features(catalogue)
        self._facets = frozenset(catalogue.facet_names)
        self._facets_checksum = facets_of(catalogue.facet_names)
        self._population = PopulationModel(key, catalogue.items.contributors)
        self._stacking = Stacking(catalogue.facet_names, key)
        self._earlier: EarlierVotes = NO_EARLIER
        self.scoring = Scoring(catalogue.facet_names)
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
        self._population.season = version.at // SEASON_MS
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

    def merge(self, delta: Delta) -> None:
        """Add all that a shard has learned since its last delta."""
        self._at_ms = max(self._at_ms, delta.at_ms)
        self.examples += delta.examples
        self.unpublished += delta.examples
        self._population.merge(delta)
        if delta.proof is not None:
            self.proof.merge(delta.proof)
        if delta.facets != self._facets_checksum:
            return
        if delta.stacking is not None:
            self._stacking.merge(delta.stacking)
        if delta.scoring is not None:
            self.scoring.merge(delta.scoring)

    def publish(self, number: int) -> PopulationWrite:
        """Publish a new version with this number; its prior becomes `prior`."""
        features = self._release()
        facets = {name.partition("=")[0] for name in features if "=" in name and "&" not in name} & self._facets
        version = PopulationVersion(
            n=number,
            model=MODEL_VERSION,
            at=self._at_ms,
            examples=self.examples,
            features=features,
            factors=self._published_factors(facets) if BIAS in features else {},
            uninformative=(),
            popularity=self._popularity(),
        )
        self._prior = Prior(self._catalogue, version)
        self.scores = self.scoring.scores(facets) if BIAS in features else None
        self.number = number
        self.unpublished, self.must_publish = 0, False
        return population_write(self._prior, version)

    def _release(self) -> dict[str, Gaussian]:
        """Release what is due of stacking, and return the beliefs to publish."""
        self._stacking.release_if_due()
        feature = self._population.add(BIAS)
        feature.mean, feature.variance = self._stacking.bias
        return self._population.published()

    def _popularity(self) -> dict[str, int]:
        return self._population.popularity()

    def _published_factors(self, facets: set[str]) -> dict[str, Gaussian]:
        """Return the stacking factors of the facets with enough contributors, and of all other parts."""
        public = {OFFSET, POPULATION, OWN_BIAS, *map(user_part_name, facets)}
        return {part: factor for part, factor in self._stacking.factors.items() if part in public}

    def pack(self) -> bytes:
        """Return the state as bytes."""
        gains = {name: (gain.gain, gain.n) for name, gain in self.scoring.gains.items()}
        training = StoredTraining(self.number, self.examples, self.unpublished, self._at_ms)
        return population_state.pack(
            Restored(training, self._population, gains, self._stacking, self.proof.pack(), self._earlier)
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
        training, self._population, gains, self._stacking, proof, self._earlier = population_state.unpack(
            data, key, catalogue.facet_names, self._features.is_sensitive, catalogue.items.contributors
        )
        self.scoring, self.proof = Scoring(catalogue.facet_names, gains), Proof(catalogue, proof)
        self.examples, self._at_ms = training.examples, training.at_ms
        self.number, self.unpublished = training.number, training.unpublished
